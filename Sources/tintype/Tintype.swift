import ArgumentParser

/// The `tintype` command: parses, runs, and turns every error into one message and one documented exit status.
@main
struct Tintype: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tintype",
    abstract: "Turns rows of a PostgreSQL table into pictures.",
    discussion: """
      Try it without setting anything up:
        tintype up
      starts a private PostgreSQL with one worker and prints how to connect. Or draw one picture with no database:
        tintype generate --model DIR --prompt "a lake at dawn" --output lake.png

      Settings come from flags, then TINTYPE_… environment variables, then defaults; `tintype settings` lists them. \
      Docs/exit-codes.md has the exit statuses, Docs/sql.md the way to do all of this in SQL.
      """,
    version: Version.text,
    groupedSubcommands: [
      CommandGroup(name: "Pictures:", subcommands: [GenerateCommand.self, ModelsCommand.self, BenchCommand.self]),
      CommandGroup(name: "The queue:", subcommands: [EnqueueCommand.self, JobsCommand.self, QueuesCommand.self]),
      CommandGroup(
        name: "Operation:",
        subcommands: [
          WorkerCommand.self, DashboardCommand.self, MigrateCommand.self, UpCommand.self, DownCommand.self,
          DoctorCommand.self,
          SettingsCommand.self,
        ]),
    ])

  static let _errorPrefix = "tintype: error: "

  static func main() async {
    do {
      var command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
    } catch {
      ErrorReport(error, exitingFrom: Self.self).exit()
    }
  }
}
