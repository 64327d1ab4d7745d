-- Triggers that cost less: their conditions, too, are text that each statement reads anew. They stand in the functions now, of
-- which there is one less.

-- Only who owns the table sets a state: there is no other search_path to guard against.
CREATE OR REPLACE FUNCTION tintype.check_transition() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  -- What every job does, and what is no change at all, first.
  IF NEW.state = 'running' AND OLD.state = 'ready' OR NEW.state = 'succeeded' AND OLD.state = 'running' OR NEW.state = OLD.state THEN
    RETURN NEW;
  END IF;
  IF (CASE OLD.state
        WHEN 'scheduled' THEN NEW.state IN ('ready', 'failed', 'cancelled')
        WHEN 'blocked'   THEN NEW.state IN ('scheduled', 'ready', 'failed', 'cancelled')
        WHEN 'ready'     THEN NEW.state IN ('failed', 'cancelled')
        WHEN 'running'   THEN NEW.state IN ('scheduled', 'ready', 'failed', 'cancelled')
        -- Only retry() makes this setting, for as long as its UPDATE runs.
        WHEN 'failed'    THEN NEW.state IN ('scheduled', 'blocked', 'ready') AND current_setting('tintype.retry', true) = 'on'
        WHEN 'cancelled' THEN NEW.state IN ('scheduled', 'blocked', 'ready') AND current_setting('tintype.retry', true) = 'on'
      END)
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'job % cannot go from % to %', OLD.id, OLD.state, NEW.state
    USING ERRCODE = 'object_not_in_prerequisite_state', SCHEMA = 'tintype', TABLE = 'jobs', COLUMN = 'state',
      HINT = 'cancel(id) ends a job, retry(id) brings a failed or cancelled one back; workers do the rest.';
END $$;
DROP TRIGGER jobs_check_transition ON tintype.jobs;
CREATE TRIGGER jobs_check_transition BEFORE UPDATE OF state ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.check_transition();

CREATE OR REPLACE FUNCTION tintype.place_in_line() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
    -- A job that runs or is done has no place to be given; only that nobody changes its request meanwhile is to be seen to.
    IF NEW.state IN ('running', 'succeeded') AND NOT NEW.throttled
       AND (NEW.queue, NEW.tenant, NEW.concurrency_key, NEW.deadline) IS NOT DISTINCT FROM (OLD.queue, OLD.tenant, OLD.concurrency_key, OLD.deadline)
    THEN
      RETURN NEW;
    END IF;
    IF (NEW.tenant, NEW.concurrency_key, NEW.deadline) IS DISTINCT FROM (OLD.tenant, OLD.concurrency_key, OLD.deadline)
       AND OLD.state NOT IN ('scheduled', 'blocked', 'ready') THEN
      RAISE EXCEPTION 'job % is %: a request can be changed only while it waits (scheduled, blocked or ready)', OLD.id, OLD.state
        USING ERRCODE = 'object_not_in_prerequisite_state', SCHEMA = 'tintype', TABLE = 'jobs';
    END IF;
  ELSIF NEW.throttled OR NEW.fair_at IS NOT NULL THEN
    RAISE EXCEPTION '% is set by Tintype: leave it out of the INSERT', CASE WHEN NEW.throttled THEN 'throttled' ELSE 'fair_at' END
      USING ERRCODE = 'check_violation', SCHEMA = 'tintype', TABLE = 'jobs',
        COLUMN = CASE WHEN NEW.throttled THEN 'throttled' ELSE 'fair_at' END;
  END IF;
  IF char_length(NEW.tenant) NOT BETWEEN 1 AND 200 THEN
    PERFORM tintype.refuse('tenant', '1 to 200 characters, or null', char_length(NEW.tenant) || ' characters');
  END IF;
  IF char_length(NEW.concurrency_key) NOT BETWEEN 1 AND 200 THEN
    PERFORM tintype.refuse('concurrency_key', '1 to 200 characters, or null', char_length(NEW.concurrency_key) || ' characters');
  END IF;
  IF NEW.deadline <= NEW.run_at AND NEW.state IN ('scheduled', 'blocked', 'ready')
     AND (TG_OP = 'INSERT' OR NEW.deadline IS DISTINCT FROM OLD.deadline) THEN
    PERFORM tintype.refuse('deadline', 'a time after run_at, or null for none', NEW.deadline::text);
  END IF;

  IF NEW.state = 'ready' THEN
    -- Given back by its worker, or with another priority only: it keeps its place.
    IF TG_OP = 'INSERT' OR NEW.fair_at IS NULL OR OLD.state NOT IN ('ready', 'running')
       OR (OLD.state = 'ready' AND (NEW.tenant, NEW.queue, NEW.run_at) IS DISTINCT FROM (OLD.tenant, OLD.queue, OLD.run_at)) THEN
      IF NEW.tenant IS NULL THEN
        SELECT NEW.run_at + f.ahead INTO NEW.fair_at FROM tintype.fairness f;
      ELSE
        NEW.fair_at := tintype.fair_place(NEW);
      END IF;
    END IF;
    NEW.claim_key := NEW.fair_at - NEW.priority * interval '10 minutes';
  ELSE
    NEW.throttled := false;
  END IF;
  IF TG_OP = 'UPDATE' AND (NEW.concurrency_key, NEW.queue) IS DISTINCT FROM (OLD.concurrency_key, OLD.queue) THEN
    NEW.throttled := false;  -- the next claim judges anew
  END IF;
  RETURN NEW;
