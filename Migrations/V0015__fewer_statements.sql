-- An end in few statements (claims: V0016). A job of no work cost 1.1 ms of the server's time, nearly all of it the starting and
-- ending of some thirty statements and five triggers. What they promise is what it was: a claim locks each row it takes,
-- an end is guarded by the attempt's id, and every change of a state passes the same guard.

-- The guard's condition now stands in front of it: the two changes that every job makes, taken by a worker and done, are
-- legal by the same table as before and need no call. Whatever else is changed with them still does.
DROP TRIGGER jobs_check_transition ON tintype.jobs;
CREATE TRIGGER jobs_check_transition BEFORE UPDATE OF state ON tintype.jobs FOR EACH ROW
  WHEN (old.state <> new.state AND (old.state, new.state) <> ('ready', 'running') AND (old.state, new.state) <> ('running', 'succeeded'))
  EXECUTE FUNCTION tintype.check_transition();

DROP TRIGGER jobs_place_in_line ON tintype.jobs;
CREATE TRIGGER jobs_place_in_line BEFORE INSERT ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.place_in_line();
CREATE TRIGGER jobs_place_in_line_again BEFORE UPDATE OF state, queue, priority, run_at, tenant, concurrency_key, deadline
  ON tintype.jobs FOR EACH ROW
  -- A job that runs or is done has no place to be given; only that nobody changes its request meanwhile is to be seen to.
  WHEN (new.state NOT IN ('running', 'succeeded') OR new.throttled
        OR (new.queue, new.tenant, new.concurrency_key, new.deadline) IS DISTINCT FROM (old.queue, old.tenant, old.concurrency_key, old.deadline))
  EXECUTE FUNCTION tintype.place_in_line();

