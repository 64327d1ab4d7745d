import Postgres

/// A database as it is after a month of work: finished jobs, denser towards now, with attempts, pictures and workers, and
/// some that wait and run. Written past the triggers, which would take minutes.
enum LongHistory {
  /// - Parameter jobs: how many are finished.
  static func write(jobs: Int, to database: PostgresConnection) async throws {
    try await database.execute(
      """
      SET session_replication_role = replica;
      SET jit = off;
      INSERT INTO tintype.queues (name) VALUES ('nightly');
      INSERT INTO tintype.queues (name, paused_at, paused_by) VALUES ('bulk', now() - interval '2 hours', 'alice');
      -- 480 have ended, twenty live.
      INSERT INTO tintype.workers (name, host, pid, version, queues, models, slots, lease, lease_until, started_at, ended_at, ended_by)
        SELECT 'host-' || n % 20 || '-1', 'host-' || n % 20, n, '1', '{default,nightly}', '{demo}', 1, '1 hour',
               CASE WHEN n > 480 THEN now() + interval '1 hour' ELSE ended END, ended - interval '8 hours',
               CASE WHEN n <= 480 THEN ended END, CASE WHEN n <= 480 THEN CASE n % 7 WHEN 0 THEN 'lost' ELSE 'stop' END END
          FROM (SELECT n, now() - (500 - n) * interval '2 hours' AS ended FROM generate_series(1, 500) n) w;
      INSERT INTO tintype.jobs (prompt, model, steps, seed, image_count, queue, run_at, max_attempts, state, attempt_id,
          failures, losses, error_code, error, warnings, submitted_by, created_at, started_at, finished_at, claim_key)
        SELECT 'a red boat', CASE n % 2 WHEN 0 THEN 'demo' END, 1, n, 1 + n % 2,
               CASE n % 10 WHEN 9 THEN 'bulk' WHEN 8 THEN 'nightly' WHEN 7 THEN 'nightly' ELSE 'default' END, t, 3,
               CASE WHEN n % 40 = 0 THEN 'failed' WHEN n % 100 = 1 THEN 'cancelled' ELSE 'succeeded' END, n, 0, 0,
               CASE WHEN n % 40 = 0 THEN 'not_finite' END, CASE WHEN n % 40 = 0 THEN 'not a number' END, '{}', 'web', t,
               t + n % 90 * interval '1 s', t + (n % 90 + 1 + n % 7) * interval '1 s', t
          FROM (SELECT n, now() - interval '30 days' * (1 - power(n::double precision / \(jobs), 0.8)) - interval '2 minutes' AS t
                  FROM generate_series(1, \(jobs)) n) s;
      INSERT INTO tintype.images (job_id, index, attempt_id, path, sha256, bytes, width, height, seed)
        SELECT id, 0, id, '0/' || id || '-0.png', sha256('x'), 9000, 512, 512, seed FROM tintype.jobs
         WHERE state = 'succeeded' AND id % 4 = 2;
      INSERT INTO tintype.attempts (job_id, worker_id, number, outcome, error_code, error, started_at, finished_at, phase, progress)
        SELECT id, 1 + id % 500, 1, state, error_code, error, started_at, finished_at, 'store', 1 FROM tintype.jobs;
      INSERT INTO tintype.jobs (prompt, steps, seed, run_at, max_attempts, state, failures, losses, warnings, submitted_by,
          created_at, claim_key)
        SELECT 'waits', 1, n, now() - n * interval '10 ms', 3, CASE WHEN n % 10 = 0 THEN 'scheduled' ELSE 'ready' END, 0, 0,
               '{}', 'web', now(), now() - n * interval '10 ms' FROM generate_series(1, 20000) n;
      INSERT INTO tintype.attempts (job_id, worker_id, number, started_at, phase, step, progress, progress_at)
        SELECT \(jobs) + 20000 + n, 480 + n, 1, now() - interval '1 minute', 'denoise', 1, 0.4, now() FROM generate_series(1, 20) n;
      INSERT INTO tintype.jobs (prompt, steps, seed, run_at, max_attempts, state, attempt_id, failures, losses, warnings,
          submitted_by, created_at, started_at, claim_key)
        SELECT 'runs', 4, n, now(), 3, 'running', \(jobs) + n, 0, 0, '{}', 'web', now(), now() - interval '1 minute', now()
          FROM generate_series(1, 20) n;
      SET session_replication_role = origin;
      ANALYZE tintype.jobs, tintype.attempts, tintype.images, tintype.workers, tintype.queues;
      """)
  }
}
