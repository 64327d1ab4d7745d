import Dispatch
import Glibc

/// Tells when a socket can be read, and on demand when it can be written.
///
/// It watches a duplicate of the descriptor: libpq may close its own at any moment, and a dispatch source that still
/// watches a closed number would act on whatever file gets that number next.
final class SocketWatcher {
  private let reading: any DispatchSourceRead
  private let writing: any DispatchSourceWrite
  private var isWritingSuspended = true
  private var isCancelled = false

  /// Closes the duplicate once both sources have let go of it.
  private final class Descriptor: Sendable {
    let number: Int32
    init(number: Int32) { self.number = number }
    deinit { close(number) }
  }

  /// Starts to watch for data, and for the end of the stream.
  ///
  /// - Throws: `PostgresError` when the process has no descriptor left.
  init(
    socket: Int32, queue: DispatchQueue, onReadable: @escaping @Sendable () -> Void,
    onWritable: @escaping @Sendable () -> Void
  ) throws {
    let number = fcntl(socket, F_DUPFD_CLOEXEC, 0)
    guard number >= 0 else {
      throw PostgresError(
        .connect, "The database socket cannot be duplicated (errno \(errno)): is the limit of open files reached?")
    }
    let descriptor = Descriptor(number: number)
    reading = DispatchSource.makeReadSource(fileDescriptor: number, queue: queue)
    writing = DispatchSource.makeWriteSource(fileDescriptor: number, queue: queue)
    reading.setEventHandler(handler: onReadable)
    writing.setEventHandler(handler: onWritable)
    reading.setCancelHandler { withExtendedLifetime(descriptor) {} }
    writing.setCancelHandler { withExtendedLifetime(descriptor) {} }
    reading.resume()
  }

  deinit { cancel() }

  /// Whether to tell when the socket can be written. Off but while output is pending: a socket is nearly always
  /// writable, and the source would fire without end.
  func setWriting(_ isWanted: Bool) {
    guard !isCancelled, isWanted == isWritingSuspended else { return }
    isWritingSuspended.toggle()
    if isWanted { writing.resume() } else { writing.suspend() }
  }

  /// Stops watching. No handler starts after it, when called on the queue.
  func cancel() {
    guard !isCancelled else { return }
    setWriting(true)  // A source must not be released while it is suspended.
    isCancelled = true
    reading.cancel()
    writing.cancel()
  }
}
