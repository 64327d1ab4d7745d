import Logging

extension WorkerOptions {
  /// A command line that gives the same options.
  func arguments(databaseURL: String) -> [String] {
    var words = ["worker", "--database-url", databaseURL]
    for entry in model.flatMap(\.entries) { words += ["--model", "\(entry.name)=\(entry.folder)"] }
    for (setting, value) in [
      (Settings.output.flag, output), (Settings.input.flag, input),
      (Settings.threads.flag, threads.map { "\($0.value)" }),
      (Settings.precision.flag, precision.precision?.rawValue), (Settings.cacheDirectory.flag, precision.cacheDir),
      (Settings.memoryLimit.flag, memoryLimit.map { "\($0.bytes)" }),
    ] {
      if let value { words += ["--\(setting)", value] }
    }
    return words
  }
}

extension LogOptions {
  /// A command line that gives the same options.
  var arguments: [String] {
    var words: [String] = []
    if let logLevel { words += ["--\(Settings.logLevel.flag)", logLevel.level.rawValue] }
    if let logFormat { words += ["--\(Settings.logFormat.flag)", logFormat.rawValue] }
    return words
  }
}
