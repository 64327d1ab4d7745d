import Foundation
import Postgres
import TestSupport
import Testing

/// The embedded default: a private PostgreSQL and a worker, from nothing and back.
@Suite struct UpTests {
  @Test func upDrawsPicturesAndDownLeavesNothingRunning() async throws {
    // Short, because a socket lies in it, and open to the user that the server runs as.
    let state = "/tmp/tintype-up-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: state) }
    let up = try await Tool.run("up", "--state-dir", state)
    #expect(up.status == 0, "\(up.errors)")
    let url = try #require(up.output.firstMatch(of: /psql '(.+)'/)?.1)
    let environment = ["TINTYPE_DATABASE_URL": String(url)]

    let job = try await Tool.run(["enqueue", "--prompt", "a lake", "--wait"], environment: environment)
    #expect(job.status == 0, "\(job.output)\(job.errors)")
    #expect(FileManager.default.fileExists(atPath: "\(state)/pictures/0/1/1-0.png"))
    // Nothing listens on TCP.
    let connection = try await PostgresConnection.connect(PostgresConfiguration(url: String(url)))
    let addresses = try await connection.query("SELECT current_setting('listen_addresses') AS a").rows.first
    #expect(try addresses?.decode("a", String.self) == "")
    await connection.close()
    // A second `up` starts no second worker.
    let again = try await Tool.run("up", "--state-dir", state)
    #expect(again.status == 0 && again.errors.contains("already"))

    let down = try await Tool.run("down", "--state-dir", state)
    #expect(down.status == 0, "\(down.errors)")
    #expect(!FileManager.default.fileExists(atPath: "\(state)/postgres/.s.PGSQL.5432"))
    let unreachable = try await Tool.run(["jobs", "list"], environment: environment)
    #expect(unreachable.status == 69)
    #expect(try await Tool.run("down", "--state-dir", state).status == 0)
  }

  @Test func aWorkerThatCannotStartIsReportedByUp() async throws {
    let state = "/tmp/tintype-up-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: state) }
    let folder = try TemporaryFolder()
    let up = try await Tool.run("up", "--state-dir", state, "--model", folder.url.path)
    #expect(up.status == 66, "\(up.errors)")
    #expect(up.errors.contains("model_index.json"))
    #expect(try await Tool.run("down", "--state-dir", state).status == 0)
  }
}
