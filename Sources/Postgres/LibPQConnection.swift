internal import CLibPQ
import Glibc

/// libpq's connection object behind safe calls, one to one. Used from one queue at a time; not Sendable.
///
/// Never use it across fork(): both processes would write to one session.
@safe final class LibPQConnection {
  private var handle: OpaquePointer?
  let notices: LibPQNotices

  /// Connects, and blocks until that has succeeded or failed: call it on a thread that may wait.
  ///
  /// libpq's own loop is used rather than `PQconnectPoll`: it alone applies `connect_timeout` to each host of a list,
  /// so that a first host that swallows packets does not keep us from the second.
  ///
  /// - Throws: `PostgresError` (`connect`).
  init(connecting parameters: [(keyword: String, value: String)], onNotice: (@Sendable (PostgresNotice) -> Void)?)
    throws
  {
    notices = LibPQNotices(onNotice)
    unsafe handle = withCStrings(parameters.map(\.keyword)) { keywords in
      unsafe withCStrings(parameters.map(\.value)) { values in
        unsafe PQconnectdbParams(keywords, values, 1)
      }
    }
    if unsafe handle == nil || isBad, let error = failure() {
      close()
      throw error
    }
    unsafe PQsetnonblocking(handle, 1)
    unsafe PQsetNoticeReceiver(handle, receiveNotice, Unmanaged.passUnretained(notices).toOpaque())
  }

  deinit { close() }

  /// Why there is no connection; nil when there is one after all.
  private func failure() -> PostgresError? {
    // As it stands, it says which server and which user.
    var error = PostgresError(.connect, errorMessage)
    error.isPasswordMissing = unsafe PQconnectionNeedsPassword(handle) == 1
    if error.isPasswordMissing {
      error.hint = "The server wants a password: put it into ~/.pgpass or PGPASSWORD, or give a password file."
      return error
    }
    // Two spaces after the severity stand in every report of a server, in every language, and in no message of libpq's own.
    guard error.message.contains(":  ") else { return error }
    // libpq knows the SQLSTATE of a refusal and has no function that tells it. It writes it into the message, and nothing
    // else, at a verbosity that can be set only on a connection that exists: so the attempt is repeated on this one.
    unsafe PQsetErrorVerbosity(handle, PQERRORS_SQLSTATE)
    unsafe PQreset(handle)
    unsafe PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
    if !isBad { return nil }
    // Of several hosts the last one decided: libpq goes on to the next only where a server is away or starting.
    error.sqlState = errorMessage.matches(of: /:  ([0-9A-Z]{5})(?:\n|$)/).last.map { String($0.1) }
    return error
  }

  /// Says goodbye to the server and frees everything; the second call does nothing.
  func close() {
    unsafe PQfinish(handle)
    unsafe handle = nil
  }

  var socket: Int32 { unsafe PQsocket(handle) }
  var isBad: Bool { unsafe PQstatus(handle) != CONNECTION_OK }
  var errorMessage: String { unsafe trimmed(String(cString: PQerrorMessage(handle))) }
  /// As the server announced it at the start; a pooler announces something else than the server that it hands out.
  var backendPID: Int32 { unsafe PQbackendPID(handle) }

  /// Where the session stands between statements.
  enum TransactionState { case idle, active, failed, unknown }
  var transactionState: TransactionState {
    switch unsafe PQtransactionStatus(handle) {
    case PQTRANS_IDLE: .idle
    case PQTRANS_INTRANS, PQTRANS_ACTIVE: .active
    case PQTRANS_INERROR: .failed
    default: .unknown
    }
  }

