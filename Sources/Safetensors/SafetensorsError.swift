/// Why a safetensors file cannot be read or written. `description` is the whole text for a user.
public struct SafetensorsError: Error, Sendable, CustomStringConvertible {
  /// What kind of thing is wrong.
  public enum Code: String, Sendable, CaseIterable {
    /// The file cannot be opened, read, mapped or written; `message` has the system's reason.
    case inputOutput = "input_output"
    /// The file is shorter than it says it is.
    case truncated
    /// The header is not the JSON that the format prescribes.
    case invalidHeader = "invalid_header"
    /// Shapes, types and offsets contradict each other or the file's size.
    case inconsistent
    /// The file has no tensor of that name.
    case noSuchTensor = "no_such_tensor"
    /// The tensor has an element type that the caller cannot use.
    case unsupportedType = "unsupported_type"
    /// What the caller wants written is not a legal file.
    case invalidArgument = "invalid_argument"
  }

  /// For programs.
  public let code: Code
  /// For people: what was found, what was expected.
  public let message: String
  /// The file at fault.
  public let path: String
  /// The tensor at fault, where it is one tensor's.
  public let tensor: String?

  /// An error about `path`.
  public init(_ code: Code, path: String, tensor: String? = nil, _ message: String) {
    self.code = code
    self.path = path
    self.tensor = tensor
    self.message = message
  }

  /// `path: tensor "name": message`.
  public var description: String {
    "\(path): \(tensor.map { "tensor \"\($0)\": " } ?? "")\(message)"
  }
}
