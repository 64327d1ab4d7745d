import Images
import Testing

/// Files that end early or hold wrong bytes: an error or a picture, never a crash and never a picture of grey filler.
@Suite struct DamagedImageTests {
  private static let names = [
    "png_color2_depth8.png", "png_color3_depth4_adam7.png", "png_color6_depth16.png", "png_text.png",
    "jpeg_420.jpg", "jpeg_420_progressive.jpg", "jpeg_cmyk.jpg", "jpeg_restart.jpg", "jpeg_exif6.jpg",
  ]

  @Test(arguments: names) func everyPrefixIsRefused(_ name: String) throws {
    let bytes = try GoldenImages.bytes(name)
    // The last bytes of a JPEG are its end marker; a reader that has all pixels need not see it whole.
    let count = name.hasSuffix(".png") ? bytes.count : bytes.count - 2
    for length in 0..<count {
      let error = #expect(throws: ImageError.self, "\(length) of \(bytes.count) bytes") {
        try ImageDecoder.decode(Array(bytes[..<length]))
      }
      if length > 200, error?.code != .truncated { Issue.record("\(length) bytes: \(error?.message ?? "")") }
    }
  }

  @Test func wrongChecksums() throws {
    let bytes = try GoldenImages.bytes("png_text.png")
    // One bit in the data of the header, of a text, and of the pixels.
    for (name, offset) in [("IHDR", 19), ("tEXt", 45), ("IDAT", bytes.count - 40)] {
      var damaged = bytes
      damaged[offset] ^= 1
      let error = #expect(throws: ImageError.self) { try PNG.decode(damaged) }
      #expect(error?.code == .corrupt)
      if name != "IDAT" { #expect(error?.message.contains(name) == true, "\(error?.message ?? "")") }
    }
  }

  /// Random bytes in random places, the same in every run. Checksums stop most of it in a PNG, so they are repaired.
  @Test(arguments: names) func mutatedFiles(_ name: String) throws {
    let bytes = try GoldenImages.bytes(name)
    var random = SplitMix64(state: 1)
    var decoded = 0
    for _ in 0..<400 {
      var mutated = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let index = Int.random(in: 8..<bytes.count, using: &random)
        switch Int.random(in: 0..<3, using: &random) {
        case 0: mutated[index] = UInt8.random(in: 0...255, using: &random)
        case 1: mutated[index] ^= 1 << UInt8.random(in: 0..<8, using: &random)
        default: mutated[index] = [0, 0x7F, 0x80, 0xFF].randomElement(using: &random) ?? 0
        }
      }
      if name.hasSuffix(".png") { repairChecksums(&mutated) }
      // Small limits keep a mutated header from asking for gigabytes of work.
      let limits = ImageLimits(side: 4096, pixels: 1 << 20)
      do {
        let image = try ImageDecoder.decode(mutated, limits: limits)
        #expect(image.bytes.count == 3 * image.width * image.height)
        decoded += 1
      } catch {
        #expect(!error.message.isEmpty)
      }
    }
    #expect(decoded > 0, "mutations that leave nothing readable reach little of the decoder")
  }

  /// Recomputes each chunk's checksum, as far as the chunks still make sense.
  private func repairChecksums(_ bytes: inout [UInt8]) {
    var position = 8
    while position + 12 <= bytes.count {
      let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
      guard length <= bytes.count - position - 12 else { return }
      var crc: UInt32 = ~0
      for byte in bytes[position + 4..<position + 8 + length] {
        crc ^= UInt32(byte)
        for _ in 0..<8 { crc = crc & 1 == 1 ? 0xEDB8_8320 ^ crc >> 1 : crc >> 1 }
      }
      crc = ~crc
      let end = position + 8 + length
      for i in 0..<4 { bytes[end + i] = UInt8(truncatingIfNeeded: crc >> (24 - 8 * UInt32(i))) }
      position = end + 4
    }
  }
}

/// A small generator with a fixed seed, so that a failure happens again.
struct SplitMix64: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
