-- Several jobs of a line at once, so that a claim of many is not many claims.
DROP FUNCTION tintype.heads, tintype.take_first, tintype.take_alike, tintype.admits;

-- May this ready job, whose row is locked, run now as far as its key is concerned? If not, it and what shares the key
-- leave the line. The lock is only tried: whoever holds it is judging the same key at this moment.
CREATE FUNCTION tintype.admits(p_queue text, p_key text, p_taken bigint) RETURNS boolean
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
  IF p_taken + (SELECT count(*) FROM tintype.jobs WHERE queue = p_queue AND concurrency_key = p_key AND state = 'running') < most THEN
    RETURN true;
  END IF;
  UPDATE tintype.jobs SET throttled = true WHERE id IN (
    SELECT id FROM tintype.jobs
     WHERE queue = p_queue AND concurrency_key = p_key AND state = 'ready' AND NOT throttled
     ORDER BY id LIMIT 200 FOR NO KEY UPDATE SKIP LOCKED);
  RETURN false;
END $$;
COMMENT ON FUNCTION tintype.admits IS 'Whether one more job with this concurrency key may run beside those that run and p_taken more; if not, up to 200 that wait with it are throttled. Internal';

-- Of jobs that are locked, in their order, those that may run as far as their keys are concerned, besides those whose keys
-- are in "taken" already.
CREATE FUNCTION tintype.admitted(p_queue text, p_ids bigint[], p_keys text[], INOUT taken text[], OUT ids bigint[])
LANGUAGE plpgsql AS $$
DECLARE
  refused text[] := '{}';
BEGIN
  ids := '{}';
  FOR i IN 1 .. cardinality(p_ids) LOOP
    CONTINUE WHEN p_keys[i] = ANY (refused);
    IF p_keys[i] IS NULL OR tintype.admits(p_queue, p_keys[i], cardinality(array_positions(taken, p_keys[i]))) THEN
      ids := ids || p_ids[i];
      taken := taken || p_keys[i];
    ELSE
      -- admits() has marked as throttled what shares the key, chosen ones too; from those the mark goes as they begin to run.
      refused := refused || p_keys[i];
    END IF;
  END LOOP;
END $$;
COMMENT ON FUNCTION tintype.admitted IS 'Those of some locked jobs that may run by their concurrency keys. Internal';

-- The first jobs of a line that may run, between two places, locked; null if there is none or others hold them.
CREATE FUNCTION tintype.take(
  p_queue text, p_model text, p_from timestamptz, p_from_id bigint, p_to timestamptz, p_to_id bigint, p_limit integer
) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
  job record;
BEGIN
  -- Bounded: a claim steps over some jobs whose keys are full or just being judged by others, not over thousands.
  FOR tries IN 1 .. 20 LOOP
    SELECT array_agg(id) AS ids, array_agg(concurrency_key) AS keys, count(concurrency_key) AS keyed,
           max(claim_key) AS last_key, max(id) AS last_id INTO job FROM (
      SELECT j.id, j.claim_key, j.concurrency_key FROM tintype.jobs j
       WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = p_queue AND coalesce(j.model, '') = p_model
         AND (j.claim_key, j.id) >= (p_from, p_from_id) AND (j.claim_key, j.id) <= (p_to, p_to_id)
         AND (j.deadline IS NULL OR j.deadline > clock_timestamp())
       ORDER BY j.claim_key, j.id LIMIT p_limit FOR NO KEY UPDATE SKIP LOCKED) first;
    IF job.keyed = 0 THEN
      RETURN job.ids;
    END IF;
    p_from := job.last_key;
    p_from_id := (job.ids)[cardinality(job.ids)] + 1;
    job.ids := (tintype.admitted(p_queue, job.ids, job.keys, '{}')).ids;
    IF cardinality(job.ids) > 0 THEN
      RETURN job.ids;
    END IF;
  END LOOP;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.take IS 'Locks and returns the first jobs of a line between two places, past those whose concurrency key forbids it. Internal';

-- The next jobs of the same shape among the next sixty-four of the line, locked.
CREATE FUNCTION tintype.take_alike(p_lead bigint, p_from timestamptz, p_limit integer) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
  lead   tintype.jobs;
  near   bigint[];
  job    record;
  may    record;
  chosen bigint[] := '{}';
  keys   text[];
