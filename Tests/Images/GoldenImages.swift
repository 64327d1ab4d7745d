import Foundation
import Images
import TestSupport
import Testing

/// The files of `Tests/Fixtures/images` and what Pillow makes of them.
struct GoldenImages: Decodable {
  /// A picture as Pillow has it.
  struct Picture: Decodable {
    let name: String?
    let width: Int
    let height: Int
    /// Base64.
    let rgb: String
  }
  let files: [Picture]
  let source: Picture
  let resizes: [Picture]

  static let folder = ProjectFiles.fixtures.appending(path: "images")

  static func load() throws -> GoldenImages {
    try JSONDecoder().decode(GoldenImages.self, from: Data(contentsOf: folder.appending(path: "goldens.json")))
  }

  static func bytes(_ name: String) throws -> [UInt8] {
    try Array(Data(contentsOf: folder.appending(path: name)))
  }
}

extension GoldenImages.Picture {
  func image() throws -> RGBImage {
    RGBImage(width: width, height: height, bytes: Array(try #require(Data(base64Encoded: rgb))))
  }
}

/// Expects equal pictures, and says how they differ.
func expectEqual(
  _ image: RGBImage, _ expected: RGBImage, _ place: String, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard image.width == expected.width, image.height == expected.height else {
    Issue.record(
      "\(place): \(image.width)×\(image.height) instead of \(expected.width)×\(expected.height)",
      sourceLocation: sourceLocation)
    return
  }
  let different = image.bytes.indices.filter { image.bytes[$0] != expected.bytes[$0] }
  guard let first = different.first else { return }
  let largest = different.map { abs(Int(image.bytes[$0]) - Int(expected.bytes[$0])) }.max() ?? 0
  let pixel = first / 3
  Issue.record(
    """
    \(place): \(different.count) of \(image.bytes.count) samples differ by up to \(largest), the first at \
    (\(pixel % image.width), \(pixel / image.width)): \(image.bytes[first]) instead of \(expected.bytes[first])
    """, sourceLocation: sourceLocation)
}
