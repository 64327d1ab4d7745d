import Foundation
import Postgres
import TestSupport

/// What must be true of the rows after the run, whatever happened. Each check is a query that lists what is wrong.
enum Books {
  /// A second record of every change of a job's state, in the order of the changes, which Tintype does not know of.
  static let recorder = """
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.transitions (
      id bigint GENERATED ALWAYS AS IDENTITY, at timestamptz NOT NULL DEFAULT clock_timestamp(), job bigint NOT NULL,
      old text, new text NOT NULL, old_attempt bigint, new_attempt bigint,
      by text NOT NULL DEFAULT current_setting('application_name'));
    CREATE FUNCTION chaos.record() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
    BEGIN
      IF TG_OP = 'INSERT' THEN
        INSERT INTO chaos.transitions (job, new, new_attempt) VALUES (NEW.id, NEW.state, NEW.attempt_id);
      ELSE
        INSERT INTO chaos.transitions (job, old, new, old_attempt, new_attempt)
          VALUES (NEW.id, OLD.state, NEW.state, OLD.attempt_id, NEW.attempt_id);
      END IF;
      RETURN NULL;
    END $$;
    CREATE TRIGGER zz_chaos AFTER INSERT OR UPDATE OF state, attempt_id ON tintype.jobs
      FOR EACH ROW EXECUTE FUNCTION chaos.record();
    """

  /// Name, and a query with one column of text, a row a violation. `$1` are the jobs that a person tried to bring back,
  /// `$2` those that one tried to cancel.
  static let checks: [(name: String, sql: String)] = [
    ("a job has not ended", "SELECT format('job %s is %s', id, state) FROM tintype.jobs WHERE finished_at IS NULL"),
    (
      "a job failed although nothing is wrong with it",
      """
      SELECT format('job %s: %s %s', j.id, j.error_code, j.error) FROM tintype.jobs j
       WHERE j.state = 'failed' AND NOT EXISTS (SELECT FROM tintype.jobs p WHERE p.id = j.init_job AND p.state <> 'succeeded')
      """
    ),
    (
      "a job was cancelled that nobody cancelled",
      "SELECT format('job %s', id) FROM tintype.jobs WHERE state = 'cancelled' AND id <> ALL ($2)"
    ),
    (
      "an attempt has not ended",
      "SELECT format('attempt %s of job %s', id, job_id) FROM tintype.attempts WHERE finished_at IS NULL"
    ),
    (
      "a job's successes are not one, or it is not the job's attempt",
      """
      SELECT format('job %s (%s): %s successes', j.id, j.state, count(a.id)) FROM tintype.jobs j
        LEFT JOIN tintype.attempts a ON a.job_id = j.id AND a.outcome = 'succeeded'
       GROUP BY j.id HAVING count(a.id) <> (j.state = 'succeeded')::integer
          OR (j.state = 'succeeded' AND min(a.id) <> j.attempt_id)
      """
    ),
    (
      "a job's counters are not its history",
      """
      SELECT format('job %s: %s failures and %s losses, counted %s and %s', j.id, j.failures, j.losses, h.failures, h.losses)
        FROM tintype.jobs j, LATERAL (
          SELECT count(*) FILTER (WHERE outcome IN ('failed', 'timed_out')) AS failures,
                 count(*) FILTER (WHERE outcome = 'lost') AS losses FROM tintype.attempts WHERE job_id = j.id) h
       WHERE j.id <> ALL ($1) AND (j.failures, j.losses) IS DISTINCT FROM (h.failures::integer, h.losses::integer)
      """
    ),
    (
      "an attempt's number is not one more than the failures before it",
      """
      SELECT format('attempt %s of job %s is number %s', a.id, a.job_id, a.number) FROM tintype.attempts a
       WHERE a.job_id <> ALL ($1) AND a.number <> 1 + (SELECT count(*) FROM tintype.attempts b
         WHERE b.job_id = a.job_id AND b.id < a.id AND b.outcome IN ('failed', 'timed_out'))
      """
    ),
    (
      "an attempt failed of something that was not done to it",
      """
      SELECT format('attempt %s of job %s: %s %s', a.id, a.job_id, a.error_code, a.error)
        FROM tintype.attempts a JOIN tintype.jobs j ON j.id = a.job_id
       WHERE a.outcome IN ('failed', 'timed_out') AND NOT (a.error_code = 'timeout' AND j.timeout IS NOT NULL)
         AND a.error_code NOT IN ('out_of_disk', 'output_read_only', 'output_io_error')
      """
    ),
    (
      "a success without its pictures, or pictures without a success",
      """
      SELECT format('job %s (%s): %s of %s pictures', j.id, j.state, count(i.index), j.image_count) FROM tintype.jobs j
        LEFT JOIN tintype.images i ON i.job_id = j.id AND i.attempt_id = j.attempt_id
       GROUP BY j.id HAVING count(i.index) <> CASE j.state WHEN 'succeeded' THEN j.image_count ELSE 0 END
          OR (SELECT count(*) FROM tintype.images o WHERE o.job_id = j.id) <> count(i.index)
      """
    ),
    (
      "a change of state that starts from another state than the last one came to",
      """
      SELECT format('job %s: %s (attempt %s) after %s (attempt %s)', job, old, old_attempt, before, attempt_before) FROM (
        SELECT *, lag(new) OVER w AS before, lag(new_attempt) OVER w AS attempt_before FROM chaos.transitions
        WINDOW w AS (PARTITION BY job ORDER BY id)) t
       WHERE (old, old_attempt) IS DISTINCT FROM (before, attempt_before)
      """
    ),
    (
      "a terminal state was left, and not by a person",
      """
      SELECT format('job %s: from %s to %s by %s', job, old, new, by) FROM chaos.transitions
       WHERE old IN ('succeeded', 'failed', 'cancelled') AND (old = 'succeeded' OR by <> 'chaos' OR job <> ALL ($1))
      """
    ),
    (
      "two attempts held a job at once",
      """
      SELECT format('job %s: attempt %s became %s', job, old_attempt, new_attempt) FROM chaos.transitions
       WHERE old = 'running' AND new = 'running'
      UNION ALL
      SELECT format('attempt %s held job %s %s times', new_attempt, job, count(*)) FROM chaos.transitions
       WHERE new = 'running' GROUP BY job, new_attempt HAVING count(*) > 1
      UNION ALL
      SELECT format('attempts %s and %s of job %s', a.id, b.id, a.job_id) FROM tintype.attempts a
        JOIN tintype.attempts b ON b.job_id = a.job_id AND b.id > a.id
        JOIN chaos.transitions x ON x.job = a.job_id AND x.old = 'running' AND x.old_attempt = a.id
        JOIN chaos.transitions y ON y.job = b.job_id AND y.new = 'running' AND y.new_attempt = b.id
       WHERE x.id > y.id
      """
    ),
    (
      "a worker has not ended",
      "SELECT format('worker %s (%s)', id, name) FROM tintype.workers WHERE ended_at IS NULL"
    ),
  ]

