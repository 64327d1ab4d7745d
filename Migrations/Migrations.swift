/// A step in the database schema's life: a file of this folder.
public struct Migration: Sendable, Equatable {
  /// Number in the file's name, rising.
  public let version: Int
  /// The file's name without `.sql`.
  public let name: String
  /// The file's text. Run in one transaction.
  public let sql: String

  /// - Parameters:
  ///   - name: `V<four digits>__<words>`. Begins with a letter because embedding replaces a leading digit.
  ///   - bytes: the file, UTF-8.
  package init(_ name: String, _ bytes: [UInt8]) {
    guard name.first == "V", let version = Int(name.dropFirst().prefix(4)) else {
      preconditionFailure("A migration is named V0001__words.sql, not \(name).sql.")
    }
    self.version = version
    self.name = name
    sql = String(decoding: bytes, as: UTF8.self)
  }
}

/// Every migration, in order. An applied file is never edited: what follows is a new file, added here and in Package.swift.
public let migrations: [Migration] = [
  Migration("V0001__tables", PackageResources.V0001__tables_sql),
  Migration("V0002__requests", PackageResources.V0002__requests_sql),
  Migration("V0003__waiting_and_waking", PackageResources.V0003__waiting_and_waking_sql),
  Migration("V0004__workers", PackageResources.V0004__workers_sql),
  Migration("V0005__maintenance", PackageResources.V0005__maintenance_sql),
  Migration("V0006__functions", PackageResources.V0006__functions_sql),
  Migration("V0007__views", PackageResources.V0007__views_sql),
  Migration("V0008__roles", PackageResources.V0008__roles_sql),
  Migration("V0009__standing_in_line", PackageResources.V0009__standing_in_line_sql),
  Migration("V0010__claim", PackageResources.V0010__claim_sql),
  Migration("V0011__retention", PackageResources.V0011__retention_sql),
  Migration("V0012__dead_letters_and_upgrades", PackageResources.V0012__dead_letters_and_upgrades_sql),
  Migration("V0013__plans", PackageResources.V0013__plans_sql),
  Migration("V0014__queue_status", PackageResources.V0014__queue_status_sql),
  Migration("V0015__fewer_statements", PackageResources.V0015__fewer_statements_sql),
  Migration("V0016__claims_of_several", PackageResources.V0016__claims_of_several_sql),
  Migration("V0017__maintenance_and_clocks", PackageResources.V0017__maintenance_and_clocks_sql),
  Migration("V0018__view_columns", PackageResources.V0018__view_columns_sql),
  Migration("V0019__checks", PackageResources.V0019__checks_sql),
  Migration("V0020__guard", PackageResources.V0020__guard_sql),
  Migration("V0021__claim_of_one", PackageResources.V0021__claim_of_one_sql),
  Migration("V0022__ends", PackageResources.V0022__ends_sql),
  Migration("V0023__waiting_for_a_worker", PackageResources.V0023__waiting_for_a_worker_sql),
]
