package import Diffusion
internal import Images

/// A decoded initial picture in its own size.
struct DecodedPicture {
  let width: Int, height: Int
  init(_ encoded: [UInt8], maximumPixels: Int) throws { fatalError() }
  func resized(width: Int, height: Int) -> RGBPixels { fatalError() }
}

package func encodePNG(_ pixels: RGBPixels, metadata: PNGMetadata) throws -> [UInt8] {
  fatalError()
}
