import Foundation
import TestSupport
import Testing

/// A page of the documentation, and what it says to type.
///
/// The word after the fence says what becomes of a block: `sh` and `sql` are run as they stand, each line of `sh fails` must fail, and
/// `sh host` needs a machine of its own (systemd, root, a download), so its commands are only held against what there is.
struct Document: CustomTestStringConvertible {
  let path: String
  let text: String

  struct Block {
    let kind: String
    let lines: [String]

    var text: String { lines.joined(separator: "\n") }
  }

  init(_ path: String) throws {
    self.path = path
    text = try String(contentsOf: ProjectFiles.root.appending(path: path), encoding: .utf8)
  }

  var testDescription: String { path }

  /// The pages for people who use Tintype, and those for people who build it.
  static func all() throws -> [Document] {
    let root = ProjectFiles.root.path
    let docs = try FileManager.default.contentsOfDirectory(atPath: "\(root)/Docs").filter { $0.hasSuffix(".md") }
    let deploy = try FileManager.default.contentsOfDirectory(atPath: "\(root)/Deploy").map { "Deploy/\($0)/README.md" }
      .filter { FileManager.default.fileExists(atPath: "\(root)/\($0)") }
    return try (["README.md"] + docs.map { "Docs/\($0)" } + deploy).sorted().map(Document.init)
  }

  /// What stands between fences, in its order.
  var blocks: [Block] {
    var found: [Block] = []
    var open: (kind: String, lines: [String])?
    for line in text.components(separatedBy: "\n") {
      if line.hasPrefix("```") {
        if let block = open { found.append(Block(kind: block.kind, lines: block.lines)) }
        open = open == nil ? (String(line.dropFirst(3)), []) : nil
      } else {
        open?.lines.append(line)
      }
    }
    return found
  }

  /// What it says to run, as one script: SQL goes to psql, and a line that must fail does.
  var script: String { Self.script(of: blocks) }

  static func script(of blocks: [Block]) -> String {
    blocks.compactMap { block -> String? in
      switch block.kind {
      case "sh": block.text
      case "sh fails":
        block.lines.map { "if \($0); then echo 'this did not fail: \($0)'; exit 99; fi" }.joined(separator: "\n")
      case "sql": "psql -X -q -v ON_ERROR_STOP=1 \"$TINTYPE_DATABASE_URL\" <<'SQL'\n\(block.text)\nSQL"
      default: nil
      }
    }.joined(separator: "\n")
  }

  /// The command lines of its blocks, those that are run and those that are not, without comments; a line that ends in a backslash goes
  /// on in the next.
  var commandLines: [String] {
    blocks.filter { $0.kind.hasPrefix("sh") }.flatMap { block in
      block.text.replacing("\\\n", with: " ").components(separatedBy: "\n")
        .map { $0.replacing(#/(^|\s)#.*/#, with: "").trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
  }
}
