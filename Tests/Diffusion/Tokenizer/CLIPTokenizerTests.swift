import Diffusion
import Foundation
import TestSupport
import Testing

/// The tokenizer against transformers' fast tokenizer: every id of some three hundred odd texts, no exceptions.
@Suite struct CLIPTokenizerTests {
  private static let folder = ProjectFiles.fixtures.appending(path: "tokenizer")
  private let golden: TokenizerGolden

  init() throws {
    golden = try JSONDecoder().decode(
      TokenizerGolden.self, from: Data(contentsOf: Self.folder.appending(path: "goldens.json")))
  }

  @Test(arguments: ["full", "tiny"]) func idsMatch(_ name: String) throws {
    let tokenizer = try CLIPTokenizer(folder: Self.folder.appending(path: name).path())
    let encodings = try #require(golden.folders[name])
    try #require(encodings.count == golden.texts.count && encodings.count > 250)
    for (text, expected) in zip(golden.texts, encodings) { expect(tokenizer, text, expected) }
  }

  /// Folders from before special tokens were listed, each of which matches them a little otherwise.
  @Test func oldFoldersMatch() throws {
    for old in golden.old {
      try withTokenizerFolder { folder in
        try old.config?.write(to: folder.appending(path: "tokenizer_config.json"), atomically: true, encoding: .utf8)
        try old.special?.write(
          to: folder.appending(path: "special_tokens_map.json"), atomically: true, encoding: .utf8)
        let tokenizer = try CLIPTokenizer(folder: folder.path())
        for (text, expected) in zip(old.texts, old.encodings) { expect(tokenizer, text, expected, old.name) }
      }
    }
  }

  /// The single file of newer libraries holds the same tokenizer, its merges in either of two forms.
  @Test(arguments: [true, false]) func singleFileIsTheSame(mergesArePairs: Bool) throws {
    let original = try CLIPTokenizer(folder: Self.folder.appending(path: "tiny").path())
    try withTokenizerFolder { folder in
      let vocabulary = try JSONSerialization.jsonObject(
        with: Data(contentsOf: folder.appending(path: "vocab.json")))
      let merges = try String(contentsOf: folder.appending(path: "merges.txt"), encoding: .utf8)
        .split(separator: "\n").dropFirst().map(String.init)
      func added(_ id: Int, _ text: String, normalized: Bool) -> [String: Any] {
        [
          "id": id, "content": text, "normalized": normalized, "special": true, "lstrip": false, "rstrip": false,
          "single_word": false,
        ]
      }
      let pairs = merges.map { $0.split(separator: " ").map(String.init) }
      let json: [String: Any] = [
        "added_tokens": [
          added(0, "!", normalized: false), added(1312, "<|startoftext|>", normalized: true),
          added(1313, "<|endoftext|>", normalized: true),
        ],
        "model": [
          "type": "BPE", "end_of_word_suffix": "</w>", "vocab": vocabulary,
          "merges": mergesArePairs ? pairs as Any : merges as Any,
        ],
      ]
      try JSONSerialization.data(withJSONObject: json).write(to: folder.appending(path: "tokenizer.json"))
      try #"{"pad_token": "!", "model_max_length": 77}"#.write(
        to: folder.appending(path: "tokenizer_config.json"), atomically: true, encoding: .utf8)
      try FileManager.default.removeItem(at: folder.appending(path: "vocab.json"))
      try FileManager.default.removeItem(at: folder.appending(path: "merges.txt"))
      let tokenizer = try CLIPTokenizer(folder: folder.path())
      for text in golden.texts { #expect(tokenizer.encode(text) == original.encode(text), "\(text.debugDescription)") }
    }
  }

  @Test func lengthIsTheFiles() throws {
    let tokenizer = try CLIPTokenizer(folder: Self.folder.appending(path: "full").path())
    #expect(tokenizer.maxLength == 77)
  }

  /// A word of 200,000 letters: a merge loop that scans the word for each merge would take minutes.
  @Test(.timeLimit(.minutes(1))) func longWordsTakeNoLonger() throws {
    let tokenizer = try CLIPTokenizer(folder: Self.folder.appending(path: "full").path())
    for text in ["abcdefghijxyz", "a", "!", "<|", "e\u{301}\u{316}"] {
      let prompt = tokenizer.encode(String(repeating: text, count: 200_000 / text.utf8.count))
      #expect(prompt.ids.count == 77)
      #expect(prompt.truncatedText != nil)
    }
  }

  /// The cut text is compared too, unless the cut falls inside a character: how many replacement characters stand for
  /// its bytes is a matter of the decoder, not of the tokenizer.
  private func expect(
    _ tokenizer: CLIPTokenizer, _ text: String, _ expected: TokenizerGolden.Encoding, _ place: String = ""
  ) {
    let prompt = tokenizer.encode(text)
    #expect(prompt.ids == expected.all, "\(place) \(text.debugDescription)")
    #expect((prompt.truncatedText == nil) == (expected.removed == nil))
    if let removed = expected.removed, !removed.contains("\u{fffd}") {
      #expect(prompt.truncatedText == removed, "\(place) \(text.debugDescription)")
    }
  }

  private func withTokenizerFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for file in ["vocab.json", "merges.txt"] {
      try FileManager.default.copyItem(
        at: Self.folder.appending(path: "tiny/\(file)"), to: folder.appending(path: file))
    }
    try body(folder)
  }
}

private struct TokenizerGolden: Decodable {
  struct Encoding: Decodable {
    /// Without the padding but for its first id.
    let ids: [Int32]
    /// How often the last id comes again.
    let padding: Int
    let removed: String?

    var all: [Int32] { ids + [Int32](repeating: ids.last ?? 0, count: padding) }
  }
  struct Old: Decodable {
    let name: String
    let config: String?
    let special: String?
    let texts: [String]
    let encodings: [Encoding]
  }
  let folders: [String: [Encoding]]
  let texts: [String]
  let old: [Old]
}
