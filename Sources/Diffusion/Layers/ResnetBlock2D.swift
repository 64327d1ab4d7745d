internal import Tensors

/// The residual block of the UNet and the VAE (He et al. 2015, pre-activation form):
///
///     h = conv1(silu(norm1(x))) + time_emb_proj(silu(temb))
///     x' = conv2(silu(norm2(h))) + shortcut(x)
struct ResnetBlock2D: Sendable {
  private let addendID = LayerID()
  private let norm1: GroupNorm, conv1: Conv2D
  private let timeProjection: Linear?
  private let norm2: GroupNorm, conv2: Conv2D
  private let shortcut: Linear?

  /// - Parameter timeChannels: width of the time embedding; nil in the VAE, which has none.
  init(
    _ weights: ModuleWeights, _ inChannels: Int, _ outChannels: Int, timeChannels: Int?, groups: Int,
    epsilon: Float
  ) throws {
    norm1 = try GroupNorm(weights["norm1"], channels: inChannels, groups: groups, epsilon: epsilon)
    conv1 = try Conv2D(weights["conv1"], inChannels, outChannels)
    timeProjection = try timeChannels.map { try Linear(weights["time_emb_proj"], $0, outChannels) }
    norm2 = try GroupNorm(weights["norm2"], channels: outChannels, groups: groups, epsilon: epsilon)
    conv2 = try Conv2D(weights["conv2"], outChannels, outChannels)
    shortcut =
      inChannels == outChannels
      ? nil : try Linear(weights["conv_shortcut"], inChannels, outChannels)
  }

  /// x `[N, H, W, in]` → `[N, H, W, out]`.
  func callAsFunction(_ x: Tensor, time: TimeConditioning? = nil) throws -> Tensor {
    let addend: Tensor? =
      if let timeProjection, let time {
        try time.remembered(addendID, timeProjection)
      } else {
        nil
      }
    let hidden = try conv1(x, after: norm1.silu, channelAddend: addend)
    return try conv2(hidden, after: norm2.silu, residual: shortcut?(x) ?? x)
  }

  /// Multiply-accumulates for a map of `pixels`.
  func cost(pixels: Int) -> Double {
    conv1.cost(pixels: pixels) + conv2.cost(pixels: pixels) + (shortcut?.cost(rows: pixels) ?? 0)
  }
}

/// The timestep, as the residual blocks see it.
struct TimeConditioning {
  /// For each text of the batch `silu(temb)` `[n, timeChannels]`, the same for every block of a step, and the blocks' projections of it.
  let parts: [(activated: Tensor, memo: LayerMemo)]

  /// A projection `[N, out]`, of each part once.
  func remembered(_ id: LayerID, _ projection: Linear) throws -> Tensor {
    Tensor(stacking: try parts.map { part in try part.memo.tensor(id) { try projection(part.activated) } })
  }
}
