/// How to reach a database and what to expect of it.
public struct PostgresConfiguration: Sendable {
  /// A libpq connection URL or `keyword=value` string; nil or empty for libpq's environment alone (`PGHOST`,
  /// `PGDATABASE`, `PGSERVICE`, …).
  ///
  /// Whatever the URL leaves open comes from the environment, the service file and `~/.pgpass`, exactly as for psql.
  /// Every keyword works, several hosts with `target_session_attrs` too.
  public var url: String?

  /// Shown in `pg_stat_activity` unless the URL or `PGAPPNAME` says otherwise.
  public var applicationName: String

  /// The longest that a statement may run; zero for no limit. Default 30 s.
  ///
  /// The server enforces it (SQLSTATE 57014). Where it cannot, because it hangs, is unreachable or a pooler stands in
  /// between, the client cancels the statement after `statementTimeout` + 2.5 s without traffic and closes the
  /// connection 2.5 s later.
  public var statementTimeout: Duration

  /// The longest that a transaction may wait for its next statement before the server ends the session, so that a
  /// client that froze does not hold its locks for ever; zero for no limit. Default 60 s.
  public var idleInTransactionTimeout: Duration

  /// The longest that connecting to one host may take, name lookup apart; rounded up to whole seconds, 2 s at least.
  /// Default 10 s. `connect_timeout` in the URL and `PGCONNECT_TIMEOUT` take precedence.
  public var connectTimeout: Duration

  /// Asked for the password at every connect, so that a rotated credential file is noticed. What it returns takes
  /// precedence over the URL, `PGPASSWORD` and `~/.pgpass`; nil leaves those in force.
  public var password: (@Sendable () throws -> String?)?

  /// Receives the server's notices and warnings; nil drops them. They never go to stderr, where they would tear the
  /// structured log. Called on the connection's own queue: return quickly.
  public var onNotice: (@Sendable (PostgresNotice) -> Void)?

  /// Every parameter is described at its property.
  public init(
    url: String? = nil, applicationName: String = "tintype", statementTimeout: Duration = .seconds(30),
    idleInTransactionTimeout: Duration = .seconds(60), connectTimeout: Duration = .seconds(10),
    password: (@Sendable () throws -> String?)? = nil, onNotice: (@Sendable (PostgresNotice) -> Void)? = nil
  ) {
    self.url = url
    self.applicationName = applicationName
    self.statementTimeout = statementTimeout
    self.idleInTransactionTimeout = idleInTransactionTimeout
    self.connectTimeout = connectTimeout
    self.password = password
    self.onNotice = onNotice
  }
}

/// What the server says beside a result: `NOTICE`, `WARNING`, …
public struct PostgresNotice: Sendable, Equatable {
  /// `NOTICE`, `WARNING`, `INFO`, `LOG` or `DEBUG`, in English whatever the server's language.
  public var severity: String
  /// `00000` for most notices.
  public var sqlState: String
  /// The primary message.
  public var message: String

  /// A notice as it would arrive.
  public init(severity: String, sqlState: String, message: String) {
    self.severity = severity
    self.sqlState = sqlState
    self.message = message
  }
}

/// A message that another session sent with `NOTIFY`.
public struct PostgresNotification: Sendable, Hashable {
  /// The channel's name.
  public var channel: String
  /// Empty when the sender gave none.
  public var payload: String

  /// A notification as it would arrive.
  public init(channel: String, payload: String) {
    self.channel = channel
    self.payload = payload
  }
}

extension Duration {
  /// Whole milliseconds, rounded up, so that a tiny timeout never becomes 0, which means none.
  var milliseconds: Int64 {
    let (seconds, attoseconds) = components
    return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
  }
}
