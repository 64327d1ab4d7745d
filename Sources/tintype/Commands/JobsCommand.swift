import ArgumentParser
import JobStore
import Jobs

struct JobsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "jobs", abstract: "List, watch, show, cancel and retry jobs.",
    subcommands: [List.self, Watch.self, Show.self, Cancel.self, Retry.self])

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List the newest jobs.",
      discussion: """
        An administrator sees all jobs, everyone else their own.

        Examples:
          tintype jobs list --state failed --limit 50
          tintype jobs list --json | jq '.[].id'
        """)

    @Option(
      help: ArgumentHelp(
        "Only jobs in this state: \(JobState.allCases.map(\.rawValue).joined(separator: ", ")). Repeatable.",
        valueName: "state"), transform: Self.state)
    var state: [JobState] = []
    @Option(help: ArgumentHelp("Only this queue.", valueName: "name")) var queue: String?
    @Option(help: ArgumentHelp("How many.", valueName: "n")) var limit = 20
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    static func state(_ text: String) throws -> JobState {
      guard let state = JobState(rawValue: text) else { throw ValidationError("there is no state \(text).") }
      return state
    }

    func validate() throws {
      guard (1...10_000).contains(limit) else {
        throw ValidationError("--limit must be from 1 to 10000; got \(limit).")
      }
    }

    func run() async throws {
      let filter = JobFilter(states: state.isEmpty ? nil : state, queue: queue, limit: limit)
      let jobs = try await database.withQueue(role: "jobs") { try await $0.list(filter) }
      if json { return try JSONOutput.print(jobs) }
      var table = TextTable([
        .init(heading: "ID", alignsRight: true), .init(heading: "STATE"), .init(heading: "QUEUE"),
        .init(heading: "MODEL"),
        .init(heading: "SUBMITTED"), .init(heading: "PROMPT"),
      ])
      for job in jobs {
        var state = job.state.rawValue
        if job.state == .running, let progress = job.progress { state += " \(Int(progress * 100)) %" }
        table.append([
          "\(job.id)", state, job.queue, job.model, job.createdAt, PlainText.shortened(job.prompt, to: 48),
        ])
      }
      print(table.rendered(), terminator: "")
    }
  }

  struct Show: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show a job with its attempts and pictures.",
      discussion: """
        Example:
          tintype jobs show 812
        """)

    @Argument(help: "The job's id.") var id: Int64
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      let details = try await database.withQueue(role: "jobs") { try await $0.show(job: id) }
      guard let details else { throw JobReport.notFound(id) }
      try JobReport(details).print(json: json)
    }
  }

  struct Cancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Cancel jobs: waiting ones at once, running ones within seconds.",
      discussion: """
        Example:
          tintype jobs cancel 812 813
        """)

    @Argument(help: "The jobs' ids.") var ids: [Int64]
    @Flag(help: "Print JSON: each job's id and the state that it is in now.") var json = false
    @OptionGroup var database: DatabaseOptions

    func run() async throws {
      try await database.withQueue(role: "jobs") { store in
        try await JobsCommand.forEach(ids, json: json) { id in
          let state = try await store.cancel(job: id)
          return (state, state == .running ? "its worker is told to stop" : state.rawValue)
        }
      }
    }
  }

  struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Bring failed or cancelled jobs back, with all their attempts.",
      discussion: """
        What went wrong before stays on record: see `tintype jobs show`. `tintype.dead_letters` lists what has failed for good \
        and why.

        Examples:
          tintype jobs retry 812
          tintype jobs retry --failed --error-code model_unavailable
        """)

    @Argument(help: "The jobs' ids.") var ids: [Int64] = []
    @Flag(help: "All failed jobs, the newest first, instead of ids.") var failed = false
    @Option(help: ArgumentHelp("With --failed: only this queue.", valueName: "name")) var queue: String?
    @Option(help: ArgumentHelp("With --failed: only those that failed with this code.", valueName: "code"))
    var errorCode: String?
    @Option(help: ArgumentHelp("With --failed: at most so many.", valueName: "n")) var limit = 1000
    @Flag(help: "Print JSON: each job's id and state, or with --failed how many are back.") var json = false
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
      guard failed != !ids.isEmpty else { throw ValidationError("give ids, or --failed.") }
      guard failed || (queue == nil && errorCode == nil) else {
        throw ValidationError("--queue and --error-code choose among failed jobs: add --failed.")
      }
      guard (1...10_000).contains(limit) else {
        throw ValidationError("--limit must be from 1 to 10000; got \(limit).")
      }
    }

    func run() async throws {
      try await database.withQueue(role: "jobs") { store in
        if failed {
          let count = try await store.retryFailed(queue: queue, errorCode: errorCode, limit: limit)
          return try json ? JSONOutput.print(["retried": count]) : print("\(count) failed jobs are back")
        }
        try await JobsCommand.forEach(ids, json: json) { id in
          let state = try await store.retry(job: id)
          return (state, state.rawValue)
        }
      }
    }
  }

  /// What became of a job.
  private struct Answer: Encodable {
    let id: Int64
    let state: JobState
  }

  /// Does something to one job after the other and says what became of each. The first that cannot be done ends it with its error;
  /// what was done before is done, and has been said.
  private static func forEach(
    _ ids: [Int64], json: Bool, do action: (Int64) async throws -> (state: JobState, words: String)
  ) async throws {
    var answers: [Answer] = []
    do {
      for id in ids {
        let (state, words) = try await action(id)
        if json { answers.append(Answer(id: id, state: state)) } else { print("job \(id): \(words)") }
      }
    } catch {
      if json { try JSONOutput.print(answers) }
      throw error
    }
    if json { try JSONOutput.print(answers) }
  }
}
