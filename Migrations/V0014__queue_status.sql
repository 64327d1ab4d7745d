-- queue_status again, for the indexes that a line has had since jobs can be throttled. Its counts and its oldest job read
-- all waiting rows otherwise: 1,090 ms with 20,000 of them, at every refresh of every dashboard.

CREATE OR REPLACE VIEW tintype.queue_status AS
  WITH waiting AS (
    -- Two halves, because each has an index and their union has none.
    SELECT queue, sum(n)::bigint AS ready FROM (
      SELECT queue, count(*) AS n FROM tintype.jobs WHERE state = 'ready' AND NOT throttled GROUP BY queue
      UNION ALL
      SELECT queue, count(*) FROM tintype.jobs WHERE state = 'ready' AND throttled GROUP BY queue) halves
    GROUP BY queue
  ), timed AS (
    SELECT queue, count(*) AS scheduled FROM tintype.jobs WHERE state = 'scheduled' GROUP BY queue
  ), chained AS (
    SELECT queue, count(*) AS blocked FROM tintype.jobs WHERE state = 'blocked' GROUP BY queue
  ), busy AS (
    SELECT queue, count(*) AS running FROM tintype.jobs WHERE state = 'running' GROUP BY queue
  )
  SELECT q.name AS queue, coalesce(ready, 0) AS ready, coalesce(scheduled, 0) AS scheduled, coalesce(blocked, 0) AS blocked,
         coalesce(running, 0) AS running, q.max_running,
         -- The first of each model's line, one index probe a model, whether or not a worker has that model.
         (WITH RECURSIVE line (model, run_at) AS (
            (SELECT coalesce(j.model, ''), j.run_at FROM tintype.jobs j
              WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = q.name
              ORDER BY coalesce(j.model, ''), j.claim_key, j.id LIMIT 1)
            UNION ALL
            SELECT next.model, next.run_at FROM line CROSS JOIN LATERAL (
              SELECT coalesce(j.model, '') AS model, j.run_at FROM tintype.jobs j
               WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = q.name AND coalesce(j.model, '') > line.model
               ORDER BY coalesce(j.model, ''), j.claim_key, j.id LIMIT 1) next)
          SELECT max(now() - run_at) FROM line) AS oldest_ready,
         (SELECT count(*) FROM tintype.workers w
           WHERE w.ended_at IS NULL AND w.lease_until > now() AND q.name = ANY (w.queues)) AS workers,
         q.paused_at, q.paused_by, q.pause_reason
    FROM tintype.queues q
    LEFT JOIN waiting ON waiting.queue = q.name LEFT JOIN timed ON timed.queue = q.name
    LEFT JOIN chained ON chained.queue = q.name LEFT JOIN busy ON busy.queue = q.name;

COMMENT ON COLUMN tintype.queue_status.ready        IS 'Jobs that may run now, those included that wait for their concurrency_key';
COMMENT ON COLUMN tintype.queue_status.scheduled    IS 'Jobs whose run_at has not come: new ones of later, failed ones that back off';
COMMENT ON COLUMN tintype.queue_status.blocked      IS 'Jobs that wait for their init_job to succeed';
COMMENT ON COLUMN tintype.queue_status.running      IS 'Jobs that a worker holds';
COMMENT ON COLUMN tintype.queue_status.max_running  IS 'How many may run at once; null: as many as the workers take';
COMMENT ON COLUMN tintype.queue_status.oldest_ready IS 'How long the first job of the line has waited since its run_at; jobs that wait for their concurrency_key do not count';
COMMENT ON COLUMN tintype.queue_status.workers      IS 'Live workers that serve the queue';
COMMENT ON COLUMN tintype.queue_status.paused_at    IS 'Since when no worker takes a job of the queue; null: it runs';
