internal import Tensors

/// What the UNet is told beside latents and timestep: one row, or with guidance two, the negative prompt's first; and
/// what its layers have made of it.
final class Conditioning: Sendable {
  /// What it was made from.
  struct Key: Hashable, Sendable {
    let prompt: String
    /// Nil without guidance, and where zeros stand for it.
    let negativePrompt: String?
    let isGuided: Bool
  }

  /// `[1 or 2, T, K]`
  let context: Tensor
  /// `[1 or 2, P]`; nil in SD.
  let pooled: Tensor?
  /// What of the prompts did not fit.
  let warnings: [String]
  let memo = UNetMemo()

  init(context: Tensor, pooled: Tensor?, warnings: [String]) {
    // It outlives the run, so it must not keep a place in the run's arena.
    (self.context, self.pooled) = TensorArena.$current.withValue(nil) {
      (Tensor(context.array, shape: context.shape), pooled.map { Tensor($0.array, shape: $0.shape) })
    }
    self.warnings = warnings
  }

  /// What the UNet is told about a picture of that size in pixels.
  func text(width: Int, height: Int) -> TextConditioning {
    // SDXL's size conditioning: original size, corner of the crop, target size; heights first.
    let (height, width) = (Float(height), Float(width))
    let added = pooled.map { pooled in
      TextConditioning.AddedConditioning(
        textEmbeds: pooled, timeIDs: Array(repeating: [height, width, 0, 0, height, width], count: pooled.shape[0]))
    }
    return TextConditioning(context: context, added: added, memo: memo)
  }

  var byteCount: Int { context.byteCount + (pooled?.byteCount ?? 0) + memo.byteCount }
}

/// The prompts of the last runs. People and programs draw many pictures of one text: its encoding, and the keys and
/// values that the UNet's layers make of it, are the same each time.
///
/// Unchecked: the entries are touched under `mutex` alone.
final class PromptCache: @unchecked Sendable {
  /// Bytes that are kept: four or five prompts of SDXL with everything that the UNet makes of them.
  static let byteLimit = 256 << 20

  private var entries: [Conditioning.Key: (conditioning: Conditioning, lastUse: Int)] = [:]
  private var uses = 0
  private var byteLimit: Int
  private let mutex = PthreadMutex()

  init(byteLimit: Int = PromptCache.byteLimit) { self.byteLimit = byteLimit }

  /// The entry of `key`, from now on the last to leave.
  func conditioning(_ key: Conditioning.Key) -> Conditioning? {
    mutex.withLock {
      uses += 1
      entries[key]?.lastUse = uses
      return entries[key]?.conditioning
    }
  }

  /// Keeps an entry. It grows while a run uses it, so room is made by ``trim()`` when the run is over.
  func insert(_ conditioning: Conditioning, _ key: Conditioning.Key) {
    mutex.withLock {
      uses += 1
      entries[key] = (conditioning, uses)
    }
  }

  /// Drops the entries that were not used for longest until the others fit.
  func trim() {
    mutex.withLock {
      var total = byteCountOfEntries
      for (key, entry) in entries.sorted(by: { $0.value.lastUse < $1.value.lastUse }) where total > byteLimit {
        total -= entry.conditioning.byteCount
        entries[key] = nil
      }
    }
  }

  /// Keeps no more than that from now on.
  func limit(bytes: Int) {
    mutex.withLock { byteLimit = bytes }
    trim()
  }

  /// Drops all entries.
  func removeAll() { mutex.withLock { entries = [:] } }

  /// Bytes that the entries hold.
  var byteCount: Int { mutex.withLock { byteCountOfEntries } }

  private var byteCountOfEntries: Int { entries.values.reduce(0) { $0 + $1.conditioning.byteCount } }
}
