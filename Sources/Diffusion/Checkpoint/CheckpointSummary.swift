internal import Safetensors

/// What a model folder holds, for people who want to see it before they run it.
public struct CheckpointSummary: Sendable, Equatable, Encodable {
  /// One component with weights.
  public struct Component: Sendable, Equatable, Encodable {
    /// As `unet`.
    public let name: String
    /// As `UNet2DConditionModel`.
    public let className: String
    /// Weight files, relative to the model folder.
    public let files: [String]
    /// Nil: the plain files.
    public let variant: String?
    /// Element types that occur, widest first, as `F16`.
    public let dtypes: [String]
    /// Tensors, constants included.
    public let tensorCount: Int
    /// Elements of all weights.
    public let parameterCount: Int
    /// Size of the files.
    public let byteCount: Int
  }

  /// As `sdxl-turbo`.
  public let family: String
  /// As `StableDiffusionXLPipeline`.
  public let pipelineClass: String
  /// As `EulerAncestralDiscreteScheduler`.
  public let schedulerClass: String
  /// In the order in which the pipeline uses them.
  public let components: [Component]

  /// Over all components.
  public var parameterCount: Int { components.reduce(0) { $0 + $1.parameterCount } }
  /// Over all components.
  public var byteCount: Int { components.reduce(0) { $0 + $1.byteCount } }
}

extension CheckpointFolder {
  /// Describes the folder. Every weight file is opened and validated; no weight is read.
  public func summary() throws -> CheckpointSummary {
    CheckpointSummary(
      family: index.family.rawValue, pipelineClass: index.family.pipelineClass, schedulerClass: index.schedulerClass,
      components: try index.weightComponents.map(summary(of:)))
  }

  private func summary(of component: String) throws -> CheckpointSummary.Component {
    let weights = try weightFiles(component: component)
    let tensors = weights.files.flatMap(\.tensors.values)
    let used = Set(tensors.map(\.dtype))
    return .init(
      name: component, className: index.components[component] ?? "", files: weights.files.map { relative($0.path) },
      variant: weights.variant,
      dtypes: used.sorted { ($0.bitWidth, $0.rawValue) > ($1.bitWidth, $1.rawValue) }.map(\.rawValue),
      tensorCount: tensors.count,
      parameterCount: tensors.filter { !WeightNames.isIgnored($0.name) }.reduce(0) { $0 + $1.count },
      byteCount: weights.files.reduce(0) { $0 + $1.byteCount })
  }

  /// Names of the weights that are NaN or infinite somewhere, of one component, sorted. Reads all of its bytes.
  ///
  /// - Parameter progress: told the share of the tensors that are read, 0…1.
  public func nonFiniteWeights(component: String, progress: (Double) -> Void = { _ in }) throws -> [String] {
    let files = try weightFiles(component: component).files
    let total = files.reduce(0) { $0 + $1.tensors.count }
    var done = 0
    return try files.flatMap { file in
      try file.tensors.keys.filter { name in
        defer {
          done += 1
          progress(Double(done) / Double(total))
        }
        try file.prefetch(name)
        return try !file.isFinite(name)
      }
    }.sorted()
  }
}
