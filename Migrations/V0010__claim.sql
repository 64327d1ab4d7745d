-- The claim, second version: workers that hold a model come first, jobs of one shape may come together, keys are counted,
-- and a snapshot that somebody holds for minutes costs little.
--
-- That last point: every claimed job leaves a dead entry at the head of its line's index. Vacuum removes it, unless some
-- transaction is old enough to see the job as it was; then the entries pile up, and each claim steps over all of them
-- (measured: 15,000 entries, 20 ms). So a claim that had to step over many writes down where the line begins, and others
-- start there. Once a second one of them looks from the very beginning again, for what has joined before that place
-- meanwhile. Without a pile nothing is written down and the order is exact.

CREATE TABLE tintype.lines (
  queue       text NOT NULL,
  model       text NOT NULL,
  begins_at   timestamptz NOT NULL,
  begins_id   bigint NOT NULL,
  checked_at  timestamptz NOT NULL,
  PRIMARY KEY (queue, model)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
COMMENT ON TABLE  tintype.lines            IS 'Where a line begins, for lines at whose head dead index entries have piled up. A hint: nothing is lost with it';
COMMENT ON COLUMN tintype.lines.queue      IS 'The queue';
COMMENT ON COLUMN tintype.lines.model      IS 'The model; empty for jobs that name none';
COMMENT ON COLUMN tintype.lines.begins_at  IS 'No ready job stood before this claim_key when last checked, ...';
COMMENT ON COLUMN tintype.lines.begins_id  IS '... nor at it with a lower id: jobs inserted together share one claim_key';
COMMENT ON COLUMN tintype.lines.checked_at IS 'When that was';

ALTER TABLE tintype.workers ADD COLUMN loaded text[];
COMMENT ON COLUMN tintype.workers.loaded IS 'Models it had in memory at its last claim, as far as it says; null if it does not';

-- The functions below are parts of claim() and run with its rights and its settings.

CREATE FUNCTION tintype.entries_read() RETURNS bigint
LANGUAGE sql VOLATILE AS $$
  SELECT pg_stat_get_xact_tuples_returned('tintype.jobs_line'::regclass)
$$;
COMMENT ON FUNCTION tintype.entries_read IS 'Entries of jobs_line that this transaction has read, dead ones included. Internal';

-- May this ready job, whose row is locked, run now as far as its key is concerned? If not, it and what shares the key
-- leave the line. The lock is only tried: whoever holds it is judging the same key at this moment.
CREATE FUNCTION tintype.admits(p_queue text, p_key text) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
  most integer := coalesce(
    (SELECT max_running FROM tintype.concurrency_limits WHERE queue = p_queue AND concurrency_key = p_key),
    (SELECT max_running_per_key FROM tintype.queues WHERE name = p_queue));
BEGIN
  IF most IS NULL THEN
    RETURN true;
  END IF;
  IF NOT pg_try_advisory_xact_lock(hashtext('tintype.key'), hashtext(p_queue || '/' || p_key)) THEN
    RETURN false;
  END IF;
  IF (SELECT count(*) FROM tintype.jobs WHERE queue = p_queue AND concurrency_key = p_key AND state = 'running') < most THEN
    RETURN true;
  END IF;
  UPDATE tintype.jobs SET throttled = true WHERE id IN (
    SELECT id FROM tintype.jobs
     WHERE queue = p_queue AND concurrency_key = p_key AND state = 'ready' AND NOT throttled
     ORDER BY id LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED);
  RETURN false;
END $$;
COMMENT ON FUNCTION tintype.admits IS 'Whether one more job with this concurrency key may run; if not, up to 200 that wait with it are throttled. Internal';

-- The first job of a line that may run, locked; null if others hold them all.
CREATE FUNCTION tintype.take_first(p_queue text, p_model text, p_from timestamptz, p_from_id bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  job record;
BEGIN
  -- Bounded: a claim steps over some jobs whose keys are full or just being judged by others, not over thousands.
  FOR tries IN 1 .. 20 LOOP
    SELECT j.id, j.claim_key, j.concurrency_key INTO job FROM tintype.jobs j
      WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = p_queue AND coalesce(j.model, '') = p_model
        AND (j.claim_key, j.id) >= (p_from, p_from_id) AND (j.deadline IS NULL OR j.deadline > clock_timestamp())
      ORDER BY j.claim_key, j.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND OR job.concurrency_key IS NULL OR tintype.admits(p_queue, job.concurrency_key) THEN
      RETURN job.id;
    END IF;
    p_from := job.claim_key;
    p_from_id := job.id + 1;
  END LOOP;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.take_first IS 'Locks and returns the first job of a line from a place on, past those whose concurrency key forbids it. Internal';

-- The next job of the same shape among the next sixty-four of the line, locked.
CREATE FUNCTION tintype.take_alike(p_lead bigint, p_from timestamptz) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
  lead tintype.jobs;
  near bigint[];
  job  record;
BEGIN
  SELECT * INTO lead FROM tintype.jobs WHERE id = p_lead;
  near := ARRAY(
    SELECT j.id FROM tintype.jobs j
     WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = lead.queue AND coalesce(j.model, '') = coalesce(lead.model, '')
       AND j.claim_key >= p_from
     ORDER BY j.claim_key, j.id LIMIT 64);
  FOR job IN
    SELECT j.id, j.queue, j.concurrency_key FROM unnest(near) WITH ORDINALITY AS n (id, place) JOIN tintype.jobs j ON j.id = n.id
     WHERE (j.width, j.height, j.steps, j.guidance_scale > 1, j.strength, num_nonnulls(j.init_image, j.init_image_data, j.init_job))
           IS NOT DISTINCT FROM
           (lead.width, lead.height, lead.steps, lead.guidance_scale > 1, lead.strength, num_nonnulls(lead.init_image, lead.init_image_data, lead.init_job))
       -- Jobs that have taken a worker down run alone.
       AND j.losses = 0 AND lead.losses = 0
     ORDER BY n.place
  LOOP
    PERFORM FROM tintype.jobs j WHERE j.id = job.id AND j.state = 'ready' AND NOT j.throttled FOR NO KEY UPDATE SKIP LOCKED;
    IF FOUND AND (job.concurrency_key IS NULL OR tintype.admits(job.queue, job.concurrency_key)) THEN
      RETURN job.id;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.take_alike IS 'Locks and returns a ready job near the head of the line that asks for the same model, size, steps and kind of start as another. Internal';

-- A tenant's job that stands ahead of the clock has been taken: the clock goes on from there, so that newcomers join at
-- the place that is being served. Five times a second is enough: a newcomer gains a fifth of a second at most.
CREATE FUNCTION tintype.advance_fairness(p_fair_at timestamptz) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM FROM tintype.fairness WHERE p_fair_at > clock_timestamp() + ahead AND moved_at < clock_timestamp() - interval '0.2 seconds'
    FOR NO KEY UPDATE SKIP LOCKED;
  IF FOUND THEN
    UPDATE tintype.fairness SET ahead = p_fair_at - clock_timestamp(), moved_at = clock_timestamp();
  END IF;
END $$;
COMMENT ON FUNCTION tintype.advance_fairness IS 'Moves the lines'' clock to the place of a job that has been taken. Internal';

-- Procedural on purpose. As one statement with LIMIT under a join the planner may run the inner scan twice and claim too
-- much, or choose a sort over the whole line when its statistics are old; the settings leave it the index only. Each turn
-- locks exactly the row it takes: rows locked in advance would be invisible to other idle workers.
DROP FUNCTION tintype.claim;
CREATE FUNCTION tintype.claim(
  p_worker bigint, p_queues text[], p_models text[], p_limit integer, p_loaded text[] DEFAULT NULL, p_alike boolean DEFAULT false
) RETURNS TABLE (
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
  hinted       boolean := true;
  before       bigint;
  is_slow      boolean;
  taken        bigint;
  lead         bigint;
  lead_from    timestamptz;
  new_attempt  bigint;
  claimed      tintype.jobs;
BEGIN
  PERFORM FROM tintype.workers w
    WHERE w.id = p_worker AND w.ended_at IS NULL AND w.lease_until > clock_timestamp() AND w.desired = 'run';
  IF NOT FOUND THEN
    RETURN;
  END IF;
  UPDATE tintype.workers w SET loaded = p_loaded WHERE w.id = p_worker AND w.loaded IS DISTINCT FROM p_loaded;

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
    IF lead IS NOT NULL THEN
      IF (SELECT j.queue FROM tintype.jobs j WHERE j.id = lead) = ANY (open_queues) THEN
        taken := tintype.take_alike(lead, lead_from);
      END IF;
      EXIT WHEN taken IS NULL;
    END IF;

    WHILE taken IS NULL LOOP
      before := tintype.entries_read();
      FOR head IN SELECT * FROM tintype.heads(p_worker, open_queues, p_models, p_loaded, hinted) LOOP
        taken := tintype.take_first(head.queue, head.model, head.begins_at, head.begins_id);
        EXIT WHEN taken IS NOT NULL;  -- else others hold the whole line
      END LOOP;
      is_slow := tintype.entries_read() - before > 500;
      IF taken IS NOT NULL AND (is_slow OR head.is_recheck) THEN
        PERFORM tintype.note_head(head.queue, head.model, head.claim_key, taken, is_slow);
      END IF;
      -- Nothing from where the lines are said to begin: before an empty answer, look everywhere.
      EXIT WHEN taken IS NOT NULL OR NOT hinted;
      hinted := false;
      EXIT WHEN NOT EXISTS (SELECT FROM tintype.lines l WHERE l.queue = ANY (open_queues) AND l.begins_at > '-infinity');
    END LOOP;
    EXIT WHEN taken IS NULL;
    IF p_alike AND lead IS NULL THEN
      lead := taken;
      lead_from := head.claim_key;
    END IF;

    INSERT INTO tintype.attempts AS a (job_id, worker_id, number, started_at, deadline)
      SELECT j.id, p_worker, j.failures + 1, clock_timestamp(), least(clock_timestamp() + j.timeout, j.deadline)
        FROM tintype.jobs j WHERE j.id = taken
      RETURNING a.id INTO new_attempt;
    UPDATE tintype.jobs j SET state = 'running', attempt_id = new_attempt, started_at = clock_timestamp() WHERE j.id = taken
      RETURNING j.* INTO claimed;
    IF claimed.tenant IS NOT NULL THEN
      PERFORM tintype.advance_fairness(claimed.fair_at);
    END IF;

    RETURN QUERY
      SELECT j.id, j.attempt_id, j.failures + 1, j.max_attempts, j.queue, j.model, j.prompt, j.negative_prompt, j.width,
             j.height, j.steps, j.guidance_scale, coalesce(j.strength, 1), j.seed, j.image_count, j.init_image,
             j.init_image_data, j.init_job, i.path, i.sha256,
             -- What is left until the deadline, and no less than nothing.
             extract(epoch FROM least(j.timeout, CASE WHEN j.deadline IS NOT NULL THEN
               greatest(j.deadline - clock_timestamp(), '0') END))::double precision, j.metadata::text
        FROM tintype.jobs j LEFT JOIN tintype.images i ON i.job_id = j.init_job AND i.index = 0
       WHERE j.id = taken;
  END LOOP;
END $$;
COMMENT ON FUNCTION tintype.claim IS 'Takes up to p_limit ready jobs for a live worker, most urgent first, each with a new attempt id. p_loaded: the models it has in memory. p_alike: all of the shape of the first. Nothing if the worker drains or its lease is over';

-- The first of each line that a worker can serve ('' is the line of jobs without a model), the most urgent first.
CREATE FUNCTION tintype.heads(p_worker bigint, p_queues text[], p_models text[], p_loaded text[], p_hinted boolean)
RETURNS TABLE (queue text, model text, claim_key timestamptz, begins_at timestamptz, begins_id bigint, is_recheck boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  -- A function in SQL would be planned anew at every call, which takes longer than to run it.
  RETURN QUERY SELECT line.queue, line.model, first.claim_key, line.begins_at, line.begins_id, line.is_recheck
    FROM (SELECT q.name AS queue, m.model, q.model_affinity,
                 p_loaded IS NULL OR coalesce(nullif(m.model, ''), p_models[1]) = ANY (p_loaded) AS is_loaded,
                 l.is_recheck IS TRUE AS is_recheck,
                 CASE WHEN p_hinted AND l.is_recheck IS NOT TRUE AND l.checked_at > clock_timestamp() - interval '10 seconds'
                      THEN l.begins_at ELSE '-infinity' END AS begins_at,
                 coalesce(l.begins_id, 0) AS begins_id
            FROM unnest(p_queues) u JOIN tintype.queues q ON q.name = u
           CROSS JOIN (SELECT '' UNION SELECT unnest(p_models)) AS m (model)
            LEFT JOIN LATERAL (
              SELECT l.begins_at, l.begins_id, l.checked_at,
                     -- One of those who come after a second looks anew, while the others go by what is written.
                     l.begins_at > '-infinity' AND l.checked_at < clock_timestamp() - interval '1 second'
                     AND pg_try_advisory_xact_lock(hashtext('tintype.line'), hashtext(q.name || '/' || m.model)) AS is_recheck
                FROM tintype.lines l WHERE l.queue = q.name AND l.model = m.model) l ON true) line
   CROSS JOIN LATERAL (
     SELECT j.claim_key, j.id, j.run_at FROM tintype.jobs j
      WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = line.queue AND coalesce(j.model, '') = line.model
        AND (j.claim_key, j.id) >= (line.begins_at, line.begins_id)
      ORDER BY j.claim_key, j.id LIMIT 1) first
   WHERE line.is_loaded
      OR first.run_at < clock_timestamp() - line.model_affinity
      OR NOT EXISTS (SELECT FROM tintype.workers w
                      WHERE w.ended_at IS NULL AND w.lease_until > clock_timestamp() AND w.desired = 'run' AND w.id <> p_worker
                        AND line.queue = ANY (w.queues) AND coalesce(nullif(line.model, ''), w.models[1]) = ANY (w.loaded))
   ORDER BY first.claim_key - CASE WHEN line.is_loaded THEN line.model_affinity ELSE '0' END, first.id;
END $$;
COMMENT ON FUNCTION tintype.heads IS 'The first job of each line that a worker can serve, most urgent first; what another worker has in memory only after a while. Internal';

CREATE FUNCTION tintype.note_head(p_queue text, p_model text, p_claim_key timestamptz, p_id bigint, p_is_slow boolean) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  IF NOT p_is_slow THEN
    -- No pile, or no more: the order is exact again.
    UPDATE tintype.lines SET begins_at = '-infinity' WHERE queue = p_queue AND model = p_model AND begins_at > '-infinity';
  ELSIF pg_try_advisory_xact_lock(hashtext('tintype.line'), hashtext(p_queue || '/' || p_model)) THEN
    INSERT INTO tintype.lines VALUES (p_queue, p_model, p_claim_key, p_id, clock_timestamp())
      ON CONFLICT (queue, model) DO UPDATE SET begins_at = excluded.begins_at, begins_id = excluded.begins_id, checked_at = excluded.checked_at;
  END IF;
END $$;
COMMENT ON FUNCTION tintype.note_head IS 'Writes down where a line begins after a claim that stepped over many dead entries, or that this is over. Internal';
