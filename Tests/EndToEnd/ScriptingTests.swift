import Foundation
import TestSupport
import Testing

/// Every command as a script uses it: `--json`, and nothing on standard output but that.
@Suite struct ScriptingTests {
  @Test func jobsAndQueuesAnswerInJSON() async throws {
    try await Site.with { site in
      let receipt = try await Self.object(site, "enqueue", "--prompt", "a lake", "--json")
      let job = try #require(receipt["id"] as? Int)
      let paused = try await Self.object(site, "queues", "pause", "default", "--reason", "a test", "--json")
      #expect(paused["queue"] as? String == "default" && paused["is_paused"] as? Bool == true)
      let resumed = try await Self.object(site, "queues", "resume", "default", "--json")
      #expect(resumed["is_paused"] as? Bool == false)
      for (command, state) in [("cancel", "cancelled"), ("retry", "ready")] {
        let answers = try await Self.list(site, "jobs", command, "\(job)", "--json")
        #expect(answers.count == 1 && answers[0]["id"] as? Int == job && answers[0]["state"] as? String == state)
      }
      #expect(try await Self.object(site, "jobs", "retry", "--failed", "--json")["retried"] as? Int == 0)
      // What was done before the first that cannot be done is said all the same.
      let half = try await site.tool("jobs", "cancel", "\(job)", "999999", "--json")
      #expect(half.status == 66 && half.errors.contains("999999"), "\(half.errors)")
      let done = try JSONSerialization.jsonObject(with: Data(half.output.utf8)) as? [[String: Any]]
      #expect(done?.map { $0["id"] as? Int } == [job])
      #expect(try await Self.list(site, "jobs", "list", "--json").count == 1)
      #expect(try await Self.list(site, "queues", "list", "--json").count == 1)
    }
  }

  @Test func settingsAnswerInJSONAndKeepThePassword() async throws {
    let outcome = try await Tool.run(
      ["settings", "--json"],
      environment: ["TINTYPE_DATABASE_URL": "postgresql://me:secret@db/x", "TINTYPE_OUTPUT": "/srv/pictures"])
    let list = try #require(JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
    let values = Dictionary(
      uniqueKeysWithValues: list.map { ($0["variable"] as? String ?? "", $0["value"] as? String) })
    #expect(values["TINTYPE_OUTPUT"] == "/srv/pictures" && values["TINTYPE_DATABASE_URL"] == "(set)")
    #expect(!outcome.output.contains("secret"))
    #expect(try await Tool.run("settings", "--json", "--markdown").status == 64)
  }

  /// What a program prints for people, it prints for scripts; the two that run until they are stopped write a log instead.
  @Test func everyCommandThatPrintsCanPrintJSON() async throws {
    let commands = try await CommandTree.commands()
    #expect(commands.count >= 20)
    for (name, options) in commands where !["worker", "dashboard"].contains(name) {
      #expect(options.contains("json"), "\(name)")
    }
    for name in ["worker", "dashboard"] { #expect(commands[name]?.contains("log-format") == true, "\(name)") }
  }

  /// Escape sequences are for terminals that understand them and for readers who want them.
  @Test(arguments: [
    (["TERM": "xterm"], true, true), (["TERM": "xterm", "NO_COLOR": "1"], true, false),
    (["TERM": "xterm", "NO_COLOR": ""], true, true), (["TERM": "dumb"], false, false),
  ]) func theScreenIsRedrawnAndColouredWhereThatIsWanted(
    environment: [String: String], isRedrawn: Bool, isColoured: Bool
  ) async throws {
    try await Site.with { site in
      _ = try await site.enqueue()
      let text = try Self.onATerminal(
        ["jobs", "watch", "--interval", "0.1", "--database-url", site.databaseURL], environment: environment)
      #expect(text.contains("default") && text.contains("ready"), "\(text)")
      #expect(text.contains("\u{1B}[H") == isRedrawn)
      #expect((text.firstMatch(of: /\u{1B}\[\d+m/) != nil) == isColoured)
    }
  }

  /// What a command writes until it has shown a table for the second time, on a terminal that script(1) gives it.
  private static func onATerminal(_ arguments: [String], environment: [String: String]) throws -> String {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/script")
    let command = ([Tool.path] + arguments).map { "'\($0)'" }.joined(separator: " ")
    process.arguments = ["-q", "-e", "-c", "timeout --foreground 60 \(command)", "/dev/null"]
    process.environment = ["PATH": "/usr/bin:/bin"].merging(environment) { _, new in new }
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardInput = FileHandle.nullDevice
    try ProcessLaunch.exclusively { try process.run() }
    var text = ""
    while text.components(separatedBy: "default").count < 3 {
      let data = pipe.fileHandleForReading.availableData
      if data.isEmpty { break }
      text += String(decoding: data, as: UTF8.self)
    }
    process.terminate()
    process.waitUntilExit()
    return text
  }

  private static func object(_ site: Site, _ arguments: String...) async throws -> [String: Any] {
    let outcome = try await site.tool(arguments)
    try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any])
  }

  private static func list(_ site: Site, _ arguments: String...) async throws -> [[String: Any]] {
    let outcome = try await site.tool(arguments)
    try #require(outcome.status == 0, "\(arguments): \(outcome.errors)")
    return try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]])
  }
}

/// The command line as the program describes it.
enum CommandTree {
  /// `jobs list` → its options without dashes. Commands that only group others are left out.
  static func commands() async throws -> [String: Set<String>] {
    let text = try await Tool.run("--experimental-dump-help").output
    let root = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any]
    var found: [String: Set<String>] = [:]
    func visit(_ command: [String: Any], _ path: [String]) {
      let children = (command["subcommands"] as? [[String: Any]] ?? []).filter {
        $0["commandName"] as? String != "help"
      }
      for child in children { visit(child, path + [child["commandName"] as? String ?? ""]) }
      guard children.isEmpty else { return }
      let names = (command["arguments"] as? [[String: Any]] ?? []).flatMap { $0["names"] as? [[String: Any]] ?? [] }
      found[path.joined(separator: " ")] = Set(names.compactMap { $0["name"] as? String })
    }
    visit(root?["command"] as? [String: Any] ?? [:], [])
    return found
  }
}