BEGIN
  SELECT * INTO lead FROM tintype.jobs WHERE id = p_lead;
  -- Jobs that have taken a worker down run alone.
  IF lead.losses > 0 THEN
    RETURN chosen;
  END IF;
  keys := ARRAY[lead.concurrency_key];
  near := ARRAY(
    SELECT j.id FROM tintype.jobs j
     WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = lead.queue AND coalesce(j.model, '') = coalesce(lead.model, '')
       AND j.claim_key >= p_from AND j.id <> p_lead
     ORDER BY j.claim_key, j.id LIMIT 64);
  WHILE cardinality(chosen) < p_limit LOOP
    SELECT array_agg(id) AS ids, array_agg(concurrency_key) AS keys INTO job FROM (
      SELECT j.id, j.concurrency_key FROM unnest(near) WITH ORDINALITY AS n (id, place) JOIN tintype.jobs j ON j.id = n.id
       -- Spelled so that the planner goes by the ids and not through the line once more.
       WHERE j.state || '' = 'ready' AND NOT j.throttled AND j.losses = 0
         AND (j.width, j.height, j.steps, j.guidance_scale > 1, j.strength, num_nonnulls(j.init_image, j.init_image_data, j.init_job))
             IS NOT DISTINCT FROM
             (lead.width, lead.height, lead.steps, lead.guidance_scale > 1, lead.strength, num_nonnulls(lead.init_image, lead.init_image_data, lead.init_job))
         AND (j.deadline IS NULL OR j.deadline > clock_timestamp())
       ORDER BY n.place LIMIT p_limit - cardinality(chosen) FOR NO KEY UPDATE OF j SKIP LOCKED) alike;
    EXIT WHEN job.ids IS NULL;
    may := tintype.admitted(lead.queue, job.ids, job.keys, keys);
    keys := may.taken;
    chosen := chosen || may.ids;
    near := ARRAY(SELECT id FROM unnest(near) WITH ORDINALITY AS n (id, place) WHERE id <> ALL (job.ids) ORDER BY place);
  END LOOP;
  RETURN chosen;
END $$;
COMMENT ON FUNCTION tintype.take_alike IS 'Locks and returns ready jobs near the head of the line that ask for the same model, size, steps and kind of start as another. Internal';

