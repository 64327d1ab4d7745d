/// How large the pieces are in which kernels work: a matter of speed and scratch memory, never of meaning.
///
/// Tests shrink them, so that shapes of a few elements run through many panels, bands and blocks.
package struct BlockSizes: Sendable, Equatable {
  /// A part of a linear layer has at most this many rows.
  package var linearRows = 256
  /// The same of one in pairs of integers, whose weights are rounded, too, for each part.
  package var roundedRows = 1024
  /// Parts that a linear layer should have, if they do not become too small.
  package var linearParts = 16
  /// Bytes of rounded inputs that an int8 layer has at a time: 16 MB, thousands of rows.
  package var int8Rounded = 16 << 20
  /// Bytes of rounded inputs that an int8 layer's part has at most, about: half of a server's second-level cache.
  package var int8Inputs = 512 << 10
  /// Multiplications below which a part of an int8 layer is not split further: some twenty microseconds.
  package var int8SmallestPart = 4 << 20
  /// Multiplications below which a part of a product is not split further.
  package var smallestTile = 4 << 20
  /// Tiles of 4×4 pixels of a block of a Winograd convolution, down and across: of 128 channels, its frequencies and sums
  /// take 750 KB.
  package var winogradRows = 4, winogradColumns = 8
  /// Floats of transformed weights at once: 40 MB, those of 512 × 512 channels.
  package var winogradWeights = 10 << 20
  /// Pieces of work that there should be at least.
  package var winogradPieces = 8
  /// Tiles of a batch up to which a map counts as small: its weights are then transformed where they are used.
  package var winogradSmallMap = 64
  /// Input channels whose weights a small map transforms at once: 300 KB.
  package var winogradSmallMapChannels = 64
  /// Tiles of a small map above which a convolution of its double is computed by quarters: with fewer, transforming four times as
  /// many weights costs more than a third of the products.
  package var winogradQuarters = 64
  /// Floats from which on a result goes past the caches: 32 MB, what servers' third-level caches have for a few cores.
  package var streamedResult = 8 << 20
  /// Input channels of a run of weights.
  package var winogradRun = 16
  /// A part of attention has at most this many queries.
  package var queries = 512
  /// Keys that attention takes together, at most; nil: as many as suit the cache.
  package var keys: Int?
  /// Floats of a block of a normalisation: 64 KB, read three times from the cache and once from memory.
  package var norm = 1 << 14
  /// Elements of a run of an elementwise kernel.
  package var run = 1 << 15

  /// The sizes that were fastest on servers with 1 to 2 MB of second-level cache.
  package init() {}
}
