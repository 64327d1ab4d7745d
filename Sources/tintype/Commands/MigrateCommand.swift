import ArgumentParser
import JobStore
import Postgres

struct MigrateCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Install or update the schema `tintype` in the database.",
    discussion: """
      Applies what is missing, each file in a transaction of its own. Safe to run again, and from several places at once. The \
      roles are created too if the user may; if not, a notice says how.

      Examples:
        tintype migrate --database-url postgresql://localhost/pictures
        tintype migrate --status
      """)

  @OptionGroup var database: DatabaseOptions
  @Flag(help: "Change nothing: print what is applied. Exits with 78 when something is missing.") var status = false
  @Flag(help: "Print JSON.") var json = false

  struct Report: Encodable {
    struct Migration: Encodable {
      let name: String
      let appliedAt: String?
    }
    let migrations: [Migration]
    /// What this run applied.
    let applied: [String]
  }

  func run() async throws {
    var configuration = try database.configuration(role: "migrate")
    configuration.onNotice = { notice in
      if notice.severity != "DEBUG" { StandardError.note("\(notice.severity.lowercased()): \(notice.message)") }
    }
    let connection = try await PostgresConnection.connect(configuration)
    do {
      try await run(Migrator(connection: connection))
    } catch {
      await connection.close()
      throw error
    }
    await connection.close()
  }

  private func run(_ migrator: Migrator) async throws {
    let bar = ProgressBar()
    // Bar and lines would write over each other: where there is a terminal the lines come at the end.
    let applied = status ? [] : try await migrator.migrate { bar.update($0, fraction: $1) }
    bar.finish()
    let all = try await migrator.status()
    if json {
      try JSONOutput.print(
        Report(migrations: all.map { .init(name: $0.name, appliedAt: $0.appliedAt) }, applied: applied))
    } else if status {
      var table = TextTable([.init(heading: "MIGRATION"), .init(heading: "APPLIED")])
      for migration in all { table.append([migration.name, migration.appliedAt]) }
      print(table.rendered(), terminator: "")
    } else {
      for name in applied { print("applied \(name)") }
      print("the schema is up to date")
    }
    let missing = all.filter { $0.appliedAt == nil }
    guard missing.isEmpty else {
      throw CommandError(
        .configuration, "\(missing.count) of \(all.count) migrations are not applied.", remedy: "Run `tintype migrate`."
      )
    }
  }
}
