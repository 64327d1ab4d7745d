import ArgumentParser
import Foundation

struct SettingsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "settings",
    abstract: "List every setting: flag, environment variable, default, and what is set here.",
    discussion: """
      A flag wins over its environment variable, the variable over the default.

      Example:
        TINTYPE_OUTPUT=/srv/pictures tintype settings
      """)

  @Flag(help: "Print the table of Docs/settings.md instead.") var markdown = false
  @Flag(help: "Print JSON.") var json = false

  func validate() throws {
    if markdown && json { throw ValidationError("--markdown and --json exclude each other.") }
  }

  func run() throws {
    if json { return try JSONOutput.print(Settings.all.flatMap(\.settings).map { Entry($0) }) }
    print(markdown ? Self.markdownText : Self.table, terminator: "")
  }

  /// One setting; what is unset has no value.
  private struct Entry: Encodable {
    let flag: String
    let variable: String
    let `default`: String?
    let value: String?
    let summary: String

    init(_ setting: any SettingDescription) {
      flag = "--" + setting.flag
      variable = setting.environment
      `default` = setting.defaultText
      value = SettingsCommand.shownValue(of: setting)
      summary = setting.summary
    }
  }

  /// What the environment sets, if anything; a connection URL may hold a password, and is not repeated.
  private static func shownValue(of setting: any SettingDescription) -> String? {
    let text = ProcessInfo.processInfo.environment[setting.environment].flatMap { $0.isEmpty ? nil : $0 }
    return setting.flag == Settings.databaseURL.flag && text != nil ? "(set)" : text
  }

  private static var table: String {
    var table = TextTable(["FLAG", "VARIABLE", "DEFAULT", "SET HERE"].map { TextTable.Column(heading: $0) })
    for setting in Settings.all.flatMap(\.settings) {
      table.append(["--" + setting.flag, setting.environment, setting.defaultText, shownValue(of: setting)])
    }
    return table.rendered()
  }

  private static var markdownText: String {
    var text = """
      # Settings

      A flag wins over its environment variable, the variable over the default. An empty variable counts as unset.
      `tintype settings` prints this list with what is set in the current environment. This file is made by
      `tintype settings --markdown`; a test compares the two.

      """
    for (section, settings) in Settings.all {
      text += "\n## \(section)\n\n| flag | variable | default | meaning |\n|---|---|---|---|\n"
      for setting in settings {
        text +=
          "| `--\(setting.flag) \(setting.placeholder)` | `\(setting.environment)` | \(setting.defaultText ?? "–") | "
        text += "\(setting.summary) |\n"
      }
    }
    return text + """

      Lengths of time are seconds, or a number with a unit: `90`, `90s`, `15min`, `2h`.

      ## The database's password

      In this order: a file `pgpassword` in `$CREDENTIALS_DIRECTORY` (systemd's `LoadCredential=`); then whatever libpq finds: the
      URL, `PGPASSWORD`, `.pgpass`. Both files are read again at every connection. systemd, however, copies a credential when it
      starts a unit: after changing it restart the workers, one after another; or keep the password in a file of libpq's own
      format and name that by `PGPASSFILE`, and no restart is needed.

      ## Behind a pooler

      PgBouncer works, in transaction mode too: Tintype keeps nothing in a session between transactions. Two things are different.

      Notifications do not get through, so a new job is found by polling, within two seconds, and a cancel arrives with the next
      heartbeat. And the timeouts that Tintype gives its sessions are not set, because the session belongs to the next client a
      moment later; set them for the role that workers log in as, called `hand` here:

      ```sql
      ALTER ROLE hand SET statement_timeout = '30s';                    -- no claim or heartbeat takes so long
      ALTER ROLE hand SET idle_in_transaction_session_timeout = '60s';  -- a client that froze lets go of its locks
      ALTER ROLE hand SET lock_timeout = '10s';                         -- optional: without a pooler it is not set either
      ```

      A role's settings begin with a session: have the pooler reconnect (`RECONNECT`). Without them a client still gives up on a
      statement, 2.5 seconds after the same limit; only the server does not know. For `tintype migrate` connect to the server itself.

      ## The processor's instructions

      The kernels exist for several instruction sets; the largest that the processor and the operating system have is used.
      `TINTYPE_CPU=baseline`, `avx2`, `avx512` or `avx512vnni` chooses a smaller one, to compare or to get around a faulty
      machine. A set that is not there is refused.

      """
  }
}
