internal import CLibPQ

/// A finished result in libpq's memory, freed with its last reference.
///
/// `PGresult` never changes once libpq has handed it over, and its readers are thread-safe, hence Sendable.
@safe final class LibPQResult: @unchecked Sendable {
  private let handle: OpaquePointer
  private let isOwned: Bool

  /// Frees the result in the end.
  init(owning handle: OpaquePointer) {
    unsafe self.handle = handle
    isOwned = true
  }

  /// For a result that libpq keeps and frees: valid within its callback only.
  init(borrowing handle: OpaquePointer) {
    unsafe self.handle = handle
    isOwned = false
  }

  deinit { if isOwned { unsafe PQclear(handle) } }

  /// What kind of result it is.
  enum Status {
    case rows, done, error, copy
  }

  var status: Status {
    switch unsafe PQresultStatus(handle) {
    case PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE: .rows
    case PGRES_COMMAND_OK, PGRES_EMPTY_QUERY, PGRES_NONFATAL_ERROR: .done
    case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH: .copy
    default: .error
    }
  }

  var rowCount: Int { unsafe Int(PQntuples(handle)) }

  var columnNames: [String] {
    unsafe (0..<PQnfields(handle)).map { unsafe String(cString: PQfname(handle, $0)) }
  }

  var commandTag: String { unsafe String(cString: PQcmdStatus(handle)) }

  /// Zero for statements that count no rows.
  var affectedRows: Int { unsafe Int(String(cString: PQcmdTuples(handle))) ?? 0 }

  /// The text of a value; nil is NULL. The caller has the indices from `rowCount` and `columnNames`.
  func text(row: Int, column: Int) -> String? {
    precondition(unsafe row >= 0 && row < rowCount && column >= 0 && column < Int(PQnfields(handle)))
    let (row, column) = (Int32(row), Int32(column))
    guard unsafe PQgetisnull(handle, row, column) == 0, let start = unsafe PQgetvalue(handle, row, column) else {
      return nil
    }
    let bytes = unsafe UnsafeRawBufferPointer(start: start, count: Int(PQgetlength(handle, row, column)))
    return unsafe String(decoding: bytes, as: UTF8.self)
  }

  /// The server's report, or libpq's own when the connection broke.
  var error: PostgresError {
    let ownMessage = unsafe String(cString: PQresultErrorMessage(handle))
    let sqlState = field(.sqlState)
    // libpq's own errors carry no SQLSTATE: it could not talk to the server any more.
    var error = PostgresError(
      sqlState == nil ? .connectionLost : .server, field(.message) ?? trimmed(ownMessage),
      sqlState: sqlState, detail: field(.detail), hint: field(.hint),
      column: field(.column), constraint: field(.constraint))
    error.context = field(.context)
    error.schema = field(.schema)
    error.table = field(.table)
    error.position = field(.position).flatMap { Int($0) }
    error.isFatal = ["FATAL", "PANIC"].contains(severity)
    return error
  }

  /// In English whatever the server's language.
  var severity: String { field(.severity) ?? field(.localizedSeverity) ?? "" }

  /// The protocol's letters for the parts of a report; libpq-fe.h has them as macros that Swift cannot import.
  private enum Field: Unicode.Scalar {
    case severity = "V", localizedSeverity = "S", sqlState = "C", message = "M", detail = "D", hint = "H"
    case position = "P", context = "W", schema = "s", table = "t", column = "c", constraint = "n"
  }

  private func field(_ field: Field) -> String? {
    guard let text = unsafe PQresultErrorField(handle, Int32(field.rawValue.value)) else { return nil }
    return unsafe String(cString: text)
  }
}

/// libpq ends its messages with a line feed.
func trimmed(_ message: String) -> String {
  var message = Substring(message)
  while message.last?.isWhitespace == true { message.removeLast() }
  return message.isEmpty ? "The connection to the server was lost." : String(message)
}
