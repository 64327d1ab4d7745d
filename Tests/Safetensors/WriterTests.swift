import Foundation
import Safetensors
import TestSupport
import Testing

@Suite struct WriterTests {
  let scratch: Scratch
  let path: String

  init() throws {
    scratch = try Scratch()
    path = "\(scratch.path)/out.safetensors"
  }

  /// The same tensors, in any order, give the bytes of the reference library.
  @Test func equalsTheReferenceWriter() throws {
    let halves: [Float] = [1, -2.5, 6e-8, 65504, 0.33325195]
    let entries: [SafetensorsWriter.Entry] = [
      .init(name: "floats", shape: [2, 3], floats: [1.5, -2.25, Float(bitPattern: 214_087), .infinity, -0.0, 65504]),
      .init(name: "halves", shape: [5], halves: halves),
      .init(name: "brain", shape: [3, 1], brainFloats: [1, -3.140625, 1e38]),
      .init(name: "ids", shape: [2, 3], integers: [49406, 320, 49407, -1, .max, .min] as [Int32]),
      .init(name: "long", shape: [2], integers: [1 << 40, -7] as [Int64]),
      .init(name: "scalar", shape: [], floats: [42]),
      .init(name: "empty", shape: [0, 3], floats: []),
      .init(name: "näme \"quoted\"\\\n", shape: [1], floats: [7]),
    ]
    let expected = try Data(contentsOf: ProjectFiles.fixtures.appending(path: "safetensors/python.safetensors"))
    for order in [entries, entries.reversed()] {
      try SafetensorsWriter.write(order, metadata: ["format": "pt"], to: path)
      #expect(try Data(contentsOf: URL(filePath: path)) == expected)
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["out.safetensors"])
  }

  @Test func roundsToBrainFloatAsTorchDoes() throws {
    // Halfway cases go to the even neighbour; the largest finite value rounds up to infinity; NaN stays NaN.
    let values: [UInt32] = [0x3f80_8000, 0x3f81_8000, 0x3f80_8001, 0x7f7f_ffff, 0x7fc0_0000, 0x7f80_0001, 0x8000_0000]
    let expected: [UInt16] = [0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7fc0, 0x7fc0, 0x8000]
    let entry = SafetensorsWriter.Entry(
      name: "x", shape: [values.count], brainFloats: values.map { Float(bitPattern: $0) })
    #expect(entry.bytes == expected.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] })
  }

  @Test func writesAnEmptyFile() throws {
    try SafetensorsWriter.write([], to: path)
    #expect(try SafetensorsFile(path: path).tensors.isEmpty)
    #expect(try Data(contentsOf: URL(filePath: path)).count == 16)
  }

  @Test func carriesAwkwardNamesAndMetadata() throws {
    let names = ["", "\u{1}\u{1f}", "a/b.c", "\"\\", "猫", "👩‍🚀", "\u{7f}", "__metadata"]
    let entries = names.enumerated().map {
      SafetensorsWriter.Entry(name: $1, shape: [1], integers: [Int32($0)])
    }
    let metadata = ["b": "x\ty", "a": "\u{0}", "": "\r\n"]
    try SafetensorsWriter.write(entries, metadata: metadata, to: path)
    let file = try SafetensorsFile(path: path)
    #expect(file.metadata == metadata)
    for (index, name) in names.enumerated() { #expect(try file.integers(name) == [Int64(index)]) }
  }

  @Test func refusesWhatIsNoTensor() throws {
    func message(_ entries: [SafetensorsWriter.Entry]) throws -> String? {
      let error = try safetensorsError { try SafetensorsWriter.write(entries, to: path) }
      #expect(!FileManager.default.fileExists(atPath: path))
      return error?.message
    }
    let one = SafetensorsWriter.Entry(name: "a", shape: [1], floats: [1])
    #expect(try message([one, one]) == "cannot be written: the name is reserved or used twice")
    #expect(
      try message([.init(name: "__metadata__", shape: [1], floats: [1])])
        == "cannot be written: the name is reserved or used twice")
    #expect(
      try message([.init(name: "a", shape: [2, 2], floats: [1, 2, 3])])
        == "has 12 bytes, expected 16 for F32 of shape [2, 2]")
    #expect(try message([.init(name: "a", shape: [-1], floats: [])]) == "has the shape [-1]")
    #expect(try message([.init(name: "a", shape: [.max, .max], floats: [])])?.contains("larger than any file") == true)
  }

  @Test func leavesNothingBehindWhenItCannotWrite() throws {
    let folder = "\(scratch.path)/taken"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    try FileManager.default.createDirectory(atPath: folder + "/inside", withIntermediateDirectories: false)
    let entries = [SafetensorsWriter.Entry(name: "a", shape: [1], floats: [1])]
    let error = try #require(try safetensorsError { try SafetensorsWriter.write(entries, to: folder) })
    #expect(error.code == .inputOutput)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path) == ["taken"])
    #expect(try safetensorsError { try SafetensorsWriter.write(entries, to: "\(folder)/no/x") }?.code == .inputOutput)
  }
}
