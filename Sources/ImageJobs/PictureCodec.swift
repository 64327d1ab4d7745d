package import Diffusion
internal import Images

/// A decoded initial picture in its own size, upright.
struct DecodedPicture {
  private let image: RGBImage
  var width: Int { image.width }
  var height: Int { image.height }

  /// - Throws: `ImageError` for what is no PNG or JPEG, is damaged, or has more pixels.
  init(_ encoded: [UInt8], maximumPixels: Int) throws {
    image = try ImageDecoder.decode(encoded, limits: ImageLimits(pixels: maximumPixels))
  }

  /// Stretched to a size, as diffusers does to an initial picture; in its own size unchanged.
  func resized(width: Int, height: Int) -> RGBPixels {
    let resized = image.resizedLanczos(width: width, height: height)
    return RGBPixels(width: width, height: height, bytes: resized.bytes)
  }
}

/// A picture as a PNG file that says how it was made.
///
/// The JSON is always `iTXt`, so its encoding is never in doubt; `parameters` is `tEXt` where it can be, because many
/// readers look nowhere else.
package func encodePNG(_ pixels: RGBPixels, metadata: PNGMetadata) throws -> [UInt8] {
  try PNG.encode(
    RGBImage(width: pixels.width, height: pixels.height, bytes: pixels.bytes),
    text: [
      PNGText(keyword: "parameters", text: metadata.parameters),
      PNGText(keyword: "tintype", text: metadata.json, isInternational: true),
    ])
}
