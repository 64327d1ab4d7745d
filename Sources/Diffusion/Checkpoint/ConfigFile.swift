internal import FoundationEssentials

/// Reads one JSON configuration file of a model folder.
enum ConfigFile {
  /// Decodes `path`; every error names the file, the key, what was found and what is legal.
  static func decode<T: Decodable>(_ type: T.Type, path: String) throws -> T {
    let bytes = try read(path)
    do {
      return try JSONDecoder().decode(type, from: bytes)
    } catch let problem as ConfigProblem {
      throw CheckpointError(
        problem.isUnsupported ? .unsupported : .invalidConfig, path: path, "\(problem.key) \(problem.message)")
    } catch let error as DecodingError {
      throw CheckpointError(.invalidConfig, path: path, describe(error), cause: error)
    }
  }

  /// The contents of a small file.
  static func read(_ path: String) throws -> Data {
    do {
      return try Data(contentsOf: URL(filePath: path))
    } catch {
      let isThere = FileManager.default.fileExists(atPath: path)
      throw CheckpointError(
        .missingFile, path: path,
        isThere ? "cannot be read: \(error)" : "no such file: the model folder is not complete, download it again",
        cause: error)
    }
  }

  private static func describe(_ error: DecodingError) -> String {
    switch error {
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      let key = context.codingPath.map(\.stringValue).joined(separator: ".")
      return "\(key.isEmpty ? "the file" : key) has a value of the wrong type: \(context.debugDescription)"
    case .keyNotFound(let key, _):
      return "\(key.stringValue) is missing"
    case .dataCorrupted(let context):
      let key = context.codingPath.map(\.stringValue).joined(separator: ".")
      return key.isEmpty
        ? "is not valid JSON: \(context.debugDescription)" : "\(key) cannot be read: \(context.debugDescription)"
    @unknown default:
      return "\(error)"
    }
  }
}
