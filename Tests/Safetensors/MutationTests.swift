import Safetensors
import Testing

/// A damaged file is refused, or it still is a file whose every tensor can be read; it never crashes the reader.
@Suite struct MutationTests {
  let scratch: Scratch
  let original: [UInt8]

  init() throws {
    scratch = try Scratch()
    let path = "\(scratch.path)/o.safetensors"
    try SafetensorsWriter.write(
      [
        .init(name: "w", shape: [2, 2], floats: [1, 2, 3, 4]), .init(name: "h", shape: [3], halves: [1, 2, 3]),
        .init(name: "e", shape: [0], floats: []), .init(name: "i", shape: [1], integers: [-1] as [Int64]),
      ], metadata: ["format": "pt", "note": "\u{e9}"], to: path)
    let file = try SafetensorsFile(path: path)
    original = file.bytes(in: [0..<file.byteCount])
  }

  /// Opens `bytes`; whether they are a legal file. If they are, reads all that there is to read.
  private func isLegal(_ bytes: [UInt8]) throws -> Bool {
    let file: SafetensorsFile
    do {
      file = try SafetensorsFile(path: scratch.file(bytes))
    } catch let error as SafetensorsError {
      #expect(!error.message.isEmpty)
      return false
    }
    var covered = 0
    for tensor in file.tensors.values {
      covered += try file.bytes(tensor.name).count
      #expect(tensor.range.count * 8 == tensor.count * tensor.dtype.bitWidth)
      if tensor.dtype.parameterType != nil { _ = storedBytes(try file.parameter(tensor.name)) }
      _ = try file.isFinite(tensor.name)
    }
    #expect(covered == bytes.count - file.headerBytes.count)
    return true
  }

  @Test func theOriginalIsLegal() throws {
    #expect(try isLegal(original))
  }

  @Test func everyTruncationIsRefused() throws {
    for count in 0..<original.count {
      #expect(try !isLegal(Array(original.prefix(count))), "cut to \(count) bytes")
    }
  }

  @Test func everyExtensionIsRefused() throws {
    for byte: UInt8 in [0, 0x20, 0x7d, 0xff] {
      #expect(try !isLegal(original + [byte]))
      #expect(try !isLegal(original + Array(repeating: byte, count: 4096)))
    }
  }

  @Test func everyDamagedByteIsSurvived() throws {
    let header = SafetensorsHeaderExtent(original)
    var (legal, refused) = (0, 0)
    for position in original.indices {
      for value: UInt8 in [
        original[position] ^ 1, original[position] ^ 0x80, original[position] &+ 1, 0, 0x20, 0x22, 0x2c, 0x30, 0x39,
        0x5b,
        0x7b, 0x7d, 0xff,
      ] where value != original[position] {
        var bytes = original
        bytes[position] = value
        if try isLegal(bytes) {
          legal += 1
          // The length decides where everything lies: no other value of it fits.
          #expect(position >= 8, "length byte \(position) = \(value)")
        } else {
          refused += 1
          #expect(position < header.end, "payload byte \(position) decides nothing")
        }
      }
    }
    // Most of the header is structure; the payload, and letters inside names, are free.
    #expect(refused > header.end * 6)
    #expect(legal >= (original.count - header.end) * 9)
  }

  @Test func everyRemovedOrDoubledHeaderByteIsRefused() throws {
    let header = SafetensorsHeaderExtent(original)
    for position in 8..<header.end {
      var shorter = original
      shorter.remove(at: position)
      #expect(try !isLegal(shorter), "without byte \(position)")
      var longer = original
      longer.insert(original[position], at: position)
      #expect(try !isLegal(longer), "byte \(position) twice")
    }
  }

  /// Where the header of a well-formed file ends.
  private struct SafetensorsHeaderExtent {
    let end: Int
    init(_ bytes: [UInt8]) { end = 8 + bytes[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) } }
  }
}
