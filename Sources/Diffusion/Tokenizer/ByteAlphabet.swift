/// The 256 printable characters in which a byte-level vocabulary spells bytes (GPT-2's table).
///
/// Bytes that are printable in Latin-1 stand for themselves; the other 68, in ascending order, are U+0100 and on.
enum ByteAlphabet {
  /// The character of each byte.
  static let symbols: [String] = scalars.map { String($0) }

  /// The byte of each character.
  static let bytes: [Unicode.Scalar: UInt8] = Dictionary(
    uniqueKeysWithValues: scalars.enumerated().map { ($1, UInt8($0)) })

  private static let scalars: [Unicode.Scalar] = {
    var stand: UInt16 = 0x100
    return (0...255).map { (byte: UInt8) in
      switch byte {
      case 33...126, 161...172, 174...255: return Unicode.Scalar(byte)
      default:
        defer { stand += 1 }
        return Unicode.Scalar(stand) ?? "?"
      }
    }
  }()
}
