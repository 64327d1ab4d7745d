public import Diffusion
internal import Foundation
internal import Jobs

/// What a picture says about how it was made, in two text chunks: `parameters` in the form that AUTOMATIC1111 writes and
/// most tools read, and `tintype`, the same facts as JSON.
///
/// Equal input gives equal bytes, so nothing here depends on when, where or on which try it was drawn: no times, no
/// worker, no attempt. The job's id is part of the input; the command line has none and leaves it out.
public struct PNGMetadata: Sendable, Equatable {
  /// The text that was drawn.
  public var prompt: String
  /// Nil, or what was steered away from.
  public var negativePrompt: String?
  /// Denoising steps asked for.
  public var steps: Int
  /// At 1 and below there is no guidance.
  public var guidanceScale: Double
  /// The seed that alone reproduces this picture.
  public var seed: Int64
  /// Pixels.
  public var width: Int
  /// Pixels.
  public var height: Int
  /// For image-to-image: the strength, and the SHA-256 of the encoded initial picture.
  public var strength: Double?
  /// Of the encoded initial picture; nil without one.
  public var initialImageSHA256: [UInt8]?
  /// Name of the model.
  public var model: String
  /// What identifies its weights, and its sampler.
  public var facts: ModelFacts
  /// `jobs.id`; nil when there is no database.
  public var job: Int64?
  /// Version of Tintype.
  public var softwareVersion: String

  /// Metadata of one picture of a run.
  public init(
    request: GenerationRequest, image: GenerationResult.Image, initialImageSHA256: [UInt8]? = nil, model: String,
    facts: ModelFacts, job: Int64? = nil, softwareVersion: String
  ) {
    prompt = request.prompt
    negativePrompt = request.negativePrompt
    steps = request.steps
    guidanceScale = request.guidanceScale
    seed = image.seed
    width = image.pixels.width
    height = image.pixels.height
    strength = request.initialImage == nil ? nil : request.strength
    self.initialImageSHA256 = initialImageSHA256
    self.model = model
    self.facts = facts
    self.job = job
    self.softwareVersion = softwareVersion
  }

  /// Text of the `parameters` chunk: the prompt, the negative prompt if there is one, and a line of `Name: value` pairs,
  /// `Steps` first because readers find that line by it.
  public var parameters: String {
    var lines = [prompt]
    if let negativePrompt, !negativePrompt.isEmpty { lines.append("Negative prompt: \(negativePrompt)") }
    var fields: [(String, String)] = [
      ("Steps", "\(steps)"), ("Sampler", facts.sampler),
      // 0 and 1 both mean one pass without guidance; AUTOMATIC1111 knows only 1.
      ("CFG scale", Self.decimal(max(1, guidanceScale))),
      ("Seed", "\(seed)"), ("Size", "\(width)x\(height)"),
    ]
    if !facts.weightsHash.isEmpty { fields.append(("Model hash", String(facts.weightsHash.prefix(10)))) }
    fields.append(("Model", model))
    // Only what differs from the usual, as readers expect of this line.
    if facts.precision != .fp32 { fields.append(("Precision", facts.precision.rawValue)) }
    if let strength { fields.append(("Denoising strength", Self.decimal(strength))) }
    // Noise as torch draws it on a CPU; without this a reader would draw it on its GPU and get another picture.
    fields += [("RNG", "CPU"), ("Version", "tintype \(softwareVersion)")]
    lines.append(fields.map { "\($0): \(Self.quotedIfNeeded($1))" }.joined(separator: ", "))
    return lines.joined(separator: "\n")
  }

  /// Text of the `tintype` chunk: a JSON object with sorted keys.
  public var json: String {
    let record = Record(
      format: 1, software: "tintype \(softwareVersion)", job: job, prompt: prompt, negative_prompt: negativePrompt,
      model: model, weights: facts.weightsHash, sampler: facts.sampler, precision: facts.precision,
      seed: seed, steps: steps,
      guidance_scale: guidanceScale, width: width, height: height, strength: strength,
      init_image_sha256: initialImageSHA256?.hexadecimal)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    guard let data = try? encoder.encode(record) else {
      preconditionFailure("only a number that is not finite cannot be JSON, and validation refuses those")
    }
    return String(decoding: data, as: UTF8.self)
  }

  /// The JSON's keys; a nil one is left out.
  private struct Record: Encodable {
    var format: Int, software: String, job: Int64?, prompt: String, negative_prompt: String?
    var model: String, weights: String, sampler: String, precision: Precision, seed: Int64, steps: Int
    var guidance_scale: Double
    var width: Int, height: Int, strength: Double?, init_image_sha256: String?
  }

  /// Without the `.0` that Swift prints after a whole number.
  private static func decimal(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
  }

  /// A value that holds a separator of the line is written as a JSON string.
  private static func quotedIfNeeded(_ value: String) -> String {
    guard value.contains(where: { ",:\n\"".contains($0) }) else { return value }
    let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
    return "\"\(escaped)\""
  }
}
