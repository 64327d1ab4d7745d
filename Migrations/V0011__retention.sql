-- Pictures are files, their rows are here, and they go together. A job that is deleted, by its queue's retention or by
-- hand, leaves an order to remove its files in the same transaction; a worker that owns the folder carries it out and
-- then strikes it off. Whatever crashes in between, the order stands: no row ever names a file that is gone on purpose,
-- and no file outlives its row for good.

CREATE TABLE tintype.installation (
  singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  id         uuid NOT NULL DEFAULT gen_random_uuid()
);
COMMENT ON TABLE  tintype.installation           IS 'One row: which database this is, for output folders to know to whom they belong';
COMMENT ON COLUMN tintype.installation.singleton IS 'Always true: there is one row';
COMMENT ON COLUMN tintype.installation.id        IS 'Drawn when the schema was installed';
INSERT INTO tintype.installation DEFAULT VALUES;

ALTER TABLE tintype.workers ADD COLUMN output text CHECK (char_length(output) BETWEEN 1 AND 200);
COMMENT ON COLUMN tintype.workers.output IS 'Which output folder it writes to: the id in the folder''s .tintype file. Workers that share a folder share it';

CREATE TABLE tintype.removals (
  output      text NOT NULL,
  job_id      bigint NOT NULL,
  ordered_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (output, job_id)
);
COMMENT ON TABLE  tintype.removals            IS 'Deleted jobs whose files are still to be removed, by any worker with that output folder';
COMMENT ON COLUMN tintype.removals.output     IS 'The output folder, as in workers.output';
COMMENT ON COLUMN tintype.removals.job_id     IS 'The job, whose files all lie in one folder of its own';
COMMENT ON COLUMN tintype.removals.ordered_at IS 'When the job was deleted';

CREATE FUNCTION tintype.order_removal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- Every folder in which an attempt may have left something, not only the one of the success.
  INSERT INTO tintype.removals (output, job_id)
    SELECT DISTINCT w.output, OLD.id FROM tintype.attempts a JOIN tintype.workers w ON w.id = a.worker_id
     WHERE a.job_id = OLD.id AND w.output IS NOT NULL
    ON CONFLICT DO NOTHING;
  RETURN OLD;
END $$;
COMMENT ON FUNCTION tintype.order_removal IS 'Orders the removal of a deleted job''s files';

CREATE TRIGGER jobs_order_removal BEFORE DELETE ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.order_removal();

