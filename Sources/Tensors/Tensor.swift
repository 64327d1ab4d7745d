/// A dense fp32 activation, row-major, the last dimension fastest.
///
/// Pictures and feature maps are channels-last: `[N, H, W, C]`; token sequences are `[N, T, C]`. A pixel is a
/// token, so convolutions, attention and linear layers share one layout and nothing is transposed between them.
///
/// A tensor is a handle: copies share storage. A kernel writes only tensors that it has allocated itself, so a
/// tensor that has been returned never changes under its reader.
public struct Tensor: Sendable {
  /// Extent of each dimension; all positive.
  public let shape: [Int]
  /// Where the elements live.
  package let storage: TensorStorage
  /// Of a feature map whose maker knows them.
  package let moments: ChannelMoments?

  /// Number of elements.
  public var count: Int { storage.count }

  /// Allocates an uninitialised tensor, in the current ``TensorArena`` if there is one: the caller writes every
  /// element before anyone reads it.
  package init(uninitialized shape: [Int]) {
    precondition(shape.allSatisfy { $0 > 0 }, "tensor shape \(shape) has an empty dimension")
    self.shape = shape
    self.storage = TensorStorage(count: shape.reduce(1, *), in: TensorArena.current)
    moments = nil
  }

  /// Copies `elements` into a tensor of `shape`. In an arena that only plans, nothing is copied: elements are arbitrary there, and it
  /// takes no memory.
  public init(_ elements: [Float], shape: [Int]) {
    self.init(uninitialized: shape)
    precondition(elements.count == count, "\(elements.count) elements do not fill the shape \(shape)")
    if storage.isPlanned { return }
    unsafe elements.withUnsafeBufferPointer { source in
      _ = unsafe storage.elements.initialize(from: source)
    }
  }

  private init(storage: TensorStorage, shape: [Int], moments: ChannelMoments? = nil) {
    self.storage = storage
    self.shape = shape
    self.moments = moments
  }

  /// The same tensor, all of which has been written, with the moments of its channels.
  func with(moments: ChannelMoments) -> Tensor { Tensor(storage: storage, shape: shape, moments: moments) }

  /// The same elements under another shape of equal count. Nothing is copied.
  public func reshaped(_ shape: [Int]) -> Tensor {
    precondition(shape.reduce(1, *) == count, "cannot view \(self.shape) as \(shape)")
    return Tensor(storage: storage, shape: shape)
  }

  /// The elements, for reading.
  public func withElements<R>(_ body: (Span<Float>) throws -> R) rethrows -> R {
    try unsafe body(Span(_unsafeElements: UnsafeBufferPointer(storage.elements)))
  }

  /// A copy of the elements in row-major order.
  public var array: [Float] { unsafe Array(storage.elements) }
}
