import JobStore
import Postgres

extension DatabaseOptions {
  /// Runs `body` with the queue, and closes the connection whatever happens.
  ///
  /// - Parameter patience: how long to go on trying when the connection is lost. A person waits for most commands, and is
  ///   better served by the error than by silence.
  func withQueue<R>(
    role: String, patience: Duration = .zero, _ body: (JobStore) async throws -> R
  ) async throws -> R {
    let session = PostgresSession(try configuration(role: role), patience: patience)
    do {
      let result = try await body(JobStore(session: session))
      await session.close()
      return result
    } catch {
      await session.close()
      throw error
    }
  }
}
