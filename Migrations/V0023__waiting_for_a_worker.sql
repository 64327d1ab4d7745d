-- A job that names no model waits for a worker of its queue, not for one "with model" and no name: format() of a null is not null.
-- Columns, their comments and rights stay as they are.

CREATE OR REPLACE VIEW tintype.job_status AS
  SELECT j.id, j.state, j.queue, j.model, j.priority, j.width, j.height, j.steps, j.guidance_scale, j.strength, j.seed,
         j.image_count, j.init_job, j.submitted_by, j.created_at, j.run_at, j.started_at, j.finished_at,
         CASE j.state
           WHEN 'blocked'   THEN format('job %s to succeed', j.init_job)
           WHEN 'scheduled' THEN 'its time, run_at'
           WHEN 'ready' THEN CASE
             WHEN EXISTS (SELECT FROM tintype.queues q WHERE q.name = j.queue AND q.paused_at IS NOT NULL)
             THEN format('queue %s to be resumed', j.queue)
             WHEN j.throttled THEN 'another job with its concurrency_key to end'
             WHEN NOT EXISTS (SELECT FROM tintype.workers w
                               WHERE w.ended_at IS NULL AND w.lease_until > now() AND w.desired = 'run'
                                 AND j.queue = ANY (w.queues) AND (j.model IS NULL OR j.model = ANY (w.models)))
             THEN format('a worker for queue %s', j.queue) || coalesce(' with model ' || j.model, '')
             ELSE 'a free worker' END
         END AS waiting_for,
         j.failures, j.losses, j.max_attempts, j.error_code, cardinality(j.warnings) AS warning_count,
         j.attempt_id, a.worker_id, a.phase, a.step, a.progress, a.progress_at,
         a.cancel_requested_at IS NOT NULL AND a.finished_at IS NULL AS cancelling,
         j.tenant, j.deadline
    FROM tintype.jobs j LEFT JOIN tintype.attempts a ON a.id = j.attempt_id;
