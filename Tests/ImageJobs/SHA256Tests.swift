import ImageJobs
import Jobs
import Testing

@Suite struct SHA256Tests {
  /// Test vectors of FIPS 180-2, appendix B, and the empty message.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
  ])
  func published(message: String, digest: String) {
    #expect(SHA256.hash(Array(message.utf8)).hexadecimal == digest)
  }

  @Test func piecesGiveTheSameAsTheWhole() {
    let message = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
    var digest = SHA256()
    var rest = message[...]
    for size in [0, 1, 63, 64, 65, 4096] {
      digest.update(Array(rest.prefix(size)))
      rest = rest.dropFirst(size)
    }
    digest.update(Array(rest))
    #expect(digest.finalize() == SHA256.hash(message))
  }
}
