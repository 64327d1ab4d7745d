internal import KernelInterface

/// The product's device: fp32 arithmetic on the processor, on threads of its own.
///
/// Everything is computed by the kernels of the chosen instruction set; what surrounds them (who takes which part, in which
/// memory) is in `Kernels`, one file an operation.
/// Weights stay in their file's type, mapped and shared between processes, and are expanded where they are used.
/// Results depend on the input and the processor's type alone, not on the number of threads.
///
/// Operations may be called from any thread; they share the device's threads and take turns at them.
public final class CPUDevice: Device {
  /// The threads that work on a kernel.
  public let pool: ThreadPool
  /// The instruction set of the kernels, and why it was chosen.
  public let choice: KernelChoice
  let kernels: any KernelSet.Type
  let scratch = Scratch()
  package let sizes: BlockSizes

  /// Starts the threads.
  ///
  /// - Parameter threads: threads in all; nil means ``ProcessorCount/available``.
  /// - Throws: ``DeviceError`` if `TINTYPE_CPU` names an instruction set that cannot be used.
  public convenience init(threads: Int? = nil) throws {
    try self.init(threads: threads, sizes: BlockSizes())
  }

  /// The same with pieces of other sizes, or with another instruction set than the environment or the processor says.
  package init(threads: Int?, sizes: BlockSizes, instructionSet: InstructionSet? = nil) throws {
    choice = try instructionSet.map { KernelChoice($0, reason: "asked for by the program") } ?? KernelChoice()
    kernels = choice.kernels
    pool = ThreadPool(threads: threads)
    self.sizes = sizes
  }

  /// Keeps the stored weight; expands the bias.
  public func linearWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> LinearWeights
  {
    precondition(weight.shape.count == 2, "\(weight.name): a linear weight is [out, in], not \(weight.shape)")
    precondition(bias == nil || bias?.shape == [weight.shape[0]], "\(weight.name): bias does not match")
    return LinearWeights(
      inFeatures: weight.shape[1], outFeatures: weight.shape[0], arithmetic,
      packed: StoredWeights(weight: weight, bias: try bias.map(vector)))
  }

  /// Keeps the stored weight; expands the bias.
  public func conv2DWeights(_ weight: Parameter, bias: Parameter?, _ arithmetic: LayerArithmetic) throws
    -> Conv2DWeights
  {
    precondition(bias == nil || bias?.shape == [weight.shape[0]], "\(weight.name): bias does not match")
    return Conv2DWeights(weight, arithmetic, packed: StoredWeights(weight: weight, bias: try bias.map(vector)))
  }

  /// A copy in fp32, of the stored shape.
  public func vector(_ parameter: Parameter) throws -> Tensor {
    let result = Tensor(uninitialized: parameter.shape)
    unsafe expand(parameter, from: 0, count: parameter.count, into: result.mutablePointer)
    return result
  }

  /// Parts of the result, see `Kernels/Linear.swift`.
  public func linear(_ x: Tensor, _ weights: LinearWeights, activation: Activation, residual: Tensor?) throws
    -> Tensor
  {
    linearKernel(x, weights, activation, residual)
  }

  /// Winograd's method or products over taps, see `Kernels/Conv2D.swift`.
  public func conv2D(
    _ x: Tensor, normalization: GroupNormalization?, _ weights: Conv2DWeights, _ geometry: Conv2DGeometry,
    channelAddend: Tensor?, residual: Tensor?
  ) throws -> Tensor {
    conv2DKernel(x, normalization, weights, geometry, channelAddend, residual)
  }

  /// One pass for the statistics, one to apply them, see `Kernels/GroupNorm.swift`.
  public func groupNorm(_ x: Tensor, _ normalization: GroupNormalization) throws -> Tensor {
    groupNormKernel(x, normalization)
  }

  /// Row by row, see `Kernels/LayerNorm.swift`.
  public func layerNorm(_ x: Tensor, epsilon: Float, scale: Tensor, bias: Tensor) throws -> Tensor {
    layerNormKernel(x, epsilon, scale, bias)
  }

  /// Some queries of a head at a time, see `Kernels/Attention.swift`.
  public func attention(
    query: Tensor, keys: [Tensor], values: [Tensor], heads: Int, causal: Bool, _ arithmetic: LayerArithmetic
  ) throws
    -> Tensor
  {
    attentionKernel(query, keys, values, heads, causal, arithmetic)
  }

  /// Expands one stored row per id.
  public func embedding(_ ids: [[Int32]], table: Parameter) throws -> Tensor { embeddingKernel(ids, table: table) }

  /// Copies row by row.
  public func concatenate(_ a: Tensor, _ b: Tensor) throws -> Tensor { concatenateKernel(a, b) }

  /// Copies pixel by pixel.
  public func upsampleNearest(_ x: Tensor, height: Int, width: Int) throws -> Tensor {
    upsampleNearestKernel(x, height: height, width: width)
  }

  /// A vectorised pass, see `Kernels/Pointwise.swift`.
  public func activate(_ x: Tensor, _ activation: Activation) throws -> Tensor { activateKernel(x, activation) }

  /// A vectorised pass.
  public func combine(_ a: Float, _ x: Tensor, _ b: Float, _ y: Tensor) throws -> Tensor { combineKernel(a, x, b, y) }

  /// A vectorised pass.
  public func addBroadcast(_ x: Tensor, _ y: Tensor) throws -> Tensor { addBroadcastKernel(x, y) }
}