-- Procedural on purpose. As one statement with LIMIT under a join the planner may run the inner scan twice and claim too
-- much, or choose a sort over the whole line when its statistics are old; the settings leave it the index only. Each turn
-- locks exactly the rows it takes: rows locked in advance would be invisible to other idle workers.
CREATE OR REPLACE FUNCTION tintype.claim(
  p_worker bigint, p_queues text[], p_models text[], p_limit integer, p_loaded text[] DEFAULT NULL, p_alike boolean DEFAULT false
) RETURNS TABLE (
  id bigint, attempt_id bigint, attempt_number integer, max_attempts integer, queue text, model text, prompt text,
  negative_prompt text, width integer, height integer, steps integer, guidance_scale double precision,
  strength double precision, seed bigint, image_count integer, init_image text, init_image_data bytea, init_job bigint,
  init_artifact_path text, init_artifact_sha256 bytea, timeout double precision, metadata text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  me        record;
  head      record;
  hinted    boolean;
  before    bigint;
  is_slow   boolean;
  taken     bigint[];
  lead      bigint;
  lead_from timestamptz;
  remaining integer := p_limit;
  wanted    integer;
BEGIN
  SELECT w.loaded IS DISTINCT FROM p_loaded AS has_changed,
         ARRAY(SELECT q.name FROM tintype.queues q
                WHERE q.name = ANY (p_queues) AND q.paused_at IS NULL AND q.max_running IS NOT NULL ORDER BY q.name) AS limited
    INTO me FROM tintype.workers w
    WHERE w.id = p_worker AND w.ended_at IS NULL AND w.lease_until > clock_timestamp() AND w.desired = 'run';
  IF NOT FOUND THEN
    RETURN;
  END IF;
  IF me.has_changed THEN
    UPDATE tintype.workers w SET loaded = p_loaded WHERE w.id = p_worker;
  END IF;
  -- Counting is exact only if no one else claims from the queue meanwhile. Queues without a limit never wait here.
  FOR i IN 1 .. cardinality(me.limited) LOOP
    PERFORM pg_advisory_xact_lock(hashtext('tintype.claim'), hashtext(me.limited[i]));
  END LOOP;

  WHILE remaining > 0 LOOP
    taken := NULL;
    hinted := true;
    LOOP
      before := pg_stat_get_xact_tuples_returned('tintype.jobs_line'::regclass);
      -- The first of each line that this worker can serve ('' is the line of jobs without a model), the most urgent first.
      FOR head IN
        SELECT line.queue, line.model, first.claim_key, line.begins_at, line.begins_id, line.is_recheck,
               -- What is loaded elsewhere and here is not, comes for having waited: each job by itself.
               CASE WHEN line.is_loaded THEN line.room ELSE least(line.room, 1) END AS room,
               -- As far as no other line's first is more urgent.
               coalesce(lead(first.claim_key - line.ahead) OVER urgency + line.ahead, 'infinity') AS ends_at,
               coalesce(lead(first.id) OVER urgency, 0) AS ends_id
          FROM (SELECT q.name AS queue, m.model, q.model_affinity, own.is_loaded,
                       CASE WHEN own.is_loaded THEN q.model_affinity ELSE '0' END AS ahead,
                       CASE WHEN q.max_running IS NOT NULL THEN q.max_running
                         - (SELECT count(*) FROM tintype.jobs r WHERE r.queue = q.name AND r.state = 'running')::integer END AS room,
                       l.is_recheck IS TRUE AS is_recheck,
                       CASE WHEN hinted AND l.is_recheck IS NOT TRUE
                             AND l.checked_at BETWEEN clock_timestamp() - interval '10 seconds' AND clock_timestamp()
                            THEN l.begins_at ELSE '-infinity' END AS begins_at,
                       coalesce(l.begins_id, 0) AS begins_id
                  FROM unnest(p_queues) u JOIN tintype.queues q ON q.name = u AND q.paused_at IS NULL
                 CROSS JOIN (SELECT '' UNION SELECT unnest(p_models)) AS m (model)
                 CROSS JOIN LATERAL (
                   SELECT p_loaded IS NULL OR coalesce(nullif(m.model, ''), p_models[1]) = ANY (p_loaded) AS is_loaded) own
                  LEFT JOIN LATERAL (
                    SELECT l.begins_at, l.begins_id, l.checked_at,
                           -- One of those who come after a second looks anew, while the others go by what is written; also
                           -- when the clock was set back and it is of the future.
                           l.begins_at > '-infinity' AND l.checked_at NOT BETWEEN clock_timestamp() - interval '1 second' AND clock_timestamp()
                           AND pg_try_advisory_xact_lock(hashtext('tintype.line'), hashtext(q.name || '/' || m.model)) AS is_recheck
                      FROM tintype.lines l WHERE l.queue = q.name AND l.model = m.model) l ON true) line
         CROSS JOIN LATERAL (
           SELECT j.claim_key, j.id, j.run_at FROM tintype.jobs j
            WHERE j.state = 'ready' AND NOT j.throttled AND j.queue = line.queue AND coalesce(j.model, '') = line.model
              AND (j.claim_key, j.id) >= (line.begins_at, line.begins_id)
            ORDER BY j.claim_key, j.id LIMIT 1) first
         WHERE coalesce(line.room, 1) > 0
           AND (line.is_loaded
                OR first.run_at < clock_timestamp() - line.model_affinity
                OR NOT EXISTS (SELECT FROM tintype.workers w
                                WHERE w.ended_at IS NULL AND w.lease_until > clock_timestamp() AND w.desired = 'run' AND w.id <> p_worker
                                  AND line.queue = ANY (w.queues) AND coalesce(nullif(line.model, ''), w.models[1]) = ANY (w.loaded)))
        WINDOW urgency AS (ORDER BY first.claim_key - line.ahead, first.id)
         ORDER BY first.claim_key - line.ahead, first.id
      LOOP
        wanted := CASE WHEN p_alike THEN 1 ELSE least(remaining, head.room) END;
        IF wanted > 1 THEN
          taken := tintype.take(head.queue, head.model, head.begins_at, head.begins_id, head.ends_at, head.ends_id, wanted);
        END IF;
        -- One job, or others hold all up to there: the first that is free, wherever in the line it stands.
        IF taken IS NULL THEN
          taken := tintype.take(head.queue, head.model, head.begins_at, head.begins_id, 'infinity', 0, 1);
        END IF;
        EXIT WHEN taken IS NOT NULL;  -- else others hold the whole line
      END LOOP;
      is_slow := pg_stat_get_xact_tuples_returned('tintype.jobs_line'::regclass) - before > 500 + p_limit;
      IF taken IS NOT NULL AND (is_slow OR head.is_recheck) THEN
        PERFORM tintype.note_head(head.queue, head.model, head.claim_key, taken[1], is_slow);
      END IF;
      -- Nothing from where the lines are said to begin: before an empty answer, look everywhere.
      EXIT WHEN taken IS NOT NULL OR NOT hinted;
      hinted := false;
      EXIT WHEN NOT EXISTS (SELECT FROM tintype.lines l WHERE l.queue = ANY (p_queues) AND l.begins_at > '-infinity');
    END LOOP;
    EXIT WHEN taken IS NULL;
    -- The rest of the answer is of the shape of its first, and there is no other turn.
    IF p_alike AND remaining > 1 AND coalesce(head.room, 2) > 1 THEN
      taken := taken || tintype.take_alike(taken[1], head.claim_key, least(remaining, head.room) - 1);
    END IF;

    RETURN QUERY
      WITH running AS (
        UPDATE tintype.jobs j SET state = 'running', attempt_id = nextval('tintype.attempts_id_seq'), started_at = clock_timestamp()
          WHERE j.id = ANY (taken)
          RETURNING j.*
      ), begun AS (
        INSERT INTO tintype.attempts (id, job_id, worker_id, number, started_at, deadline) OVERRIDING SYSTEM VALUE
          SELECT r.attempt_id, r.id, p_worker, r.failures + 1, r.started_at, least(r.started_at + r.timeout, r.deadline) FROM running r
      ), fair AS (
        SELECT tintype.advance_fairness(max(r.fair_at)) FROM running r WHERE r.tenant IS NOT NULL HAVING count(*) > 0
      )
      SELECT j.id, j.attempt_id, j.failures + 1, j.max_attempts, j.queue, j.model, j.prompt, j.negative_prompt, j.width,
             j.height, j.steps, j.guidance_scale, coalesce(j.strength, 1), j.seed, j.image_count, j.init_image,
             j.init_image_data, j.init_job, i.path, i.sha256,
             -- What is left until the deadline, and no less than nothing.
             extract(epoch FROM least(j.timeout, CASE WHEN j.deadline IS NOT NULL THEN
               greatest(j.deadline - clock_timestamp(), '0') END))::double precision, j.metadata::text
        FROM running j LEFT JOIN tintype.images i ON i.job_id = j.init_job AND i.index = 0 LEFT JOIN fair ON true
       ORDER BY array_position(taken, j.id);
    remaining := remaining - cardinality(taken);
    EXIT WHEN p_alike;
  END LOOP;
END $$;
COMMENT ON FUNCTION tintype.claim IS 'Takes up to p_limit ready jobs for a live worker, most urgent first, each with a new attempt id. p_loaded: the models it has in memory. p_alike: all of the shape of the first. Nothing if the worker drains or its lease is over';

-- A tenant's last place, looked up at each INSERT: with statistics from before a rush the planner read the whole table for it.
-- jit = off belongs to it: what is discouraged is reckoned so dear that it would be compiled each time, 0.2 s a row.
ALTER FUNCTION tintype.fair_place SET enable_seqscan = off;
ALTER FUNCTION tintype.fair_place SET enable_bitmapscan = off;
ALTER FUNCTION tintype.fair_place SET enable_sort = off;
ALTER FUNCTION tintype.fair_place SET jit = off;
ALTER FUNCTION tintype.fair_place SET plan_cache_mode = force_generic_plan;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tintype FROM PUBLIC;
SELECT tintype.install_roles();
