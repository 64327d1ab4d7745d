internal import FoundationEssentials

/// The vocabulary of a tokenizer, from whichever files hold it.
struct TokenizerFiles {
  /// The file that the vocabulary came from.
  let path: String
  let vocabulary: [String: Int32]
  let merges: [(String, String)]
  /// From `tokenizer.json`; the other files hold none.
  let addedTokens: [Int: TokenizerConfig.AddedToken]

  init(folder: String) throws {
    let vocabularyPath = "\(folder)/vocab.json"
    if FileManager.default.fileExists(atPath: vocabularyPath) {
      path = vocabularyPath
      vocabulary = try ConfigFile.decode([String: Int32].self, path: vocabularyPath)
      merges = try Self.readMerges("\(folder)/merges.txt")
      addedTokens = [:]
    } else {
      path = "\(folder)/tokenizer.json"
      guard FileManager.default.fileExists(atPath: path) else {
        throw CheckpointError(
          .missingFile, path: folder,
          "has neither vocab.json with merges.txt nor tokenizer.json; the model folder is not complete")
      }
      let file = try ConfigFile.decode(TokenizerJSON.self, path: path)
      vocabulary = file.vocabulary
      merges = file.merges
      addedTokens = file.addedTokens
    }
    let illegal = vocabulary.first { $0.value < 0 || $0.value >= Self.largestVocabulary }
    if let (token, id) = illegal {
      throw CheckpointError(
        .invalidConfig, path: path, "the token “\(token)” has the id \(id); legal: 0 to \(Self.largestVocabulary - 1)")
    }
  }

  /// Bounds what a hostile file can make us allocate; CLIP's has 49408.
  private static let largestVocabulary: Int32 = 1 << 22

  /// `merges.txt`: a version line, then two symbols a line, the first learnt first.
  private static func readMerges(_ path: String) throws -> [(String, String)] {
    let bytes: Data
    do {
      bytes = try Data(contentsOf: URL(filePath: path))
    } catch {
      throw CheckpointError(
        .missingFile, path: path, "cannot be read; vocab.json needs it beside it", cause: error)
    }
    var merges: [(String, String)] = []
    for (number, line) in bytes.split(separator: UInt8(ascii: "\n")).enumerated() {
      let line = line.last == UInt8(ascii: "\r") ? line.dropLast() : line
      if line.isEmpty || line.starts(with: "#version".utf8) { continue }
      let symbols = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
      guard symbols.count == 2, let left = String(bytes: symbols[0], encoding: .utf8),
        let right = String(bytes: symbols[1], encoding: .utf8)
      else {
        throw CheckpointError(
          .invalidConfig, path: path, "line \(number + 1) is not two symbols with one space between them")
      }
      merges.append((left, right))
    }
    return merges
  }
}
