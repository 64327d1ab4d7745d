package import Diffusion
internal import Images

/// A decoded initial picture in its own size.
struct DecodedPicture {
  let image: RGBImage
  var width: Int { image.width }
  var height: Int { image.height }
  init(_ encoded: [UInt8], maximumPixels: Int) throws {
    image = try ImageDecoder.decode(encoded, limits: ImageLimits(pixels: maximumPixels)) }
  func resized(width: Int, height: Int) -> RGBPixels {
    RGBPixels(width: image.width, height: image.height, bytes: image.bytes) }
}

package func encodePNG(_ pixels: RGBPixels, metadata: PNGMetadata) throws -> [UInt8] {
  try PNG.encode(RGBImage(width: pixels.width, height: pixels.height, bytes: pixels.bytes), text: [])
}