  /// What the rows contradict.
  static func violations(_ connection: PostgresConnection, _ ledger: Traffic.Ledger) async throws -> [String] {
    var found = ledger.contradictions.map { "one key, two jobs: \($0)" }
    func list(_ jobs: some Sequence<Int64>) -> String {
      "'{\(jobs.map(String.init).joined(separator: ","))}'::bigint[]"
    }
    for (name, sql) in checks {
      let query = sql.replacing("$1", with: list(ledger.retried)).replacing("$2", with: list(ledger.cancelled))
      for row in try await connection.query("SELECT v FROM (\(query)) q (v)").rows {
        found.append("\(name): \(try row.decode("v", String.self))")
      }
    }
    let lost = try await connection.query(
      "SELECT id FROM unnest(\(list(ledger.accepted.values))) id WHERE NOT EXISTS (SELECT FROM tintype.jobs j WHERE j.id = id)"
    )
    found += try lost.rows.map { "job \(try $0.decode("id", Int64.self)) was accepted and is gone" }
    return found
  }
}

/// What must be true of the files.
struct FileBooks {
  private(set) var violations: [String] = []
  /// Files of attempts that ended without success and could not clean up: what housekeeping is there for.
  private(set) var leftovers: [String] = []

  /// Compares rows and files, by programs that are not ours.
  init(_ connection: PostgresConnection, output: String) async throws {
    // Housekeeping may be at work: a file that goes between find and its sum makes xargs end with 123. One that cannot be read
    // for another reason has no sum either, and if a row names it, it is missed below.
    let listing = try await ProcessLaunch.output(
      of: "sh", "-c",
      "cd '\(output)' && find . -type f -name '*.png' -print0 | { xargs -0r sha256sum 2>/dev/null || [ $? -eq 123 ]; }")
    var files: [String: String] = [:]
    for line in listing.split(separator: "\n") {
      // The sum, two spaces, ./ and the path.
      files[String(line.dropFirst(68))] = String(line.prefix(64))
    }
    let rows = try await connection.query(
      "SELECT path, encode(sha256, 'hex') AS sum, job_id FROM tintype.images ORDER BY job_id, index")
    for row in rows.rows {
      let (path, sum): (String, String) = try (row.decode("path"), row.decode("sum"))
      switch files.removeValue(forKey: path) {
      case nil: violations.append("a picture is gone: \(path)")
      case let other? where other != sum: violations.append("a picture is not what its row says: \(path)")
      case _: break
      }
    }
    let partial = try FileManager.default.contentsOfDirectory(atPath: "\(output)/.partial").map { ".partial/\($0)" }
    for file in (Array(files.keys) + partial).sorted() {
      // …/attempt-index.png, and .partial/worker.attempt-index.
      let attempt = file.split { $0 == "/" || $0 == "." }.last { $0.contains("-") }?.split(separator: "-").first
      let rows = try await connection.query(
        "SELECT FROM tintype.attempts WHERE id = $1 AND outcome <> 'succeeded'",
        [.int(attempt.flatMap { Int64($0) } ?? 0)])
      // A file made only to ask the file system for the time.
      if rows.rows.isEmpty, !file.hasSuffix(".clock") {
        violations.append("a file that no row names: \(file)")
      } else {
        leftovers.append(file)
      }
    }
  }
}