-- Most jobs that end are waited for by none: one look says so. It is a statement of its own, begun when the ended job's row
-- is locked: who joins the line behind it later meets the lock (recheck_blocked), who joined earlier is seen here.
CREATE OR REPLACE FUNCTION tintype.job_ended() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF EXISTS (SELECT FROM tintype.jobs WHERE init_job = NEW.id AND state = 'blocked') THEN
    PERFORM tintype.settle_waiting_for(NEW.id);
  END IF;
  RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION tintype.finish(
  p_worker bigint, p_attempt bigint, p_job bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean,
  p_images jsonb, p_warnings text[], p_timings jsonb
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  next_state text;
  wanted     integer;
BEGIN
  -- A success that is what it should be, in one statement. The job's row first, as everywhere: whoever ends an attempt
  -- holds the job. Anything else is found and told apart below.
  IF p_outcome = 'succeeded' THEN
    WITH held AS (
      UPDATE tintype.jobs j SET
        state = 'succeeded', finished_at = clock_timestamp(), error_code = NULL, error = NULL, warnings = coalesce(p_warnings, '{}')
        -- attempt_id and no end: it runs. Not "state = 'running'", which lets the planner take the index of running jobs for
        -- the smaller one when its statistics are old, and read all of it.
        WHERE j.id = p_job AND j.attempt_id = p_attempt AND j.finished_at IS NULL AND j.image_count = jsonb_array_length(p_images)
          AND EXISTS (SELECT FROM tintype.attempts a WHERE a.id = p_attempt AND a.job_id = p_job AND a.worker_id = p_worker)
        RETURNING j.id, j.finished_at
    ), ended AS (
      UPDATE tintype.attempts a SET outcome = 'succeeded', finished_at = held.finished_at, timings = p_timings, progress = 1
        FROM held WHERE a.id = p_attempt
    )
    INSERT INTO tintype.images (job_id, index, attempt_id, path, sha256, bytes, width, height, seed)
      SELECT held.id, i.index, p_attempt, i.path, decode(i.sha256, 'hex'), i.bytes, i.width, i.height, i.seed
        FROM held CROSS JOIN jsonb_to_recordset(p_images)
          AS i (index integer, path text, sha256 text, bytes bigint, width integer, height integer, seed bigint);
    IF FOUND THEN
      RETURN 'succeeded';
    END IF;
  ELSIF p_outcome NOT IN ('failed', 'cancelled', 'released') THEN
    RAISE EXCEPTION 'outcome must be succeeded, failed, cancelled or released; got %', p_outcome USING ERRCODE = 'invalid_parameter_value';
  END IF;

  PERFORM FROM tintype.attempts WHERE id = p_attempt AND job_id = p_job AND worker_id = p_worker;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  IF p_outcome = 'succeeded' THEN
    SELECT image_count INTO wanted FROM tintype.jobs WHERE id = p_job;
    IF jsonb_array_length(p_images) IS DISTINCT FROM wanted THEN
      RAISE EXCEPTION 'a success must bring image_count = % images; got %', wanted, jsonb_array_length(p_images)
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
  ELSE
    next_state := tintype.end_attempt(p_job, p_attempt, p_outcome, p_error_code, p_error, p_permanent, p_warnings, p_timings);
  END IF;
  IF next_state IS NULL THEN
    -- Ended already. If by this very outcome, this is the worker asking again after it lost the first answer.
    SELECT j.state INTO next_state FROM tintype.attempts a JOIN tintype.jobs j ON j.id = a.job_id
      WHERE a.id = p_attempt AND a.outcome = p_outcome;
  END IF;
  RETURN next_state;
END $$;

-- Outcomes that a worker has at the same moment, as one statement: each judged by itself, as finish() does.
CREATE FUNCTION tintype.finish_all(p_worker bigint, p_reports jsonb) RETURNS TABLE (attempt bigint, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  done   bigint[];
  report record;
BEGIN
  -- The rows of the jobs first and in the order of their ids, as everywhere, so that two who end the same jobs wait for
  -- each other and do not block each other.
  WITH reports AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset(p_reports) AS r (attempt bigint, job bigint, outcome text, images jsonb, warnings text[], timings jsonb)
     WHERE r.outcome = 'succeeded'
  ), locked AS MATERIALIZED (
    SELECT j.id FROM tintype.jobs j WHERE j.id = ANY (ARRAY(SELECT job FROM reports)) ORDER BY j.id FOR NO KEY UPDATE
  ), held AS (
    UPDATE tintype.jobs j SET
      state = 'succeeded', finished_at = clock_timestamp(), error_code = NULL, error = NULL, warnings = coalesce(r.warnings, '{}')
      FROM locked l JOIN reports r ON r.job = l.id
      WHERE j.id = l.id AND j.attempt_id = r.attempt AND j.finished_at IS NULL AND j.image_count = jsonb_array_length(r.images)
        AND EXISTS (SELECT FROM tintype.attempts a WHERE a.id = r.attempt AND a.job_id = r.job AND a.worker_id = p_worker)
      RETURNING j.id, r.attempt, j.finished_at, r.images, r.timings
  ), ended AS (
    UPDATE tintype.attempts a SET outcome = 'succeeded', finished_at = h.finished_at, timings = h.timings, progress = 1
      FROM held h WHERE a.id = h.attempt
  ), shown AS (
    INSERT INTO tintype.images (job_id, index, attempt_id, path, sha256, bytes, width, height, seed)
      SELECT h.id, i.index, h.attempt, i.path, decode(i.sha256, 'hex'), i.bytes, i.width, i.height, i.seed
        FROM held h CROSS JOIN LATERAL jsonb_to_recordset(h.images)
          AS i (index integer, path text, sha256 text, bytes bigint, width integer, height integer, seed bigint)
  )
  SELECT array_agg(h.attempt) INTO done FROM held h;
  RETURN QUERY SELECT d, 'succeeded' FROM unnest(done) d;

  FOR report IN
    SELECT * FROM jsonb_to_recordset(p_reports)
      AS r (attempt bigint, job bigint, outcome text, error_code text, error text, permanent boolean, images jsonb, warnings text[], timings jsonb)
     WHERE (r.attempt = ANY (done)) IS NOT TRUE ORDER BY r.job
  LOOP
    RETURN QUERY SELECT report.attempt, tintype.finish(p_worker, report.attempt, report.job, report.outcome, report.error_code,
      report.error, report.permanent, report.images, report.warnings, report.timings);
  END LOOP;
END $$;
COMMENT ON FUNCTION tintype.finish_all IS 'A worker reports how several attempts ended: objects of attempt, job, outcome, error_code, error, permanent, images, warnings, timings. A row for each, as finish() answers';

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
-- A later migration that adds a table, a view or a function ends with these two, too.
SELECT tintype.install_roles();
