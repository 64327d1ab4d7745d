-- What people call. Each says what it did; each refuses in words.

CREATE FUNCTION tintype.enqueue(
  prompt text, negative_prompt text DEFAULT NULL, model text DEFAULT NULL, width integer DEFAULT NULL,
  height integer DEFAULT NULL, steps integer DEFAULT NULL, guidance_scale double precision DEFAULT NULL,
  strength double precision DEFAULT NULL, init_image text DEFAULT NULL, init_image_data bytea DEFAULT NULL,
  init_job bigint DEFAULT NULL, seed bigint DEFAULT NULL, image_count integer DEFAULT NULL, queue text DEFAULT NULL,
  priority integer DEFAULT NULL, run_at timestamptz DEFAULT NULL, max_attempts integer DEFAULT NULL,
  timeout interval DEFAULT NULL, idempotency_key text DEFAULT NULL, metadata jsonb DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  job    tintype.jobs;
  result bigint;
  first  record;
BEGIN
  job.prompt          := $1;
  job.negative_prompt := $2;
  job.model           := $3;
  job.width           := $4;
  job.height          := $5;
  job.steps           := $6;
  job.guidance_scale  := coalesce($7, 0);
  job.strength        := $8;
  job.init_image      := $9;
  job.init_image_data := $10;
  job.init_job        := $11;
  job.seed            := $12;
  job.image_count     := coalesce($13, 1);
  job.queue           := coalesce($14, 'default');
  job.priority        := coalesce($15, 0);
  job.run_at          := $16;
  job.max_attempts    := $17;
  job.timeout         := $18;
  job.idempotency_key := $19;
  job.metadata        := coalesce($20, '{}');
  LOOP
    INSERT INTO tintype.jobs (
        prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
        init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, idempotency_key, metadata)
      VALUES (
        job.prompt, job.negative_prompt, job.model, job.width, job.height, job.steps, job.guidance_scale, job.strength,
        job.init_image, job.init_image_data, job.init_job, job.seed, job.image_count, job.queue, job.priority, job.run_at,
        job.max_attempts, job.timeout, job.idempotency_key, job.metadata)
      ON CONFLICT (queue, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
      RETURNING id INTO result;
    IF FOUND THEN
      RETURN result;
    END IF;
    SELECT j.id, j.submitted_by, j.request_digest INTO first FROM tintype.jobs j
      WHERE j.queue = job.queue AND j.idempotency_key = job.idempotency_key;
    CONTINUE WHEN NOT FOUND;  -- deleted between the two statements
    IF tintype.can_manage(first.submitted_by) AND first.request_digest = tintype.request_digest(job) THEN
      RETURN first.id;
    END IF;
    RAISE EXCEPTION 'idempotency_key % is already used in queue % by another request', quote_literal(job.idempotency_key), job.queue
      USING ERRCODE = 'unique_violation', SCHEMA = 'tintype', TABLE = 'jobs', COLUMN = 'idempotency_key',
        HINT = 'Send the same request to get its job again, or choose another key.';
  END LOOP;
END $$;
COMMENT ON FUNCTION tintype.enqueue IS 'Inserts a job and returns its id. With an idempotency_key already used by the same request: that job''s id';

CREATE FUNCTION tintype.lock_job(p_job bigint) RETURNS tintype.jobs
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job tintype.jobs;
BEGIN
  SELECT * INTO job FROM tintype.jobs WHERE id = p_job FOR NO KEY UPDATE;
  IF NOT FOUND OR NOT tintype.can_manage(job.submitted_by) THEN
    RAISE EXCEPTION 'there is no job % of yours', coalesce(p_job::text, 'null') USING ERRCODE = 'no_data_found';
  END IF;
  RETURN job;
END $$;
COMMENT ON FUNCTION tintype.lock_job IS 'The job, locked, if the session user may manage it. Internal';

CREATE FUNCTION tintype.cancel(job_id bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
  job    tintype.jobs := tintype.lock_job($1);
  holder bigint;
BEGIN
  IF job.state = 'running' THEN
    UPDATE tintype.attempts SET
      cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
      cancel_requested_by = coalesce(cancel_requested_by, session_user)
      WHERE id = job.attempt_id RETURNING worker_id INTO holder;
    PERFORM pg_notify('tintype_control', holder::text);  -- only sooner: the next heartbeat's reply says it anyway
  ELSIF job.finished_at IS NULL THEN
    UPDATE tintype.jobs SET
      state = 'cancelled', finished_at = clock_timestamp(), error_code = 'cancelled', error = 'cancelled by ' || session_user
      WHERE id = job.id;
    RETURN 'cancelled';
  END IF;
  RETURN job.state;
END $$;
COMMENT ON FUNCTION tintype.cancel IS 'Ends a waiting job at once and returns cancelled; asks the worker of a running one to stop and returns running; returns the state of one that has ended';

CREATE FUNCTION tintype.retry(job_id bigint) RETURNS text
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
  IF job.state = 'ready' THEN
    PERFORM pg_notify('tintype_ready', job.queue);
  END IF;
  RETURN job.state;
END $$;
COMMENT ON FUNCTION tintype.retry IS 'Brings a failed or cancelled job back with all its attempts; the history stays in attempts. Returns its new state';

CREATE FUNCTION tintype.pause(queue text, reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE tintype.queues SET paused_at = coalesce(paused_at, now()), paused_by = session_user, pause_reason = $2 WHERE name = $1;
  IF NOT FOUND THEN
    PERFORM tintype.refuse('queue', format('one of the queues that exist (%s)',
      (SELECT string_agg(name, ', ' ORDER BY name) FROM tintype.queues)), $1);
  END IF;
END $$;
COMMENT ON FUNCTION tintype.pause IS 'Nothing is claimed from the queue until resume(); what runs, runs on. Survives restarts';

CREATE FUNCTION tintype.resume(queue text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE tintype.queues SET paused_at = NULL, paused_by = NULL, pause_reason = NULL WHERE name = $1;
  IF NOT FOUND THEN
    PERFORM tintype.refuse('queue', format('one of the queues that exist (%s)',
      (SELECT string_agg(name, ', ' ORDER BY name) FROM tintype.queues)), $1);
  END IF;
  PERFORM pg_notify('tintype_ready', $1);
END $$;
COMMENT ON FUNCTION tintype.resume IS 'Opens a paused queue';

CREATE FUNCTION tintype.drain(worker_id bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE tintype.workers SET desired = 'drain' WHERE id = $1 AND ended_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no live worker %', coalesce($1::text, 'null')
      USING ERRCODE = 'no_data_found', HINT = 'SELECT id, name, host, state FROM tintype.worker_status';
  END IF;
  PERFORM pg_notify('tintype_control', $1::text);
END $$;
COMMENT ON FUNCTION tintype.drain IS 'Tells a worker to finish what it runs, claim nothing more and exit';
