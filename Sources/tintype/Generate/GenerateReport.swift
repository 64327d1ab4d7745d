import Diffusion
import ImageJobs
import Jobs

/// What `generate` tells when it is done.
struct GenerateReport: Encodable {
  struct Image: Encodable {
    let file: String
    let seed: Int64
    /// Of the file, in hexadecimal digits.
    let sha256: String
    /// Of the file.
    let bytes: Int
    let width: Int, height: Int

    /// Encodes and writes a picture.
    init(writing image: GenerationResult.Image, _ metadata: PNGMetadata, to path: String) throws {
      let png = try encodePNG(image.pixels, metadata: metadata)
      try OutputFile.write(png, to: path)
      file = path
      seed = image.seed
      sha256 = SHA256.hash(png).hexadecimal
      bytes = png.count
      (width, height) = (image.pixels.width, image.pixels.height)
    }
  }

  let model: String
  let images: [Image]
  let warnings: [String]
  /// Seconds by component.
  let timings: [String: Double]

  /// People get the warnings and a line per file on standard error, programs JSON on standard output.
  func print(json: Bool) throws {
    for warning in warnings { StandardError.note("warning: \(PlainText.escapingControls(warning))") }
    if json { return try JSONOutput.print(self) }
    for image in images {
      StandardError.note("\(image.file): \(image.width) × \(image.height), seed \(image.seed)")
    }
  }
}
