import ArgumentParser
import Foundation
import Postgres

/// Which database, and how a command connects to it.
struct DatabaseOptions: ParsableArguments {
  @Option(name: Settings.databaseURL.name, help: Settings.databaseURL.help) var databaseURL: String?

  /// - Parameter role: what `pg_stat_activity` shows beside `tintype`: `worker`, `enqueue`, …
  func configuration(role: String) throws -> PostgresConfiguration {
    PostgresConfiguration(
      url: try Settings.databaseURL.resolve(databaseURL), applicationName: "tintype \(role)",
      password: { try SystemdCredential.read("pgpassword") })
  }
}

/// A secret that systemd hands to a service as a file.
enum SystemdCredential {
  /// The credential's text without white space at its ends; nil where systemd gave none, or an empty one.
  static func read(_ name: String) throws -> String? {
    guard let folder = ProcessInfo.processInfo.environment["CREDENTIALS_DIRECTORY"] else { return nil }
    let file = URL(filePath: folder).appending(path: name)
    guard FileManager.default.fileExists(atPath: file.path) else { return nil }
    let text = try String(contentsOf: file, encoding: .utf8).trimmingCharacters(in: .whitespacesAndNewlines)
    return text.isEmpty ? nil : text
  }
}
