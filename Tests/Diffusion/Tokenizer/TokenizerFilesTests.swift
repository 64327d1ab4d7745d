import Diffusion
import Foundation
import Testing

/// Broken tokenizer folders: each is refused with the file and the fault named.
@Suite struct TokenizerFilesTests {
  @Test func emptyFolder() throws {
    try expectError(.missingFile, "vocab.json", files: [:])
  }

  @Test func missingMerges() throws {
    try expectError(.missingFile, "merges.txt", files: ["vocab.json": vocabulary])
  }

  @Test func malformedMerge() throws {
    let merges = "#version: 0.2\na b\na b c\n"
    try expectError(.invalidConfig, "line 3", files: ["vocab.json": vocabulary, "merges.txt": merges])
  }

  @Test func mergeOfUnknownSymbols() throws {
    let merges = "#version: 0.2\na q\n"
    try expectError(.invalidConfig, "merge 1", files: ["vocab.json": vocabulary, "merges.txt": merges])
  }

  @Test func vocabularyWithoutSpecialTokens() throws {
    try expectError(.invalidConfig, "bos_token", files: ["vocab.json": #"{"a": 0}"#, "merges.txt": ""])
  }

  @Test func idsOutsideTheLegalRange() throws {
    for id in ["-1", "4194304"] {
      let vocabulary = #"{"a": \#(id), "<|startoftext|>": 1, "<|endoftext|>": 2}"#
      try expectError(.invalidConfig, "id \(id)", files: ["vocab.json": vocabulary, "merges.txt": ""])
    }
  }

  @Test func singleFileOfAnotherKind() throws {
    let json = #"{"model": {"type": "WordPiece", "vocab": {}, "merges": []}}"#
    try expectError(.unsupported, "BPE", files: ["tokenizer.json": json])
  }

  /// A vocabulary without some bytes gives the unknown token for each of them, and leaves the others as they are.
  @Test func bytesOutsideTheVocabulary() throws {
    let folder = try makeFolder(["vocab.json": vocabulary, "merges.txt": "#version: 0.2\na b</w>\n"])
    defer { try? FileManager.default.removeItem(at: folder) }
    let tokenizer = try CLIPTokenizer(folder: folder.path())
    #expect(tokenizer.encode("ab xab").ids.prefix(5).elementsEqual([10, 3, 11, 3, 11]))
  }

  private let vocabulary =
    #"{"a": 0, "b": 1, "b</w>": 2, "ab</w>": 3, "ab": 4, "<|startoftext|>": 10, "<|endoftext|>": 11}"#

  private func expectError(_ code: CheckpointError.Code, _ fragment: String, files: [String: String]) throws {
    let folder = try makeFolder(files)
    defer { try? FileManager.default.removeItem(at: folder) }
    let error = #expect(throws: CheckpointError.self) { try CLIPTokenizer(folder: folder.path()) }
    #expect(error?.code == code)
    #expect(error?.description.contains(fragment) == true, "\(error?.description ?? "no error")")
  }

  private func makeFolder(_ files: [String: String]) throws -> URL {
    let folder = FileManager.default.temporaryDirectory.appending(path: "tokenizer-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    for (name, text) in files {
      try text.write(to: folder.appending(path: name), atomically: true, encoding: .utf8)
    }
    return folder
  }
}
