import ArgumentParser
import Foundation

/// A value that a flag gives, or an environment variable, or the default: asked for in that order.
///
/// Each is declared once, in `Settings`; the commands' options, their help, `tintype settings` and
/// `Docs/settings.md` are all made from that declaration.
struct Setting<Value: ExpressibleByArgument & Sendable>: SettingDescription {
  /// The option without its dashes: `drain-timeout`.
  let flag: String
  /// What stands for the value in help: `SECONDS`.
  let placeholder: String
  /// A sentence: what it decides, its unit, its limits.
  let summary: String
  /// Used when neither flag nor variable is given.
  let defaultValue: Value?
  /// How the default reads in help where the value itself says too little.
  let defaultText: String?

  init(
    _ flag: String, _ placeholder: String, _ summary: String, default value: Value? = nil, defaultText: String? = nil
  ) {
    self.flag = flag
    self.placeholder = placeholder
    self.summary = summary
    defaultValue = value
    self.defaultText = defaultText ?? value.map { $0.defaultValueDescription }
  }

  /// The value in force; nil when it is set nowhere and has no default.
  func resolve(_ given: Value?, in environment: [String: String] = ProcessInfo.processInfo.environment) throws -> Value?
  {
    if let given { return given }
    // An empty variable counts as unset: systemd's EnvironmentFile and compose files leave them behind.
    guard let text = environment[self.environment], !text.isEmpty else { return defaultValue }
    guard let value = Value(argument: text) else {
      throw CommandError(.usage, "\(self.environment)='\(text)' is not a value for --\(flag) (\(placeholder)).")
    }
    return value
  }

  /// The value in force, or an error that says how to give it.
  func require(_ given: Value?, in environment: [String: String] = ProcessInfo.processInfo.environment) throws -> Value
  {
    if let value = try resolve(given, in: environment) { return value }
    throw CommandError(
      .usage, "--\(flag) \(placeholder) is missing.", remedy: "Give the flag or set \(self.environment). \(summary)")
  }
}

/// What help and documentation say of a setting, whatever its type.
protocol SettingDescription: Sendable {
  var flag: String { get }
  var placeholder: String { get }
  var summary: String { get }
  var defaultText: String? { get }
}

extension SettingDescription {
  /// `drain-timeout` → `TINTYPE_DRAIN_TIMEOUT`.
  var environment: String { "TINTYPE_" + flag.uppercased().replacingOccurrences(of: "-", with: "_") }

  var name: NameSpecification { .customLong(flag) }

  var help: ArgumentHelp {
    var text = "\(summary) [\(environment)"
    if let defaultText { text += "; default: \(defaultText)" }
    return ArgumentHelp("\(text)]", valueName: placeholder)
  }
}
