-- What one row's change means for others: workers are woken, and jobs that wait for a job go on or fail with it.

CREATE FUNCTION tintype.notify_ready() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM pg_notify('tintype_ready', r.queue) FROM (SELECT DISTINCT queue FROM inserted WHERE state = 'ready') r;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.notify_ready IS 'Wakes idle workers: channel tintype_ready, payload the queue''s name';

-- Once per statement, not per row: notifications are delivered under one lock, at every commit that has some.
CREATE TRIGGER jobs_notify_ready AFTER INSERT ON tintype.jobs
  REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION tintype.notify_ready();

-- The earlier job has ended: those that wait for it go on, or they and all that wait for them in turn fail.
-- Rows are locked in the order of their ids, as everywhere, so that two of these cannot wait for each other.
CREATE FUNCTION tintype.settle_waiting_for(p_job bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  ended   record;
  waiting bigint[];
  behind  bigint[];
BEGIN
  SELECT state, finished_at INTO ended FROM tintype.jobs WHERE id = p_job;
  IF ended.state = 'succeeded' THEN
    SELECT array_agg(id) INTO waiting FROM (
      SELECT id FROM tintype.jobs WHERE init_job = p_job AND state = 'blocked' ORDER BY id FOR NO KEY UPDATE) w;
    UPDATE tintype.jobs SET state = tintype.waiting_state(NULL, run_at) WHERE id = ANY (waiting);
    PERFORM pg_notify('tintype_ready', r.queue)
      FROM (SELECT DISTINCT queue FROM tintype.jobs WHERE id = ANY (waiting) AND state = 'ready') r;
  ELSIF ended.finished_at IS NOT NULL THEN
    -- Level by level, each by its index. As one recursive query with the state in its joins, the planner may read every
    -- blocked job there is once a level.
    behind := ARRAY[p_job];
    LOOP
      SELECT array_agg(id) INTO behind FROM tintype.jobs WHERE init_job = ANY (behind) AND state = 'blocked';
      EXIT WHEN behind IS NULL;
      waiting := waiting || behind;
    END LOOP;
    -- Some may have been cancelled before they were locked.
    SELECT array_agg(id) FILTER (WHERE state = 'blocked') INTO waiting FROM (
      SELECT id, state FROM tintype.jobs WHERE id = ANY (waiting) ORDER BY id FOR NO KEY UPDATE) w;
    UPDATE tintype.jobs SET
      state = 'failed', finished_at = clock_timestamp(), error_code = 'init_job_' || ended.state,
      error = format('init_job %s has made no picture: job %s %s; retry that one first, then this',
        init_job, p_job, CASE ended.state WHEN 'failed' THEN 'failed' ELSE 'was cancelled' END)
    WHERE id = ANY (waiting);
  END IF;
END $$;
COMMENT ON FUNCTION tintype.settle_waiting_for IS 'Moves on the jobs that are blocked by a job that has ended';

CREATE FUNCTION tintype.job_ended() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM tintype.settle_waiting_for(NEW.id);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.job_ended IS 'Calls settle_waiting_for in the transaction in which a job ends, whatever ended it';

-- A blocked job that fails has been failed by settle_waiting_for, which has seen to those behind it.
CREATE TRIGGER jobs_ended AFTER UPDATE OF state ON tintype.jobs FOR EACH ROW
  WHEN (NEW.finished_at IS NOT NULL AND OLD.finished_at IS NULL AND NOT (OLD.state = 'blocked' AND NEW.state = 'failed'))
  EXECUTE FUNCTION tintype.job_ended();

-- A job may become blocked while the earlier one ends in a transaction not yet visible; neither would see the other, and
-- it would wait for ever. So each looks again when it commits, under a lock that waits for such a transaction. Doing this
-- at once instead would let a client's open transaction hold up the worker that finishes the earlier job.
CREATE FUNCTION tintype.recheck_blocked() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  PERFORM FROM tintype.jobs WHERE id = NEW.init_job FOR SHARE;
  PERFORM tintype.settle_waiting_for(NEW.init_job);
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.recheck_blocked IS 'At commit: has the job that this one waits for ended meanwhile?';

CREATE CONSTRAINT TRIGGER jobs_recheck_blocked AFTER INSERT OR UPDATE OF init_job, state ON tintype.jobs
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.state = 'blocked') EXECUTE FUNCTION tintype.recheck_blocked();
