/// Why a model folder cannot be used. `description` is the whole text for a user: what is wrong, where, and what to do.
public struct CheckpointError: Error, Sendable, CustomStringConvertible {
  /// What kind of thing is wrong.
  public enum Code: String, Sendable, CaseIterable {
    /// The path is not a folder in the diffusers layout.
    case notACheckpoint = "not_a_checkpoint"
    /// A file or a component that the model needs is not there.
    case missingFile = "missing_file"
    /// A JSON file cannot be read, lacks a key, or holds a value of the wrong type.
    case invalidConfig = "invalid_config"
    /// A configuration is legal, but asks for something that this core does not compute.
    case unsupported
    /// A weight file, or a shard index, contradicts itself.
    case invalidWeights = "invalid_weights"
    /// A tensor that the network needs is not in the files.
    case missingTensor = "missing_tensor"
    /// A tensor has another shape or element type than the network needs.
    case unexpectedTensor = "unexpected_tensor"
    /// A tensor in the files belongs to no layer of the network.
    case unusedTensor = "unused_tensor"
  }

  /// For programs.
  public let code: Code
  /// For people.
  public let message: String
  /// The file or folder at fault.
  public let path: String
  /// What the layer below reported.
  public let cause: (any Error)?

  /// An error about `path`.
  public init(_ code: Code, path: String, _ message: String, cause: (any Error)? = nil) {
    self.code = code
    self.path = path
    self.message = message
    self.cause = cause
  }

  /// `path: message`.
  public var description: String { "\(path): \(message)" }
}
