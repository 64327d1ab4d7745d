/// Where a server listens: `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`, or `:9464` for every address.
public struct ListenAddress: Sendable, Equatable, CustomStringConvertible {
  /// A name or a number, without brackets.
  public let host: String
  /// Zero lets the system choose.
  public let port: Int

  /// A host without brackets, and a port.
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }

  /// Nil when `text` is none of the above.
  public init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
      (0...65535).contains(port)
    else { return nil }
    var host = text[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") {
      host = host.dropFirst().dropLast()
    } else if host.contains(":") {
      return nil
    }
    self.host = host.isEmpty ? "0.0.0.0" : String(host)
    self.port = port
  }

  /// Only programs on this machine can reach it.
  public var isLoopback: Bool {
    host == "localhost" || host == "::1"
      || (host.hasPrefix("127.") && host.allSatisfy { $0 == "." || ("0"..."9").contains($0) })
  }

  /// As a URL would have it.
  public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
