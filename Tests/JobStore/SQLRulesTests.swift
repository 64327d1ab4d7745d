import Foundation
import Migrations
import TestSupport
import Testing

/// Rules that hold for every statement, read off the sources.
@Suite struct SQLRulesTests {
  private static func sources(_ folder: String) throws -> [(name: String, text: String)] {
    let root = ProjectFiles.root.appending(path: folder)
    let files = try #require(FileManager.default.enumerator(atPath: root.path)).compactMap { $0 as? String }
    return try files.filter { $0.hasSuffix(".swift") }.map {
      ("\(folder)/\($0)", try String(contentsOf: root.appending(path: $0), encoding: .utf8))
    }
  }

  /// The migrations without their comments.
  private static var schema: String {
    migrations.map(\.sql).joined(separator: "\n").split(separator: "\n", omittingEmptySubsequences: false)
      .map { $0.prefix(upTo: $0.firstRange(of: "--")?.lowerBound ?? $0.endIndex) }.joined(separator: "\n")
  }

  /// Nothing that comes from outside is ever part of a statement's text: values are bound.
  @Test func noStatementIsBuiltFromInput() throws {
    // Pieces of SQL that are constants of the same file.
    let constants: Set = [
      #"\(Self.selectJob)"#, #"\(Self.time("started_at"))"#, #"\(Self.time("finished_at"))"#,
      #"\(time("created_at", of: "j."))"#, #"\(time("run_at", of: "j."))"#, #"\(time("started_at", of: "j."))"#,
      #"\(time("finished_at", of: "j."))"#, #"\(time("deadline", of: "j."))"#, #"\(table)"#, #"\(column)"#,
    ]
    let statement = /(?s)"""(.*?)"""|"((?:SELECT|INSERT|UPDATE|DELETE|SET|to_char)\b[^\n]*?)"(?=[,\n)\s])/
    var count = 0
    for (name, text) in try Self.sources("Sources/JobStore") {
      for match in text.matches(of: statement) {
        let sql = String(match.output.1 ?? match.output.2 ?? "")
        count += 1
        for piece in sql.matches(of: /\\\((?:[^()]|\([^()]*\))*\)/) {
          #expect(constants.contains(String(piece.output)), "\(name): \(piece.output)")
        }
      }
    }
    #expect(count > 20, "the pattern no longer finds the statements")
    // In the database, text is run as SQL in one place, which nobody but the migrator calls, with names quoted by format().
    let executes = Self.schema.matches(of: /(?m)^ *EXECUTE (?!FUNCTION)(\S+)/).map { String($0.output.1) }
    #expect(Set(executes) == ["format('CREATE", "format('GRANT", "object.command;"])
  }

  /// Statements live in Migrations and JobStore; elsewhere there is none that could be built wrongly.
  @Test func statementsLiveInOnePlace() throws {
    for folder in ["Worker", "ImageJobs", "Jobs", "tintype"] {
      for (name, text) in try Self.sources("Sources/\(folder)") {
        #expect(!text.contains(/"(SELECT|INSERT INTO|UPDATE|DELETE FROM) tintype/), "\(name)")
      }
    }
  }

  /// An advisory lock of a session outlives a transaction, and behind a pooler it is somebody else's.
  @Test func noLockOutlivesItsTransaction() throws {
    #expect(!Self.schema.contains(/pg_(try_)?advisory_lock/))
    #expect(Self.schema.contains("pg_try_advisory_xact_lock"))
    for (name, text) in try Self.sources("Sources/JobStore") {
      #expect(!text.contains(/pg_(try_)?advisory_lock/), "\(name)")
    }
  }

  /// Times are the database's: two clocks never agree.
  @Test func noStatementSendsAClientsTime() throws {
    for (name, text) in try Self.sources("Sources/JobStore") {
      #expect(!text.contains(/\bDate\(|ContinuousClock|SuspendingClock|\.timestamp\(/), "\(name)")
    }
    // Session state that a transaction pooler would hand to the next client.
    #expect(!Self.schema.contains(/set_config\([^)]*false\)/))
  }
}

/// What the documents say about tests.
@Suite struct DocumentTests {
  private static let tests: Set<String> = {
    let root = ProjectFiles.root.appending(path: "Tests")
    let files = FileManager.default.enumerator(atPath: root.path)?.compactMap { $0 as? String } ?? []
    return Set(
      files.filter { $0.hasSuffix(".swift") }.flatMap { file -> [String] in
        let text = (try? String(contentsOf: root.appending(path: file), encoding: .utf8)) ?? ""
        return text.matches(of: /@Test[^{]*?func (\w+)\(/).map { String($0.output.1) }
      })
  }()

  @Test(arguments: ["what-happens-if", "queue-lessons"]) func everyTestThatIsNamedExists(document: String) throws {
    let text = try String(contentsOf: ProjectFiles.root.appending(path: "Docs/\(document).md"), encoding: .utf8)
    // Four words and more: no setting, column or function of the documents is that long.
    let named = text.matches(of: /`([a-z]+(?:[A-Z][a-z]*){3,})`/).map { String($0.output.1) }
    #expect(named.count >= 20)
    for name in named { #expect(Self.tests.contains(name), "\(document).md names \(name), which is no test") }
  }
}
