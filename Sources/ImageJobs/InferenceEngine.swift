public import Diffusion
internal import Jobs
internal import Synchronization

/// The models of this process and the one thread that runs them.
///
/// Models are loaded when first asked for and kept, the least recently used leaving when there are more than `capacity`:
/// a full-size checkpoint takes gigabytes, and reading it takes longer than drawing a picture with it.
public actor InferenceEngine {
  /// Opens a checkpoint folder, on the engine's thread. `progress` takes the share that is read, 0…1; it is called often, and
  /// what it throws ends the loading.
  public typealias Loader =
    @Sendable (
      _ folder: String, _ progress: @escaping (_ share: Double) throws -> Void
    ) throws -> any ImageGenerator

  /// What a job used: the pictures, the model that drew them and the seconds spent on loading it.
  public struct Drawing: Sendable {
    /// What the pipeline returned.
    public let result: GenerationResult
    /// Name of the model, as in `--model NAME=DIR`.
    public let model: String
    /// For the metadata.
    public let facts: ModelFacts
    /// Zero when the model was there already.
    public let loadSeconds: Double
  }

  /// Name of the model for jobs that ask for none.
  public nonisolated let defaultModel: String
  /// Names of all models, sorted.
  public nonisolated let modelNames: [String]

  private let folders: [String: String]
  private let capacity: Int
  private let loader: Loader
  private let thread = DedicatedThread(name: "inference")
  /// Who waits for the thread.
  nonisolated let queue = DrawQueue()
  /// Least recently used first.
  private var loaded: [(name: String, generator: any ImageGenerator)] = [] {
    didSet { loadedNames.withLock { $0 = loaded.map(\.name) } }
  }
  private let loadedNames = Mutex<[String]>([])

  /// The models that are in memory now. Answers at once, also while the engine draws.
  public nonisolated var loadedModels: [String] { loadedNames.withLock { $0 } }

  /// Draws that wait for the thread now.
  package nonisolated var waitingDraws: Int { queue.all.count }

  /// The engine's own thread.
  public nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe thread.asUnownedSerialExecutor() }

  /// An engine that has loaded nothing yet.
  ///
  /// - Parameters:
  ///   - models: names and checkpoint folders; the first is the default. At least one.
  ///   - capacity: how many models are kept at once, at least one.
  ///   - loader: opens a folder.
  public init(models: [(name: String, folder: String)], capacity: Int = 1, loader: @escaping Loader) {
    precondition(!models.isEmpty, "an engine without a model can draw nothing")
    precondition(capacity >= 1, "an engine keeps at least the model it runs")
    folders = Dictionary(models.map { ($0.name, $0.folder) }, uniquingKeysWith: { first, _ in first })
    defaultModel = models[0].name
    modelNames = folders.keys.sorted()
    self.capacity = capacity
    self.loader = loader
  }

  /// Loads a model now, so that the first job need not wait for it.
  ///
  /// - Parameters:
  ///   - name: nil for the default.
  ///   - progress: share of the checkpoint read, 0…1.
  /// - Returns: seconds it took, zero when it was there already.
  /// - Throws: what opening the folder throws, as it is: whoever starts a worker wants to know what is wrong with it.
  ///   `CancellationError` within one tensor after the task was cancelled.
  @discardableResult
  public func load(_ name: String? = nil, progress: @escaping @Sendable (Double) -> Void = { _ in }) throws -> Double {
    try generator(name) { share in
      try Task.checkCancellation()
      progress(share)
    }.seconds
  }

  /// As ``generator(_:progress:)``, with an error as the row keeps it: this worker has no such model to offer just now.
  func generatorForJob(
    _ requested: String?, progress: @escaping (Double) throws -> Void
  ) throws -> (generator: any ImageGenerator, seconds: Double) {
    do {
      return try generator(requested, progress: progress)
    } catch let error as CancellationError {
      throw error
    } catch let error as JobError {
      throw error
    } catch {
      let name = requested ?? defaultModel
      throw JobError(
        code: "model_unavailable",
        message: "model “\(name)” cannot be loaded from \(folders[name] ?? ""): \(error)", isPermanent: false)
    }
  }

  private func generator(
    _ requested: String?, progress: @escaping (Double) throws -> Void
  ) throws -> (generator: any ImageGenerator, seconds: Double) {
    let name = requested ?? defaultModel
    if let index = loaded.firstIndex(where: { $0.name == name }) {
      let entry = loaded.remove(at: index)
      loaded.append(entry)
      return (entry.generator, 0)
    }
    guard let folder = folders[name] else {
      throw JobError(
        code: "model_unavailable",
        message:
          "model “\(name)” is not on this worker; it has \(modelNames.joined(separator: ", ")). Start a worker with "
          + "--model \(name)=DIR.", isPermanent: false)
    }
    // Make room first: two models at once may be more than the machine holds.
    if loaded.count >= capacity { loaded.removeFirst(loaded.count - capacity + 1) }
    let start = ContinuousClock.now
    let generator = try loader(folder, progress)
    loaded.append((name, generator))
    return (generator, (ContinuousClock.now - start) / .seconds(1))
  }
}
