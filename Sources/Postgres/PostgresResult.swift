/// What a statement returned.
public struct PostgresResult: Sendable {
  /// The rows, in the server's order.
  public let rows: [PostgresRow]
  /// Rows inserted, updated, deleted or, for a query, returned.
  public let affectedRows: Int
  /// The server's command tag: `SELECT 3`, `UPDATE 1`, `ROLLBACK`, …
  public let commandTag: String

  init(_ storage: LibPQResult) {
    let columns = PostgresColumns(names: storage.columnNames)
    rows = (0..<storage.rowCount).map { PostgresRow(storage: storage, columns: columns, index: $0) }
    affectedRows = storage.affectedRows
    commandTag = storage.commandTag
  }
}

/// The names of a result's columns, shared by its rows.
final class PostgresColumns: Sendable {
  let names: [String]
  let indices: [String: Int]

  init(names: [String]) {
    self.names = names
    // Two columns of one name: the first is meant, as in every other client.
    indices = Dictionary(zip(names, names.indices), uniquingKeysWith: { first, _ in first })
  }
}

/// One row of a result. Values stay in the server's text form until they are decoded.
public struct PostgresRow: Sendable {
  let storage: LibPQResult
  let columns: PostgresColumns
  let index: Int

  /// The columns' names, in the result's order.
  public var columnNames: [String] { columns.names }

  /// The value of a column as PostgreSQL prints it; nil is NULL.
  ///
  /// - Throws: `PostgresError` (`decoding`) when the result has no such column.
  public subscript(_ column: String) -> String? {
    get throws { try decode(column, String?.self) }
  }

  /// The value of a column.
  ///
  /// - Parameters:
  ///   - column: the column's name in the result.
  ///   - type: an Optional to accept NULL.
  /// - Throws: `PostgresError` (`decoding`) that names the column: it does not exist, is NULL for a type that is not
  ///   Optional, or holds something else than `type`.
  public func decode<T: PostgresDecodable>(_ column: String, _ type: T.Type = T.self) throws -> T {
    guard let position = columns.indices[column] else {
      throw PostgresError(
        .decoding,
        "The result has no column \"\(column)\"; it has \(columns.names.map { "\"\($0)\"" }.joined(separator: ", ")).",
        column: column)
    }
    guard let text = storage.text(row: index, column: position) else {
      if let null = type.decodeNull() { return null }
      throw PostgresError(
        .decoding, "Column \"\(column)\" is NULL, where a \(type) is expected: decode \(type)? if it may be.",
        column: column)
    }
    if let value = type.decode(PostgresField(text: text)) { return value }
    let shown = text.count <= 40 ? text : "\(text.prefix(40))…"
    throw PostgresError(
      .decoding, "Column \"\(column)\" is not a \(type): \"\(shown)\".", column: column)
  }
}
