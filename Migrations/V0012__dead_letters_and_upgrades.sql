-- What people see of all this, jobs that need a person, rolling upgrades, and the rights of the new functions.

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
             THEN format('a worker for queue %s', j.queue) || coalesce(format(' with model %s', j.model), '')
             ELSE 'a free worker' END
         END AS waiting_for,
         j.failures, j.losses, j.max_attempts, j.error_code, cardinality(j.warnings) AS warning_count,
         j.attempt_id, a.worker_id, a.phase, a.step, a.progress, a.progress_at,
         a.cancel_requested_at IS NOT NULL AND a.finished_at IS NULL AS cancelling,
         j.tenant, j.deadline
    FROM tintype.jobs j LEFT JOIN tintype.attempts a ON a.id = j.attempt_id;

CREATE VIEW tintype.dead_letters AS
  SELECT j.id, j.queue, j.model, j.tenant, j.submitted_by, j.finished_at,
         CASE WHEN j.error_code = 'worker_lost'     THEN 'poison'
              WHEN j.error_code = 'deadline_passed' THEN 'deadline'
              WHEN j.error_code LIKE 'init\_job\_%' AND j.attempt_id IS NULL THEN 'init_job'
              WHEN j.failures >= j.max_attempts     THEN 'attempts'
              ELSE 'permanent' END AS reason,
         j.error_code, j.error, j.failures, j.losses, j.max_attempts,
         (SELECT count(*) FROM tintype.attempts a WHERE a.job_id = j.id) AS attempts
    FROM (SELECT * FROM tintype.jobs WHERE state = 'failed' ORDER BY finished_at DESC LIMIT 1000) j
   ORDER BY j.finished_at DESC;
COMMENT ON VIEW tintype.dead_letters IS 'The last thousand jobs that failed for good, newest first, and why: poison (its workers vanished), attempts (used up), permanent (trying again cannot help), deadline, init_job. retry(id) brings one back';

