import Postgres
import Synchronization
import TestSupport
import Testing

/// A server that is there and turns a client away. libpq has no function that tells why, only a text in the server's
/// language, so the SQLSTATE is worth tests of its own.
@Suite(.timeLimit(.minutes(2))) struct RefusalTests {
  private func error(_ url: String, password: String? = nil) async -> PostgresError? {
    await #expect(throws: PostgresError.self) {
      _ = try await PostgresConnection.connect(PostgresConfiguration(url: url, password: { password }))
    }
  }

  private func withPasswords(_ body: (PrivateCluster) async throws -> Void) async throws {
    let cluster = try await PrivateCluster.start()
    do {
      try await cluster.psql("CREATE ROLE guest LOGIN PASSWORD 'right'")
      try await cluster.requirePasswords()
      try await body(cluster)
    } catch {
      await cluster.remove()
      throw error
    }
    await cluster.remove()
  }

  @Test func everyRefusalHasItsState() async throws {
    try await withPasswords { cluster in
      let guest = cluster.url(user: "guest")
      try await PostgresConnection.connect(PostgresConfiguration(url: guest, password: { "right" })).close()

      let wrong = await error(guest, password: "wrong")
      #expect(wrong?.sqlState == "28P01" && wrong?.isRefusal == true)
      #expect(wrong?.message.contains("wrong") == false, "the password is in the message")
      let missing = await error(guest)
      #expect(missing?.isRefusal == true)
      #expect(missing?.hint?.contains("password") == true)
      // With passwords the server does not tell a user that is absent from a password that is wrong.
      let nobody = await error(cluster.url(user: "nobody"), password: "right")
      #expect(nobody?.sqlState == "28P01" && nobody?.isRefusal == true)
      let nowhere = await error(cluster.url(database: "nowhere"))
      #expect(nowhere?.sqlState == "3D000" && nowhere?.isRefusal == true)

      try await cluster.psql("CREATE DATABASE shut", "REVOKE CONNECT ON DATABASE shut FROM PUBLIC")
      let shut = await error(cluster.url(database: "shut", user: "guest"), password: "right")
      #expect(shut?.sqlState == "42501" && shut?.isRefusal == true)
      // Full is not closed: there will be room again.
      try await cluster.psql("CREATE DATABASE narrow CONNECTION LIMIT 0")
      let full = await error(cluster.url(database: "narrow", user: "guest"), password: "right")
      #expect(full?.sqlState == "53300" && full?.isRefusal == false && full?.isRetryable == true)

      try await cluster.stop()
      let away = await error(guest, password: "right")
      #expect(away?.code == .connect && away?.sqlState == nil && away?.isRefusal == false)
    }
  }

  @Test func aSessionTellsARefusalFromAnOutageAndAsksForThePasswordAnew() async throws {
    try await withPasswords { cluster in
      let states = Mutex<[PostgresSession.State]>([])
      let password = Mutex("wrong")
      let session = PostgresSession(
        PostgresConfiguration(url: cluster.url(user: "guest"), password: { password.withLock { $0 } })
      ) { state in states.withLock { $0.append(state) } }
      let caller = Task { try await session.withConnection { try await $0.query("SELECT 1 AS n").rows[0]["n"] } }
      try await eventually {
        states.withLock { $0.contains { if case .refused = $0 { true } else { false } } }
      }
      password.withLock { $0 = "right" }
      #expect(try await caller.value == "1")
      await session.close()
    }
  }
}
