-- What workers call. They have no rights on any table: these functions are all that a worker, or someone with its
-- password, can do.
--
-- One order of locks for all: worker, job, attempt, blocked jobs; several jobs in the order of their ids.
-- Times: leases and deadlines are judged and set by clock_timestamp(), the moment of the write, because a statement may
-- have waited for a lock; maintain() judges by now(), its start, which errs on the side of the worker.

CREATE FUNCTION tintype.register_worker(
  p_name text, p_host text, p_pid integer, p_version text, p_queues text[], p_models text[], p_slots integer, p_lease interval
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  worker bigint;
BEGIN
  -- A queue exists from when somebody serves it: `tintype worker --queue burst` is enough.
  INSERT INTO tintype.queues (name) SELECT unnest(p_queues) ON CONFLICT DO NOTHING;
  INSERT INTO tintype.workers (name, host, pid, version, queues, models, slots, lease, lease_until)
    VALUES (p_name, p_host, p_pid, p_version, p_queues, p_models, p_slots, p_lease, clock_timestamp() + p_lease)
    RETURNING id INTO worker;
  RETURN worker;
END $$;
COMMENT ON FUNCTION tintype.register_worker IS 'A worker process starts: returns its id and begins its lease';

-- Procedural on purpose. As one statement with LIMIT under a join the planner may run the inner scan twice and claim too
-- much, or choose a sort over the whole line when its statistics are old; the settings leave it the index only. Each turn
-- locks exactly the row it takes: rows locked in advance would be invisible to other idle workers.
CREATE FUNCTION tintype.claim(p_worker bigint, p_queues text[], p_models text[], p_limit integer)
RETURNS TABLE (
  id bigint, attempt_id bigint, attempt_number integer, max_attempts integer, queue text, model text, prompt text,
  negative_prompt text, width integer, height integer, steps integer, guidance_scale double precision,
  strength double precision, seed bigint, image_count integer, init_image text, init_image_data bytea, init_job bigint,
  init_artifact_path text, init_artifact_sha256 bytea, timeout double precision, metadata text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  open_queues  text[];
  limited      record;
  head         record;
  taken        bigint;
  new_attempt  bigint;
BEGIN
  PERFORM FROM tintype.workers w
    WHERE w.id = p_worker AND w.ended_at IS NULL AND w.lease_until > clock_timestamp() AND w.desired = 'run';
  IF NOT FOUND THEN
    RETURN;
  END IF;

  open_queues := ARRAY(SELECT name FROM tintype.queues WHERE name = ANY (p_queues) AND paused_at IS NULL);
  -- Counting is exact only if no one else claims from the queue meanwhile. Queues without a limit never wait here.
  FOR limited IN SELECT name FROM tintype.queues WHERE name = ANY (open_queues) AND max_running IS NOT NULL ORDER BY name LOOP
    PERFORM pg_advisory_xact_lock(hashtext('tintype.claim'), hashtext(limited.name));
  END LOOP;

  FOR turn IN 1 .. p_limit LOOP
    SELECT coalesce(array_agg(q.name), '{}') INTO open_queues FROM tintype.queues q
      WHERE q.name = ANY (open_queues)
        AND (q.max_running IS NULL
             OR (SELECT count(*) FROM tintype.jobs r WHERE r.queue = q.name AND r.state = 'running') < q.max_running);

    taken := NULL;
    -- The first of each line this worker can serve ('' is the line of jobs without a model), the most urgent first.
    FOR head IN
      SELECT line.queue, line.model
        FROM (SELECT q AS queue, m AS model FROM unnest(open_queues) q, (SELECT '' UNION SELECT unnest(p_models)) AS m (m)) line
        CROSS JOIN LATERAL (
          SELECT j.claim_key, j.id FROM tintype.jobs j
           WHERE j.state = 'ready' AND j.queue = line.queue AND coalesce(j.model, '') = line.model
           ORDER BY j.claim_key, j.id LIMIT 1) first
       ORDER BY first.claim_key, first.id
    LOOP
      SELECT j.id INTO taken FROM tintype.jobs j
        WHERE j.state = 'ready' AND j.queue = head.queue AND coalesce(j.model, '') = head.model
        ORDER BY j.claim_key, j.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
      EXIT WHEN taken IS NOT NULL;  -- else others hold the whole line
    END LOOP;
    EXIT WHEN taken IS NULL;

    INSERT INTO tintype.attempts AS a (job_id, worker_id, number, started_at, deadline)
      SELECT j.id, p_worker, j.failures + 1, clock_timestamp(), clock_timestamp() + j.timeout FROM tintype.jobs j WHERE j.id = taken
      RETURNING a.id INTO new_attempt;
    UPDATE tintype.jobs j SET state = 'running', attempt_id = new_attempt, started_at = clock_timestamp() WHERE j.id = taken;

    RETURN QUERY
      SELECT j.id, j.attempt_id, j.failures + 1, j.max_attempts, j.queue, j.model, j.prompt, j.negative_prompt, j.width,
             j.height, j.steps, j.guidance_scale, coalesce(j.strength, 1), j.seed, j.image_count, j.init_image,
             j.init_image_data, j.init_job, i.path, i.sha256, extract(epoch FROM j.timeout)::double precision, j.metadata::text
        FROM tintype.jobs j LEFT JOIN tintype.images i ON i.job_id = j.init_job AND i.index = 0
       WHERE j.id = taken;
  END LOOP;
END $$;
COMMENT ON FUNCTION tintype.claim IS 'Takes up to p_limit ready jobs for a live worker, most urgent first, each with a new attempt id. Nothing if the worker drains or its lease is over';

CREATE FUNCTION tintype.retry_delay(p_base interval, p_cap interval, p_failures integer, p_jitter double precision) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT make_interval(secs =>
    least(extract(epoch FROM p_cap), extract(epoch FROM p_base) * 2.0 ^ least(p_failures - 1, 40))::double precision
    * (0.5 + 0.5 * p_jitter))
$$;
COMMENT ON FUNCTION tintype.retry_delay IS 'min(cap, base x 2^(failures-1)) x (1/2 + jitter/2), jitter in 0 to 1. RetryPolicy.swift is the same';

-- The one place where the fate of a job is decided after an attempt. Null: the attempt no longer holds the job.
CREATE FUNCTION tintype.end_attempt(
  p_job bigint, p_attempt bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean,
  p_warnings text[], p_timings jsonb
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  job         record;
  policy      record;
  cancel      record;
  next_state  text;
  next_run_at timestamptz;
BEGIN
  SELECT queue, run_at, init_job, max_attempts,
         failures + (p_outcome IN ('failed', 'timed_out'))::integer AS failures, losses + (p_outcome = 'lost')::integer AS losses,
         state = 'running' AND attempt_id = p_attempt AS held
    INTO job FROM tintype.jobs WHERE id = p_job FOR NO KEY UPDATE;
  -- Judged here and not in the WHERE: there, "state = 'running'" lets the planner take the index of running jobs for the
  -- smaller one when its statistics are old, and read all of it (measured: 30 ms instead of 0.02 with 50,000 running).
  IF job.held IS NOT TRUE THEN
    RETURN NULL;
  END IF;
  UPDATE tintype.attempts SET
    outcome = p_outcome, finished_at = clock_timestamp(), error_code = p_error_code, error = p_error, timings = p_timings,
    progress = CASE WHEN p_outcome = 'succeeded' THEN 1 ELSE progress END
    WHERE id = p_attempt
    RETURNING cancel_requested_at IS NOT NULL AS requested, coalesce(cancel_requested_by, 'its worker') AS canceller INTO cancel;
  SELECT * INTO policy FROM tintype.queues WHERE name = job.queue;

  next_run_at := job.run_at;
  IF p_outcome = 'succeeded' THEN
    next_state := 'succeeded';  -- also when a cancel came too late: the pictures exist
    p_error_code := NULL;
    p_error := NULL;
  ELSIF p_outcome = 'cancelled' OR cancel.requested THEN
    next_state := 'cancelled';
    p_error_code := 'cancelled';
    p_error := 'cancelled by ' || cancel.canceller;
  ELSIF p_outcome = 'released' THEN
    next_state := 'ready';
  ELSIF p_outcome = 'lost' THEN
    next_state := CASE WHEN job.losses < policy.max_losses THEN 'ready' ELSE 'failed' END;
    IF next_state = 'failed' THEN
      p_error := format('%s workers vanished while they ran this job, so it is not tried again; the last: %s', job.losses, p_error);
    END IF;
  ELSIF p_permanent OR job.failures >= job.max_attempts THEN
    next_state := 'failed';
  ELSE
    next_run_at := clock_timestamp() + tintype.retry_delay(policy.retry_base, policy.retry_cap, job.failures, random());
    next_state := CASE WHEN next_run_at > clock_timestamp() THEN 'scheduled' ELSE 'ready' END;
  END IF;

  IF next_state IN ('ready', 'scheduled') THEN
    UPDATE tintype.jobs SET
      state = next_state, run_at = next_run_at, attempt_id = NULL, started_at = NULL, failures = job.failures,
      losses = job.losses, error_code = coalesce(p_error_code, error_code), error = coalesce(p_error, error)
      WHERE id = p_job;
    IF next_state = 'ready' THEN
      PERFORM pg_notify('tintype_ready', job.queue);
    END IF;
  ELSE
    UPDATE tintype.jobs SET
      state = next_state, finished_at = clock_timestamp(), failures = job.failures, losses = job.losses,
      error_code = p_error_code, error = p_error, warnings = coalesce(p_warnings, '{}')
      WHERE id = p_job;
  END IF;
  RETURN next_state;
END $$;
COMMENT ON FUNCTION tintype.end_attempt IS 'Ends an attempt that still holds its job, and decides what becomes of the job. Internal';

CREATE FUNCTION tintype.finish(
  p_worker bigint, p_attempt bigint, p_job bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean,
  p_images jsonb, p_warnings text[], p_timings jsonb
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  next_state text;
  wanted     integer;
BEGIN
  IF p_outcome NOT IN ('succeeded', 'failed', 'cancelled', 'released') THEN
    RAISE EXCEPTION 'outcome must be succeeded, failed, cancelled or released; got %', p_outcome USING ERRCODE = 'invalid_parameter_value';
  END IF;
  IF p_outcome = 'succeeded' THEN
    SELECT image_count INTO wanted FROM tintype.jobs WHERE id = p_job;
    IF jsonb_array_length(p_images) <> wanted THEN
      RAISE EXCEPTION 'a success must bring image_count = % images; got %', wanted, jsonb_array_length(p_images)
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END IF;

  PERFORM FROM tintype.attempts WHERE id = p_attempt AND job_id = p_job AND worker_id = p_worker;
  IF NOT FOUND THEN
    RETURN NULL;
  END IF;
  next_state := tintype.end_attempt(p_job, p_attempt, p_outcome, p_error_code, p_error, p_permanent, p_warnings, p_timings);
  IF next_state IS NULL THEN
    -- Ended already. If by this very outcome, this is the worker asking again after it lost the first answer.
    SELECT j.state INTO next_state FROM tintype.attempts a JOIN tintype.jobs j ON j.id = a.job_id
      WHERE a.id = p_attempt AND a.outcome = p_outcome;
  ELSIF p_outcome = 'succeeded' THEN
    INSERT INTO tintype.images (job_id, index, attempt_id, path, sha256, bytes, width, height, seed)
      SELECT p_job, i.index, p_attempt, i.path, decode(i.sha256, 'hex'), i.bytes, i.width, i.height, i.seed
        FROM jsonb_to_recordset(p_images)
          AS i (index integer, path text, sha256 text, bytes bigint, width integer, height integer, seed bigint);
  END IF;
  RETURN next_state;
END $$;
COMMENT ON FUNCTION tintype.finish IS 'A worker reports how an attempt ended; returns the job''s state. Null: the lease was lost, the outcome is dropped. Asking twice is safe';

CREATE FUNCTION tintype.heartbeat(
  p_worker bigint, p_running jsonb, OUT fenced boolean, OUT drain boolean, OUT cancel bigint[], OUT revoked bigint[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  listed  bigint[] := ARRAY(SELECT (r ->> 'attempt')::bigint FROM jsonb_array_elements(p_running) r);
  patience interval;
  unheard record;
BEGIN
  UPDATE tintype.workers SET lease_until = clock_timestamp() + lease WHERE id = p_worker AND ended_at IS NULL
    RETURNING desired = 'drain', lease INTO drain, patience;
  fenced := NOT FOUND;
  IF fenced THEN
    drain := true;
    cancel := '{}';
    revoked := listed;
    RETURN;
  END IF;

  -- A claim whose answer was lost on the way: this worker would keep the lease of a job it knows nothing of, for ever.
  FOR unheard IN
    SELECT id, job_id FROM tintype.attempts
     WHERE worker_id = p_worker AND finished_at IS NULL AND id <> ALL (listed) AND started_at < clock_timestamp() - patience
     ORDER BY job_id
  LOOP
    PERFORM tintype.end_attempt(unheard.job_id, unheard.id, 'released', NULL, NULL, false, NULL, NULL);
  END LOOP;

  -- Rows that someone is just ending are skipped: progress is not worth waiting for, nor a deadlock.
  WITH changed AS (
    SELECT a.id, r.phase, r.step, least(greatest(r.progress, 0), 1) AS progress
      FROM jsonb_to_recordset(p_running) AS r (attempt bigint, phase text, step integer, progress double precision)
      JOIN tintype.attempts a ON a.id = r.attempt
     WHERE a.worker_id = p_worker AND a.finished_at IS NULL
       AND (a.phase, a.step, a.progress) IS DISTINCT FROM (r.phase, r.step, least(greatest(r.progress, 0), 1))
       FOR NO KEY UPDATE OF a SKIP LOCKED)
  UPDATE tintype.attempts a SET phase = c.phase, step = c.step, progress = c.progress, progress_at = clock_timestamp()
    FROM changed c WHERE a.id = c.id;

  cancel := ARRAY(SELECT id FROM tintype.attempts
    WHERE worker_id = p_worker AND finished_at IS NULL AND cancel_requested_at IS NOT NULL ORDER BY id);
  revoked := ARRAY(SELECT l FROM unnest(listed) l
    WHERE l NOT IN (SELECT id FROM tintype.attempts WHERE worker_id = p_worker AND finished_at IS NULL) ORDER BY l);
END $$;
COMMENT ON FUNCTION tintype.heartbeat IS 'Renews the lease, stores progress, and replies with what the worker must do. p_running lists every attempt it holds, finished but unreported ones included';

CREATE FUNCTION tintype.release_all(p_worker bigint, p_outcome text, p_error_code text, p_error text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  held  record;
  count integer := 0;
BEGIN
  FOR held IN SELECT id, job_id FROM tintype.attempts WHERE worker_id = p_worker AND finished_at IS NULL ORDER BY job_id LOOP
    IF tintype.end_attempt(held.job_id, held.id, p_outcome, p_error_code, p_error, false, NULL, NULL) IS NOT NULL THEN
      count := count + 1;
    END IF;
  END LOOP;
  RETURN count;
END $$;
COMMENT ON FUNCTION tintype.release_all IS 'Ends all attempts of a worker that has ended. Internal';

CREATE FUNCTION tintype.stop_worker(p_worker bigint) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  UPDATE tintype.workers SET ended_at = clock_timestamp(), ended_by = 'stop' WHERE id = p_worker AND ended_at IS NULL;
  RETURN tintype.release_all(p_worker, 'released', NULL, NULL);
END $$;
COMMENT ON FUNCTION tintype.stop_worker IS 'A worker says goodbye: what it still holds is ready again, no attempt spent. Returns how many jobs';