  /// Queues one statement with its parameters; nil is NULL. False when the connection is of no use; `errorMessage`
  /// says why.
  func send(_ sql: String, _ parameters: [EncodedParameter?]) -> Bool {
    // One block for all values, each followed by a NUL: text values end by it.
    var block: [UInt8] = []
    block.reserveCapacity(parameters.reduce(0) { $0 + ($1?.bytes.count ?? 0) + 1 })
    let offsets = parameters.map { parameter -> Int? in
      guard let parameter else { return nil }
      defer {
        block.append(contentsOf: parameter.bytes)
        block.append(0)
      }
      return block.count
    }
    return unsafe block.withUnsafeBytes { block in
      let values = unsafe offsets.map { offset in
        unsafe offset.flatMap { offset in
          unsafe block.baseAddress.map { unsafe ($0 + offset).assumingMemoryBound(to: CChar.self) }
        }
      }
      return unsafe PQsendQueryParams(
        handle, sql, Int32(parameters.count), parameters.map { $0?.type ?? 0 }, values,
        parameters.map { Int32($0?.bytes.count ?? 0) }, parameters.map { $0?.isBinary == true ? 1 : 0 }, 0) == 1
    }
  }

  /// Queues a script of several statements without parameters.
  func sendScript(_ script: String) -> Bool { unsafe PQsendQuery(handle, script) == 1 }

  /// What became of queued output.
  enum Flush { case done, pending, failed }
  func flush() -> Flush {
    switch unsafe PQflush(handle) {
    case 0: .done
    case 1: .pending
    default: .failed
    }
  }

  /// Reads what the socket has. False when the connection broke.
  func consumeInput() -> Bool { unsafe PQconsumeInput(handle) == 1 }

  /// Whether the socket has data, or its end, right now.
  var hasInput: Bool {
    var descriptor = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return unsafe poll(&descriptor, 1, 0) == 1
  }

  /// True while `nextResult()` would block.
  var isBusy: Bool { unsafe PQisBusy(handle) == 1 }

  /// The statement's next result; nil after the last.
  func nextResult() -> LibPQResult? {
    guard let result = unsafe PQgetResult(handle) else { return nil }
    return unsafe LibPQResult(owning: result)
  }

  /// A notification that has come in with the data read so far.
  func nextNotification() -> PostgresNotification? {
    guard let notification = unsafe PQnotifies(handle) else { return nil }
    defer { unsafe PQfreemem(notification) }
    return unsafe PostgresNotification(
      channel: String(cString: notification.pointee.relname), payload: String(cString: notification.pointee.extra))
  }

  /// What it takes to cancel the running statement, usable on any thread.
  func cancelRequest() -> LibPQCancel? {
    guard let cancel = unsafe PQgetCancel(handle) else { return nil }
    return unsafe LibPQCancel(owning: cancel)
  }

  /// A name quoted for use in a statement.
  func quotedIdentifier(_ name: String) throws -> String {
    guard !name.utf8.contains(0), let quoted = unsafe PQescapeIdentifier(handle, name, name.utf8.count) else {
      throw PostgresError(.misuse, "\"\(name)\" cannot be a name in the database: it holds the character U+0000.")
    }
    defer { unsafe PQfreemem(quoted) }
    return unsafe String(cString: quoted)
  }
}

/// Asks the server, over a connection of its own, to cancel what another connection runs.
@safe final class LibPQCancel: @unchecked Sendable {
  private let handle: OpaquePointer
  init(owning handle: OpaquePointer) { unsafe self.handle = handle }
  deinit { unsafe PQfreeCancel(handle) }

  /// Blocks until the server has taken note, at worst until TCP gives up. Once it has returned, the request cannot hit
  /// a later statement. Nil on success, else why not.
  func send() -> String? {
    var message = [CChar](repeating: 0, count: 256)
    guard unsafe PQcancel(handle, &message, Int32(message.count)) == 0 else { return nil }
    return trimmed(String(decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
  }
}

/// Calls `body` with a NULL-terminated array of C strings.
func withCStrings<R>(_ strings: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) throws -> R) rethrows -> R {
  let block = strings.flatMap { $0.utf8CString }
  var offset = 0
  let offsets = strings.map { string in
    defer { offset += string.utf8.count + 1 }
    return offset
  }
  return try unsafe block.withUnsafeBufferPointer { block in
    var pointers = unsafe offsets.map { offset in unsafe block.baseAddress.map { unsafe $0 + offset } }
    unsafe pointers.append(nil)
    return try unsafe pointers.withUnsafeBufferPointer { pointers in
      // Never empty: it holds the terminator at least.
      guard let start = pointers.baseAddress else { preconditionFailure("an array without storage") }
      return try unsafe body(start)
    }
  }
}
