-- A claim of one job in a few plain statements. What took the time was not the rows: it was starting one large statement after
-- another, and a plan that was made while `images` was empty and kept when it was not, which hashed all pictures there
-- are at each claim. No plan of this function depends on statistics any more.

CREATE OR REPLACE FUNCTION tintype.claim(
  p_worker bigint, p_queues text[], p_models text[], p_limit integer, p_loaded text[] DEFAULT NULL, p_alike boolean DEFAULT false
) RETURNS TABLE (
  id bigint, attempt_id bigint, attempt_number integer, max_attempts integer, queue text, model text, prompt text, negative_prompt text,
  width integer, height integer, steps integer, guidance_scale double precision, strength double precision, seed bigint,
  image_count integer, init_image text, init_image_data bytea, init_job bigint, init_artifact_path text, init_artifact_sha256 bytea,
  timeout double precision, metadata text
)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
  SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off SET enable_hashjoin = off
  SET enable_mergejoin = off SET jit = off SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
  me        record;
  head      record;
  hinted    boolean;
  before    bigint;
  is_slow   boolean;
  taken     bigint[];
  remaining integer := p_limit;
  wanted    integer;
  until     timestamptz;
  began     timestamptz;
  place     timestamptz;
  fair      timestamptz;
BEGIN
  SELECT w.loaded IS DISTINCT FROM p_loaded AS has_changed,
         ARRAY(SELECT q.name FROM tintype.queues q
                WHERE q.name = ANY (p_queues) AND q.paused_at IS NULL AND q.max_running IS NOT NULL ORDER BY q.name) AS limited,
         -- Lines of which no more is to be known than their order: every model of this worker is in memory, or nobody asks,
         -- and no line is said to begin elsewhere.
         (p_loaded IS NULL OR cardinality(p_models) > 0 AND p_models <@ p_loaded)
           AND NOT EXISTS (SELECT FROM tintype.lines l WHERE l.queue = ANY (p_queues) AND l.begins_at > '-infinity') AS is_plain
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

  -- What nearly every claim is: one job, the first of the most urgent line, found, locked and changed by one statement. The
  -- subquery stands alone and runs once, whatever the planner thinks of the table. What it does not take (nothing is free
  -- there, or a concurrency key has to be judged) is for the general way below.
  IF p_limit = 1 AND me.is_plain AND cardinality(me.limited) = 0 THEN
    before := pg_stat_get_xact_tuples_returned('tintype.jobs_line'::regclass);
    UPDATE tintype.jobs j SET state = 'running', attempt_id = nextval('tintype.attempts_id_seq'), started_at = clock_timestamp()
      WHERE j.id = (
          SELECT next.id FROM (
            SELECT q.name AS queue, m.model, first.claim_key, first.id
              FROM unnest(p_queues) u JOIN tintype.queues q ON q.name = u AND q.paused_at IS NULL
             CROSS JOIN unnest(ARRAY[''] || p_models) AS m (model)
             CROSS JOIN LATERAL (
               SELECT f.claim_key, f.id FROM tintype.jobs f
                WHERE f.state = 'ready' AND NOT f.throttled AND f.queue = q.name AND coalesce(f.model, '') = m.model
                ORDER BY f.claim_key, f.id LIMIT 1) first
             ORDER BY first.claim_key - q.model_affinity, first.id LIMIT 1) line
           CROSS JOIN LATERAL (
             SELECT f.id FROM tintype.jobs f
              WHERE f.state = 'ready' AND NOT f.throttled AND f.queue = line.queue AND coalesce(f.model, '') = line.model
                AND (f.claim_key, f.id) >= (line.claim_key, line.id) AND (f.deadline IS NULL OR f.deadline > clock_timestamp())
              ORDER BY f.claim_key, f.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED) next)
        AND j.concurrency_key IS NULL
      RETURNING j.id, j.attempt_id, j.failures + 1, j.max_attempts, j.queue, j.model, j.prompt, j.negative_prompt, j.width,
                j.height, j.steps, j.guidance_scale, coalesce(j.strength, 1), j.seed, j.image_count, j.init_image,
                j.init_image_data, j.init_job,
                extract(epoch FROM least(j.timeout, CASE WHEN j.deadline IS NOT NULL THEN
                  greatest(j.deadline - j.started_at, '0') END))::double precision, j.metadata::text,
                j.started_at, least(j.started_at + j.timeout, j.deadline), j.claim_key, CASE WHEN j.tenant IS NOT NULL THEN j.fair_at END
      INTO id, attempt_id, attempt_number, max_attempts, queue, model, prompt, negative_prompt, width,
           height, steps, guidance_scale, strength, seed, image_count, init_image,
           init_image_data, init_job, timeout, metadata, began, until, place, fair;
    IF FOUND THEN
      INSERT INTO tintype.attempts (id, job_id, worker_id, number, started_at, deadline) OVERRIDING SYSTEM VALUE
        VALUES (attempt_id, id, p_worker, attempt_number, began, until);
      IF fair IS NOT NULL THEN
        PERFORM tintype.advance_fairness(fair);
      END IF;
      IF init_job IS NOT NULL THEN
        SELECT i.path, i.sha256 INTO init_artifact_path, init_artifact_sha256 FROM tintype.images i WHERE i.job_id = claim.init_job AND i.index = 0;
      END IF;
      IF pg_stat_get_xact_tuples_returned('tintype.jobs_line'::regclass) - before > 500 THEN
        PERFORM tintype.note_head(queue, coalesce(model, ''), place, id, true);
      END IF;
      RETURN NEXT;
      RETURN;
    END IF;
  END IF;

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
        FROM running j LEFT JOIN LATERAL (
          SELECT i.path, i.sha256 FROM tintype.images i WHERE i.job_id = j.init_job AND i.index = 0 LIMIT 1) i ON true LEFT JOIN fair ON true
       ORDER BY array_position(taken, j.id);
    remaining := remaining - cardinality(taken);
    EXIT WHEN p_alike;
  END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA tintype FROM PUBLIC;
SELECT tintype.install_roles();
