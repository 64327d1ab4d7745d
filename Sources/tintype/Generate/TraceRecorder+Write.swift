import Diffusion
import Safetensors

extension TraceRecorder {
  /// Writes what was recorded, for `--save-tensors`.
  func write(to path: String) throws {
    let tensors = entries.map { entry in
      switch entry.values {
      case .float32(let values): SafetensorsWriter.Entry(name: entry.name, shape: entry.shape, floats: values)
      case .int64(let values): SafetensorsWriter.Entry(name: entry.name, shape: entry.shape, integers: values)
      }
    }
    try SafetensorsWriter.write(tensors, metadata: ["software": "tintype \(Version.text)"], to: path)
  }
}
