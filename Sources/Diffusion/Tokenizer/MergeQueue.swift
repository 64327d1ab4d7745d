/// A binary heap of possible merges: the lowest rank first, and of equal ranks the leftmost.
struct MergeQueue {
  /// A merge of the symbol at `position` with the one after it, to token `id`.
  struct Candidate {
    let rank: Int32
    let position: Int
    let id: Int32

    fileprivate func precedes(_ other: Candidate) -> Bool { (rank, position) < (other.rank, other.position) }
  }

  private var heap: [Candidate] = []

  mutating func insert(_ candidate: Candidate) {
    heap.append(candidate)
    var index = heap.count - 1
    while index > 0, heap[index].precedes(heap[(index - 1) / 2]) {
      heap.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func popFirst() -> Candidate? {
    guard let last = heap.popLast() else { return nil }
    guard let first = heap.first else { return last }
    heap[0] = last
    var index = 0
    while true {
      var smallest = index
      for child in [2 * index + 1, 2 * index + 2]
      where child < heap.count && heap[child].precedes(heap[smallest]) {
        smallest = child
      }
      if smallest == index { return first }
      heap.swapAt(index, smallest)
      index = smallest
    }
  }
}
