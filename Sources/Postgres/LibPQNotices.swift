internal import CLibPQ

/// Where libpq's notices go, and the last one that announced the end of the session: the server says why it hangs up
/// before it does.
final class LibPQNotices {
  private let handler: (@Sendable (PostgresNotice) -> Void)?
  private(set) var farewell: PostgresError?

  init(_ handler: (@Sendable (PostgresNotice) -> Void)?) { self.handler = handler }

  fileprivate func receive(_ result: LibPQResult) {
    var error = result.error
    if error.isFatal { farewell = error }
    error.sqlState = error.sqlState ?? "00000"
    handler?(
      PostgresNotice(severity: result.severity, sqlState: error.sqlState ?? "", message: error.message))
  }
}

/// libpq's callback; `context` is the `LibPQNotices` that the connection keeps alive.
let receiveNotice: @convention(c) (UnsafeMutableRawPointer?, OpaquePointer?) -> Void = { context, result in
  guard let context = unsafe context, let result = unsafe result else { return }
  let notices = unsafe Unmanaged<LibPQNotices>.fromOpaque(context).takeUnretainedValue()
  notices.receive(unsafe LibPQResult(borrowing: result))
}
