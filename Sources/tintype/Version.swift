/// The released version, as `tintype --version`, `tintype.workers` and the pictures' metadata state it.
enum Version {
  static let text = "0.1.0"
}
