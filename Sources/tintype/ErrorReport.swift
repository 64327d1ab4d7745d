import ArgumentParser
import Foundation

/// Turns any error into what the person at the terminal sees: one message, one remedy, one exit status.
struct ErrorReport {
  private let status: ExitStatus
  private let text: String
  private let goesToStandardOutput: Bool

  init<Root: ParsableCommand>(_ error: any Error, exitingFrom root: Root.Type) {
    if let error = error as? CommandError ?? CommandError(translating: error) {
      status = error.status
      text = "\(Root._errorPrefix)\(error.message)\n" + (error.remedy.map { "  \($0)\n" } ?? "")
      goesToStandardOutput = false
    } else if Root.exitCode(for: error).isSuccess {
      // --help and --version arrive as errors.
      status = .success
      text = Root.fullMessage(for: error) + "\n"
      goesToStandardOutput = true
    } else if error is ExitCode {
      status = ExitStatus(rawValue: Root.exitCode(for: error).rawValue) ?? .internalError
      text = ""
      goesToStandardOutput = false
    } else if Root.exitCode(for: error) == .validationFailure {
      status = .usage
      text = Root.fullMessage(for: error) + "\n"
      goesToStandardOutput = false
    } else {
      status = .internalError
      text = "\(Root._errorPrefix)\(error)\n  This is a bug in Tintype: please report it with the command you ran.\n"
      goesToStandardOutput = false
    }
  }

  func exit() -> Never {
    if goesToStandardOutput {
      print(text, terminator: "")
    } else {
      StandardError.write(text)
    }
    Foundation.exit(status.rawValue)
  }
}
