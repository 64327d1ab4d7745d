internal import Glibc
public import Logging
public import ServiceLifecycle

/// Writes the metrics to a file for node_exporter's textfile collector, for machines where nothing may listen.
///
/// The file appears whole, by rename, and goes when the process stops in order: the collector would otherwise report a
/// worker that is gone for ever. `tintype_worker_ready` and node_exporter's own time of the file tell of one that was killed.
public struct MetricsFile: Service {
  private let path: String
  private let interval: Duration
  private let logger: Logger
  private let metrics: @Sendable () -> String

  /// - Parameter path: ends in `.prom`, in the collector's folder.
  public init(
    path: String, every interval: Duration = .seconds(15), logger: Logger, metrics: @escaping @Sendable () -> String
  ) {
    self.path = path
    self.interval = interval
    self.logger = logger
    self.metrics = metrics
  }

  /// Writes until a graceful shutdown.
  public func run() async throws {
    await cancelWhenGracefulShutdown {
      var lastFailure: String?
      while !Task.isCancelled {
        let failure = write()
        // Said once: the folder may be missing for days.
        if let failure, failure != lastFailure {
          logger.warning("metrics cannot be written", metadata: ["file": "\(path)", "error": "\(failure)"])
        }
        lastFailure = failure
        try? await Task.sleep(for: interval)
      }
    }
    _ = unsafe unlink(path)
  }

  /// The reason when it could not be written.
  package func write() -> String? {
    let temporary = "\(path).\(getpid()).tmp"
    let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return unsafe String(cString: strerror(errno)) }
    let bytes = Array(metrics().utf8)
    let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let isWhole = close(descriptor) == 0 && written == bytes.count
    guard isWhole, unsafe rename(temporary, path) == 0 else {
      let reason = unsafe String(cString: strerror(errno))
      _ = unsafe unlink(temporary)
      return reason
    }
    return nil
  }
}
