/// Rows under headings, columns as wide as their widest cell; numbers to the right.
struct TextTable {
  struct Column {
    let heading: String
    var alignsRight = false
  }

  let columns: [Column]
  private var rows: [[String]] = []

  init(_ columns: [Column]) { self.columns = columns }

  mutating func append(_ cells: [String?]) {
    precondition(cells.count == columns.count, "\(cells.count) cells for \(columns.count) columns")
    rows.append(cells.map { $0.map(PlainText.escapingControls) ?? "-" })
  }

  func rendered() -> String {
    let lines = [columns.map(\.heading)] + rows
    let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
    return lines.map { cells in
      var line = ""
      for (index, cell) in cells.enumerated() {
        let space = String(repeating: " ", count: widths[index] - cell.count)
        line += columns[index].alignsRight ? space + cell : cell + space
        line += "  "
      }
      while line.last == " " { line.removeLast() }
      return line + "\n"
    }.joined()
  }
}
