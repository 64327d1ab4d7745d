/// What a listener hears.
public enum PostgresListenEvent: Sendable, Equatable {
  /// The subscription stands, at the start and after every reconnect. Notifications may have been missed before it:
  /// look at everything.
  case listening
  /// Someone sent a notification.
  case notification(PostgresNotification)
}

extension PostgresSession {
  /// How often an idle connection is checked by a query. Keepalives notice a dead peer; this notices a proxy that keeps
  /// its side alive while the server is gone.
  static let checkInterval: Duration = .seconds(30)

  /// Listens to channels until the task is cancelled, through any number of lost connections.
  ///
  /// Give it a session whose connection goes to the server itself: a pooler in transaction mode loses notifications.
  /// A notification is a hint that something can be done sooner; correctness must rest on looking regularly.
  ///
  /// - Parameters:
  ///   - channels: names as in `NOTIFY`.
  ///   - onEvent: called one at a time, in the caller's isolation.
  /// - Throws: what `onEvent` throws, `PostgresError` that reconnecting cannot mend, `CancellationError`.
  public nonisolated(nonsending) func listen(
    to channels: [String], onEvent: (PostgresListenEvent) async throws -> Void
  ) async throws {
    while true {
      do {
        try await withConnection { connection in
          for channel in channels { try await connection.listen(channel) }
          async let _: Void = connection.checkRegularly(every: Self.checkInterval)
          try await onEvent(.listening)
          for await notification in connection.notifications {
            try await onEvent(.notification(notification))
          }
          try Task.checkCancellation()
          throw await connection.closeReason ?? PostgresError(.connectionLost, "The connection was lost.")
        }
      } catch let error as PostgresError where error.isConnectionFailure {
        try Task.checkCancellation()
      }
    }
  }
}

extension PostgresConnection {
  /// Returns when the connection is lost, which ends its notifications too, or the task is cancelled.
  fileprivate func checkRegularly(every interval: Duration) async {
    while isOpen, !Task.isCancelled {
      _ = try? await Task.sleep(for: interval)
      _ = try? await query("SELECT 1")
    }
  }
}
