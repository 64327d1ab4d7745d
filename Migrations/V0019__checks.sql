-- Constraints that cost less. PostgreSQL keeps a constraint as text and reads it anew in each statement that touches the
-- table: the eight of `jobs` took a third of the time of an end. A function is read once in a session. What is refused is
-- what was refused before, and for jobs by the same names.

-- What each state of a job must and must not have. The first condition is all that a job in order meets.
CREATE FUNCTION tintype.job_is_whole(
  p_state text, p_attempt_id bigint, p_started_at timestamptz, p_finished_at timestamptz, p_failures integer, p_losses integer,
  p_error_code text, p_error text, p_init_job bigint
) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
  broken text;
BEGIN
  IF (p_failures >= 0 AND p_losses >= 0 AND CASE p_state
    WHEN 'ready'     THEN num_nonnulls(p_attempt_id, p_started_at, p_finished_at) = 0
    WHEN 'running'   THEN num_nulls(p_attempt_id, p_started_at) = 0 AND p_finished_at IS NULL
    WHEN 'succeeded' THEN num_nulls(p_attempt_id, p_started_at, p_finished_at) = 0 AND num_nonnulls(p_error_code, p_error) = 0
    WHEN 'scheduled' THEN num_nonnulls(p_attempt_id, p_started_at, p_finished_at) = 0
    WHEN 'blocked'   THEN num_nonnulls(p_attempt_id, p_started_at, p_finished_at) = 0 AND p_init_job IS NOT NULL
    WHEN 'failed'    THEN num_nulls(p_finished_at, p_error_code, p_error) = 0
    WHEN 'cancelled' THEN p_finished_at IS NOT NULL
    ELSE false END)
  THEN
    RETURN true;
  END IF;
  broken := CASE
    WHEN p_state NOT IN ('scheduled', 'blocked', 'ready', 'running', 'succeeded', 'failed', 'cancelled') THEN 'state_is_known'
    WHEN p_failures < 0 OR p_losses < 0 THEN 'counters_are_natural'
    WHEN (p_finished_at IS NOT NULL) <> (p_state IN ('succeeded', 'failed', 'cancelled')) THEN 'finished_when_terminal'
    WHEN p_state IN ('running', 'succeeded') AND num_nulls(p_attempt_id, p_started_at) > 0 THEN 'running_has_attempt'
    WHEN p_state IN ('scheduled', 'blocked', 'ready') AND num_nonnulls(p_attempt_id, p_started_at) > 0 THEN 'waiting_has_no_attempt'
    WHEN p_state = 'blocked' THEN 'blocked_has_init_job'
    WHEN p_state = 'failed' THEN 'failed_has_error'
    ELSE 'succeeded_has_no_error' END;
  RAISE EXCEPTION 'a job that is % violates %', p_state, broken
    USING ERRCODE = 'check_violation', SCHEMA = 'tintype', TABLE = 'jobs', CONSTRAINT = broken;
END $$;
COMMENT ON FUNCTION tintype.job_is_whole IS 'Raises SQLSTATE 23514 with the name of the rule if a job has what its state does not allow or lacks what it needs. Internal';

ALTER TABLE tintype.jobs
  DROP CONSTRAINT state_is_known, DROP CONSTRAINT counters_are_natural, DROP CONSTRAINT finished_when_terminal,
  DROP CONSTRAINT running_has_attempt, DROP CONSTRAINT waiting_has_no_attempt, DROP CONSTRAINT blocked_has_init_job,
  DROP CONSTRAINT failed_has_error, DROP CONSTRAINT succeeded_has_no_error,
  ADD CONSTRAINT job_is_whole CHECK (tintype.job_is_whole(
    state, attempt_id, started_at, finished_at, failures, losses, error_code, error, init_job));

CREATE FUNCTION tintype.attempt_is_whole(p_outcome text, p_finished_at timestamptz, p_progress double precision) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN (p_finished_at IS NULL) = (p_outcome IS NULL) AND coalesce(p_progress, 0) BETWEEN 0 AND 1
    AND coalesce(p_outcome, 'succeeded') IN ('succeeded', 'failed', 'cancelled', 'released', 'lost', 'timed_out');
END $$;
COMMENT ON FUNCTION tintype.attempt_is_whole IS 'Whether an attempt has an end and an outcome or neither, and both are possible ones. Internal';
ALTER TABLE tintype.attempts
  DROP CONSTRAINT attempts_outcome_check, DROP CONSTRAINT attempts_progress_check, DROP CONSTRAINT finish_is_whole,
  ADD CONSTRAINT attempt_is_whole CHECK (tintype.attempt_is_whole(outcome, finished_at, progress));

CREATE FUNCTION tintype.image_is_whole(p_index integer, p_path text, p_sha256 bytea, p_bytes bigint, p_width integer, p_height integer)
RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
  RETURN p_index >= 0 AND p_path <> '' AND p_path !~ '^/' AND octet_length(p_sha256) = 32
    AND p_bytes > 0 AND p_width > 0 AND p_height > 0;
END $$;
COMMENT ON FUNCTION tintype.image_is_whole IS 'Whether a picture''s row can be that of a file below an output folder. Internal';
ALTER TABLE tintype.images
  DROP CONSTRAINT images_index_check, DROP CONSTRAINT images_path_check, DROP CONSTRAINT images_sha256_check,
  DROP CONSTRAINT images_bytes_check, DROP CONSTRAINT images_width_check, DROP CONSTRAINT images_height_check,
  ADD CONSTRAINT image_is_whole CHECK (tintype.image_is_whole(index, path, sha256, bytes, width, height));

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
  GRANT EXECUTE ON FUNCTION tintype.enqueue, tintype.cancel, tintype.retry, tintype.retry_failed,
    tintype.job_is_whole  -- which their INSERT calls
    TO tintype_enqueuer;

  -- Workers: their functions, and the version of the schema. No table.
  GRANT EXECUTE ON FUNCTION tintype.register_worker, tintype.claim, tintype.heartbeat, tintype.finish, tintype.finish_all, tintype.stop_worker,
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
SELECT tintype.install_roles();
