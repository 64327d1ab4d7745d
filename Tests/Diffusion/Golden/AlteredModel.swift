import Foundation
import Safetensors
import Tensors

/// A copy of a golden model with one thing changed, in a temporary folder that goes with this object.
final class AlteredModel {
  private let root: URL
  var folder: String { root.path }

  init(of model: GoldenModel) throws {
    root = FileManager.default.temporaryDirectory.appending(path: "altered-\(UUID().uuidString)")
    try FileManager.default.copyItem(at: URL(filePath: model.folder), to: root)
  }

  deinit { try? FileManager.default.removeItem(at: root) }

  /// Replaces one text by another in a configuration file.
  func replace(_ old: String, with new: String, in file: String) throws {
    let url = root.appending(path: file)
    let text = try String(contentsOf: url, encoding: .utf8)
    precondition(text.contains(old), "\(file) has no \(old)")
    try text.replacing(old, with: new).write(to: url, atomically: true, encoding: .utf8)
  }

  /// Replaces one element of a weight, the first unless told otherwise.
  func setElement(_ index: Int = 0, of tensor: String, in file: String, to value: Float) throws {
    let path = root.appending(path: file).path
    let original = try SafetensorsFile(path: path)
    let entries = try original.tensors.keys.map { name in
      let shape = try original.tensor(name).shape
      if try original.tensor(name).dtype == .int64 {
        return SafetensorsWriter.Entry(name: name, shape: shape, integers: try original.integers(name))
      }
      var elements = try original.floats(name)
      if name == tensor { elements[index] = value }
      return SafetensorsWriter.Entry(name: name, shape: shape, floats: elements)
    }
    precondition(original.tensors[tensor] != nil, "\(file) has no \(tensor)")
    try SafetensorsWriter.write(entries, to: path)
  }
}