CREATE FUNCTION tintype.own_output(p_worker bigint, p_output text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  UPDATE tintype.workers SET output = p_output WHERE id = p_worker
$$;
COMMENT ON FUNCTION tintype.own_output IS 'A worker says which output folder it writes to, and may remove from';

CREATE FUNCTION tintype.installation_id() RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT id FROM tintype.installation
$$;
COMMENT ON FUNCTION tintype.installation_id IS 'Which database this is';

CREATE FUNCTION tintype.removals_due(p_worker bigint, p_limit integer) RETURNS SETOF bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT r.job_id FROM tintype.removals r JOIN tintype.workers w ON w.output = r.output
   WHERE w.id = p_worker AND w.ended_at IS NULL ORDER BY r.job_id LIMIT p_limit
$$;
COMMENT ON FUNCTION tintype.removals_due IS 'Deleted jobs whose files this worker is to remove';

CREATE FUNCTION tintype.removals_done(p_worker bigint, p_jobs bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  DELETE FROM tintype.removals r USING tintype.workers w
   WHERE w.id = p_worker AND r.output = w.output AND r.job_id = ANY (p_jobs)
$$;
COMMENT ON FUNCTION tintype.removals_done IS 'Strikes off what a worker has removed';

-- A worker that dies between writing a picture and saying so leaves a file that no row names. Only evidence makes it an
-- orphan: an attempt that has ended without success, or one that this database has given out and whose job is deleted.
-- An unknown id proves nothing: the database may have been restored from a backup that is older than the file.
CREATE FUNCTION tintype.orphans(p_worker bigint, p_jobs bigint[], p_attempts bigint[]) RETURNS SETOF bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT f.attempt FROM unnest(p_jobs, p_attempts) AS f (job, attempt)
    LEFT JOIN tintype.attempts a ON a.id = f.attempt
    LEFT JOIN tintype.jobs j ON j.id = f.job
   WHERE EXISTS (SELECT FROM tintype.workers w WHERE w.id = p_worker AND w.output IS NOT NULL)
     AND NOT EXISTS (SELECT FROM tintype.images i WHERE i.job_id = f.job AND i.attempt_id = f.attempt)
     AND (a.job_id = f.job AND a.finished_at < now() - interval '1 minute' AND a.outcome <> 'succeeded'
          OR a.id IS NULL AND j.id IS NULL
             AND f.attempt <= (SELECT last_value FROM tintype.attempts_id_seq)
             AND f.job <= (SELECT last_value FROM tintype.jobs_id_seq))
$$;
COMMENT ON FUNCTION tintype.orphans IS 'Which of these attempts, whose files a worker has found in its output folder, have left them for nobody';

-- maintain(), second version: also deadlines, concurrency keys that have room again, the lines' clock, and when to come next.
DROP FUNCTION tintype.maintain;
CREATE FUNCTION tintype.maintain(
  OUT ran boolean, OUT grace boolean, OUT promoted integer, OUT workers_lost integer, OUT rescued integer,
  OUT timed_out integer, OUT pruned integer, OUT expired integer, OUT admitted integer, OUT next_due double precision
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
#variable_conflict use_column
DECLARE
  last   record;
  ids    bigint[];
  item   record;
BEGIN
  promoted := 0; workers_lost := 0; rescued := 0; timed_out := 0; pruned := 0; expired := 0; admitted := 0; grace := false;
  ran := pg_try_advisory_xact_lock(hashtext('tintype.maintain'), 0);
  IF NOT ran THEN
    RETURN;
  END IF;

  -- Was the database away? Then leases ran out that nobody could renew, and rescuing now would run every job twice.
  -- Everyone gets one lease's time to come back first.
  SELECT * INTO last FROM tintype.maintenance;
  UPDATE tintype.maintenance SET
    last_run_at = now(),
    grace_until = CASE
      WHEN last.last_run_at < now() - interval '15 seconds' OR last.last_run_at < pg_postmaster_start_time()
      THEN now() + coalesce((SELECT max(lease) FROM tintype.workers WHERE ended_at IS NULL), '0')
      ELSE grace_until END
    RETURNING grace_until > now() INTO grace;

  -- Jobs whose time has come.
  SELECT array_agg(id) INTO ids FROM (
    SELECT id FROM tintype.jobs WHERE state = 'scheduled' AND run_at <= now()
     ORDER BY run_at LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED) due;
  UPDATE tintype.jobs SET state = 'ready' WHERE id = ANY (ids);
  GET DIAGNOSTICS promoted = ROW_COUNT;
  PERFORM pg_notify('tintype_ready', r.queue) FROM (SELECT DISTINCT queue FROM tintype.jobs WHERE id = ANY (ids)) r;

  -- Jobs that are of no use any more.
  SELECT array_agg(id) INTO ids FROM (
    SELECT id FROM tintype.jobs WHERE deadline <= now() AND deadline IS NOT NULL AND state IN ('scheduled', 'blocked', 'ready')
     ORDER BY id LIMIT 1000 FOR NO KEY UPDATE SKIP LOCKED) late;
  UPDATE tintype.jobs SET
    state = 'failed', finished_at = clock_timestamp(), error_code = 'deadline_passed',
    error = format('not finished by its deadline, %s', to_char(deadline AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
      || coalesce('; the last attempt: ' || error, '')
    WHERE id = ANY (ids);
  GET DIAGNOSTICS expired = ROW_COUNT;

  -- Workers whose lease is over. The mark fences them, so they can neither renew nor claim from here on.
  IF NOT grace THEN
    SELECT array_agg(id) INTO ids FROM (
      SELECT id FROM tintype.workers WHERE ended_at IS NULL AND lease_until < now() ORDER BY id FOR NO KEY UPDATE SKIP LOCKED) silent;
    UPDATE tintype.workers SET ended_at = clock_timestamp(), ended_by = 'lost' WHERE id = ANY (ids);
    GET DIAGNOSTICS workers_lost = ROW_COUNT;
  END IF;
  -- By what they hold and not only when they are marked: a claim may have been in flight past either.
  FOR item IN
    SELECT w.id, w.ended_by, format('worker %s (%s on %s, pid %s) did not renew its lease', w.id, w.name, w.host, w.pid) AS error
      FROM tintype.workers w
     WHERE w.ended_at IS NOT NULL AND w.id IN (SELECT worker_id FROM tintype.attempts WHERE finished_at IS NULL)
     ORDER BY w.id LIMIT 50
  LOOP
    rescued := rescued + CASE item.ended_by
      WHEN 'lost' THEN tintype.release_all(item.id, 'lost', 'worker_lost', item.error)
      ELSE tintype.release_all(item.id, 'released', NULL, NULL) END;
  END LOOP;

  -- Attempts past their deadline. The worker stops them itself; this is for one that is alive and does not.
  FOR item IN
    SELECT a.id, a.job_id, format('not finished after %s seconds, the job''s timeout',
                                  round(extract(epoch FROM a.deadline - a.started_at))) AS error
      FROM tintype.attempts a WHERE a.finished_at IS NULL AND a.deadline < now() - interval '30 seconds' ORDER BY a.job_id LIMIT 50
  LOOP
    timed_out := timed_out +
      (tintype.end_attempt(item.job_id, item.id, 'timed_out', 'timeout', item.error, false, NULL, NULL) IS NOT NULL)::integer;
  END LOOP;

  admitted := tintype.admit_throttled();

  -- Finished jobs past their queue's retention; not those whose picture an unfinished job starts from.
  FOR item IN SELECT name, retention FROM tintype.queues WHERE retention IS NOT NULL LOOP
    SELECT array_agg(id) INTO ids FROM (
      SELECT j.id FROM tintype.jobs j
       WHERE j.queue = item.name AND j.finished_at < now() - item.retention
         AND NOT EXISTS (SELECT FROM tintype.jobs c WHERE c.init_job = j.id AND c.finished_at IS NULL)
       ORDER BY j.finished_at LIMIT 1000 FOR UPDATE SKIP LOCKED) old;
    DELETE FROM tintype.jobs WHERE id = ANY (ids);
    pruned := pruned + coalesce(cardinality(ids), 0);
  END LOOP;

  -- Nobody stands in any line: its clock is the time of day again.
  UPDATE tintype.fairness SET ahead = '0', moved_at = now()
    WHERE ahead > '0' AND NOT EXISTS (SELECT FROM tintype.jobs WHERE state = 'ready' AND NOT throttled)
      AND NOT EXISTS (SELECT FROM tintype.jobs WHERE state = 'ready' AND throttled);

  next_due := extract(epoch FROM (SELECT min(run_at) FROM tintype.jobs WHERE state = 'scheduled') - clock_timestamp());
END $$;
COMMENT ON FUNCTION tintype.maintain IS 'Promotes scheduled jobs, fails those past their deadline, rescues those of lost workers, ends overdue attempts, prunes. Any worker calls it; ran is false when another is at it. next_due: seconds until a scheduled job is due';

-- What admit_next() passed over: a limit was raised, a job that had been let in was cancelled, two things happened at once.
CREATE FUNCTION tintype.admit_throttled() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  key      record;
  room     bigint;
  ids      bigint[];
  admitted integer := 0;
BEGIN
  -- Each key once, by the index: a step from key to key, however many jobs wait with one.
  FOR key IN
    WITH RECURSIVE keys AS (
      (SELECT queue, concurrency_key, 1 AS n FROM tintype.jobs WHERE state = 'ready' AND throttled ORDER BY queue, concurrency_key LIMIT 1)
      UNION ALL
      SELECT next.queue, next.concurrency_key, k.n + 1 FROM keys k CROSS JOIN LATERAL (
        SELECT queue, concurrency_key FROM tintype.jobs j
         WHERE state = 'ready' AND throttled AND (j.queue, j.concurrency_key) > (k.queue, k.concurrency_key)
         ORDER BY queue, concurrency_key LIMIT 1) next WHERE k.n < 1000)
    SELECT k.queue, k.concurrency_key, coalesce(l.max_running, q.max_running_per_key) AS most
      FROM keys k JOIN tintype.queues q ON q.name = k.queue
      LEFT JOIN tintype.concurrency_limits l ON l.queue = k.queue AND l.concurrency_key = k.concurrency_key
  LOOP
    room := coalesce(key.most, 1000)
      - (SELECT count(*) FROM tintype.jobs WHERE queue = key.queue AND concurrency_key = key.concurrency_key AND state = 'running')
      - (SELECT count(*) FROM (SELECT FROM tintype.jobs WHERE queue = key.queue AND concurrency_key = key.concurrency_key
                                 AND state = 'ready' AND NOT throttled LIMIT 1000) waiting);
    CONTINUE WHEN room <= 0;
    SELECT array_agg(id) INTO ids FROM (
      SELECT id FROM tintype.jobs j
       WHERE state = 'ready' AND throttled AND j.queue = key.queue AND j.concurrency_key = key.concurrency_key
       ORDER BY claim_key, id LIMIT room FOR NO KEY UPDATE SKIP LOCKED) first;
    UPDATE tintype.jobs SET throttled = false WHERE id = ANY (ids);
    admitted := admitted + coalesce(cardinality(ids), 0);
    PERFORM pg_notify('tintype_ready', key.queue);
  END LOOP;
  RETURN admitted;
END $$;
COMMENT ON FUNCTION tintype.admit_throttled IS 'Lets throttled jobs into the line where their concurrency key has room. Internal';
