import Tensors
import Testing

@Suite struct KernelChoiceTests {
  @Test func theLargestSetIsChosenUnlessOneIsAskedFor() throws {
    let available = Processor.current.instructionSets
    #expect(available.first == .baseline)
    #expect(available == available.sorted())
    for set in available {
      let device = try CPUDevice(threads: 1, sizes: BlockSizes(), instructionSet: set)
      #expect(device.choice.instructionSet == set)
    }
  }

  @Test func namesThatCannotBeUsedAreRefusedWithTheLegalOnes() throws {
    let legal = Processor.current.instructionSets.map(\.rawValue).joined(separator: ", ")
    let error = #expect(throws: DeviceError.self) { try KernelChoice(setting: "avx9000") }
    #expect(error?.code == .unsupportedInstructions)
    #expect(error?.message.contains("avx9000") == true && error?.message.contains(legal) == true)
    #expect(try KernelChoice(setting: "baseline").instructionSet == .baseline)
    #expect(try KernelChoice(setting: "").instructionSet == Processor.current.instructionSets.max())
  }

  /// Each set finishes the probe, so its instructions exist here; two threads can do more than one, if there are two.
  @Test func everySetHasAPeak() throws {
    for set in Processor.current.instructionSets {
      let device = try CPUDevice(threads: 1, sizes: BlockSizes(), instructionSet: set)
      #expect(device.peakRate(seconds: 0.01) > 1e8)
    }
  }
}
