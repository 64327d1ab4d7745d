import Diffusion
import Testing

/// How `tokenizer_config.json` and `special_tokens_map.json` go together.
@Suite struct CheckpointTokenizerConfigTests {
  let scratch: CheckpointScratch

  init() throws { scratch = try CheckpointScratch() }

  private func read(_ config: [String: Any]?, _ map: [String: Any]?) throws -> TokenizerConfig {
    if let config { try scratch.write(config, to: "tokenizer/tokenizer_config.json") }
    if let map { try scratch.write(map, to: "tokenizer/special_tokens_map.json") }
    return try scratch.open().tokenizerConfig(component: "tokenizer")
  }

  /// A file that lists its added tokens is complete: the map is a copy that older libraries read.
  @Test func theConfigWinsWhenItListsItsTokens() throws {
    let config = try read(
      [
        "pad_token": "!", "bos_token": "<|startoftext|>", "model_max_length": 77, "do_lower_case": true,
        "tokenizer_class": "CLIPTokenizer",
        "added_tokens_decoder": [
          "0": ["content": "!", "special": true, "normalized": false],
          "49407": ["content": "<|endoftext|>", "special": true, "normalized": true, "lstrip": true],
        ],
      ], ["pad_token": "<|endoftext|>"])
    #expect(config.padToken == "!")
    #expect(config.modelMaxLength == 77)
    #expect(config.className == "CLIPTokenizer")
    let tokens = try #require(config.addedTokens)
    #expect(tokens.keys.sorted() == [0, 49407])
    #expect(tokens[0]?.content == "!")
    #expect(tokens[0]?.isNormalized == false)
    #expect(tokens[49407]?.stripsLeft == true)
    #expect(tokens[49407]?.isSpecial == true)
  }

  /// Before that list existed, the map decided. One upload of SD 2.1 differs in the padding token.
  @Test func theMapWinsOverAnOldConfig() throws {
    let config = try read(
      ["pad_token": "<|endoftext|>", "unk_token": ["content": "a"]],
      ["pad_token": "!", "bos_token": ["content": "<b>", "lstrip": false]])
    #expect(config.padToken == "!")
    #expect(config.beginToken == "<b>")
    #expect(config.unknownToken == "a")
    #expect(config.endToken == "<|endoftext|>")
    #expect(config.addedTokens == nil)
  }

  @Test func defaultsWithoutFiles() throws {
    let config = try read(nil, nil)
    #expect(config.beginToken == "<|startoftext|>")
    #expect(config.padToken == "<|endoftext|>")
    #expect(config.modelMaxLength == nil)
    #expect(config.doLowerCase)
  }

  /// Libraries write this number for "no limit".
  @Test func anAbsurdLengthIsNoLimit() throws {
    try scratch.write(
      text: #"{"model_max_length": 1000000000000000019884624838656}"#, to: "tokenizer/tokenizer_config.json")
    #expect(try scratch.open().tokenizerConfig(component: "tokenizer").modelMaxLength == nil)
    #expect(try read(["model_max_length": 1e30], nil).modelMaxLength == nil)
  }

  @Test(arguments: [
    (#"{"model_max_length": 2}"#, "expected a whole number from 3"), (#"{"model_max_length": 76.5}"#, "whole number"),
    (#"{"added_tokens_decoder": {"x": {"content": "y"}}}"#, #"has the entry "x""#),
    (#"{"added_tokens_decoder": {"1": {}}}"#, "content is missing"), (#"{"pad_token": 3}"#, "wrong type"),
    ("{", "is not valid JSON"),
  ]) func refuses(json: String, fragment: String) throws {
    try scratch.write(text: json, to: "tokenizer/tokenizer_config.json")
    let error = try #require(
      try checkpointError { _ = try scratch.open().tokenizerConfig(component: "tokenizer") })
    #expect(error.path == "\(scratch.path)/tokenizer/tokenizer_config.json")
    #expect(error.message.contains(fragment), "\(error)")
  }
}
