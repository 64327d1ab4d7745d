import Postgres
import TestSupport
import Testing

@Suite struct NotificationTests {
  /// A channel that no other test uses.
  private func channel() -> String { "Channel \"\(UInt32.random(in: 0 ..< .max))\"" }

  private func notify(_ channel: String, _ payload: String, by connection: PostgresConnection) async throws {
    try await connection.query("SELECT pg_notify($1, $2)", [.text(channel), .text(payload)])
  }

  @Test func notificationsArriveWhileIdle() async throws {
    let (listener, sender, channel) = (try await connectShared(), try await connectShared(), channel())
    try await listener.listen(channel)
    try await notify(channel, "one", by: sender)
    var notifications = listener.notifications.makeAsyncIterator()
    #expect(await notifications.next() == PostgresNotification(channel: channel, payload: "one"))
    // And to one who already waits.
    async let next = listener.notifications.first { _ in true }
    try await notify(channel, "two", by: sender)
    #expect(await next?.payload == "two")
  }

  @Test func notificationsArriveWhileAStatementRunsAndAfterIt() async throws {
    let (listener, sender, channel) = (try await connectShared(), try await connectShared(), channel())
    try await listener.listen(channel)
    let lock = Int64.random(in: 0 ..< .max)
    try await sender.query("SELECT pg_advisory_lock($1)", [.int(lock)])
    let running = Task { try await listener.query("SELECT pg_advisory_lock($1)", [.int(lock)]) }
    try await notify(channel, "meanwhile", by: sender)
    try await sender.query("SELECT pg_advisory_unlock($1)", [.int(lock)])
    _ = try await running.value
    // The server delivers between transactions.
    #expect(await listener.notifications.first { _ in true }?.payload == "meanwhile")
  }

  @Test func unreadNotificationsAreBoundedAndEqualOnesCountOnce() async throws {
    let (listener, sender, channel) = (try await connectShared(), try await connectShared(), channel())
    try await listener.listen(channel)
    for _ in 0..<3 { try await notify(channel, "same", by: sender) }
    try await sender.query("SELECT pg_notify($1, n::text) FROM generate_series(1, 1000) AS n", [.text(channel)])
    try await notify(channel, "last", by: sender)
    // Only once a later statement has answered is all of it surely in.
    try await listener.query("SELECT 1")
    var payloads: [String] = []
    for await notification in listener.notifications {
      payloads.append(notification.payload)
      if notification.payload == "last" { break }
    }
    #expect(payloads.count <= 256)
    #expect(Set(payloads).count == payloads.count)
    #expect(payloads.contains("1000"))
  }

  @Test func cancellingAReaderEndsItsLoopOnly() async throws {
    let (listener, sender, channel) = (try await connectShared(), try await connectShared(), channel())
    try await listener.listen(channel)
    let reader = Task { for await _ in listener.notifications {} }
    reader.cancel()
    await reader.value
    try await notify(channel, "still here", by: sender)
    #expect(await listener.notifications.first { _ in true }?.payload == "still here")
  }
}
