internal import Safetensors

/// The files that a loaded model's weights are mapped from.
struct MappedWeights: Sendable {
  /// Bytes of all weights that are used.
  private(set) var byteCount = 0
  /// The text encoders' share of it.
  private(set) var textEncoderBytes = 0
  private var textEncoderFiles: [SafetensorsFile] = []

  /// Counts a component that has been loaded.
  mutating func add(_ store: WeightStore) {
    byteCount += store.mappedBytes
    guard store.component.hasPrefix("text_encoder") else { return }
    textEncoderBytes += store.mappedBytes
    textEncoderFiles += store.files
  }

  /// Takes the text encoders out of this process's memory: they run before the UNet and the decoder, which need it more. Their pages stay
  /// in the system's cache while there is room, so the next prompt pays some faults.
  func releaseTextEncoders() {
    for file in textEncoderFiles { file.release() }
  }
}
