internal import CLibCrypto

/// SHA-256 (FIPS 180-4), by OpenSSL's EVP interface: the one that uses the processor's SHA instructions.
@safe public struct SHA256: ~Copyable {
  private let context: OpaquePointer

  /// An empty message.
  public init() {
    guard let context = unsafe EVP_MD_CTX_new(), unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      fatalError("OpenSSL cannot start a SHA-256 digest: out of memory, or a provider without SHA-256 is configured")
    }
    unsafe self.context = context
  }

  deinit { unsafe EVP_MD_CTX_free(context) }

  /// Appends bytes to the message.
  public mutating func update(_ bytes: [UInt8]) {
    let status = unsafe bytes.withUnsafeBytes { unsafe EVP_DigestUpdate(context, $0.baseAddress, $0.count) }
    precondition(status == 1, "OpenSSL refused \(bytes.count) bytes of a SHA-256 message")
  }

  /// The digest of everything appended: 32 bytes.
  public consuming func finalize() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    let status = unsafe digest.withUnsafeMutableBufferPointer {
      unsafe EVP_DigestFinal_ex(context, $0.baseAddress, nil)
    }
    precondition(status == 1, "OpenSSL could not finish a SHA-256 digest")
    return digest
  }

  /// The digest of one whole message: 32 bytes.
  public static func hash(_ bytes: [UInt8]) -> [UInt8] {
    var digest = SHA256()
    digest.update(bytes)
    return digest.finalize()
  }
}