CREATE OR REPLACE FUNCTION tintype.retry(job_id bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  job    tintype.jobs := tintype.lock_job($1);
  parent record;
BEGIN
  IF job.state NOT IN ('failed', 'cancelled') THEN
    RAISE EXCEPTION 'job % is %: only a failed or cancelled job can be retried', job.id, job.state
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  SELECT id, state INTO parent FROM tintype.jobs WHERE id = job.init_job;
  IF parent.state IN ('failed', 'cancelled') THEN
    RAISE EXCEPTION 'job % starts from the picture of job %, which is %: retry that one first', job.id, parent.id, parent.state
      USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  job.run_at := greatest(job.run_at, now());
  job.state  := tintype.waiting_state(job.init_job, job.run_at);
  PERFORM set_config('tintype.retry', 'on', true);
  UPDATE tintype.jobs SET
    state = job.state, run_at = job.run_at, attempt_id = NULL, failures = 0, losses = 0, error_code = NULL, error = NULL,
    warnings = '{}', started_at = NULL, finished_at = NULL
    WHERE id = job.id;
  PERFORM set_config('tintype.retry', 'off', true);
  -- Who wants it now wants it although it is late.
  UPDATE tintype.jobs SET deadline = NULL WHERE id = job.id AND deadline <= job.run_at;
  IF job.state = 'ready' THEN
    PERFORM pg_notify('tintype_ready', job.queue);
  END IF;
  RETURN job.state;
END $$;
COMMENT ON FUNCTION tintype.retry IS 'Brings a failed or cancelled job back with all its attempts; a deadline that has passed no longer counts, and the history stays in attempts. Returns its new state';

CREATE FUNCTION tintype.retry_failed(queue text DEFAULT NULL, error_code text DEFAULT NULL, at_most integer DEFAULT 1000)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  dead    bigint;
  retried integer := 0;
BEGIN
  -- In the order of their ids, so that a job is back before those that start from its picture.
  FOR dead IN
    SELECT d.id FROM (
      SELECT j.id, j.init_job FROM tintype.jobs j
       WHERE j.state = 'failed' AND ($1 IS NULL OR j.queue = $1) AND ($2 IS NULL OR j.error_code = $2)
         AND tintype.can_manage(j.submitted_by)
       ORDER BY j.finished_at DESC LIMIT least(at_most, 10000)) d ORDER BY d.id
  LOOP
    -- Not what a failed job outside of this choice would hold up.
    CONTINUE WHEN EXISTS (SELECT FROM tintype.jobs c JOIN tintype.jobs p ON p.id = c.init_job
                           WHERE c.id = dead AND p.state IN ('failed', 'cancelled'));
    CONTINUE WHEN (SELECT j.state FROM tintype.jobs j WHERE j.id = dead) <> 'failed';
    PERFORM tintype.retry(dead);
    retried := retried + 1;
  END LOOP;
  RETURN retried;
END $$;
COMMENT ON FUNCTION tintype.retry_failed IS 'Brings back the newest failed jobs that one may manage: of a queue, with an error_code, at most so many. Returns how many';

-- A program may work with a schema that is newer than itself, as long as no migration since has said otherwise: so a
-- database is migrated first, and workers are replaced one by one, without any of them refusing to start in between.
CREATE TABLE tintype.compatibility (
  singleton       boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  oldest_program  integer NOT NULL
);
COMMENT ON TABLE  tintype.compatibility                IS 'One row: which older programs this schema still serves';
COMMENT ON COLUMN tintype.compatibility.singleton      IS 'Always true: there is one row';
COMMENT ON COLUMN tintype.compatibility.oldest_program IS 'A program whose last known migration is this one or a later one may use the schema as it is. A migration that breaks older programs sets it to its own number';
INSERT INTO tintype.compatibility (oldest_program) VALUES (8);

CREATE OR REPLACE FUNCTION tintype.install_roles() RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  role   text;
  object record;
BEGIN
  FOREACH role IN ARRAY ARRAY['tintype_owner', 'tintype_enqueuer', 'tintype_worker', 'tintype_reader', 'tintype_admin'] LOOP
    CONTINUE WHEN to_regrole(role) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
      IF role = 'tintype_admin' THEN
        GRANT tintype_enqueuer, tintype_reader TO tintype_admin;
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- another database of this cluster is being migrated at this moment
    END;
  END LOOP;
  IF NOT pg_has_role(current_user, 'tintype_owner', 'MEMBER') THEN
    EXECUTE format('GRANT tintype_owner TO %I', current_user);
  END IF;

  -- Everything belongs to a role that nobody logs in as, so the functions run with its rights and not a superuser's.
  ALTER SCHEMA tintype OWNER TO tintype_owner;
  FOR object IN
    SELECT format('ALTER TABLE %s OWNER TO tintype_owner', oid::regclass) AS command FROM pg_class
     WHERE relnamespace = 'tintype'::regnamespace AND relkind IN ('r', 'v', 'p')
    UNION ALL
    SELECT format('ALTER FUNCTION %s OWNER TO tintype_owner', oid::regprocedure) FROM pg_proc
     WHERE pronamespace = 'tintype'::regnamespace
  LOOP
    EXECUTE object.command;
  END LOOP;

  GRANT USAGE ON SCHEMA tintype TO tintype_enqueuer, tintype_worker, tintype_reader, tintype_admin;

  -- Submitters: requests, and what became of their own.
  GRANT SELECT ON tintype.jobs, tintype.attempts, tintype.images TO tintype_enqueuer;
  GRANT INSERT (prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
      init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, idempotency_key, metadata,
      tenant, concurrency_key, deadline),
    UPDATE (prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
      init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, metadata, tenant, concurrency_key, deadline)
    ON tintype.jobs TO tintype_enqueuer;
  GRANT EXECUTE ON FUNCTION tintype.enqueue, tintype.cancel, tintype.retry, tintype.retry_failed TO tintype_enqueuer;

  -- Workers: their functions, and the version of the schema. No table.
  GRANT EXECUTE ON FUNCTION tintype.register_worker, tintype.claim, tintype.heartbeat, tintype.finish, tintype.stop_worker,
    tintype.maintain, tintype.installation_id, tintype.own_output, tintype.removals_due, tintype.removals_done, tintype.orphans
    TO tintype_worker;
  GRANT SELECT ON tintype.migrations, tintype.compatibility TO tintype_enqueuer, tintype_worker, tintype_reader, tintype_admin;

  -- Dashboards: views, none of which shows a prompt.
  GRANT SELECT ON tintype.job_status, tintype.queue_status, tintype.worker_status, tintype.throughput, tintype.recent_errors,
    tintype.dead_letters TO tintype_reader;

  -- Operators: both of these (by membership, above) on everybody's jobs, queues and their policy, and the control of workers.
  GRANT SELECT ON tintype.queues, tintype.workers, tintype.concurrency_limits TO tintype_admin;
  GRANT INSERT (name, max_running, max_running_per_key, max_attempts, max_losses, timeout, retry_base, retry_cap, retention, model_affinity),
    UPDATE (max_running, max_running_per_key, max_attempts, max_losses, timeout, retry_base, retry_cap, retention, model_affinity)
    ON tintype.queues TO tintype_admin;
  GRANT INSERT, UPDATE, DELETE ON tintype.concurrency_limits TO tintype_admin;
  GRANT EXECUTE ON FUNCTION tintype.pause, tintype.resume, tintype.drain TO tintype_admin;
  IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'tintype.jobs'::regclass AND polname = 'all_jobs') THEN
    CREATE POLICY all_jobs ON tintype.jobs TO tintype_admin USING (true) WITH CHECK (true);
  END IF;
  RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'user % may not create roles (%): everything in schema tintype belongs to it. For least privilege, run Deploy/roles/roles.sql as a superuser.',
    current_user, SQLERRM;
  RETURN false;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tintype FROM PUBLIC;
-- A later migration that adds a table, a view or a function ends with these two, too.
SELECT tintype.install_roles();
