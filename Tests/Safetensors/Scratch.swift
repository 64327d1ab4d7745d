import Foundation
import Safetensors
import Tensors

/// A folder of its own for one test, removed with this object. In memory where the system has such a place: the
/// thousands of damaged files would otherwise wait for the disk's journal.
final class Scratch {
  let path: String

  init() throws {
    let memory = "/dev/shm"
    let place = FileManager.default.isWritableFile(atPath: memory) ? memory : NSTemporaryDirectory()
    path = "\(place)/safetensors-tests-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes `bytes` to a new file, in place of the last one, and returns its path.
  func file(_ bytes: [UInt8]) throws -> String {
    let file = "\(path)/t.safetensors"
    try? FileManager.default.removeItem(atPath: file)
    try Data(bytes).write(to: URL(filePath: file))
    return file
  }

  /// Opens a file of `header`, its length in front of it and `payload` behind it.
  func open(header: String, payload: Int) throws -> SafetensorsFile {
    try SafetensorsFile(path: file(contents(header: Array(header.utf8), payload: payload)))
  }
}

/// A file's bytes: length, header, then `payload` bytes that count up.
func contents(header: [UInt8], payload: Int) -> [UInt8] {
  let length = UInt64(header.count)
  return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + header
    + (0..<payload).map { UInt8(truncatingIfNeeded: $0) }
}

/// The error that `body` throws, or nil.
func safetensorsError(_ body: () throws -> Void) throws -> SafetensorsError? {
  do {
    try body()
    return nil
  } catch let error as SafetensorsError {
    return error
  }
}

/// The bytes of a weight.
func storedBytes(_ parameter: Parameter) -> [UInt8] {
  unsafe parameter.withBytes { bytes in unsafe Array(bytes) }
}
