import TestSupport
import Testing

@Suite struct PrivateClusterTests {
  @Test func databasesAreSeparateAndTemplated() async throws {
    let template = DatabaseTemplate(name: "cluster_check") { url in
      try await PrivateCluster.shared().psql("CREATE TABLE t AS SELECT 7 AS n", on: url)
    }
    try await withDatabase(template: template) { first in
      try await withDatabase(template: template) { second in
        #expect(first != second)
        let cluster = try await PrivateCluster.shared()
        #expect(try await cluster.psql("SELECT n FROM t", on: second) == "7\n")
      }
    }
  }
}
