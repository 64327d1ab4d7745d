-- maintain(): nothing to do for who comes within a second of another (of a thousand workers nearly all do), and a clock that
-- was set back.
DROP FUNCTION tintype.maintain;
CREATE FUNCTION tintype.maintain(
  p_unless_within interval DEFAULT '1 second',
  OUT ran boolean, OUT grace boolean, OUT promoted integer, OUT workers_lost integer, OUT rescued integer, OUT timed_out integer,
  OUT pruned integer, OUT expired integer, OUT admitted integer, OUT next_due double precision
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

  SELECT *, now() - last_run_at AS since, (SELECT min(run_at) FROM tintype.jobs WHERE state = 'scheduled') AS due,
         (SELECT max(lease) FROM tintype.workers WHERE ended_at IS NULL) AS longest_lease
    INTO last FROM tintype.maintenance;
  -- Another worker has just done it all. Between nothing and then: after the clock was set back, the last time lies ahead.
  IF last.since >= '0' AND last.since < p_unless_within AND (last.due > now()) IS NOT FALSE THEN
    ran := false;
    next_due := extract(epoch FROM last.due - clock_timestamp());
    RETURN;
  END IF;

  -- Was the database away? Then leases ran out that nobody could renew, and rescuing now would run every job twice.
  -- Everyone gets one lease's time to come back first. Never more: after the clock was set back, what is written is too far ahead.
  UPDATE tintype.maintenance SET
    last_run_at = now(),
    grace_until = CASE
      WHEN last.since > '15 seconds' OR last.last_run_at < pg_postmaster_start_time() THEN now() + coalesce(last.longest_lease, '0')
      ELSE least(grace_until, now() + coalesce(last.longest_lease, '0')) END
    RETURNING grace_until > now() INTO grace;

  -- No lease ends later than a lease from now, unless the database's clock was set back: then those of workers that died
  -- before would hold their jobs for as long as it went. Living ones put theirs right with their next heartbeat.
  UPDATE tintype.workers SET lease_until = clock_timestamp() + lease
    WHERE ended_at IS NULL AND lease_until > clock_timestamp() + lease + interval '1 second';

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
COMMENT ON FUNCTION tintype.maintain IS 'Promotes scheduled jobs, fails those past their deadline, rescues those of lost workers, ends overdue attempts, prunes. Any worker calls it; ran is false when another is at it, or was within p_unless_within and no scheduled job is due. next_due: seconds until a scheduled job is due';

CREATE OR REPLACE FUNCTION tintype.heartbeat(
  p_worker bigint, p_running jsonb, OUT fenced boolean, OUT drain boolean, OUT cancel bigint[], OUT revoked bigint[]
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
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
     WHERE worker_id = p_worker AND finished_at IS NULL AND id <> ALL (listed)
       -- Or lies ahead by as much: the clock was set back.
       AND started_at NOT BETWEEN clock_timestamp() - patience AND clock_timestamp() + patience
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

CREATE OR REPLACE FUNCTION tintype.advance_fairness(p_fair_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM tintype.fairness
    WHERE p_fair_at > clock_timestamp() + ahead AND moved_at NOT BETWEEN clock_timestamp() - interval '0.2 seconds' AND clock_timestamp()
    FOR NO KEY UPDATE SKIP LOCKED;
  IF FOUND THEN
    UPDATE tintype.fairness SET ahead = p_fair_at - clock_timestamp(), moved_at = clock_timestamp();
  END IF;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tintype FROM PUBLIC;
SELECT tintype.install_roles();
