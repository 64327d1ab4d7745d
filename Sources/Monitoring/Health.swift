/// What a probe is told: whether all is well, and if not, why.
public struct Health: Sendable, Equatable {
  /// Restart me when this is false (`/livez`).
  public var isLive: Bool
  /// Count on me when this is true (`/readyz`).
  public var isReady: Bool
  /// For the person who looks.
  public var detail: String

  /// A state of health.
  public init(isLive: Bool, isReady: Bool, detail: String) {
    self.isLive = isLive
    self.isReady = isReady
    self.detail = detail
  }
}
