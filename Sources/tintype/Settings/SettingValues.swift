import ArgumentParser
import Foundation
import Logging
import Monitoring

/// A length of time as people write it: `90`, `90s`, `15min`, `2h`.
struct Seconds: ExpressibleByArgument, Sendable, Equatable {
  let value: Double
  var duration: Duration { .seconds(value) }

  init(_ value: Double) { self.value = value }

  init?(argument: String) {
    let units: [(suffix: String, seconds: Double)] = [("min", 60), ("m", 60), ("h", 3600), ("s", 1), ("", 1)]
    for unit in units where argument.hasSuffix(unit.suffix) {
      guard let number = Double(argument.dropLast(unit.suffix.count)), number >= 0, number.isFinite else { return nil }
      // Beyond a year a number is a slip, and Duration would trap on the largest.
      guard number * unit.seconds <= 366 * 86400 else { return nil }
      value = number * unit.seconds
      return
    }
    return nil
  }

  var defaultValueDescription: String { value == value.rounded() ? String(Int(value)) : String(value) }
}

/// An integer of at least 1.
struct PositiveInteger: ExpressibleByArgument, Sendable, Equatable {
  let value: Int

  init(_ value: Int) { self.value = value }

  init?(argument: String) {
    guard let value = Int(argument), value >= 1 else { return nil }
    self.value = value
  }

  var defaultValueDescription: String { String(value) }
}

/// An amount of memory as people write it: `8GB`, `7.5G`, `512MiB`, `8000000000`.
struct ByteCount: ExpressibleByArgument, Sendable, Equatable {
  let bytes: Int

  init(_ bytes: Int) { self.bytes = bytes }

  init?(argument: String) {
    let units: [(suffix: String, bytes: Double)] = [
      ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40), ("kB", 1e3), ("KB", 1e3), ("MB", 1e6),
      ("GB", 1e9), ("TB", 1e12), ("K", 0x1p10), ("M", 0x1p20), ("G", 0x1p30), ("T", 0x1p40), ("", 1),
    ]
    for unit in units where argument.hasSuffix(unit.suffix) {
      let number = argument.dropLast(unit.suffix.count).trimmingCharacters(in: .whitespaces)
      guard let value = Double(number), value > 0, value * unit.bytes >= 1, value * unit.bytes < 1e18 else {
        return nil
      }
      bytes = Int(value * unit.bytes)
      return
    }
    return nil
  }

  var defaultValueDescription: String { String(bytes) }
}

/// Names separated by commas, as an environment variable holds them; a repeated flag gives one name each time.
struct NameList: ExpressibleByArgument, Sendable, Equatable {
  let names: [String]

  init(_ names: [String]) { self.names = names }

  init?(argument: String) {
    names = argument.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
    guard !names.isEmpty, !names.contains("") else { return nil }
  }

  /// The flag's occurrences as one list; nil when there was none, so that the variable is asked.
  static func joining(_ lists: [NameList]) -> NameList? {
    lists.isEmpty ? nil : NameList(lists.flatMap(\.names))
  }

  var defaultValueDescription: String { names.joined(separator: ",") }
}

/// `NAME=DIR` or `DIR`, several separated by commas. The first is the worker's default.
struct ModelList: ExpressibleByArgument, Sendable, Equatable {
  struct Entry: Sendable, Equatable {
    let name: String
    let folder: String
  }
  let entries: [Entry]

  init(_ entries: [Entry]) { self.entries = entries }

  init?(argument: String) {
    var entries: [Entry] = []
    for part in argument.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let folder = String(pair[pair.count - 1])
      let name = pair.count == 2 ? String(pair[0]) : URL(filePath: folder).standardizedFileURL.lastPathComponent
      guard !name.isEmpty, !folder.isEmpty else { return nil }
      entries.append(Entry(name: name, folder: folder))
    }
    guard !entries.isEmpty else { return nil }
    self.entries = entries
  }

  /// See `NameList.joining`.
  static func joining(_ lists: [ModelList]) -> ModelList? {
    lists.isEmpty ? nil : ModelList(lists.flatMap(\.entries))
  }

  var defaultValueDescription: String { entries.map { "\($0.name)=\($0.folder)" }.joined(separator: ",") }
}

/// Where a server listens.
struct Listen: ExpressibleByArgument, Sendable, Equatable {
  let address: ListenAddress

  /// Where the dashboard listens by default: on this machine only.
  static let dashboard = Listen(ListenAddress(host: "127.0.0.1", port: 8080))

  init(_ address: ListenAddress) { self.address = address }

  init?(argument: String) {
    guard let address = ListenAddress(argument) else { return nil }
    self.address = address
  }

  var defaultValueDescription: String { address.description }
}

/// A level of swift-log by its name.
struct LogLevel: ExpressibleByArgument, Sendable, Equatable {
  let level: Logger.Level

  init(level: Logger.Level) { self.level = level }

  init?(argument: String) {
    guard let level = Logger.Level(rawValue: argument.lowercased()) else { return nil }
    self.level = level
  }

  static let names = Logger.Level.allCases.map(\.rawValue).joined(separator: ", ")
  var defaultValueDescription: String { level.rawValue }
}

/// How log records are written.
enum LogFormat: String, ExpressibleByArgument, CaseIterable, Sendable {
  case auto, text, json, journal
}
