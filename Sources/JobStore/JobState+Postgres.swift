public import Jobs
public import Postgres

extension JobState: PostgresDecodable {
  /// The state of this name.
  public static func decode(_ field: PostgresField) -> JobState? { JobState(rawValue: field.text) }
}
