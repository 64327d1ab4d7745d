import ArgumentParser
import Foundation
import JobStore
import Jobs

struct EnqueueCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "enqueue",
    abstract: "Put a job into the queue and print its id.",
    discussion: """
      The same as INSERT INTO tintype.jobs, with the same rules: what can never run is refused, naming the column and the legal \
      values.

      Examples:
        tintype enqueue --prompt "a red boat" --steps 2 --count 4
        tintype enqueue --prompt "the same at night" --init-job 812 --wait
      """)

  @OptionGroup var request: RequestOptions
  @Option(
    help: ArgumentHelp("Name of a model that some worker has. [default: the worker's default]", valueName: "name"))
  var model: String?

  @Option(
    help: ArgumentHelp(
      "Start from this PNG or JPEG, which is sent along: at most 16 MiB.", valueName: "file"))
  var initImage: String?
  @Option(
    help: ArgumentHelp(
      "Start from a picture that the worker has: a path below its --input folder.", valueName: "path"))
  var initPath: String?
  @Option(
    help: ArgumentHelp("Start from the first picture of this earlier job, and wait for it if need be.", valueName: "id")
  )
  var initJob: Int64?

  @Option(help: ArgumentHelp("Queue to stand in. [default: default]", valueName: "name")) var queue: String?
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "-1000 to 1000, higher is sooner; a point is worth ten minutes of waiting. [default: 0]", valueName: "n"))
  var priority: Int?
  @Option(
    help: ArgumentHelp(
      "Not before this time, as PostgreSQL reads it: 'tomorrow 03:00', '2031-05-01 12:00+02'. [default: now]",
      valueName: "time"))
  var runAt: String?
  @Option(help: ArgumentHelp("Failures after which the job fails for good. [default: the queue's]", valueName: "n"))
  var maxAttempts: Int?
  @Option(
    help: ArgumentHelp("What one attempt may take: 90, 90s, 15min. [default: the queue's]", valueName: "seconds"))
  var timeout: Seconds?
  @Option(
    help: ArgumentHelp(
      "Unique in its queue: sending the same request again gives the same job instead of a second one.",
      valueName: "key"))
  var idempotencyKey: String?
  @Option(
    help: ArgumentHelp(
      "For whom the job is: tenants get equal shares, however much one of them has enqueued.", valueName: "name"))
  var tenant: String?
  @Option(
    help: ArgumentHelp(
      "Of the jobs with the same key only so many run at once, as the queue says (max_running_per_key).",
      valueName: "key"))
  var concurrencyKey: String?
  @Option(
    help: ArgumentHelp(
      "Of no use after this time: it fails if it is not done by then. As --run-at. [default: never]",
      valueName: "time"))
  var deadline: String?
  @Option(help: ArgumentHelp("Your own notes: a JSON object, never interpreted.", valueName: "json")) var metadata:
    String?

  @Flag(
    help: """
      Wait until the job has ended and show what became of it; exits with 1 if it did not succeed. Ctrl-C ends the waiting, not \
      the job.
      """)
  var wait = false
  @Flag(help: "Print JSON.") var json = false
  @OptionGroup var database: DatabaseOptions

  struct Receipt: Encodable { let id: Int64 }

  func run() async throws {
    var request = request.jobRequest
    request.model = model
    request.initImageData = try initImage.map { try InputFile.read($0, option: "init-image") }
    request.initImage = initPath
    request.initJob = initJob
    request.queue = queue
    request.priority = priority
    request.runAt = runAt
    request.maxAttempts = maxAttempts
    request.timeout = timeout?.value
    request.idempotencyKey = idempotencyKey
    request.metadata = metadata
    request.tenant = tenant
    request.concurrencyKey = concurrencyKey
    request.deadline = deadline
    // The database says the same; asked here first so that nothing is sent that it must refuse.
    if let problem = request.problem { throw CommandError(.invalidData, "\(problem.message).") }

    try await database.withQueue(role: "enqueue", patience: wait ? .seconds(60) : .zero) { store in
      let id = try await store.enqueue(request)
      guard wait else { return try json ? JSONOutput.print(Receipt(id: id)) : print(id) }
      let details = try await JobWatch(store: store, job: id).untilEnded()
      try JobReport(details).print(json: json)
      if details.job.state != .succeeded { throw ExitCode(ExitStatus.jobFailed.rawValue) }
    }
  }
}
