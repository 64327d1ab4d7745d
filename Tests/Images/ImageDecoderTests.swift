import Images
import Testing

/// Every colour type, depth, interlace, orientation and JPEG process against Pillow, to the byte.
@Suite struct ImageDecoderTests {
  @Test func everyFileIsAsPillowReadsIt() throws {
    let golden = try GoldenImages.load()
    try #require(golden.files.count > 60)
    for picture in golden.files {
      let name = try #require(picture.name)
      let image = try ImageDecoder.decode(GoldenImages.bytes(name))
      expectEqual(image, try picture.image(), name)
    }
  }

  @Test func resizesAsPillowDoes() throws {
    let golden = try GoldenImages.load()
    let source = try golden.source.image()
    for picture in golden.resizes {
      let image = source.resizedLanczos(width: picture.width, height: picture.height)
      expectEqual(image, try picture.image(), "\(picture.width)×\(picture.height)")
    }
  }

  @Test func otherTypesAreNamed() {
    let files: [(String, [UInt8])] = [
      ("empty", []), ("unknown", [1, 2, 3]), ("GIF", Array("GIF89a…".utf8)), ("BMP", Array("BM1234".utf8)),
      ("WebP", Array("RIFF1234WEBPVP8 ".utf8)), ("TIFF", [0x49, 0x49, 0x2A, 0, 8]),
      ("HEIF", [0, 0, 0, 24] + Array("ftypheic".utf8)),
    ]
    for (name, bytes) in files {
      let error = #expect(throws: ImageError.self) { try ImageDecoder.decode(bytes) }
      #expect(error?.code == .unsupportedType)
      #expect(error?.message.contains(name) == true && error?.message.contains("PNG, JPEG") == true, "\(name)")
    }
  }

  @Test func limitsAreAppliedBeforeDecoding() throws {
    for name in ["png_color2_depth8.png", "jpeg_444.jpg"] {
      let bytes = try GoldenImages.bytes(name)
      let size = try ImageDecoder.decode(bytes)
      let pixels = size.width * size.height
      #expect(throws: Never.self) {
        try ImageDecoder.decode(bytes, limits: ImageLimits(bytes: bytes.count, side: size.width, pixels: pixels))
      }
      for limits in [
        ImageLimits(bytes: bytes.count - 1), ImageLimits(side: size.width - 1), ImageLimits(pixels: pixels - 1),
      ] {
        let error = #expect(throws: ImageError.self) { try ImageDecoder.decode(bytes, limits: limits) }
        #expect(error?.code == .tooLarge)
      }
    }
  }

  /// A file of a hundred bytes whose header claims 2³¹ - 1 pixels a side. Were its pixels allocated, the test run would
  /// not survive.
  @Test func hugeHeaders() throws {
    var png = try GoldenImages.bytes("png_color2_depth8.png")
    png.replaceSubrange(16..<24, with: [0x7F, 0xFF, 0xFF, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF])
    let error = #expect(throws: ImageError.self) { try ImageDecoder.decode(png) }
    #expect(error?.code == .tooLarge)

    var jpeg = try GoldenImages.bytes("jpeg_444.jpg")
    let frame = try #require(jpeg.indices.first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
    let other = #expect(throws: ImageError.self) { try ImageDecoder.decode(jpeg) }
    #expect(other?.code == .tooLarge)
  }
}
