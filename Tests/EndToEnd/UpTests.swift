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
    // It came back when the worker was ready, not when it had registered.
    let log = try String(contentsOfFile: "\(state)/worker.log", encoding: .utf8)
    #expect(log.contains(/\bready\b/), "\(log)")
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
    // A second `up` starts no second worker, and no second page.
    let page = try #require(up.output.firstMatch(of: /Watch at (\S+)/)?.1)
    let again = try await Tool.run("up", "--state-dir", state, "--json")
    #expect(again.status == 0 && again.errors.contains("already"))
    let report = try #require(JSONSerialization.jsonObject(with: Data(again.output.utf8)) as? [String: Any])
    #expect(report["database_url"] as? String == String(url) && report["page"] as? String == String(page))
    // The page is for whoever has its address, which nobody else on this machine can read: not in a file, not in a command line.
    let closed = try #require(page.split(separator: "?").first.map(String.init))
    #expect(try HTTP.ask(closed).status == 403)
    let cookie = try HTTP.ask(String(page)).headers["set-cookie"]?.prefix { $0 != ";" } ?? ""
    #expect(try HTTP.ask("\(closed)pictures/1/0", headers: ["Cookie": String(cookie)]).status == 200)
    let mode = try FileManager.default.attributesOfItem(atPath: "\(state)/dashboard.url")[.posixPermissions] as? Int
    #expect(mode == 0o600)
    let processes =
      try String(
        contentsOfFile: "\(state)/dashboard.pid", encoding: .utf8
      ).split(separator: " ").first.map { try String(contentsOfFile: "/proc/\($0)/cmdline", encoding: .utf8) } ?? ""
    let key = try #require(page.split(separator: "=").last)
    #expect(processes.contains("dashboard") && !processes.contains(key), "\(processes)")

    let down = try await Tool.run("down", "--state-dir", state)
    #expect(down.status == 0, "\(down.errors)")
    #expect(throws: Complaint.self) { try HTTP.ask(closed) }
    #expect(!FileManager.default.fileExists(atPath: "\(state)/postgres/.s.PGSQL.5432"))
    let unreachable = try await Tool.run(["jobs", "list"], environment: environment)
    #expect(unreachable.status == 69)
    let nothing = try await Tool.run("down", "--state-dir", state, "--json")
    #expect(nothing.status == 0)
    let stopped = try JSONSerialization.jsonObject(with: Data(nothing.output.utf8)) as? [String: Bool]
    #expect(stopped == ["worker": false, "page": false, "postgres": false])
  }

  @Test func theForegroundWorkerIsKnownToUpAndStoppedByDown() async throws {
    let state = "/tmp/tintype-up-\(UUID().uuidString.prefix(8))"
    defer { try? FileManager.default.removeItem(atPath: state) }
    for stopsByDown in [true, false] {
      let worker = try ToolProcess(["up", "--foreground", "--state-dir", state])
      try await worker.wait(for: "ready", upTo: 60)
      let second = try await Tool.run("up", "--state-dir", state)
      #expect(second.status == 0, "\(second.errors)")
      #expect(second.errors.contains("running already, process \(worker.processIdentifier)"), "\(second.errors)")
      if stopsByDown {
        let down = try await Tool.run("down", "--state-dir", state)
        #expect(down.status == 0, "\(down.errors)")
        #expect(down.output.contains("the worker has stopped") && down.output.contains("PostgreSQL has stopped"))
      } else {
        worker.send(SIGINT)
      }
      #expect(await worker.exitStatus() == 0, "\(worker.errors)")
      #expect(!FileManager.default.fileExists(atPath: "\(state)/postgres/.s.PGSQL.5432"))
    }
  }

  @Test func aModelThatCannotBeLoadedIsReportedByUp() async throws {
    let state = "/tmp/tintype-up-\(UUID().uuidString.prefix(8))"
    let model = "\(state)-model"
    defer { for folder in [state, model] { try? FileManager.default.removeItem(atPath: folder) } }
    try FileManager.default.copyItem(atPath: Tool.demoModel, toPath: model)
    // Every file is sound, but they are not of one model: it shows when the network is built.
    let config = URL(filePath: "\(model)/text_encoder/config.json")
    var values = try #require(
      try JSONSerialization.jsonObject(with: Data(contentsOf: config)) as? [String: Any])
    let layers = try #require(values["num_hidden_layers"] as? Int)
    values["num_hidden_layers"] = layers - 1
    try JSONSerialization.data(withJSONObject: values).write(to: config)

    let up = try await Tool.run("up", "--state-dir", state, "--model", model)
    #expect(up.status == 65, "\(up.errors)")
    #expect(up.errors.contains("no layer of the text_encoder uses"), "\(up.errors)")
    // The next one is not taken in by the last one's log.
    let again = try await Tool.run("up", "--state-dir", state)
    #expect(again.status == 0, "\(again.errors)")
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

extension ToolProcess {
  /// Waits until its errors have this word.
  fileprivate func wait(for word: String, upTo seconds: Double) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while !errors.contains(word) {
      guard isRunning, ContinuousClock.now < deadline else { throw Complaint("no “\(word)” was said:\n\(errors)") }
      try await Task.sleep(for: .milliseconds(20))
    }
  }
}
