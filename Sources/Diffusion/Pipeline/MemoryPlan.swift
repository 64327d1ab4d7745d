/// The memory that a run needs, in bytes, known before it starts.
public struct MemoryPlan: Sendable, Equatable, Encodable {
  /// The weights that are used, in the form in which they are: mapped, so one copy serves every worker of the machine, and the system
  /// may drop and read them again.
  public let mappedWeights: Int
  /// The part of it that leaves the process once the prompt is encoded: the text encoders'.
  public let releasedWeights: Int
  /// What this process keeps of the weights for itself: biases and norms in fp32, and whatever its kernels pack.
  public let privateWeights: Int
  /// The tensors of a run: where the last one ends in the arena that they share, holes included.
  public let activations: Int
  /// The most of them that are alive at one time.
  public let liveActivations: Int
  /// Working memory of the kernels, at most.
  public let scratch: Int
  /// The encoded prompt, with what the UNet's layers make of it. Those of earlier runs are kept beside it while there
  /// is room.
  public let prompts: Int
  /// Pictures that are drawn together.
  public let picturesAtOnce: Int
  /// The finished pictures, and one on its way between bytes and numbers.
  public let pictures: Int

  package init(
    mappedWeights: Int, releasedWeights: Int, privateWeights: Int, activations: Int, liveActivations: Int, scratch: Int,
    prompts: Int, picturesAtOnce: Int, pictures: Int
  ) {
    self.mappedWeights = mappedWeights
    self.releasedWeights = releasedWeights
    self.privateWeights = privateWeights
    self.activations = activations
    self.liveActivations = liveActivations
    self.scratch = scratch
    self.prompts = prompts
    self.picturesAtOnce = picturesAtOnce
    self.pictures = pictures
  }

  /// What only this process has.
  public var privateTotal: Int { privateWeights + activations + scratch + prompts + pictures }
  /// Resident at the busiest moment, mapped weights counted: when the text encoders are still there, or when the pictures'
  /// tensors are.
  public var total: Int {
    max(mappedWeights + privateWeights + scratch + prompts, mappedWeights - releasedWeights + privateTotal)
  }

  private enum CodingKeys: String, CodingKey {
    case mappedWeights, releasedWeights, privateWeights, activations, liveActivations, scratch, prompts, picturesAtOnce,
      pictures, privateTotal, total
  }

  /// Every part, and the sums.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(mappedWeights, forKey: .mappedWeights)
    try container.encode(releasedWeights, forKey: .releasedWeights)
    try container.encode(privateWeights, forKey: .privateWeights)
    try container.encode(activations, forKey: .activations)
    try container.encode(liveActivations, forKey: .liveActivations)
    try container.encode(scratch, forKey: .scratch)
    try container.encode(prompts, forKey: .prompts)
    try container.encode(picturesAtOnce, forKey: .picturesAtOnce)
    try container.encode(pictures, forKey: .pictures)
    try container.encode(privateTotal, forKey: .privateTotal)
    try container.encode(total, forKey: .total)
  }
}
