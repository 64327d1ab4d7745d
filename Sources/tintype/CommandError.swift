/// Why a command cannot go on, and what the person who ran it can do.
struct CommandError: Error, Equatable {
  /// The process's exit status.
  let status: ExitStatus
  /// What is wrong, naming the option, file or field.
  let message: String
  /// What to do, as a sentence; nil where the message says it already.
  let remedy: String?

  init(_ status: ExitStatus, _ message: String, remedy: String? = nil) {
    self.status = status
    self.message = message
    self.remedy = remedy
  }
}
