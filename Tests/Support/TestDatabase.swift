import Foundation
import Synchronization

/// A database that tests are cloned from: made once per cluster, so that a thousand tests migrate once.
public struct DatabaseTemplate: Sendable {
  let name: String
  let prepare: @Sendable (_ databaseURL: String) async throws -> Void

  /// - Parameters:
  ///   - name: unique among the test process's templates; letters, digits and `_`.
  ///   - prepare: fills the template, and closes every connection to it before it returns: PostgreSQL does not clone
  ///     a database in use.
  public init(name: String, prepare: @escaping @Sendable (_ databaseURL: String) async throws -> Void) {
    self.name = name
    self.prepare = prepare
  }
}

/// Gives `body` the URL of a fresh database on the shared cluster, and drops it afterwards.
///
/// - Parameters:
///   - template: what the database starts as; nil for empty.
///   - body: connections that it leaves open are ended.
/// - Throws: `PrivateClusterError` when PostgreSQL is missing, and whatever `body` throws.
public func withDatabase<R>(
  template: DatabaseTemplate? = nil, isolation: isolated (any Actor)? = #isolation,
  _ body: (_ databaseURL: String) async throws -> R
) async throws -> R {
  let cluster = try await PrivateCluster.shared()
  let source = try await cluster.databaseName(of: template)
  let name = "test_\(databaseNumber.wrappingAdd(1, ordering: .relaxed).newValue)"
  try await cluster.psql("CREATE DATABASE \(name) TEMPLATE \(source)")
  let outcome: R
  do {
    outcome = try await body(cluster.url(database: name))
  } catch {
    // The test's own error says more than a failure to drop would.
    _ = try? await cluster.drop(name)
    throw error
  }
  try await cluster.drop(name)
  return outcome
}

private let databaseNumber = Atomic<Int>(0)

extension PrivateCluster {
  /// FORCE ends the sessions that are still connected. Runs to its end even when the test's task is cancelled.
  fileprivate func drop(_ name: String) async throws {
    try await psql("DROP DATABASE \(name) WITH (FORCE)")
  }

  fileprivate func databaseName(of template: DatabaseTemplate?) async throws -> String {
    guard let template else { return "template1" }
    return try await preparedTemplates.name(of: template, in: self)
  }
}

private let preparedTemplates = PreparedTemplates()

/// The templates made so far. Only of the shared cluster.
private actor PreparedTemplates {
  private var templates: [String: Task<String, any Error>] = [:]

  func name(of template: DatabaseTemplate, in cluster: PrivateCluster) async throws -> String {
    if let known = templates[template.name] { return try await known.value }
    let task = Task {
      let database = "template_\(template.name)"
      try await cluster.psql("CREATE DATABASE \(database) TEMPLATE template1")
      try await template.prepare(cluster.url(database: database))
      return database
    }
    templates[template.name] = task
    return try await task.value
  }
}
