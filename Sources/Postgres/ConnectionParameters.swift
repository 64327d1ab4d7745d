internal import CLibPQ

extension PostgresConfiguration {
  /// The keywords and values for libpq, in the order that decides who wins: what stands before `dbname` yields to the
  /// URL, what stands after it overrides the URL.
  ///
  /// - Throws: `PostgresError` (`configuration`) for a URL that libpq cannot read, or a password source that fails.
  func libPQParameters() throws -> [(keyword: String, value: String)] {
    let url = url ?? ""
    try Self.validate(url)
    let seconds = max(2, (connectTimeout.milliseconds + 999) / 1000)
    var defaults: [(keyword: String, value: String)] = [
      ("fallback_application_name", applicationName),
      ("connect_timeout", String(seconds)),
      // An idle connection whose peer is gone is noticed within 30 s, unacknowledged data within 20 s. The kernel's
      // own defaults are two hours and a quarter of an hour.
      ("keepalives", "1"), ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
      ("tcp_user_timeout", "20000"),
    ]
    let chosen = Self.keywordsSetByEnvironment()
    defaults.removeAll { chosen.contains($0.keyword) }
    var parameters = defaults + [("dbname", url), ("client_encoding", "UTF8")]
    if let password = try readPassword(), !password.isEmpty { parameters.append(("password", password)) }
    return parameters
  }

  private func readPassword() throws -> String? {
    do {
      return try password?()
    } catch {
      throw PostgresError(.configuration, "The database password cannot be read: \(error)")
    }
  }

  /// Refuses a malformed URL before anything is tried with it: trying again would never help.
  private static func validate(_ url: String) throws {
    // Anything else is the plain name of a database, as for psql.
    guard url.contains("=") || url.contains("://") else { return }
    var message: UnsafeMutablePointer<CChar>?
    let options = unsafe PQconninfoParse(url, &message)
    defer {
      unsafe PQconninfoFree(options)
      unsafe PQfreemem(message)
    }
    guard unsafe options == nil else { return }
    var reason = unsafe message.map { unsafe trimmed(String(cString: $0)) } ?? "out of memory"
    // libpq quotes the whole URL in some of its messages, and a URL may hold a password.
    if let range = reason.firstRange(of: url) { reason.replaceSubrange(range, with: "…") }
    throw PostgresError(
      .configuration,
      "The database URL cannot be read: \(reason). It has the form postgresql://user@host:port/database, or keyword=value pairs; characters such as @ / ? # in a password must be percent-encoded."
    )
  }

  /// The keywords that the environment or the service file set.
  private static func keywordsSetByEnvironment() -> Set<String> {
    guard let options = unsafe PQconndefaults() else { return [] }
    defer { unsafe PQconninfoFree(options) }
    var keywords: Set<String> = []
    var option = unsafe options
    while let keyword = unsafe option.pointee.keyword {
      if unsafe option.pointee.val != nil { unsafe keywords.insert(String(cString: keyword)) }
      unsafe option += 1
    }
    return keywords
  }
}
