/// A prompt as a text encoder takes it.
public struct TokenizedPrompt: Sendable, Equatable {
  /// Start of text, the prompt's tokens, end of text, padding: always ``CLIPTokenizer/maxLength`` ids.
  public let ids: [Int32]
  /// The end of the prompt that did not fit, for a warning; nil when everything fitted.
  public let truncatedText: String?
}

/// The byte-level BPE tokenizer of CLIP (Radford et al. 2021), with the ids of transformers' fast tokenizer for any
/// text.
///
/// Text takes five steps: special tokens are cut out, what is between them is normalised, split into words, spelled as
/// bytes, and merged pair by pair. Special tokens are found in the text as well: a literal `<|endoftext|>` ends the
/// prompt for the encoder, and in tokenizers that pad with `!` every exclamation mark is the padding token. That is
/// what the models' own reference does, so pictures agree with it.
public struct CLIPTokenizer: Sendable {
  /// Ids of every encoded prompt, start and end included: 77 for the published models.
  public let maxLength: Int
  let beginID: Int32
  let endID: Int32
  let padID: Int32
  let addedTokens: AddedTokens
  let encoder: BytePairEncoder

  /// Turns a prompt into ids.
  ///
  /// Time grows with the length of the text and little more, also for one word of a hundred thousand letters.
  public func encode(_ text: String) -> TokenizedPrompt {
    let tokens = tokens(of: text)
    let room = maxLength - 2
    var ids = [beginID] + tokens.prefix(room) + [endID]
    ids += [Int32](repeating: padID, count: maxLength - ids.count)
    let rest = tokens.dropFirst(room)
    return TokenizedPrompt(ids: ids, truncatedText: rest.isEmpty ? nil : decode(rest))
  }

  /// All ids of a text, without start, end and padding.
  func tokens(of text: String) -> [Int32] {
    var ids: [Int32] = []
    let scalars = text.unicodeScalars.map(\.value)
    addedTokens.raw.split(scalars) { part in
      switch part {
      case .token(let id): ids.append(id)
      case .text(let raw):
        addedTokens.normalized.split(TextNormalizer.normalize(raw)) { part in
          switch part {
          case .token(let id): ids.append(id)
          case .text(let words):
            WordSplitter.split(words) { word in encoder.encode(word, into: &ids) }
          }
        }
      }
    }
    return ids
  }

  /// The text that tokens stand for, as normalised: lower case, one space between words.
  func decode(_ ids: some Sequence<Int32>) -> String {
    var bytes: [UInt8] = []
    for id in ids {
      if let text = addedTokens.text(of: id) {
        bytes += Array(text.utf8)
      } else {
        encoder.append(id, to: &bytes)
      }
    }
    while bytes.last == UInt8(ascii: " ") { bytes.removeLast() }
    return String(decoding: bytes, as: UTF8.self)
  }
}