END $$;
DROP TRIGGER jobs_place_in_line ON tintype.jobs;
DROP TRIGGER jobs_place_in_line_again ON tintype.jobs;
CREATE TRIGGER jobs_place_in_line BEFORE INSERT OR UPDATE OF state, queue, priority, run_at, tenant, concurrency_key, deadline
  ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.place_in_line();

-- After a job has left its worker or ended: for the others. A claim sets neither column, so it has no part
-- in this. Who sets a state by hand and neither of them leaves throttled jobs to the next maintain().
DROP TRIGGER jobs_admit_next ON tintype.jobs;
DROP TRIGGER jobs_ended ON tintype.jobs;
DROP FUNCTION tintype.admit_next, tintype.job_ended;
CREATE FUNCTION tintype.job_left() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  next bigint;
BEGIN
  IF OLD.state = 'running' AND NEW.state <> 'running' AND OLD.concurrency_key IS NOT NULL THEN
    SELECT id INTO next FROM tintype.jobs j
      WHERE j.state = 'ready' AND j.throttled AND j.queue = OLD.queue AND j.concurrency_key = OLD.concurrency_key
      ORDER BY j.claim_key, j.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND THEN
      UPDATE tintype.jobs SET throttled = false WHERE id = next;
      PERFORM pg_notify('tintype_ready', OLD.queue);
    END IF;
  END IF;
  -- Most jobs that end are waited for by none: one look says so. It is a statement of its own, begun when the ended job's
  -- row is locked: who joins the line behind it later meets the lock (recheck_blocked), who joined earlier is seen here.
  IF NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NOT (OLD.state = 'blocked' AND NEW.state = 'failed') THEN
    IF EXISTS (SELECT FROM tintype.jobs WHERE init_job = NEW.id AND state = 'blocked') THEN
      PERFORM tintype.settle_waiting_for(NEW.id);
    END IF;
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.job_left IS 'Lets the first of those that are throttled by an ended job''s concurrency key into the line again, and moves on those that start from its picture';
CREATE TRIGGER jobs_left AFTER UPDATE OF finished_at, failures ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.job_left();

-- Only an INSERT, a change of init_job and retry() make a job blocked, so that no other change of a state has to ask.
DROP TRIGGER jobs_recheck_blocked ON tintype.jobs;
CREATE CONSTRAINT TRIGGER jobs_recheck_blocked AFTER INSERT OR UPDATE OF init_job ON tintype.jobs
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'blocked') EXECUTE FUNCTION tintype.recheck_blocked();
CREATE OR REPLACE FUNCTION tintype.retry(job_id bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_$
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
    warnings = '{}', started_at = NULL, finished_at = NULL, init_job = init_job  -- for jobs_recheck_blocked
    WHERE id = job.id;
  PERFORM set_config('tintype.retry', 'off', true);
  -- Who wants it now wants it although it is late.
  UPDATE tintype.jobs SET deadline = NULL WHERE id = job.id AND deadline <= job.run_at;
  IF job.state = 'ready' THEN
    PERFORM pg_notify('tintype_ready', job.queue);
  END IF;
  RETURN job.state;
END $_$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tintype FROM PUBLIC;
SELECT tintype.install_roles();
