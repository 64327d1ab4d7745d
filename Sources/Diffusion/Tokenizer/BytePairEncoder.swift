/// Byte-pair encoding of one word at a time (Sennrich et al. 2016): spelled in bytes, merged in the order in which the
/// merges were learnt. The last symbol of a word carries `</w>`.
struct BytePairEncoder: Sendable {
  /// Ids of the 256 bytes, inside a word and at its end; -1 where the vocabulary lacks one.
  private let inner: [Int32], final: [Int32]
  /// What stands for a byte that the vocabulary lacks.
  private let unknownID: Int32
  private let merges: [UInt64: Merge]
  /// Each token's spelling by id, for ``append(_:to:)``.
  private let spellings: [String?]

  private struct Merge {
    let rank: Int32
    let id: Int32
  }

  /// An encoder from a vocabulary and its merges, the first merge first.
  ///
  /// - Throws: ``Problem`` naming the merge whose parts or result the vocabulary lacks.
  init(vocabulary: [String: Int32], merges pairs: [(String, String)], unknownID: Int32) throws(Problem) {
    inner = ByteAlphabet.symbols.map { vocabulary[$0] ?? -1 }
    final = ByteAlphabet.symbols.map { vocabulary[$0 + Self.endOfWord] ?? -1 }
    self.unknownID = unknownID
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(pairs.count)
    for (rank, (left, right)) in pairs.enumerated() {
      guard let leftID = vocabulary[left], let rightID = vocabulary[right], let id = vocabulary[left + right] else {
        throw Problem(message: "merge \(rank + 1), “\(left) \(right)”, has a part or a result that is no token")
      }
      merges[Self.key(leftID, rightID)] = Merge(rank: Int32(rank), id: id)
    }
    self.merges = merges
    var spellings = [String?](repeating: nil, count: Int(vocabulary.values.max() ?? 0) + 1)
    for (text, id) in vocabulary { spellings[Int(id)] = text }
    self.spellings = spellings
  }

  /// A vocabulary that does not fit its merges.
  struct Problem: Error { let message: String }

  /// Appends the ids of a word.
  ///
  /// A queue holds the possible merges, lowest rank first and leftmost first among equals, so that a word of n bytes
  /// takes n·log n steps; looking through the whole word for each merge would take hours for a long one.
  func encode(_ word: [UInt8], into ids: inout [Int32]) {
    guard let last = word.indices.last else { return }
    var symbols = word.indices.map { index in
      let id = index == last ? final[Int(word[index])] : inner[Int(word[index])]
      return Symbol(id: id < 0 ? unknownID : id, previous: index - 1, next: index == last ? -1 : index + 1)
    }
    var queue = MergeQueue()
    for index in symbols.indices.dropLast() { push(&queue, symbols, at: index) }
    while let candidate = queue.popFirst() {
      let left = symbols[candidate.position]
      // Entries are not taken out when a neighbour changes; one that no longer describes its place is passed over.
      guard left.id >= 0, left.next >= 0,
        merges[Self.key(left.id, symbols[left.next].id)]?.id == candidate.id
      else { continue }
      let right = symbols[left.next]
      symbols[left.next].id = -1
      symbols[candidate.position] = Symbol(id: candidate.id, previous: left.previous, next: right.next)
      if right.next >= 0 {
        symbols[right.next].previous = candidate.position
        push(&queue, symbols, at: candidate.position)
      }
      if left.previous >= 0 { push(&queue, symbols, at: left.previous) }
    }
    ids += symbols.lazy.map(\.id).filter { $0 >= 0 }
  }

  /// A part of the word: a link in a list over the array's places. Merged parts have id -1.
  private struct Symbol {
    var id: Int32
    var previous: Int, next: Int
  }

  /// Queues the merge of the symbol at `index` with the one after it, if there is such a merge.
  private func push(_ queue: inout MergeQueue, _ symbols: [Symbol], at index: Int) {
    guard let merge = merges[Self.key(symbols[index].id, symbols[symbols[index].next].id)] else { return }
    queue.insert(.init(rank: merge.rank, position: index, id: merge.id))
  }

  /// Appends the bytes that a token spells; the end of a word becomes a space.
  func append(_ id: Int32, to bytes: inout [UInt8]) {
    guard spellings.indices.contains(Int(id)), let spelling = spellings[Int(id)] else { return }
    let isFinal = spelling.hasSuffix(Self.endOfWord)
    let symbols = isFinal ? spelling.unicodeScalars.dropLast(Self.endOfWord.count) : spelling.unicodeScalars[...]
    bytes += symbols.compactMap { ByteAlphabet.bytes[$0] }
    if isFinal { bytes.append(UInt8(ascii: " ")) }
  }

  private static let endOfWord = "</w>"

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }
}
