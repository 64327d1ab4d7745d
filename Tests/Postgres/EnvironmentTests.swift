import Foundation
import Postgres
import TestSupport
import Testing

@Suite struct EnvironmentTests {
  /// In a process of its own: `setenv` while other tests' connections read the environment is a data race.
  @Test func whatTheURLLeavesOpenComesFromTheEnvironment() async {
    await #expect(processExitsWith: .success) {
      let cluster = try await PrivateCluster.shared()
      let services = FileManager.default.temporaryDirectory.appending(path: "tintype-services-\(UUID()).conf")
      try "[tintype_test]\nhost=\(cluster.folder)\nuser=postgres\ndbname=template1\n".write(
        to: services, atomically: true, encoding: .utf8)
      defer { try? FileManager.default.removeItem(at: services) }
      unsafe setenv("PGSERVICEFILE", services.path, 1)
      unsafe setenv("PGSERVICE", "tintype_test", 1)
      // Nothing but the environment.
      let plain = try await PostgresConnection.connect(PostgresConfiguration())
      #expect(try await plain.query("SELECT current_database() AS d").rows[0]["d"] == "template1")
      await plain.close()
      // The URL has the last word on what it says.
      let named = try await PostgresConnection.connect(PostgresConfiguration(url: "postgresql:///postgres"))
      #expect(try await named.query("SELECT current_database() AS d").rows[0]["d"] == "postgres")
      await named.close()
      // A service can be part of the URL as well, and a list of hosts is tried in order.
      unsafe unsetenv("PGSERVICE")
      let list = try await PostgresConnection.connect(
        PostgresConfiguration(
          url:
            "host=/nowhere,\(cluster.folder) port=1,5432 user=postgres dbname=postgres target_session_attrs=read-write")
      )
      #expect(try await list.query("SELECT 1").rows.count == 1)
      await list.close()
      let service = try await PostgresConnection.connect(PostgresConfiguration(url: "service=tintype_test"))
      #expect(try await service.query("SELECT current_database() AS d").rows[0]["d"] == "template1")
      await service.close()
    }
  }
}
