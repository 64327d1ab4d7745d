import Foundation
import TestSupport
import Testing

/// The command as a newcomer meets it: help, settings, exit statuses, errors.
@Suite struct CommandTests {
  @Test func helpExplains() async throws {
    let groups = [[], ["models"], ["jobs"], ["queues"]]
    for command in groups + (try await CommandTree.commands().keys.map { $0.split(separator: " ").map(String.init) }) {
      try await helpExplains(command)
    }
  }

  private func helpExplains(_ command: [String]) async throws {
    let help = try await Tool.run(command + ["--help"])
    #expect(help.status == 0)
    #expect(help.errors.isEmpty)
    // Commands that only group others explain nothing themselves.
    if !["models", "jobs", "queues"].contains(command.joined(separator: " ")) {
      #expect(help.output.contains("tintype \((command + [""]).joined(separator: " "))"), "\(command): no example")
    }
    // No option stands in the list without a word about it, on its own line or on the next.
    let lines = help.output.split(separator: "\n", omittingEmptySubsequences: false)
    for (index, line) in lines.enumerated() where line.hasPrefix("  --") || line.hasPrefix("  -o") {
      let words = line.split(separator: " ").drop { $0.hasPrefix("-") || $0.hasPrefix("<") }
      let next = lines.indices.contains(index + 1) ? lines[index + 1] : ""
      #expect(!words.isEmpty || next.hasPrefix("        "), "\(command), no explanation: \(line)")
    }
  }

  @Test func everyOptionOfTheDocumentsExists() async throws {
    let generate = try await Tool.run("generate", "--help").output
    for option in [
      "model", "prompt", "negative-prompt", "steps", "guidance-scale", "seed", "width", "height", "count", "init-image",
      "strength", "output", "save-tensors", "json",
    ] { #expect(generate.contains("--\(option)"), "\(option)") }
    let worker = try await Tool.run("worker", "--help").output
    for option in [
      "model", "output", "input", "queue", "max-jobs", "idle-exit", "name", "drain-timeout", "database-url",
    ] {
      #expect(worker.contains("--\(option)"), "\(option)")
    }
  }

  @Test func settingsAreDocumentedAsTheyAre() async throws {
    let printed = try await Tool.run("settings", "--markdown")
    let document = try String(contentsOf: ProjectFiles.root.appending(path: "Docs/settings.md"), encoding: .utf8)
    #expect(printed.output == document, "run `tintype settings --markdown > Docs/settings.md`")
  }

  @Test func exitStatusesAreDocumentedAsTheyAre() throws {
    let source = try String(
      contentsOf: ProjectFiles.root.appending(path: "Sources/tintype/ExitStatus.swift"), encoding: .utf8)
    let document = try String(contentsOf: ProjectFiles.root.appending(path: "Docs/exit-codes.md"), encoding: .utf8)
    let cases = source.matches(of: /case (\w+) = (\d+)/).map { "| \($0.2) | \($0.1) |" }
    #expect(cases.count > 10)
    for row in cases { #expect(document.contains(row), "\(row)") }
    #expect(document.matches(of: /\n\| \d+ \|/).count == cases.count)
  }

  @Test func aFlagWinsOverItsVariableAndTheVariableOverTheDefault() async throws {
    let folder = try TemporaryFolder()
    let arguments = ["generate", "--prompt", "a lake", "--seed", "1", "--output", folder.path("a.png")]
    let byVariable = try await Tool.run(arguments, environment: ["TINTYPE_MODEL": "/no/such/folder"])
    #expect(byVariable.status == 66)
    let byFlag = try await Tool.run(
      arguments + ["--model", Tool.demoModel], environment: ["TINTYPE_MODEL": "/no/such/folder"])
    #expect(byFlag.status == 0, "\(byFlag.errors)")
    // Empty counts as unset.
    let missing = try await Tool.run(arguments, environment: ["TINTYPE_MODEL": ""])
    #expect(missing.status == 64)
    #expect(missing.errors.contains("--model") && missing.errors.contains("TINTYPE_MODEL"))
    let malformed = try await Tool.run(arguments, environment: ["TINTYPE_THREADS": "many"])
    #expect(malformed.status == 64)
  }

  static let mistakes: [(arguments: [String], status: Int32)] = [
    (["nonsense"], 64), (["generate"], 64), (["jobs", "show", "twelve"], 64), (["worker", "--queue"], 64),
    (["models", "verify", "/no/such/folder"], 66),
    (["worker", "--model", Tool.demoModel, "--output", "/proc/no/such/folder"], 73),
    (["worker", "--model", Tool.demoModel, "--output", "/dev/null"], 73), (["jobs", "list", "--limit", "0"], 64),
    (["jobs", "list", "--database-url", "postgresql:///x?host=/no/such/folder"], 69),
    (["jobs", "list", "--database-url", "nonsense=1"], 64),
    (["enqueue", "--prompt", "x", "--steps", "0", "--database-url", "postgresql:///x?host=/no/such/folder"], 65),
    (["enqueue", "--prompt", "x", "--steps", "-1", "--database-url", "postgresql:///x?host=/no/such/folder"], 65),
  ]

  @Test(arguments: mistakes)
  func exitStatusTellsTheKindOfTrouble(_ arguments: [String], _ status: Int32) async throws {
    let outcome = try await Tool.run(arguments)
    #expect(outcome.status == status, "\(outcome.errors)")
    #expect(outcome.errors.hasPrefix("tintype: error: "))
    #expect(outcome.output.isEmpty)
  }

  @Test func versionIsPrinted() async throws {
    let outcome = try await Tool.run("--version")
    #expect(outcome.status == 0)
    #expect(outcome.output.contains(/^\d+\.\d+\.\d+\n$/))
  }
}
