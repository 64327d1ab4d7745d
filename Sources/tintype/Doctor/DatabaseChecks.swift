import Foundation
import JobStore
import Postgres

/// Whether the queue can be reached, and what this user may do there.
struct DatabaseChecks {
  let options: DatabaseOptions

  /// Variables by which libpq is told where to connect.
  private static let variables = ["PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE"]

  func findings() async -> [DoctorFinding] {
    do {
      let environment = ProcessInfo.processInfo.environment
      let isGiven = try Settings.databaseURL.resolve(options.databaseURL) != nil
      guard isGiven || Self.variables.contains(where: { environment[$0]?.isEmpty == false }) else {
        return [
          .skipped(
            "database", "none is configured; `tintype generate` works without one, workers do not",
            remedy:
              "Give --database-url, or set \(Settings.databaseURL.environment) or libpq's PGHOST, PGDATABASE, …; or "
              + "start a private one: `tintype up`.")
        ]
      }
      let connection = try await PostgresConnection.connect(options.configuration(role: "doctor"))
      let findings = await findings(connection)
      await connection.close()
      return findings
    } catch {
      return [.failure("database", error)]
    }
  }

  private func findings(_ connection: PostgresConnection) async -> [DoctorFinding] {
    var findings: [DoctorFinding] = []
    do {
      let roles = try await DatabaseRoles(connection)
      findings.append(.ok("database", "PostgreSQL \(roles.serverVersion), connected as \(roles.user)"))
      findings.append(await schema(connection))
      findings.append(Self.finding(roles))
    } catch {
      findings.append(.failure("database", error))
    }
    return findings
  }

  private func schema(_ connection: PostgresConnection) async -> DoctorFinding {
    do {
      let all = try await Migrator(connection: connection).status()
      let missing = all.filter { $0.appliedAt == nil }
      guard missing.isEmpty, let last = all.last else {
        return .failure(
          "schema", "\(missing.count) of \(all.count) migrations are not applied", remedy: "Run `tintype migrate`.",
          .configuration)
      }
      return .ok("schema", "up to date: \(last.name)")
    } catch {
      return .failure("schema", error)
    }
  }

  private static func finding(_ roles: DatabaseRoles) -> DoctorFinding {
    guard !roles.existing.isEmpty else {
      return .warning(
        "roles", "Tintype's roles do not exist in this cluster",
        remedy:
          "Have a superuser run Deploy/roles/roles.sql; until then everything belongs to whoever ran the migrations.")
    }
    let granted = roles.granted.joined(separator: ", ")
    guard roles.granted.contains("worker") else {
      return .warning(
        "roles", "\(roles.user) has \(granted.isEmpty ? "none of Tintype's roles" : granted), not worker",
        remedy: "If a worker is to run as this user: GRANT tintype_worker TO \(roles.user);")
    }
    return .ok("roles", "\(roles.user) has \(granted)")
  }
}
