import ArgumentParser
import Foundation
import ImageJobs
import Logging
import Worker

/// The settings of a worker, shared by `worker` and `up`.
struct WorkerOptions: ParsableArguments {
  @Option(name: Settings.models.name, help: Settings.models.help) var model: [ModelList] = []
  @Option(name: Settings.output.name, help: Settings.output.help) var output: String?
  @Option(name: Settings.input.name, help: Settings.input.help) var input: String?
  @Option(name: Settings.queues.name, help: Settings.queues.help) var queue: [NameList] = []
  @Option(name: Settings.slots.name, help: Settings.slots.help) var slots: PositiveInteger?
  @Flag(name: Settings.sameShape.name, help: Settings.sameShape.help) var sameShape = false
  @Option(name: Settings.maxJobs.name, help: Settings.maxJobs.help) var maxJobs: PositiveInteger?
  @Option(name: Settings.maxPixels.name, help: Settings.maxPixels.help) var maxPixels: PositiveInteger?
  @Option(name: Settings.idleExit.name, help: Settings.idleExit.help) var idleExit: Seconds?
  @Option(name: Settings.workerName.name, help: Settings.workerName.help) var name: String?
  @Option(name: Settings.drainTimeout.name, help: Settings.drainTimeout.help) var drainTimeout: Seconds?
  @Option(name: Settings.lease.name, help: Settings.lease.help) var lease: Seconds?
  @Option(name: Settings.threads.name, help: Settings.threads.help) var threads: PositiveInteger?
  @OptionGroup var precision: PrecisionOptions
  @Option(name: Settings.memoryLimit.name, help: Settings.memoryLimit.help) var memoryLimit: ByteCount?
  @Option(name: Settings.residentModels.name, help: Settings.residentModels.help) var residentModels: PositiveInteger?
  @Flag(name: Settings.lazy.name, help: Settings.lazy.help) var lazy = false
  @Option(name: Settings.listen.name, help: Settings.listen.help) var listen: Listen?
  @Option(name: Settings.metricsFile.name, help: Settings.metricsFile.help) var metricsFile: String?

  func settings() throws -> WorkerSettings { try WorkerSettings(self) }
}

/// What `WorkerOptions`, the environment and the defaults come to, checked.
struct WorkerSettings: Sendable {
  let configuration: WorkerConfiguration
  /// At least one; the first is the default.
  let models: [ModelList.Entry]
  let output: String
  let input: String?
  let threads: PositiveInteger?
  /// Nil for fp32.
  let quantization: Quantization?
  let residentModels: PositiveInteger
  let limits: ImageJobLimits
  let isLazy: Bool
  let listen: Listen?
  let metricsFile: String?

  init(_ options: WorkerOptions) throws {
    models = try Settings.models.require(ModelList.joining(options.model)).entries
    let names = models.map(\.name)
    if let twice = Dictionary(grouping: names, by: \.self).first(where: { $0.value.count > 1 })?.key {
      throw CommandError(
        .usage, "--model: two models are called \(twice).", remedy: "Name them apart: --model NAME=DIR.")
    }
    for model in models where !Folder.exists(model.folder) {
      throw CommandError(.notFound, "--model \(model.folder): no such folder.")
    }
    output = try Settings.output.require(options.output)
    input = try Settings.input.resolve(options.input)
    if let input, !Folder.exists(input) {
      throw CommandError(.notFound, "--input \(input): no such folder.", remedy: "Create it, or leave --input out.")
    }
    threads = try Settings.threads.resolve(options.threads)
    quantization = try options.precision.quantization()
    residentModels = try Settings.residentModels.require(options.residentModels)
    limits = ImageJobLimits(
      maximumPixels: try Settings.maxPixels.require(options.maxPixels).value,
      memory: MemoryLimit(try Settings.memoryLimit.resolve(options.memoryLimit)))
    isLazy = try Settings.lazy.require(options.lazy ? true : nil)
    listen = try Settings.listen.resolve(options.listen)
    metricsFile = try Settings.metricsFile.resolve(options.metricsFile)
    configuration = try Self.configuration(options)
  }

  private static func configuration(_ options: WorkerOptions) throws -> WorkerConfiguration {
    let host = ProcessInfo.processInfo.hostName
    var configuration = WorkerConfiguration(
      name: try Settings.workerName.resolve(options.name) ?? "\(host)-\(ProcessInfo.processInfo.processIdentifier)",
      host: host, version: Version.text)
    configuration.queues = try Settings.queues.require(NameList.joining(options.queue)).names
    configuration.slots = try Settings.slots.require(options.slots).value
    configuration.claimsAlike = try Settings.sameShape.require(options.sameShape ? true : nil)
    configuration.maxJobs = try Settings.maxJobs.resolve(options.maxJobs)?.value
    configuration.idleExit = try Settings.idleExit.resolve(options.idleExit)?.duration
    configuration.drainTimeout = try Settings.drainTimeout.require(options.drainTimeout).duration
    let lease = try Settings.lease.require(options.lease)
    guard (2...3600).contains(lease.value) else {
      throw CommandError(.usage, "--lease must be from 2 to 3600 seconds; got \(lease.defaultValueDescription).")
    }
    configuration.lease = lease.duration
    // A lease must survive two heartbeats that are lost.
    configuration.heartbeatInterval = min(configuration.heartbeatInterval, lease.duration / 4)
    return configuration
  }

  /// The models and the thread that runs them; loads nothing yet.
  func makeEngine() throws -> InferenceEngine {
    let device = try ComputeDevice.make(threads: threads)
    let quantization = quantization
    return InferenceEngine(models: models.map { (name: $0.name, folder: $0.folder) }, capacity: residentModels.value) {
      try PipelineGenerator(folder: $0, device: device, quantization: quantization, progress: $1)
    }
  }

  /// The output folder, rid of what crashes left.
  func makeStore(logger: Logger) throws -> ArtifactStore {
    // The process id keeps two workers apart that were given one name.
    let process = ProcessInfo.processInfo.processIdentifier
    let store = try ArtifactStore(root: output, workerName: "\(configuration.host).\(configuration.name).\(process)")
    let stale = try store.removeStalePartials()
    if stale > 0 { logger.info("removed unfinished files", metadata: ["files": "\(stale)"]) }
    return store
  }
}

extension MemoryLimit {
  /// What the setting says, if it says anything.
  init(_ setting: ByteCount?) {
    if let setting { self.init(bytes: setting.bytes) } else { self.init() }
  }
}
