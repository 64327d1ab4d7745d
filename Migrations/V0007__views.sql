-- What dashboards read. No prompt, picture or metadata appears in any of them, and each is bounded: by the number of
-- queues or workers, by a limit, or by an hour.

CREATE VIEW tintype.job_status AS
  SELECT j.id, j.state, j.queue, j.model, j.priority, j.width, j.height, j.steps, j.guidance_scale, j.strength, j.seed,
         j.image_count, j.init_job, j.submitted_by, j.created_at, j.run_at, j.started_at, j.finished_at,
         CASE j.state
           WHEN 'blocked'   THEN format('job %s to succeed', j.init_job)
           WHEN 'scheduled' THEN 'its time, run_at'
           WHEN 'ready' THEN CASE
             WHEN EXISTS (SELECT FROM tintype.queues q WHERE q.name = j.queue AND q.paused_at IS NOT NULL)
             THEN format('queue %s to be resumed', j.queue)
             WHEN NOT EXISTS (SELECT FROM tintype.workers w
                               WHERE w.ended_at IS NULL AND w.lease_until > now() AND w.desired = 'run'
                                 AND j.queue = ANY (w.queues) AND (j.model IS NULL OR j.model = ANY (w.models)))
             THEN format('a worker for queue %s', j.queue) || coalesce(format(' with model %s', j.model), '')
             ELSE 'a free worker' END
         END AS waiting_for,
         j.failures, j.losses, j.max_attempts, j.error_code, cardinality(j.warnings) AS warning_count,
         j.attempt_id, a.worker_id, a.phase, a.step, a.progress, a.progress_at,
         a.cancel_requested_at IS NOT NULL AND a.finished_at IS NULL AS cancelling
    FROM tintype.jobs j LEFT JOIN tintype.attempts a ON a.id = j.attempt_id;
COMMENT ON VIEW tintype.job_status IS 'Each job without its words: where it stands, what it waits for, how far it has got. Filter it by id or order by id with a limit';

CREATE VIEW tintype.queue_status AS
  WITH waiting AS (
    SELECT queue, count(*) AS ready FROM tintype.jobs WHERE state = 'ready' GROUP BY queue
  ), timed AS (
    SELECT queue, count(*) AS scheduled FROM tintype.jobs WHERE state = 'scheduled' GROUP BY queue
  ), chained AS (
    SELECT queue, count(*) AS blocked FROM tintype.jobs WHERE state = 'blocked' GROUP BY queue
  ), busy AS (
    SELECT queue, count(*) AS running FROM tintype.jobs WHERE state = 'running' GROUP BY queue
  )
  SELECT q.name AS queue, coalesce(ready, 0) AS ready, coalesce(scheduled, 0) AS scheduled, coalesce(blocked, 0) AS blocked,
         coalesce(running, 0) AS running, q.max_running,
         -- The first of each model's line: the oldest of a line but for priorities.
         (SELECT max(now() - first.run_at) FROM (
            SELECT DISTINCT m FROM tintype.workers w, unnest(w.models) m WHERE w.ended_at IS NULL UNION SELECT '') AS known (m)
            CROSS JOIN LATERAL (SELECT j.run_at FROM tintype.jobs j
              WHERE j.state = 'ready' AND j.queue = q.name AND coalesce(j.model, '') = known.m
              ORDER BY j.claim_key, j.id LIMIT 1) first) AS oldest_ready,
         (SELECT count(*) FROM tintype.workers w
           WHERE w.ended_at IS NULL AND w.lease_until > now() AND q.name = ANY (w.queues)) AS workers,
         q.paused_at, q.paused_by, q.pause_reason
    FROM tintype.queues q
    LEFT JOIN waiting ON waiting.queue = q.name LEFT JOIN timed ON timed.queue = q.name
    LEFT JOIN chained ON chained.queue = q.name LEFT JOIN busy ON busy.queue = q.name;
COMMENT ON VIEW tintype.queue_status IS 'Each queue: how much waits and for how long, who serves it, whether and why it is paused';

CREATE VIEW tintype.worker_status AS
  SELECT w.id, w.name, w.host, w.pid, w.version, w.queues, w.models, w.slots,
         (SELECT count(*) FROM tintype.attempts a WHERE a.worker_id = w.id AND a.finished_at IS NULL) AS running,
         CASE WHEN w.ended_by = 'stop' THEN 'stopped'
              WHEN w.ended_by = 'lost' THEN 'lost'
              WHEN w.lease_until < now() THEN 'silent'
              WHEN w.desired = 'drain' THEN 'draining'
              ELSE 'running' END AS state,
         greatest(now() - (w.lease_until - w.lease), '0') AS silent_for, w.started_at, w.ended_at
    FROM tintype.workers w
   WHERE w.ended_at IS NULL OR w.ended_at > now() - interval '1 day';
COMMENT ON VIEW tintype.worker_status IS 'Each worker that lives or ended within a day, and how long ago it was last heard of';

CREATE VIEW tintype.throughput AS
  SELECT date_trunc('minute', j.finished_at) AS minute, j.queue,
         count(*) FILTER (WHERE j.state = 'succeeded') AS succeeded,
         count(*) FILTER (WHERE j.state = 'failed') AS failed,
         count(*) FILTER (WHERE j.state = 'cancelled') AS cancelled,
         coalesce(sum(j.image_count) FILTER (WHERE j.state = 'succeeded'), 0) AS images,
         percentile_cont(0.5)  WITHIN GROUP (ORDER BY extract(epoch FROM j.started_at - j.run_at)::double precision) AS wait_p50,
         percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM j.started_at - j.run_at)::double precision) AS wait_p95,
         percentile_cont(0.5)  WITHIN GROUP (ORDER BY extract(epoch FROM j.finished_at - j.started_at)::double precision) AS run_p50,
         percentile_cont(0.95) WITHIN GROUP (ORDER BY extract(epoch FROM j.finished_at - j.started_at)::double precision) AS run_p95
    FROM tintype.queues q JOIN tintype.jobs j ON j.queue = q.name AND j.finished_at > now() - interval '1 hour'
   GROUP BY 1, 2;
COMMENT ON VIEW tintype.throughput IS 'The last hour by minute and queue: jobs by how they ended, pictures, seconds waited and run';

CREATE VIEW tintype.recent_errors AS
  SELECT a.finished_at, a.job_id, a.id AS attempt_id, j.queue, j.model, a.worker_id, w.name AS worker, w.host, a.number,
         a.phase, a.outcome, a.error_code, a.error, j.state AS job_state
    FROM (SELECT * FROM tintype.attempts WHERE error_code IS NOT NULL ORDER BY finished_at DESC LIMIT 100) a
    JOIN tintype.jobs j ON j.id = a.job_id JOIN tintype.workers w ON w.id = a.worker_id
   ORDER BY a.finished_at DESC;
COMMENT ON VIEW tintype.recent_errors IS 'The last hundred attempts that went wrong, newest first';
