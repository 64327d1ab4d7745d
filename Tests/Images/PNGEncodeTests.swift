import Images
import Testing

@Suite struct PNGEncodeTests {
  private let image: RGBImage = {
    var random = SplitMix64(state: 3)
    let bytes = (0..<3 * 50 * 31).map { index in
      index % 7 == 0 ? UInt8.random(in: 0...255, using: &random) : UInt8(truncatingIfNeeded: index / 40)
    }
    return RGBImage(width: 50, height: 31, bytes: bytes)
  }()

  @Test func pixelsComeBack() throws {
    #expect(try PNG.decode(PNG.encode(image)) == image)
    let pixel = RGBImage(width: 1, height: 1, bytes: [1, 2, 3])
    #expect(try PNG.decode(PNG.encode(pixel)) == pixel)
  }

  @Test func equalInputGivesEqualBytes() throws {
    let text = [PNGText(keyword: "parameters", text: "a cat")]
    #expect(try PNG.encode(image, text: text) == PNG.encode(image, text: text))
  }

  @Test func textsComeBackInOrder() throws {
    let texts = [
      PNGText(keyword: "parameters", text: "café\nSteps: 1, Seed: 42"),
      PNGText(keyword: "Software", text: "tintype"),
      PNGText(keyword: "tintype", text: #"{"prompt":"猫 😀"}"#, isInternational: true),
      PNGText(keyword: "empty", text: ""),
    ]
    let bytes = try PNG.encode(image, text: texts)
    #expect(try PNG.text(of: bytes) == texts)
    #expect(try PNG.decode(bytes) == image)
  }

  /// Latin-1 goes into `tEXt`, which every reader knows; other text needs `iTXt`. Both stand before the pixels, where
  /// readers that stop at the first `IDAT` find them.
  @Test func chunkTypesAndOrder() throws {
    let bytes = try PNG.encode(
      image,
      text: [
        PNGText(keyword: "parameters", text: "naïve ÿ"), PNGText(keyword: "parameters", text: "naïve ł"),
        PNGText(keyword: "tintype", text: "{}", isInternational: true),
      ])
    #expect(chunkNames(bytes) == ["IHDR", "tEXt", "iTXt", "iTXt", "IDAT", "IEND"])
  }

  /// A zero would end the text for readers written in C.
  @Test func zeroCharactersAreReplaced() throws {
    let bytes = try PNG.encode(image, text: [PNGText(keyword: "parameters", text: "a\0b")])
    #expect(try PNG.text(of: bytes).map(\.text) == ["a\u{FFFD}b"])
  }

  @Test(arguments: ["", " a", "a ", "a  b", "a\nb", "猫", "\u{7F}", String(repeating: "x", count: 80)])
  func illegalKeywords(_ keyword: String) {
    let error = #expect(throws: ImageError.self) {
      try PNG.encode(image, text: [PNGText(keyword: keyword, text: "x")])
    }
    #expect(error?.code == .invalidText)
  }

  /// Texts by another writer: Latin-1, UTF-8 with language and translated keyword, after the pixels. The compressed one
  /// is left out.
  @Test func textsOfOtherWriters() throws {
    let texts = try PNG.text(of: GoldenImages.bytes("png_text.png"))
    #expect(
      texts == [
        PNGText(keyword: "parameters", text: "café, Steps: 1"),
        PNGText(keyword: "tintype", text: #"{"prompt": "猫"}"#, isInternational: true),
        PNGText(keyword: "Software", text: "after the pixels"),
      ])
  }

  private func chunkNames(_ bytes: [UInt8]) -> [String] {
    var names: [String] = []
    var position = 8
    while position < bytes.count {
      let length = bytes[position..<position + 4].reduce(0) { $0 << 8 | Int($1) }
      names.append(String(decoding: bytes[position + 4..<position + 8], as: UTF8.self))
      position += 12 + length
    }
    return names
  }
}
