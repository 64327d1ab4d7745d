-- An end in plain statements, and no plan that depends on statistics: those that were made while a table was empty, and kept when
-- it was not, read the table from end to end.

CREATE OR REPLACE FUNCTION tintype.finish(
  p_worker bigint, p_attempt bigint, p_job bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean,
  p_images jsonb, p_warnings text[], p_timings jsonb
) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
DECLARE
  next_state text;
  wanted     integer;
  ended      timestamptz;
BEGIN
  -- A success that is what it should be, statement by statement. The job's row first, as everywhere: whoever ends an attempt
  -- holds the job. Anything else is found and told apart below.
  IF p_outcome = 'succeeded' THEN
    UPDATE tintype.jobs j SET
      state = 'succeeded', finished_at = clock_timestamp(), error_code = NULL, error = NULL, warnings = coalesce(p_warnings, '{}')
      -- attempt_id and no end: it runs. Not "state = 'running'", which lets the planner take the index of running jobs for
      -- the smaller one when its statistics are old, and read all of it.
      WHERE j.id = p_job AND j.attempt_id = p_attempt AND j.finished_at IS NULL AND j.image_count = jsonb_array_length(p_images)
        AND EXISTS (SELECT FROM tintype.attempts a WHERE a.id = p_attempt AND a.job_id = p_job AND a.worker_id = p_worker)
      RETURNING j.finished_at INTO ended;
    IF FOUND THEN
      UPDATE tintype.attempts a SET outcome = 'succeeded', finished_at = ended, timings = p_timings, progress = 1 WHERE a.id = p_attempt;
      INSERT INTO tintype.images (job_id, index, attempt_id, path, sha256, bytes, width, height, seed)
        SELECT p_job, i.index, p_attempt, i.path, decode(i.sha256, 'hex'), i.bytes, i.width, i.height, i.seed
          FROM jsonb_to_recordset(p_images)
            AS i (index integer, path text, sha256 text, bytes bigint, width integer, height integer, seed bigint);
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

CREATE OR REPLACE FUNCTION tintype.finish_all(p_worker bigint, p_reports jsonb) RETURNS TABLE(attempt bigint, state text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
  SET plan_cache_mode = force_generic_plan AS $$
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
  IF cardinality(done) = jsonb_array_length(p_reports) THEN
    RETURN;
  END IF;

  FOR report IN
    SELECT * FROM jsonb_to_recordset(p_reports)
      AS r (attempt bigint, job bigint, outcome text, error_code text, error text, permanent boolean, images jsonb, warnings text[], timings jsonb)
     WHERE (r.attempt = ANY (done)) IS NOT TRUE ORDER BY r.job
  LOOP
    RETURN QUERY SELECT report.attempt, tintype.finish(p_worker, report.attempt, report.job, report.outcome, report.error_code,
      report.error, report.permanent, report.images, report.warnings, report.timings);
  END LOOP;
END $$;

ALTER FUNCTION tintype.end_attempt SET enable_seqscan = off;
ALTER FUNCTION tintype.end_attempt SET enable_bitmapscan = off;
ALTER FUNCTION tintype.end_attempt SET jit = off;
ALTER FUNCTION tintype.heartbeat SET enable_seqscan = off;
ALTER FUNCTION tintype.heartbeat SET enable_bitmapscan = off;
ALTER FUNCTION tintype.heartbeat SET enable_hashjoin = off;
ALTER FUNCTION tintype.heartbeat SET enable_mergejoin = off;
ALTER FUNCTION tintype.heartbeat SET jit = off;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tintype FROM PUBLIC;
SELECT tintype.install_roles();
