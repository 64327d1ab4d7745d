import Foundation
import Safetensors
import Tensors
import TestSupport
import Testing

/// Reading `Tests/Fixtures/safetensors/python.safetensors`, which the reference library wrote.
@Suite struct FileTests {
  let file: SafetensorsFile

  init() throws {
    file = try SafetensorsFile(path: ProjectFiles.fixtures.appending(path: "safetensors/python.safetensors").path)
  }

  @Test func readsEveryTensorAndTheMetadata() throws {
    #expect(file.metadata == ["format": "pt"])
    #expect(
      file.tensors.keys.sorted() == [
        "brain", "empty", "floats", "halves", "ids", "long", "näme \"quoted\"\\\n", "scalar",
      ])
    #expect(try file.floats("floats") == [1.5, -2.25, Float(bitPattern: 214_087), .infinity, 0, 65504])
    #expect(try file.floats("floats")[4].sign == .minus)
    #expect(try file.floats("halves") == [1, -2.5, 5.9604645e-8, 65504, 0.33325195])
    #expect(try file.floats("brain")[..<2] == [1, -3.140625])
    #expect(try file.integers("ids") == [49406, 320, 49407, -1, 2_147_483_647, -2_147_483_648])
    #expect(try file.integers("long") == [1 << 40, -7])
    #expect(try file.floats("näme \"quoted\"\\\n") == [7])
  }

  @Test func describesShapes() throws {
    #expect(try file.tensor("ids").shape == [2, 3])
    #expect(try file.tensor("ids").dtype == .int32)
    #expect(try file.tensor("scalar").shape == [])
    #expect(try file.tensor("scalar").count == 1)
    #expect(try file.tensor("empty").count == 0)
    #expect(try file.floats("empty") == [])
  }

  @Test func givesWeightsInPlace() throws {
    for (name, dtype) in [("floats", DType.float32), ("halves", .float16), ("brain", .bfloat16), ("empty", .float32)] {
      let parameter = try file.parameter(name)
      #expect(parameter.name == name)
      #expect(parameter.dtype == dtype)
      #expect(parameter.shape == (try file.tensor(name).shape))
      #expect(try storedBytes(parameter) == file.bytes(name))
    }
  }

  @Test func aWeightOutlivesItsFile() throws {
    let scratch = try Scratch()
    func load() throws -> Parameter {
      let path = "\(scratch.path)/w.safetensors"
      try SafetensorsWriter.write([.init(name: "w", shape: [3], floats: [1, 2, 3])], to: path)
      let parameter = try SafetensorsFile(path: path).parameter("w")
      // Unlinked and dropped: the mapping alone keeps the pages.
      try FileManager.default.removeItem(atPath: path)
      return parameter
    }
    #expect(
      storedBytes(try load()) == [0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40])
  }

  @Test func refusesAnIntegerAsAWeight() throws {
    let error = try #require(try safetensorsError { _ = try file.parameter("ids") })
    #expect(error.code == .unsupportedType)
    #expect(error.tensor == "ids")
    #expect(error.message == "is I32, expected F32, F16, BF16")
  }

  @Test func namesAMissingTensor() throws {
    let error = try #require(try safetensorsError { _ = try file.parameter("nope") })
    #expect(error.code == .noSuchTensor)
    #expect(error.description.hasSuffix("python.safetensors: tensor \"nope\": is not in this file"))
  }

  /// An old writer did not pad its header: the tensors of such a file lie at odd addresses.
  @Test func copiesAMisalignedWeight() throws {
    let scratch = try Scratch()
    var header = #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    if header.utf8.count % 2 == 0 { header += " " }
    let file = try scratch.open(header: header, payload: 8)
    let parameter = try file.parameter("a")
    #expect(storedBytes(parameter) == Array(0..<8))
    unsafe parameter.withBytes { bytes in #expect(Int(bitPattern: bytes.baseAddress) % 4 == 0) }
  }

  @Test func findsValuesThatAreNotFinite() throws {
    #expect(try !file.isFinite("floats"))
    for name in ["halves", "brain", "scalar", "empty", "ids"] { #expect(try file.isFinite(name), "\(name)") }
    let scratch = try Scratch()
    let path = "\(scratch.path)/n.safetensors"
    try SafetensorsWriter.write(
      [
        .init(name: "h", shape: [2], halves: [0, .nan]), .init(name: "b", shape: [1], brainFloats: [-.infinity]),
        .init(name: "f", shape: [1], floats: [.nan]), .init(name: "ok", shape: [1], floats: [.greatestFiniteMagnitude]),
      ], to: path)
    let other = try SafetensorsFile(path: path)
    for name in ["h", "b", "f"] { #expect(try !other.isFinite(name), "\(name)") }
    #expect(try other.isFinite("ok"))
  }

  @Test func refusesWhatIsNoFile() throws {
    let scratch = try Scratch()
    #expect(try safetensorsError { _ = try SafetensorsFile(path: scratch.path) }?.message == "is not a regular file")
    let absent = try #require(try safetensorsError { _ = try SafetensorsFile(path: "\(scratch.path)/absent") })
    #expect(absent.code == .inputOutput)
    #expect(absent.message.contains("No such file"))
    // Opening a pipe must not wait for a writer.
    let pipe = "\(scratch.path)/pipe"
    #expect(unsafe mkfifo(pipe, 0o600) == 0)
    #expect(try safetensorsError { _ = try SafetensorsFile(path: pipe) }?.message == "is not a regular file")
  }
}
