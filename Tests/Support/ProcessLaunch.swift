import Foundation

/// One launch of a program at a time, in the whole test process.
///
/// Foundation's `Process` and `Pipe` hold descriptors for a moment that any other child started in that moment inherits.
/// If that one is long-lived, a server or a worker, the end of the first is never seen. Whoever launches does it in here,
/// from making the pipes to the end of `run()`.
public enum ProcessLaunch {
  private static let lock = NSLock()

  /// Runs `body` while nobody else launches.
  public static func exclusively<R>(_ body: () throws -> R) rethrows -> R { try lock.withLock(body) }

  /// Runs a command found on `PATH` to its end, off the cooperative pool, and returns what it printed.
  ///
  /// - Throws: `PrivateClusterError` when it does not end with 0.
  public static func output(of command: String...) async throws -> String { try await Process.output(of: command) }
}
