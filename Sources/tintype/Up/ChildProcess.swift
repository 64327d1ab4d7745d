import Foundation
import Glibc

/// A program started with nothing inherited but its three standard streams.
///
/// Foundation's `Process` learns of the end through a descriptor that the child inherits and passes on, so it waits for
/// the child's children as well: for `pg_ctl start`, as long as the server runs. And whoever started this command that way
/// would wait for the worker that it leaves behind.
struct ChildProcess {
  let processIdentifier: pid_t

  /// - Parameters:
  ///   - command: an absolute path, or a name to look up on `PATH`, and the arguments.
  ///   - output: the file that takes its output and errors; created, and appended to.
  ///   - folder: where it starts.
  ///   - environment: what it gets beside this process's own.
  ///   - isDetached: in a session of its own, so that nothing that happens to this terminal reaches it.
  init(
    _ command: [String], output: String, folder: String = ".", environment: [String: String] = [:],
    isDetached: Bool = false
  ) throws {
    var actions = unsafe posix_spawn_file_actions_t()
    unsafe posix_spawn_file_actions_init(&actions)
    defer { unsafe posix_spawn_file_actions_destroy(&actions) }
    unsafe posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    unsafe posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output, O_WRONLY | O_CREAT | O_APPEND, 0o640)
    unsafe posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)

    var attributes = posix_spawnattr_t()
    unsafe posix_spawnattr_init(&attributes)
    defer { unsafe posix_spawnattr_destroy(&attributes) }
    var defaults = sigset_t()
    unsafe sigfillset(&defaults)
    unsafe posix_spawnattr_setsigdefault(&attributes, &defaults)
    unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF))

    // What posix_spawn cannot do everywhere, these two do; both become the command, so the process id is its own. Variables do
    // not go that way: they may be secrets, and a command line is for all to read.
    let command = ["env", "--chdir=\(folder)"] + (isDetached ? ["setsid"] : []) + command
    let variables = ProcessInfo.processInfo.environment.merging(environment) { _, new in new }
    try Self.keepDescriptors()

    var identifier = pid_t()
    var arguments = unsafe command.map { unsafe strdup($0) } + [nil]
    var words = unsafe variables.map { unsafe strdup("\($0)=\($1)") } + [nil]
    defer { unsafe (arguments + words).forEach { unsafe free($0) } }
    let error = unsafe posix_spawnp(&identifier, command[0], &actions, &attributes, &arguments, &words)
    guard error == 0 else {
      throw CommandError(.unavailable, "\(command[0]) cannot be started: \(unsafe String(cString: strerror(error))).")
    }
    processIdentifier = identifier
  }

  /// Marks every open descriptor but the standard streams as this process's own: some came from whoever started it.
  private static func keepDescriptors() throws {
    for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
      // The descriptor that listed the folder is closed again by now; that it cannot be marked is no error.
      if let number = Int32(name), number > STDERR_FILENO { _ = fcntl(number, F_SETFD, FD_CLOEXEC) }
    }
  }

  /// Waits for the end: the exit status, or 128 + the signal's number.
  func wait() -> Int32 {
    var status: Int32 = 0
    while unsafe waitpid(processIdentifier, &status, 0) < 0, errno == EINTR {}
    return Self.exitStatus(status)
  }

  /// The same if it has ended, else nil. Once it has returned a status it must not be asked again.
  func poll() -> Int32? {
    var status: Int32 = 0
    return unsafe waitpid(processIdentifier, &status, WNOHANG) == processIdentifier ? Self.exitStatus(status) : nil
  }

  private static func exitStatus(_ status: Int32) -> Int32 {
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}
