import Foundation
import Images
import Postgres
import TestSupport
import Testing

/// A row of `tintype.images` beside the file it names.
struct MadePicture {
  struct Facts: Equatable {
    var sha256: String
    var bytes: Int
    var width: Int, height: Int
    var seed: Int64
  }
  /// What the row says.
  let row: Facts
  /// What the file is.
  let file: Facts
  /// Relative to the output root.
  let path: String
  let pixels: RGBImage
  private let texts: [PNGText]

  init(row: PostgresRow, outputRoot: String) async throws {
    path = try row.decode("path", String.self)
    self.row = Facts(
      sha256: try row.decode("sha256", String.self), bytes: try row.decode("bytes", Int.self),
      width: try row.decode("width", Int.self), height: try row.decode("height", Int.self),
      seed: try row.decode("seed", Int64.self))
    let data = try Data(contentsOf: URL(filePath: outputRoot).appending(path: path))
    pixels = try ImageDecoder.decode([UInt8](data))
    texts = try PNG.text(of: [UInt8](data))
    file = Facts(
      sha256: try await sha256(ofFile: "\(outputRoot)/\(path)"), bytes: data.count, width: pixels.width,
      height: pixels.height,
      // The seed is not recoverable from pixels; the text chunk is compared by the tests that are about it.
      seed: self.row.seed)
  }

  func text(_ keyword: String) -> String? { texts.first { $0.keyword == keyword }?.text }
}

/// By a program that is not ours.
func sha256(ofFile path: String) async throws -> String {
  String(try await ProcessLaunch.output(of: "sha256sum", path).prefix(64))
}

extension Site {
  func pictures(of job: Int64) async throws -> [MadePicture] {
    let result = try await database.query(
      """
      SELECT path, encode(sha256, 'hex') AS sha256, bytes, width, height, seed
      FROM tintype.images WHERE job_id = $1 ORDER BY index
      """, [.int(job)])
    var pictures: [MadePicture] = []
    for row in result.rows { pictures.append(try await MadePicture(row: row, outputRoot: output)) }
    return pictures
  }

  /// Every PNG below the output root, whether a row names it or not.
  func filesOnDisk() throws -> Set<String> {
    let root = URL(filePath: output).resolvingSymlinksInPath().path + "/"
    let found = FileManager.default.enumerator(atPath: root)?.compactMap { $0 as? String } ?? []
    return Set(found.filter { $0.hasSuffix(".png") })
  }
}

/// `Tests/Fixtures/demo`: what diffusers makes of the demo model. `Tests/Reference/demo_goldens.py` made it.
struct Golden: Decodable {
  struct Case: Decodable, CustomTestStringConvertible {
    let name: String
    let prompt: String
    let negativePrompt: String?
    let steps: Int
    let seed: Int64
    let width: Int?, height: Int?
    let guidanceScale: Double?
    let strength: Double?
    let initImage: String?
    var testDescription: String { name }
  }
  let cases: [Case]

  static let folder = ProjectFiles.fixtures.appending(path: "demo")

  static func load() throws -> Golden {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try decoder.decode(Golden.self, from: Data(contentsOf: folder.appending(path: "goldens.json")))
  }

  func picture(_ name: String) throws -> RGBImage {
    try ImageDecoder.decode([UInt8](Data(contentsOf: Self.folder.appending(path: "\(name).png"))))
  }
}

/// Equal but for one level of 255 a channel: both sides compute in fp32, sums in another order, and round at the end, so a
/// value that lies on the edge between two levels may fall to either side.
func expectEqual(
  _ found: RGBImage, _ expected: RGBImage, sourceLocation: SourceLocation = #_sourceLocation
) {
  guard found.width == expected.width, found.height == expected.height else {
    Issue.record(
      "\(found.width)×\(found.height), expected \(expected.width)×\(expected.height)", sourceLocation: sourceLocation)
    return
  }
  let differences = zip(found.bytes, expected.bytes).map { abs(Int($0) - Int($1)) }
  let largest = differences.max() ?? 0
  let place = differences.firstIndex(of: largest) ?? 0
  #expect(
    largest <= 1, "largest difference \(largest) at byte \(place) of \(differences.count)",
    sourceLocation: sourceLocation)
}
