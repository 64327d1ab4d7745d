package import Glibc

/// Calls `body` with the address of the Unix socket at `path`.
///
/// - Throws: `PrivateClusterError` when the path is longer than an address holds.
package func withSocketAddress<R>(
  _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) throws -> R
) throws -> R {
  var address = sockaddr_un()
  address.sun_family = sa_family_t(AF_UNIX)
  let capacity = MemoryLayout.size(ofValue: address.sun_path)
  guard path.utf8.count < capacity else { throw PrivateClusterError("The socket path is too long: \(path)") }
  unsafe withUnsafeMutableBytes(of: &address.sun_path) { unsafe $0.copyBytes(from: path.utf8) }
  return try unsafe withUnsafePointer(to: &address) { pointer in
    try unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
      try unsafe body(address, socklen_t(MemoryLayout<sockaddr_un>.size))
    }
  }
}
