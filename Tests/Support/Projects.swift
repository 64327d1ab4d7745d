public import struct Foundation.URL

/// Files that tests need, found from this source file's own place, so tests run from any directory.
public enum ProjectFiles {
  /// The checkout's top folder.
  public static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  /// `Tests/Fixtures`.
  public static let fixtures = root.appending(path: "Tests/Fixtures")
}
