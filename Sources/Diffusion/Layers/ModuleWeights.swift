internal import Tensors

/// The part of a checkpoint that belongs to one module, by the names its authors gave: `weights["attn1"]["to_q"]`
/// hands out `….attn1.to_q.weight`. Each tensor is taken once, with the shape that the module's configuration
/// demands, so a misnamed or misshapen weight is an error at load time and never a random layer at run time.
struct ModuleWeights {
  /// Where the tensors come from.
  let store: WeightStore
  /// Packs what is taken.
  let device: any Device
  /// Dotted name of the module, empty for the network itself.
  let path: String

  init(store: WeightStore, device: any Device, path: String = "") {
    self.store = store
    self.device = device
    self.path = path
  }

  /// The weights of a submodule.
  subscript(_ name: String) -> ModuleWeights {
    ModuleWeights(store: store, device: device, path: qualified(name))
  }

  /// The weights of the `index`-th element of a module list.
  subscript(_ name: String, _ index: Int) -> ModuleWeights { self["\(name).\(index)"] }

  /// Takes the tensor `name` of this module.
  func take(_ name: String, _ shape: [Int]) throws -> Parameter {
    try store.take(qualified(name), shape: shape)
  }

  /// Takes a table of which a run reads a few rows.
  func table(_ name: String, _ shape: [Int]) throws -> Parameter {
    try store.takeTable(qualified(name), shape: shape)
  }

  /// Takes the weight, and if there is one the bias, of a linear layer.
  func linear(_ inFeatures: Int, _ outFeatures: Int, hasBias: Bool) throws -> LinearWeights {
    let bias = hasBias ? try take("bias", [outFeatures]) : nil
    return switch try store.takeLinear(qualified("weight"), shape: [outFeatures, inFeatures]) {
    case .stored(let weight): try device.linearWeights(weight, bias: bias, store.arithmetic(qualified("weight")))
    case .quantized(let weight): try device.linearWeights(weight, bias: bias)
    }
  }

  /// What attention of this module may be multiplied in.
  var attentionArithmetic: LayerArithmetic { store.attentionArithmetic(path) }

  /// Takes the weight and the bias of a convolution with a square kernel.
  func convolution(_ inChannels: Int, _ outChannels: Int, kernel: Int) throws -> Conv2DWeights {
    try device.conv2DWeights(
      take("weight", [outChannels, inChannels, kernel, kernel]), bias: take("bias", [outChannels]),
      store.arithmetic(qualified("weight")))
  }

  /// Takes a small tensor, expanded to fp32.
  func vector(_ name: String, _ count: Int) throws -> Tensor {
    try device.vector(take(name, [count]))
  }

  private func qualified(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }
}
