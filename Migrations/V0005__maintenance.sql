-- What must happen although nobody asks for it. Any worker calls maintain() every few seconds; one at a time does the work,
-- so there is no leader to elect and none to lose.

CREATE FUNCTION tintype.maintain(
  OUT ran boolean, OUT grace boolean, OUT promoted integer, OUT workers_lost integer, OUT rescued integer,
  OUT timed_out integer, OUT pruned integer
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
  last   record;
  ids    bigint[];
  item   record;
BEGIN
  promoted := 0; workers_lost := 0; rescued := 0; timed_out := 0; pruned := 0; grace := false;
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
END $$;
COMMENT ON FUNCTION tintype.maintain IS 'Promotes scheduled jobs, rescues those of lost workers, ends overdue attempts, prunes. Any worker calls it; ran is false when another is at it';
