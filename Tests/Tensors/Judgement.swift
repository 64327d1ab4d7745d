import Tensors
import Testing

/// The devices on trial: every instruction set that the processor has, several numbers of threads, and pieces of the usual
/// and of the smallest size, so that a shape of a few elements crosses the borders of panels, tiles, bands and blocks.
enum Trial {
  static let devices: [CPUDevice] = {
    // From here on an element that no kernel writes is NaN.
    TensorStorage.poisonsNewMemory.isOn = true
    var small = BlockSizes()
    small.linearRows = 5
    small.roundedRows = 5
    small.linearParts = 64
    small.int8Rounded = 4096
    small.int8Inputs = 900
    small.int8SmallestPart = 64
    small.smallestTile = 64
    small.queries = 4
    small.keys = 3
    small.norm = 32
    small.run = 16
    small.winogradRows = 2
    small.winogradColumns = 2
    small.winogradWeights = 1
    small.winogradPieces = 3
    small.winogradSmallMap = 6
    small.winogradSmallMapChannels = 12
    small.winogradQuarters = 0
    small.streamedResult = 1
    small.winogradRun = 5
    do {
      let fastest = try [
        CPUDevice(threads: 1), CPUDevice(threads: 3), CPUDevice(threads: 1, sizes: small),
        CPUDevice(threads: 2, sizes: small), CPUDevice(threads: 5, sizes: small),
      ]
      // Every other instruction set that this processor has, too.
      return try fastest
        + Processor.current.instructionSets.filter { $0 != fastest[0].choice.instructionSet }.flatMap { set in
          try [
            CPUDevice(threads: 1, sizes: BlockSizes(), instructionSet: set),
            CPUDevice(threads: 2, sizes: small, instructionSet: set),
          ]
        }
    } catch {
      fatalError("\(error)")
    }
  }()

  static let reference = ReferenceDevice()
}

/// Runs an operation on the reference and on every device on trial, and compares elementwise.
///
/// - Parameters:
///   - depth: terms of the longest sum behind an element. Rounding errors of a sum grow like the square root of
///     its length, and each is at most half a unit of the partial sum, so the difference allowed is
///     `factor · √depth` units in the last place of the largest expected element (at least 1).
///   - factor: 4 unless an operation amplifies errors, which its test explains.
func judge(
  _ what: @autoclosure () -> String, depth: Int = 1, factor: Float = 4,
  sourceLocation: SourceLocation = #_sourceLocation,
  _ operation: (any Device) throws -> Tensor
) throws {
  let expected = try operation(Trial.reference)
  let literal = expected.array
  let largest = literal.reduce(Float(1)) { $1.isFinite ? max($0, abs($1)) : $0 }
  let tolerance = factor * Float(depth).squareRoot() * Float.ulpOfOne * largest
  var bits: [String: [UInt32]] = [:]
  for (number, device) in Trial.devices.enumerated() {
    let name = "device \(number) (\(device.choice.instructionSet))"
    let result = try operation(device)
    #expect(result.shape == expected.shape, "\(what()) on \(name)", sourceLocation: sourceLocation)
    #expect(
      result.storage.guardsAreIntact, "\(what()) on \(name) wrote beside its result",
      sourceLocation: sourceLocation)
    guard result.shape == expected.shape else { return }
    let found = result.array
    var (worst, place) = (Float(0), 0)
    for index in found.indices {
      let (x, y) = (found[index], literal[index])
      // Equal covers the infinities; a NaN must meet a NaN.
      let difference: Float = x == y || (x.isNaN && y.isNaN) ? 0 : abs(x - y)
      if !(difference <= worst) { (worst, place) = (difference, index) }
      if worst.isNaN { break }
    }
    if !(worst <= tolerance) {
      Issue.record(
        """
        \(what()) on \(name): element \(place) is \(found[place]), not \(literal[place]); \
        off by \(worst), allowed \(tolerance)
        """, sourceLocation: sourceLocation)
      return
    }
    // Threads must not matter at all: same instructions and pieces, same bits.
    let kind = "\(device.choice.instructionSet) \(device.sizes == Trial.devices[0].sizes)"
    let pattern = found.map(\.bitPattern)
    #expect(
      bits[kind, default: pattern] == pattern, "\(what()): the number of threads changes the result",
      sourceLocation: sourceLocation)
    bits[kind] = pattern
  }
}
