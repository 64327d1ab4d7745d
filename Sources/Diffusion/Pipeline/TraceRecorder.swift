internal import Tensors

/// Keeps the tensors that pass between the stages of a run, in the layouts of the reference implementation (maps
/// channels-first), so that anyone can compare them with it.
///
/// Names: `input_ids`, `input_ids_2`, `prompt_embeds`, `pooled_prompt_embeds` (each also with `negative_` when a
/// negative prompt is encoded), `timesteps`, `sigmas`, `initial_latents`, `noise_pred_i` (after guidance),
/// `latents_after_i`, `latents` (the last, before division by the scaling factor), `decoded` (not clamped).
/// A run of several pictures stacks theirs along the first dimension.
public final class TraceRecorder {
  /// Elements of a recorded tensor.
  public enum Values: Sendable, Equatable {
    /// Everything that is computed.
    case float32([Float])
    /// Token ids.
    case int64([Int64])
  }

  /// One tensor.
  public struct Entry: Sendable, Equatable {
    /// See ``TraceRecorder``.
    public let name: String
    /// Extents, the last dimension fastest.
    public internal(set) var shape: [Int]
    /// Row-major.
    public internal(set) var values: Values
  }

  /// In the order in which they were first recorded.
  public private(set) var entries: [Entry] = []

  /// An empty recorder; good for one run.
  public init() {}

  /// The tensor of that name.
  public func entry(_ name: String) -> Entry? { entries.first { $0.name == name } }

  /// Records a tensor in its own layout.
  func record(_ name: String, _ tensor: Tensor) {
    append(Entry(name: name, shape: tensor.shape, values: .float32(tensor.array)))
  }

  /// Records a map `[N, H, W, C]` as `[N, C, H, W]`.
  func record(_ name: String, map: Tensor) {
    let shape = [map.shape[0], map.shape[3], map.shape[1], map.shape[2]]
    append(Entry(name: name, shape: shape, values: .float32(map.channelsFirst)))
  }

  /// Records a list of numbers that belongs to the run rather than to a picture.
  func record(_ name: String, list: [Float]) {
    append(Entry(name: name, shape: [list.count], values: .float32(list)))
  }

  /// Records token ids `[N][T]`.
  func record(_ name: String, ids: [[Int32]]) {
    append(Entry(name: name, shape: [ids.count, ids.first?.count ?? 0], values: .int64(ids.joined().map(Int64.init))))
  }

  private func append(_ entry: Entry) {
    guard let index = entries.firstIndex(where: { $0.name == entry.name }) else { return entries.append(entry) }
    precondition(entries[index].shape.dropFirst() == entry.shape.dropFirst(), "\(entry.name) changed its shape")
    switch (entries[index].values, entry.values) {
    case (.float32(let old), .float32(let new)): entries[index].values = .float32(old + new)
    case (.int64(let old), .int64(let new)): entries[index].values = .int64(old + new)
    default: preconditionFailure("\(entry.name) changed its type")
    }
    entries[index].shape[0] += entry.shape[0]
  }
}
