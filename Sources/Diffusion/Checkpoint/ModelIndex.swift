/// `model_index.json`: which pipeline a folder holds, and which class each of its components is.
public struct ModelIndex: Decodable, Sendable, Equatable {
  /// The pipelines that this core runs.
  public enum Family: String, Sendable, CaseIterable {
    /// `StableDiffusionXLPipeline`: two text encoders, conditioning on size.
    case sdxlTurbo = "sdxl-turbo"
    /// `StableDiffusionPipeline` with the UNet of SD 2.1.
    case sdTurbo = "sd-turbo"

    /// What `_class_name` says.
    public var pipelineClass: String {
      self == .sdxlTurbo ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline"
    }

    /// The components that it cannot run without, in the order in which it uses them, and the classes that each may be.
    public var requiredComponents: [(name: String, classes: [String])] {
      let tokenizer = ["CLIPTokenizer", "CLIPTokenizerFast"]
      var components = [("tokenizer", tokenizer), ("text_encoder", ["CLIPTextModel"])]
      if self == .sdxlTurbo {
        components += [("tokenizer_2", tokenizer), ("text_encoder_2", ["CLIPTextModelWithProjection"])]
      }
      // The scheduler's class is checked by whoever builds it from its own configuration.
      components += [("scheduler", []), ("unet", ["UNet2DConditionModel"]), ("vae", ["AutoencoderKL"])]
      return components.map { (name: $0.0, classes: $0.1) }
    }
  }

  /// Which pipeline.
  public let family: Family
  /// Class name of each component that is present, by folder: `"unet": "UNet2DConditionModel"`. Components that are
  /// `null`, as a removed safety checker, are absent here.
  public let components: [String: String]
  /// Whether a missing negative prompt means zeros (SDXL) rather than the encoding of an empty text.
  public let forceZerosForEmptyPrompt: Bool

  /// The noise scheduler's class, as `EulerAncestralDiscreteScheduler`.
  public var schedulerClass: String { components["scheduler"] ?? "" }

  /// Components that hold weights, in the order in which the pipeline uses them.
  public var weightComponents: [String] {
    family.requiredComponents.map(\.name).filter { $0 == "unet" || $0 == "vae" || $0.hasPrefix("text_encoder") }
  }

  /// Reads the file; refuses pipelines and component classes that this core does not run.
  public init(from decoder: any Decoder) throws {
    let index = try ConfigReader(decoder)
    let className: String = try index.required("_class_name")
    guard let family = Family.allCases.first(where: { $0.pipelineClass == className }) else {
      let legal = Family.allCases.map { quoted($0.pipelineClass) }.joined(separator: ", ")
      throw ConfigProblem(
        key: "_class_name", message: "is \(quoted(className)); supported: \(legal)", isUnsupported: true)
    }
    self.family = family
    forceZerosForEmptyPrompt = try index.value("force_zeros_for_empty_prompt", default: family == .sdxlTurbo)

    var components: [String: String] = [:]
    for key in index.keys where !key.hasPrefix("_") {
      // A component is [library, class]; everything else here is an option of the pipeline.
      guard let pair = try? index.optional(key, [String?].self), pair.count == 2 else { continue }
      if let name = pair[1] { components[key] = name }
    }
    for (name, classes) in family.requiredComponents {
      guard let found = components[name] else {
        throw ConfigProblem(key: name, message: "is missing or null: \(className) cannot run without it")
      }
      guard classes.isEmpty || classes.contains(found) else {
        throw ConfigProblem(
          key: name, message: "is a \(found); supported: \(classes.joined(separator: ", "))", isUnsupported: true)
      }
    }
    self.components = components
  }
}
