/// How the process ends: the numbers of BSD's `sysexits.h` where one fits, so that scripts and systemd can tell a
/// typing error from a database that is away. `Docs/exit-codes.md` says the same with examples.
enum ExitStatus: Int32, CaseIterable, Sendable {
  /// Done. For a worker: drained as asked, or `--max-jobs` or `--idle-exit` was reached.
  case success = 0
  /// A batch of jobs was waited for and at least one did not succeed.
  case jobFailed = 1
  /// The command line is wrong: an unknown option, a missing one, a value that does not parse.
  case usage = 64
  /// The request or a file's content is refused: sizes, steps, a broken checkpoint, an unreadable picture.
  case invalidData = 65
  /// A named thing does not exist: a model folder, an initial picture, a job, a queue.
  case notFound = 66
  /// The database cannot be reached, or PostgreSQL's programs are not installed.
  case unavailable = 69
  /// A bug in Tintype: please report it.
  case internalError = 70
  /// A job hung and could not be stopped, so the worker gave everything back and ended; systemd restarts it.
  case stuck = 71
  /// The output cannot be created: no such folder, or one that may not be written.
  case cannotCreate = 73
  /// Reading or writing failed half-way: disk full, input/output error.
  case inputOutput = 74
  /// It may work later: the database went away while a command ran, or a lock was not had in time.
  case temporary = 75
  /// The database or the file system refused these credentials. systemd does not restart a worker that ends so.
  case noPermission = 77
  /// The database does not exist, or its schema is missing, older or newer than this program. systemd does not restart a
  /// worker that ends so.
  case configuration = 78
  /// Stopped by Ctrl-C.
  case interrupted = 130

  /// One line for the documentation.
  var meaning: String {
    switch self {
    case .success: "done"
    case .jobFailed: "a job that was waited for failed or was cancelled"
    case .usage: "wrong command line"
    case .invalidData: "request or file content refused"
    case .notFound: "no such folder, file, job or queue"
    case .unavailable: "database or PostgreSQL's programs not available"
    case .internalError: "a bug in Tintype"
    case .stuck: "a job hung and the worker could not stop it"
    case .cannotCreate: "output cannot be created"
    case .inputOutput: "reading or writing failed half-way"
    case .temporary: "may work later"
    case .noPermission: "credentials or permissions refused"
    case .configuration: "database or schema missing, or its schema older or newer than this program"
    case .interrupted: "stopped by Ctrl-C"
    }
  }
}
