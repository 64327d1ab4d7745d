
CREATE SCHEMA tintype;

COMMENT ON SCHEMA tintype IS 'Rows become pictures: INSERT INTO tintype.jobs (prompt) VALUES (''a red boat'')';

CREATE FUNCTION tintype.admit_throttled() RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION tintype.admit_throttled() IS 'Lets throttled jobs into the line where their concurrency key has room. Internal';

CREATE FUNCTION tintype.admits(p_queue text, p_key text, p_taken bigint) RETURNS boolean
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION tintype.admits(p_queue text, p_key text, p_taken bigint) IS 'Whether one more job with this concurrency key may run beside those that run and p_taken more; if not, up to 200 that wait with it are throttled. Internal';

CREATE FUNCTION tintype.admitted(p_queue text, p_ids bigint[], p_keys text[], INOUT taken text[], OUT ids bigint[]) RETURNS record
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION tintype.admitted(p_queue text, p_ids bigint[], p_keys text[], INOUT taken text[], OUT ids bigint[]) IS 'Those of some locked jobs that may run by their concurrency keys. Internal';

CREATE FUNCTION tintype.advance_fairness(p_fair_at timestamp with time zone) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  PERFORM FROM tintype.fairness
    WHERE p_fair_at > clock_timestamp() + ahead AND moved_at NOT BETWEEN clock_timestamp() - interval '0.2 seconds' AND clock_timestamp()
    FOR NO KEY UPDATE SKIP LOCKED;
  IF FOUND THEN
    UPDATE tintype.fairness SET ahead = p_fair_at - clock_timestamp(), moved_at = clock_timestamp();
  END IF;
END $$;

COMMENT ON FUNCTION tintype.advance_fairness(p_fair_at timestamp with time zone) IS 'Moves the lines'' clock to the place of a job that has been taken. Internal';

CREATE FUNCTION tintype.attempt_is_whole(p_outcome text, p_finished_at timestamp with time zone, p_progress double precision) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
  RETURN (p_finished_at IS NULL) = (p_outcome IS NULL) AND coalesce(p_progress, 0) BETWEEN 0 AND 1
    AND coalesce(p_outcome, 'succeeded') IN ('succeeded', 'failed', 'cancelled', 'released', 'lost', 'timed_out');
END $$;

COMMENT ON FUNCTION tintype.attempt_is_whole(p_outcome text, p_finished_at timestamp with time zone, p_progress double precision) IS 'Whether an attempt has an end and an outcome or neither, and both are possible ones. Internal';

CREATE FUNCTION tintype.can_manage(p_submitted_by text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT p_submitted_by = session_user
      OR pg_has_role(session_user, current_user, 'MEMBER')  -- the owner, and superusers
      OR coalesce(pg_has_role(session_user, to_regrole('tintype_admin'), 'MEMBER'), false)
$$;

COMMENT ON FUNCTION tintype.can_manage(p_submitted_by text) IS 'Whether the session user may cancel, retry or build upon jobs of this submitter';

CREATE FUNCTION tintype.cancel(job_id bigint) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
DECLARE
  job    tintype.jobs := tintype.lock_job($1);
  holder bigint;
BEGIN
  IF job.state = 'running' THEN
    UPDATE tintype.attempts SET
      cancel_requested_at = coalesce(cancel_requested_at, clock_timestamp()),
      cancel_requested_by = coalesce(cancel_requested_by, session_user)
      WHERE id = job.attempt_id RETURNING worker_id INTO holder;
    PERFORM pg_notify('tintype_control', holder::text);  -- only sooner: the next heartbeat's reply says it anyway
  ELSIF job.finished_at IS NULL THEN
    UPDATE tintype.jobs SET
      state = 'cancelled', finished_at = clock_timestamp(), error_code = 'cancelled', error = 'cancelled by ' || session_user
      WHERE id = job.id;
    RETURN 'cancelled';
  END IF;
  RETURN job.state;
END $_$;

COMMENT ON FUNCTION tintype.cancel(job_id bigint) IS 'Ends a waiting job at once and returns cancelled; asks the worker of a running one to stop and returns running; returns the state of one that has ended';

CREATE FUNCTION tintype.check_request() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
DECLARE
  q            tintype.queues;
  parent       tintype.jobs;
  set_by_us    text;
  init_columns text[];
BEGIN
  IF TG_OP = 'INSERT' THEN
    set_by_us := CASE
      WHEN NEW.state          IS NOT NULL THEN 'state'
      WHEN NEW.attempt_id     IS NOT NULL THEN 'attempt_id'
      WHEN NEW.failures       IS NOT NULL THEN 'failures'
      WHEN NEW.losses         IS NOT NULL THEN 'losses'
      WHEN NEW.error_code     IS NOT NULL THEN 'error_code'
      WHEN NEW.error          IS NOT NULL THEN 'error'
      WHEN NEW.warnings       IS NOT NULL THEN 'warnings'
      WHEN NEW.submitted_by   IS NOT NULL THEN 'submitted_by'
      WHEN NEW.created_at     IS NOT NULL THEN 'created_at'
      WHEN NEW.started_at     IS NOT NULL THEN 'started_at'
      WHEN NEW.finished_at    IS NOT NULL THEN 'finished_at'
      WHEN NEW.claim_key      IS NOT NULL THEN 'claim_key'
      WHEN NEW.request_digest IS NOT NULL THEN 'request_digest'
    END;
    IF set_by_us IS NOT NULL THEN
      RAISE EXCEPTION '% is set by Tintype: leave it out of the INSERT', set_by_us
        USING ERRCODE = 'check_violation', SCHEMA = 'tintype', TABLE = 'jobs', COLUMN = set_by_us;
    END IF;
  ELSIF NEW.state <> OLD.state THEN
    -- A transition: no request, and jobs_check_transition has judged it. It may have moved run_at.
    NEW.claim_key := NEW.run_at - NEW.priority * interval '10 minutes';
    RETURN NEW;
  ELSIF OLD.finished_at IS NOT NULL AND NEW.init_job IS NULL AND pg_trigger_depth() > 1 THEN
    RETURN NEW;  -- the foreign key: the earlier job was deleted
  ELSIF OLD.state NOT IN ('scheduled', 'blocked', 'ready') THEN
    RAISE EXCEPTION 'job % is %: a request can be changed only while it waits (scheduled, blocked or ready)', OLD.id, OLD.state
      USING ERRCODE = 'object_not_in_prerequisite_state', SCHEMA = 'tintype', TABLE = 'jobs';
  END IF;

  -- Values that are not given. An explicit null counts as not given: many clients send every column.
  NEW.queue          := coalesce(NEW.queue, 'default');
  NEW.guidance_scale := coalesce(NEW.guidance_scale, 0);
  NEW.image_count    := coalesce(NEW.image_count, 1);
  NEW.priority       := coalesce(NEW.priority, 0);
  NEW.metadata       := coalesce(NEW.metadata, '{}');

  SELECT * INTO q FROM tintype.queues WHERE name = NEW.queue;
  IF NOT FOUND THEN
    PERFORM tintype.refuse('queue', format('one of the queues that exist (%s)',
      (SELECT string_agg(name, ', ' ORDER BY name) FROM tintype.queues)), left(NEW.queue, 80));
  END IF;

  IF TG_OP = 'INSERT' THEN
    IF NEW.idempotency_key IS NOT NULL THEN
      NEW.request_digest := tintype.request_digest(NEW);
    END IF;
    NEW.failures     := 0;
    NEW.losses       := 0;
    NEW.warnings     := '{}';
    NEW.submitted_by := session_user;
    NEW.created_at   := now();
  END IF;

  -- Text.
  IF NEW.prompt IS NULL OR octet_length(NEW.prompt) > 16384 THEN
    PERFORM tintype.refuse('prompt', 'a text of at most 16384 bytes', octet_length(NEW.prompt) || ' bytes');
  END IF;
  IF octet_length(NEW.negative_prompt) > 16384 THEN
    PERFORM tintype.refuse('negative_prompt', 'a text of at most 16384 bytes, or null', octet_length(NEW.negative_prompt) || ' bytes');
  END IF;
  IF NEW.model !~ '^[A-Za-z0-9][A-Za-z0-9._/+-]{0,199}$' THEN
    PERFORM tintype.refuse('model', 'a name of 1 to 200 letters, digits and . _ / + -, beginning with a letter or digit, '
      'or null for the worker''s default', quote_literal(left(NEW.model, 80)));
  END IF;
  IF char_length(NEW.idempotency_key) NOT BETWEEN 1 AND 200 THEN
    PERFORM tintype.refuse('idempotency_key', '1 to 200 characters, or null', char_length(NEW.idempotency_key) || ' characters');
  END IF;
  IF jsonb_typeof(NEW.metadata) <> 'object' THEN
    PERFORM tintype.refuse('metadata', 'a JSON object of at most 16384 bytes', 'a JSON ' || jsonb_typeof(NEW.metadata));
  ELSIF octet_length(NEW.metadata::text) > 16384 THEN
    PERFORM tintype.refuse('metadata', 'a JSON object of at most 16384 bytes', octet_length(NEW.metadata::text) || ' bytes');
  END IF;

  -- The picture.
  IF NEW.width NOT BETWEEN 8 AND 4096 OR NEW.width % 8 <> 0 THEN
    PERFORM tintype.refuse('width', 'a multiple of 8 from 8 to 4096, or null for the model''s own size', NEW.width::text);
  END IF;
  IF NEW.height NOT BETWEEN 8 AND 4096 OR NEW.height % 8 <> 0 THEN
    PERFORM tintype.refuse('height', 'a multiple of 8 from 8 to 4096, or null for the model''s own size', NEW.height::text);
  END IF;
  IF NEW.image_count NOT BETWEEN 1 AND 64 THEN
    PERFORM tintype.refuse('image_count', 'from 1 to 64', NEW.image_count::text);
  END IF;
  IF NEW.guidance_scale NOT BETWEEN 0 AND 50 THEN  -- not a number sorts above every number
    PERFORM tintype.refuse('guidance_scale', 'from 0 to 50', NEW.guidance_scale::text);
  END IF;

  -- Where it starts: from noise alone, or from one picture.
  init_columns := array_remove(ARRAY[
    CASE WHEN NEW.init_image      IS NOT NULL THEN 'init_image' END,
    CASE WHEN NEW.init_image_data IS NOT NULL THEN 'init_image_data' END,
    CASE WHEN NEW.init_job        IS NOT NULL THEN 'init_job' END], NULL);
  IF cardinality(init_columns) > 1 THEN
    PERFORM tintype.refuse(init_columns[2], 'null when another initial picture is given: at most one of init_image, '
      'init_image_data and init_job', array_to_string(init_columns, ' and '));
  END IF;
  IF NEW.init_image !~ '^[^/]' OR NEW.init_image ~ '(^|/)\.\.(/|$)' OR NEW.init_image ~ '[[:cntrl:]]'
     OR octet_length(NEW.init_image) > 1024 THEN
    PERFORM tintype.refuse('init_image', 'a relative path of 1 to 1024 bytes below the worker''s input root, without ".." '
      'and control characters', quote_literal(left(NEW.init_image, 80)));
  END IF;
  IF octet_length(NEW.init_image_data) > 16777216 THEN
    PERFORM tintype.refuse('init_image_data', 'a PNG or JPEG file of at most 16 MiB', octet_length(NEW.init_image_data) || ' bytes');
  ELSIF substr(NEW.init_image_data, 1, 8) <> '\x89504e470d0a1a0a' AND substr(NEW.init_image_data, 1, 3) <> '\xffd8ff' THEN
    PERFORM tintype.refuse('init_image_data', 'a PNG or JPEG file of at most 16 MiB', octet_length(NEW.init_image_data)
      || ' bytes that begin with ' || coalesce(nullif(encode(substr(NEW.init_image_data, 1, 8), 'hex'), ''), 'nothing'));
  END IF;
  IF NEW.init_job IS NOT NULL THEN
    SELECT * INTO parent FROM tintype.jobs WHERE id = NEW.init_job AND id < NEW.id;  -- earlier: so there is no circle
    IF NOT FOUND OR NOT tintype.can_manage(parent.submitted_by) THEN
      PERFORM tintype.refuse('init_job', 'the id of an earlier job of yours', NEW.init_job::text);
    ELSIF parent.state IN ('failed', 'cancelled') THEN
      PERFORM tintype.refuse('init_job', 'a job that has made a picture or still may', NEW.init_job || ', which is ' || parent.state);
    END IF;
  END IF;

  -- Steps, and what strength leaves of them, in double precision as the pipelines of the field compute it.
  NEW.steps := coalesce(NEW.steps, CASE WHEN cardinality(init_columns) = 0 THEN 1 ELSE 2 END);
  IF NEW.steps NOT BETWEEN 1 AND 50 THEN
    PERFORM tintype.refuse('steps', 'from 1 to 50', NEW.steps::text);
  END IF;
  IF cardinality(init_columns) = 0 THEN
    IF NEW.strength NOT BETWEEN 0 AND 1 THEN
      PERFORM tintype.refuse('strength', 'from 0 to 1 with an initial picture, and null without', NEW.strength::text);
    ELSIF NEW.strength IS NOT NULL THEN
      PERFORM tintype.refuse('strength', 'null without an initial picture (init_image, init_image_data or init_job)', NEW.strength::text);
    END IF;
  ELSE
    NEW.strength := coalesce(NEW.strength, CASE WHEN NEW.steps = 1 THEN 1 ELSE 0.5 END);
    IF NEW.strength NOT BETWEEN 0 AND 1 THEN
      PERFORM tintype.refuse('strength', 'from 0 to 1', NEW.strength::text);
    ELSIF trunc(NEW.steps::double precision * NEW.strength) < 1 THEN
      PERFORM tintype.refuse('strength', format('large enough that trunc(steps x strength) is at least 1 (with %s steps, '
        'at least %s)', NEW.steps, 1 / NEW.steps::double precision), NEW.strength::text);
    END IF;
  END IF;

  -- The seed of every picture must exist: seed + image_count - 1 is one of them.
  NEW.seed := coalesce(NEW.seed, floor(random() * 4294967296)::bigint);
  IF NEW.seed > 9223372036854775807 - (NEW.image_count - 1) THEN
    PERFORM tintype.refuse('seed', 'at most 9223372036854775807 - (image_count - 1)', NEW.seed::text);
  END IF;

  -- When, and how often.
  IF NEW.priority NOT BETWEEN -1000 AND 1000 THEN
    PERFORM tintype.refuse('priority', 'from -1000 to 1000', NEW.priority::text);
  END IF;
  NEW.run_at := coalesce(NEW.run_at, now());
  IF NEW.run_at NOT BETWEEN '2000-01-01' AND '9999-12-31' THEN
    PERFORM tintype.refuse('run_at', 'a time from the year 2000 to 9999, or null for now', NEW.run_at::text);
  END IF;
  NEW.max_attempts := coalesce(NEW.max_attempts, q.max_attempts);
  IF NEW.max_attempts NOT BETWEEN 1 AND 100 THEN
    PERFORM tintype.refuse('max_attempts', 'from 1 to 100, or null for the queue''s', NEW.max_attempts::text);
  END IF;
  NEW.timeout := coalesce(NEW.timeout, q.timeout);
  IF NEW.timeout NOT BETWEEN '1 second' AND '7 days' THEN
    PERFORM tintype.refuse('timeout', 'from 1 second to 7 days, or null for the queue''s',
      extract(epoch FROM NEW.timeout)::double precision || ' seconds');
  END IF;

  NEW.claim_key := NEW.run_at - NEW.priority * interval '10 minutes';
  NEW.state     := tintype.waiting_state(NEW.init_job, NEW.run_at);
  RETURN NEW;
END $_$;

COMMENT ON FUNCTION tintype.check_request() IS 'Fills in what a request leaves open and refuses what can never run';

CREATE FUNCTION tintype.check_transition() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION tintype.check_transition() IS 'Refuses every change of state that Docs/job-states.md does not show, whoever makes it';

CREATE FUNCTION tintype.claim(p_worker bigint, p_queues text[], p_models text[], p_limit integer, p_loaded text[] DEFAULT NULL::text[], p_alike boolean DEFAULT false) RETURNS TABLE(id bigint, attempt_id bigint, attempt_number integer, max_attempts integer, queue text, model text, prompt text, negative_prompt text, width integer, height integer, steps integer, guidance_scale double precision, strength double precision, seed bigint, image_count integer, init_image text, init_image_data bytea, init_job bigint, init_artifact_path text, init_artifact_sha256 bytea, timeout double precision, metadata text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

COMMENT ON FUNCTION tintype.claim(p_worker bigint, p_queues text[], p_models text[], p_limit integer, p_loaded text[], p_alike boolean) IS 'Takes up to p_limit ready jobs for a live worker, most urgent first, each with a new attempt id. p_loaded: the models it has in memory. p_alike: all of the shape of the first. Nothing if the worker drains or its lease is over';

CREATE FUNCTION tintype.drain(worker_id bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
  UPDATE tintype.workers SET desired = 'drain' WHERE id = $1 AND ended_at IS NULL;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'there is no live worker %', coalesce($1::text, 'null')
      USING ERRCODE = 'no_data_found', HINT = 'SELECT id, name, host, state FROM tintype.worker_status';
  END IF;
  PERFORM pg_notify('tintype_control', $1::text);
END $_$;

COMMENT ON FUNCTION tintype.drain(worker_id bigint) IS 'Tells a worker to finish what it runs, claim nothing more and exit';

CREATE FUNCTION tintype.end_attempt(p_job bigint, p_attempt bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean, p_warnings text[], p_timings jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    AS $$
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

COMMENT ON FUNCTION tintype.end_attempt(p_job bigint, p_attempt bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean, p_warnings text[], p_timings jsonb) IS 'Ends an attempt that still holds its job, and decides what becomes of the job. Internal';

CREATE FUNCTION tintype.enqueue(prompt text, negative_prompt text DEFAULT NULL::text, model text DEFAULT NULL::text, width integer DEFAULT NULL::integer, height integer DEFAULT NULL::integer, steps integer DEFAULT NULL::integer, guidance_scale double precision DEFAULT NULL::double precision, strength double precision DEFAULT NULL::double precision, init_image text DEFAULT NULL::text, init_image_data bytea DEFAULT NULL::bytea, init_job bigint DEFAULT NULL::bigint, seed bigint DEFAULT NULL::bigint, image_count integer DEFAULT NULL::integer, queue text DEFAULT NULL::text, priority integer DEFAULT NULL::integer, run_at timestamp with time zone DEFAULT NULL::timestamp with time zone, max_attempts integer DEFAULT NULL::integer, timeout interval DEFAULT NULL::interval, idempotency_key text DEFAULT NULL::text, metadata jsonb DEFAULT NULL::jsonb, tenant text DEFAULT NULL::text, concurrency_key text DEFAULT NULL::text, deadline timestamp with time zone DEFAULT NULL::timestamp with time zone) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
DECLARE
  job    tintype.jobs;
  result bigint;
  first  record;
BEGIN
  job.prompt          := $1;
  job.negative_prompt := $2;
  job.model           := $3;
  job.width           := $4;
  job.height          := $5;
  job.steps           := $6;
  job.guidance_scale  := coalesce($7, 0);
  job.strength        := $8;
  job.init_image      := $9;
  job.init_image_data := $10;
  job.init_job        := $11;
  job.seed            := $12;
  job.image_count     := coalesce($13, 1);
  job.queue           := coalesce($14, 'default');
  job.priority        := coalesce($15, 0);
  job.run_at          := $16;
  job.max_attempts    := $17;
  job.timeout         := $18;
  job.idempotency_key := $19;
  job.metadata        := coalesce($20, '{}');
  job.tenant          := $21;
  job.concurrency_key := $22;
  job.deadline        := $23;
  LOOP
    INSERT INTO tintype.jobs (
        prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
        init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, idempotency_key, metadata,
        tenant, concurrency_key, deadline)
      VALUES (
        job.prompt, job.negative_prompt, job.model, job.width, job.height, job.steps, job.guidance_scale, job.strength,
        job.init_image, job.init_image_data, job.init_job, job.seed, job.image_count, job.queue, job.priority, job.run_at,
        job.max_attempts, job.timeout, job.idempotency_key, job.metadata, job.tenant, job.concurrency_key, job.deadline)
      ON CONFLICT (queue, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING
      RETURNING id INTO result;
    IF FOUND THEN
      RETURN result;
    END IF;
    SELECT j.id, j.submitted_by, j.request_digest INTO first FROM tintype.jobs j
      WHERE j.queue = job.queue AND j.idempotency_key = job.idempotency_key;
    CONTINUE WHEN NOT FOUND;  -- deleted between the two statements
    IF tintype.can_manage(first.submitted_by) AND first.request_digest = tintype.request_digest(job) THEN
      RETURN first.id;
    END IF;
    RAISE EXCEPTION 'idempotency_key % is already used in queue % by another request', quote_literal(job.idempotency_key), job.queue
      USING ERRCODE = 'unique_violation', SCHEMA = 'tintype', TABLE = 'jobs', COLUMN = 'idempotency_key',
        HINT = 'Send the same request to get its job again, or choose another key.';
  END LOOP;
END $_$;

COMMENT ON FUNCTION tintype.enqueue(prompt text, negative_prompt text, model text, width integer, height integer, steps integer, guidance_scale double precision, strength double precision, init_image text, init_image_data bytea, init_job bigint, seed bigint, image_count integer, queue text, priority integer, run_at timestamp with time zone, max_attempts integer, timeout interval, idempotency_key text, metadata jsonb, tenant text, concurrency_key text, deadline timestamp with time zone) IS 'Inserts a job and returns its id. With an idempotency_key already used by the same request: that job''s id';

CREATE FUNCTION tintype.entries_read() RETURNS bigint
    LANGUAGE sql
    AS $$
  SELECT pg_stat_get_xact_tuples_returned('tintype.jobs_line'::regclass)
$$;

COMMENT ON FUNCTION tintype.entries_read() IS 'Entries of jobs_line that this transaction has read, dead ones included. Internal';

CREATE FUNCTION tintype.job_is_whole(p_state text, p_attempt_id bigint, p_started_at timestamp with time zone, p_finished_at timestamp with time zone, p_failures integer, p_losses integer, p_error_code text, p_error text, p_init_job bigint) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
DECLARE
  broken text;
BEGIN
  IF (p_failures >= 0 AND p_losses >= 0 AND CASE p_state
    WHEN 'ready'     THEN num_nonnulls(p_attempt_id, p_started_at, p_finished_at) = 0
    WHEN 'running'   THEN num_nulls(p_attempt_id, p_started_at) = 0 AND p_finished_at IS NULL
    WHEN 'succeeded' THEN num_nulls(p_attempt_id, p_started_at, p_finished_at) = 0 AND num_nonnulls(p_error_code, p_error) = 0
    WHEN 'scheduled' THEN num_nonnulls(p_attempt_id, p_started_at, p_finished_at) = 0
    WHEN 'blocked'   THEN num_nonnulls(p_attempt_id, p_started_at, p_finished_at) = 0 AND p_init_job IS NOT NULL
    WHEN 'failed'    THEN num_nulls(p_finished_at, p_error_code, p_error) = 0
    WHEN 'cancelled' THEN p_finished_at IS NOT NULL
    ELSE false END)
  THEN
    RETURN true;
  END IF;
  broken := CASE
    WHEN p_state NOT IN ('scheduled', 'blocked', 'ready', 'running', 'succeeded', 'failed', 'cancelled') THEN 'state_is_known'
    WHEN p_failures < 0 OR p_losses < 0 THEN 'counters_are_natural'
    WHEN (p_finished_at IS NOT NULL) <> (p_state IN ('succeeded', 'failed', 'cancelled')) THEN 'finished_when_terminal'
    WHEN p_state IN ('running', 'succeeded') AND num_nulls(p_attempt_id, p_started_at) > 0 THEN 'running_has_attempt'
    WHEN p_state IN ('scheduled', 'blocked', 'ready') AND num_nonnulls(p_attempt_id, p_started_at) > 0 THEN 'waiting_has_no_attempt'
    WHEN p_state = 'blocked' THEN 'blocked_has_init_job'
    WHEN p_state = 'failed' THEN 'failed_has_error'
    ELSE 'succeeded_has_no_error' END;
  RAISE EXCEPTION 'a job that is % violates %', p_state, broken
    USING ERRCODE = 'check_violation', SCHEMA = 'tintype', TABLE = 'jobs', CONSTRAINT = broken;
END $$;

COMMENT ON FUNCTION tintype.job_is_whole(p_state text, p_attempt_id bigint, p_started_at timestamp with time zone, p_finished_at timestamp with time zone, p_failures integer, p_losses integer, p_error_code text, p_error text, p_init_job bigint) IS 'Raises SQLSTATE 23514 with the name of the rule if a job has what its state does not allow or lacks what it needs. Internal';

CREATE TABLE tintype.jobs (
    id bigint NOT NULL,
    prompt text NOT NULL,
    negative_prompt text,
    model text,
    width integer,
    height integer,
    steps integer NOT NULL,
    guidance_scale double precision DEFAULT 0 NOT NULL,
    strength double precision,
    init_image text,
    init_image_data bytea,
    init_job bigint,
    seed bigint NOT NULL,
    image_count integer DEFAULT 1 NOT NULL,
    queue text DEFAULT 'default'::text NOT NULL,
    priority integer DEFAULT 0 NOT NULL,
    run_at timestamp with time zone NOT NULL,
    max_attempts integer NOT NULL,
    timeout interval,
    idempotency_key text,
    metadata jsonb DEFAULT '{}'::jsonb NOT NULL,
    state text NOT NULL,
    attempt_id bigint,
    failures integer NOT NULL,
    losses integer NOT NULL,
    error_code text,
    error text,
    warnings text[] NOT NULL,
    submitted_by text NOT NULL,
    created_at timestamp with time zone NOT NULL,
    started_at timestamp with time zone,
    finished_at timestamp with time zone,
    claim_key timestamp with time zone NOT NULL,
    request_digest bytea,
    tenant text,
    concurrency_key text,
    deadline timestamp with time zone,
    throttled boolean DEFAULT false NOT NULL,
    fair_at timestamp with time zone,
    CONSTRAINT job_is_whole CHECK (tintype.job_is_whole(state, attempt_id, started_at, finished_at, failures, losses, error_code, error, init_job))
)
WITH (fillfactor='85', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', vacuum_index_cleanup='on', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_analyze_scale_factor='0.02', autovacuum_vacuum_cost_delay='0');
ALTER TABLE ONLY tintype.jobs ALTER COLUMN init_image_data SET STORAGE EXTERNAL;

COMMENT ON TABLE tintype.jobs IS 'One row a job. Only the prompt is needed; a request may be changed while it waits';

COMMENT ON COLUMN tintype.jobs.id IS 'Given by the database';

COMMENT ON COLUMN tintype.jobs.prompt IS 'The text to draw: at most 16384 bytes, may be empty. Text beyond the model''s 77 tokens is cut, with a warning';

COMMENT ON COLUMN tintype.jobs.negative_prompt IS 'What to steer away from: at most 16384 bytes. It has an effect only with guidance_scale above 1';

COMMENT ON COLUMN tintype.jobs.model IS 'A name some worker was started with; null for whatever the worker''s default is';

COMMENT ON COLUMN tintype.jobs.width IS 'Pixels, a multiple of 8 from 8 to 4096; null for the model''s own size or, with an initial picture, the picture''s';

COMMENT ON COLUMN tintype.jobs.height IS 'Pixels, a multiple of 8 from 8 to 4096; null as for width';

COMMENT ON COLUMN tintype.jobs.steps IS 'Denoising steps, 1 to 50; null for 1 or, with an initial picture, 2';

COMMENT ON COLUMN tintype.jobs.guidance_scale IS 'Classifier-free guidance, 0 to 50; at 1 and below there is none';

COMMENT ON COLUMN tintype.jobs.strength IS 'How much of the initial picture is replaced, 0 to 1, and trunc(steps x strength) at least 1; null for 0.5 (1 with one step). Only with an initial picture';

COMMENT ON COLUMN tintype.jobs.init_image IS 'Start from this picture: a path below the worker''s input root, relative, without ".."';

COMMENT ON COLUMN tintype.jobs.init_image_data IS 'Start from this picture: a PNG or JPEG file''s bytes, at most 16 MiB';

COMMENT ON COLUMN tintype.jobs.init_job IS 'Start from the first picture of this earlier job; the job is blocked until that one has succeeded';

COMMENT ON COLUMN tintype.jobs.seed IS 'Seed of the first picture, any bigint; picture i uses seed + i. Null draws one below 2^32, so it is always on record';

COMMENT ON COLUMN tintype.jobs.image_count IS 'Pictures to make, 1 to 64';

COMMENT ON COLUMN tintype.jobs.queue IS 'Which line to stand in: a row of tintype.queues';

COMMENT ON COLUMN tintype.jobs.priority IS '-1000 to 1000, higher is sooner. A point is worth ten minutes of waiting, so nothing starves';

COMMENT ON COLUMN tintype.jobs.run_at IS 'Not before this time; null for now. After a failure: when the next attempt is due';

COMMENT ON COLUMN tintype.jobs.max_attempts IS 'Failures after which the job fails for good, 1 to 100; null for the queue''s. A released or lost attempt is not counted';

COMMENT ON COLUMN tintype.jobs.timeout IS 'What one attempt may take, 1 second to 7 days; null for the queue''s';

COMMENT ON COLUMN tintype.jobs.idempotency_key IS '1 to 200 characters, unique in its queue: a second job with the key is refused, enqueue() returns the first';

COMMENT ON COLUMN tintype.jobs.metadata IS 'The submitter''s own notes: a JSON object of at most 16384 bytes, never interpreted';

COMMENT ON COLUMN tintype.jobs.state IS 'scheduled, blocked, ready, running, succeeded, failed or cancelled';

COMMENT ON COLUMN tintype.jobs.attempt_id IS 'The attempt that holds the job or that ended it: the fencing token. Null while it waits';

COMMENT ON COLUMN tintype.jobs.failures IS 'Attempts that failed or ran out of time, since the last retry()';

COMMENT ON COLUMN tintype.jobs.losses IS 'Attempts whose worker vanished, since the last retry()';

COMMENT ON COLUMN tintype.jobs.error_code IS 'The last failure, for programs';

COMMENT ON COLUMN tintype.jobs.error IS 'The last failure, for people. Dashboards show it: it never quotes a prompt';

COMMENT ON COLUMN tintype.jobs.warnings IS 'What the submitter should know about a success: the prompt was cut, say';

COMMENT ON COLUMN tintype.jobs.submitted_by IS 'The session user who inserted it, and who may see, change and cancel it';

COMMENT ON COLUMN tintype.jobs.created_at IS 'When it was inserted';

COMMENT ON COLUMN tintype.jobs.started_at IS 'When the current or last attempt started';

COMMENT ON COLUMN tintype.jobs.finished_at IS 'When the job reached a terminal state';

COMMENT ON COLUMN tintype.jobs.claim_key IS 'Place in the line: fair_at less ten minutes a point of priority';

COMMENT ON COLUMN tintype.jobs.request_digest IS 'SHA-256 of the request as given, with an idempotency key only: tells a repeated request from another with the same key';

COMMENT ON COLUMN tintype.jobs.tenant IS 'For whom the job is, 1 to 200 characters: tenants with work waiting get equal shares, however much one of them has enqueued. Null takes its turn by time alone';

COMMENT ON COLUMN tintype.jobs.concurrency_key IS 'What jobs must share sparingly, 1 to 200 characters: of those with the same key in a queue only so many run at once (concurrency_limits, queues.max_running_per_key)';

COMMENT ON COLUMN tintype.jobs.deadline IS 'Of no use after this time: a job that still waits then fails, an attempt that still runs is stopped; null for never';

COMMENT ON COLUMN tintype.jobs.throttled IS 'Ready, but as many jobs with its concurrency_key run as may: left out of the line until one of them ends';

COMMENT ON COLUMN tintype.jobs.fair_at IS 'Place in the line before priority: run_at, moved back behind the tenant''s own earlier jobs';

CREATE FUNCTION tintype.fair_place(p_job tintype.jobs) RETURNS timestamp with time zone
    LANGUAGE plpgsql
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_sort TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
DECLARE
  behind tintype.jobs;
BEGIN
  -- Behind the tenant's last. Volatile on purpose: within one INSERT of many rows each sees those before it.
  SELECT * INTO behind FROM tintype.jobs j
    WHERE j.state = 'ready' AND j.queue = p_job.queue AND j.tenant = p_job.tenant AND j.id <> p_job.id
    ORDER BY j.fair_at DESC LIMIT 1;
  RETURN greatest((SELECT p_job.run_at + f.ahead FROM tintype.fairness f), behind.fair_at + tintype.request_cost(behind));
END $$;

COMMENT ON FUNCTION tintype.fair_place(p_job tintype.jobs) IS 'Where a tenant''s job joins the line: now, or behind the tenant''s jobs, each at a distance of its cost (start-time fair queueing). Internal';

CREATE FUNCTION tintype.finish(p_worker bigint, p_attempt bigint, p_job bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean, p_images jsonb, p_warnings text[], p_timings jsonb) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

COMMENT ON FUNCTION tintype.finish(p_worker bigint, p_attempt bigint, p_job bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean, p_images jsonb, p_warnings text[], p_timings jsonb) IS 'A worker reports how an attempt ended; returns the job''s state. Null: the lease was lost, the outcome is dropped. Asking twice is safe';

CREATE FUNCTION tintype.finish_all(p_worker bigint, p_reports jsonb) RETURNS TABLE(attempt bigint, state text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

COMMENT ON FUNCTION tintype.finish_all(p_worker bigint, p_reports jsonb) IS 'A worker reports how several attempts ended: objects of attempt, job, outcome, error_code, error, permanent, images, warnings, timings. A row for each, as finish() answers';

CREATE FUNCTION tintype.heartbeat(p_worker bigint, p_running jsonb, OUT fenced boolean, OUT drain boolean, OUT cancel bigint[], OUT revoked bigint[]) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    SET enable_seqscan TO 'off'
    SET enable_bitmapscan TO 'off'
    SET enable_hashjoin TO 'off'
    SET enable_mergejoin TO 'off'
    SET jit TO 'off'
    AS $$
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

COMMENT ON FUNCTION tintype.heartbeat(p_worker bigint, p_running jsonb, OUT fenced boolean, OUT drain boolean, OUT cancel bigint[], OUT revoked bigint[]) IS 'Renews the lease, stores progress, and replies with what the worker must do. p_running lists every attempt it holds, finished but unreported ones included';

CREATE FUNCTION tintype.image_is_whole(p_index integer, p_path text, p_sha256 bytea, p_bytes bigint, p_width integer, p_height integer) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$
BEGIN
  RETURN p_index >= 0 AND p_path <> '' AND p_path !~ '^/' AND octet_length(p_sha256) = 32
    AND p_bytes > 0 AND p_width > 0 AND p_height > 0;
END $$;

COMMENT ON FUNCTION tintype.image_is_whole(p_index integer, p_path text, p_sha256 bytea, p_bytes bigint, p_width integer, p_height integer) IS 'Whether a picture''s row can be that of a file below an output folder. Internal';

CREATE FUNCTION tintype.install_roles() RETURNS boolean
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  role   text;
  object record;
BEGIN
  FOREACH role IN ARRAY ARRAY['tintype_owner', 'tintype_enqueuer', 'tintype_worker', 'tintype_reader', 'tintype_admin'] LOOP
    CONTINUE WHEN to_regrole(role) IS NOT NULL;
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', role);
      IF role = 'tintype_admin' THEN
        GRANT tintype_enqueuer, tintype_reader TO tintype_admin;
      END IF;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;  -- another database of this cluster is being migrated at this moment
    END;
  END LOOP;
  IF NOT pg_has_role(current_user, 'tintype_owner', 'MEMBER') THEN
    EXECUTE format('GRANT tintype_owner TO %I', current_user);
  END IF;

  -- Everything belongs to a role that nobody logs in as, so the functions run with its rights and not a superuser's.
  FOR object IN
    SELECT format('ALTER TABLE %s OWNER TO tintype_owner', oid::regclass) AS command FROM pg_class
     WHERE relnamespace = 'tintype'::regnamespace AND relkind IN ('r', 'v', 'p')
    UNION ALL
    SELECT format('ALTER FUNCTION %s OWNER TO tintype_owner', oid::regprocedure) FROM pg_proc
     WHERE pronamespace = 'tintype'::regnamespace
  LOOP
    EXECUTE object.command;
  END LOOP;

  GRANT USAGE ON SCHEMA tintype TO tintype_enqueuer, tintype_worker, tintype_reader, tintype_admin;

  -- Submitters: requests, and what became of their own.
  GRANT SELECT ON tintype.jobs, tintype.attempts, tintype.images TO tintype_enqueuer;
  GRANT INSERT (prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
      init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, idempotency_key, metadata,
      tenant, concurrency_key, deadline),
    UPDATE (prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data,
      init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, metadata, tenant, concurrency_key, deadline)
    ON tintype.jobs TO tintype_enqueuer;
  GRANT EXECUTE ON FUNCTION tintype.enqueue, tintype.cancel, tintype.retry, tintype.retry_failed,
    tintype.job_is_whole  -- which their INSERT calls
    TO tintype_enqueuer;

  -- Workers: their functions, and the version of the schema. No table.
  GRANT EXECUTE ON FUNCTION tintype.register_worker, tintype.claim, tintype.heartbeat, tintype.finish, tintype.finish_all, tintype.stop_worker,
    tintype.maintain, tintype.installation_id, tintype.own_output, tintype.removals_due, tintype.removals_done, tintype.orphans
    TO tintype_worker;
  GRANT SELECT ON tintype.migrations, tintype.compatibility TO tintype_enqueuer, tintype_worker, tintype_reader, tintype_admin;

  -- Dashboards: views, none of which shows a prompt.
  GRANT SELECT ON tintype.job_status, tintype.queue_status, tintype.worker_status, tintype.throughput, tintype.recent_errors,
    tintype.dead_letters TO tintype_reader;

  -- Operators: both of these (by membership, above) on everybody's jobs, queues and their policy, and the control of workers.
  GRANT SELECT ON tintype.queues, tintype.workers, tintype.concurrency_limits TO tintype_admin;
  GRANT INSERT (name, max_running, max_running_per_key, max_attempts, max_losses, timeout, retry_base, retry_cap, retention, model_affinity),
    UPDATE (max_running, max_running_per_key, max_attempts, max_losses, timeout, retry_base, retry_cap, retention, model_affinity)
    ON tintype.queues TO tintype_admin;
  GRANT INSERT, UPDATE, DELETE ON tintype.concurrency_limits TO tintype_admin;
  GRANT EXECUTE ON FUNCTION tintype.pause, tintype.resume, tintype.drain TO tintype_admin;
  IF NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = 'tintype.jobs'::regclass AND polname = 'all_jobs') THEN
    CREATE POLICY all_jobs ON tintype.jobs TO tintype_admin USING (true) WITH CHECK (true);
  END IF;
  RETURN true;
EXCEPTION WHEN insufficient_privilege THEN
  RAISE NOTICE 'user % may not create roles (%): everything in schema tintype belongs to it. For least privilege, run Deploy/roles/roles.sql as a superuser.',
    current_user, SQLERRM;
  RETURN false;
END $$;

COMMENT ON FUNCTION tintype.install_roles() IS 'Creates Tintype''s roles where they are missing and gives each its rights; safe to repeat. False, with a notice, if the user may not create roles';

CREATE FUNCTION tintype.installation_id() RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT id FROM tintype.installation
$$;

COMMENT ON FUNCTION tintype.installation_id() IS 'Which database this is';

CREATE FUNCTION tintype.job_left() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION tintype.job_left() IS 'Lets the first of those that are throttled by an ended job''s concurrency key into the line again, and moves on those that start from its picture';

CREATE FUNCTION tintype.lock_job(p_job bigint) RETURNS tintype.jobs
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
DECLARE
  job tintype.jobs;
BEGIN
  SELECT * INTO job FROM tintype.jobs WHERE id = p_job FOR NO KEY UPDATE;
  IF NOT FOUND OR NOT tintype.can_manage(job.submitted_by) THEN
    RAISE EXCEPTION 'there is no job % of yours', coalesce(p_job::text, 'null') USING ERRCODE = 'no_data_found';
  END IF;
  RETURN job;
END $$;

COMMENT ON FUNCTION tintype.lock_job(p_job bigint) IS 'The job, locked, if the session user may manage it. Internal';

CREATE FUNCTION tintype.maintain(p_unless_within interval DEFAULT '00:00:01'::interval, OUT ran boolean, OUT grace boolean, OUT promoted integer, OUT workers_lost integer, OUT rescued integer, OUT timed_out integer, OUT pruned integer, OUT expired integer, OUT admitted integer, OUT next_due double precision) RETURNS record
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET enable_seqscan TO 'off'
    SET jit TO 'off'
    AS $$
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

COMMENT ON FUNCTION tintype.maintain(p_unless_within interval, OUT ran boolean, OUT grace boolean, OUT promoted integer, OUT workers_lost integer, OUT rescued integer, OUT timed_out integer, OUT pruned integer, OUT expired integer, OUT admitted integer, OUT next_due double precision) IS 'Promotes scheduled jobs, fails those past their deadline, rescues those of lost workers, ends overdue attempts, prunes. Any worker calls it; ran is false when another is at it, or was within p_unless_within and no scheduled job is due. next_due: seconds until a scheduled job is due';

CREATE FUNCTION tintype.note_head(p_queue text, p_model text, p_claim_key timestamp with time zone, p_id bigint, p_is_slow boolean) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  IF NOT p_is_slow THEN
    -- No pile, or no more: the order is exact again.
    UPDATE tintype.lines SET begins_at = '-infinity' WHERE queue = p_queue AND model = p_model AND begins_at > '-infinity';
  ELSIF pg_try_advisory_xact_lock(hashtext('tintype.line'), hashtext(p_queue || '/' || p_model)) THEN
    INSERT INTO tintype.lines VALUES (p_queue, p_model, p_claim_key, p_id, clock_timestamp())
      ON CONFLICT (queue, model) DO UPDATE SET begins_at = excluded.begins_at, begins_id = excluded.begins_id, checked_at = excluded.checked_at;
  END IF;
END $$;

COMMENT ON FUNCTION tintype.note_head(p_queue text, p_model text, p_claim_key timestamp with time zone, p_id bigint, p_is_slow boolean) IS 'Writes down where a line begins after a claim that stepped over many dead entries, or that this is over. Internal';

CREATE FUNCTION tintype.notify_ready() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM pg_notify('tintype_ready', r.queue) FROM (SELECT DISTINCT queue FROM inserted WHERE state = 'ready') r;
  RETURN NULL;
END $$;

COMMENT ON FUNCTION tintype.notify_ready() IS 'Wakes idle workers: channel tintype_ready, payload the queue''s name';

CREATE FUNCTION tintype.order_removal() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  -- Every folder in which an attempt may have left something, not only the one of the success.
  INSERT INTO tintype.removals (output, job_id)
    SELECT DISTINCT w.output, OLD.id FROM tintype.attempts a JOIN tintype.workers w ON w.id = a.worker_id
     WHERE a.job_id = OLD.id AND w.output IS NOT NULL
    ON CONFLICT DO NOTHING;
  RETURN OLD;
END $$;

COMMENT ON FUNCTION tintype.order_removal() IS 'Orders the removal of a deleted job''s files';

CREATE FUNCTION tintype.orphans(p_worker bigint, p_jobs bigint[], p_attempts bigint[]) RETURNS SETOF bigint
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION tintype.orphans(p_worker bigint, p_jobs bigint[], p_attempts bigint[]) IS 'Which of these attempts, whose files a worker has found in its output folder, have left them for nobody';

CREATE FUNCTION tintype.own_output(p_worker bigint, p_output text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  UPDATE tintype.workers SET output = p_output WHERE id = p_worker
$$;

COMMENT ON FUNCTION tintype.own_output(p_worker bigint, p_output text) IS 'A worker says which output folder it writes to, and may remove from';

CREATE FUNCTION tintype.pause(queue text, reason text DEFAULT NULL::text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
  UPDATE tintype.queues SET paused_at = coalesce(paused_at, now()), paused_by = session_user, pause_reason = $2 WHERE name = $1;
  IF NOT FOUND THEN
    PERFORM tintype.refuse('queue', format('one of the queues that exist (%s)',
      (SELECT string_agg(name, ', ' ORDER BY name) FROM tintype.queues)), $1);
  END IF;
END $_$;

COMMENT ON FUNCTION tintype.pause(queue text, reason text) IS 'Nothing is claimed from the queue until resume(); what runs, runs on. Survives restarts';

CREATE FUNCTION tintype.place_in_line() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION tintype.place_in_line() IS 'Checks tenant, concurrency_key and deadline, and gives a job that becomes ready its place';

CREATE FUNCTION tintype.recheck_blocked() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  PERFORM FROM tintype.jobs WHERE id = NEW.init_job FOR SHARE;
  PERFORM tintype.settle_waiting_for(NEW.init_job);
  RETURN NULL;
END $$;

COMMENT ON FUNCTION tintype.recheck_blocked() IS 'At commit: has the job that this one waits for ended meanwhile?';

CREATE FUNCTION tintype.refuse(p_column text, p_legal text, p_got text) RETURNS void
    LANGUAGE plpgsql
    AS $$
BEGIN
  RAISE EXCEPTION '% must be %; got %', p_column, p_legal, coalesce(p_got, 'null')
    USING ERRCODE = 'check_violation', SCHEMA = 'tintype', TABLE = 'jobs', COLUMN = p_column;
END $$;

COMMENT ON FUNCTION tintype.refuse(p_column text, p_legal text, p_got text) IS 'Raises SQLSTATE 23514 naming the column, the legal values and what was given';

CREATE FUNCTION tintype.register_worker(p_name text, p_host text, p_pid integer, p_version text, p_queues text[], p_models text[], p_slots integer, p_lease interval) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION tintype.register_worker(p_name text, p_host text, p_pid integer, p_version text, p_queues text[], p_models text[], p_slots integer, p_lease interval) IS 'A worker process starts: returns its id and begins its lease';

CREATE FUNCTION tintype.release_all(p_worker bigint, p_outcome text, p_error_code text, p_error text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
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

COMMENT ON FUNCTION tintype.release_all(p_worker bigint, p_outcome text, p_error_code text, p_error text) IS 'Ends all attempts of a worker that has ended. Internal';

CREATE FUNCTION tintype.removals_done(p_worker bigint, p_jobs bigint[]) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  DELETE FROM tintype.removals r USING tintype.workers w
   WHERE w.id = p_worker AND r.output = w.output AND r.job_id = ANY (p_jobs)
$$;

COMMENT ON FUNCTION tintype.removals_done(p_worker bigint, p_jobs bigint[]) IS 'Strikes off what a worker has removed';

CREATE FUNCTION tintype.removals_due(p_worker bigint, p_limit integer) RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT r.job_id FROM tintype.removals r JOIN tintype.workers w ON w.output = r.output
   WHERE w.id = p_worker AND w.ended_at IS NULL ORDER BY r.job_id LIMIT p_limit
$$;

COMMENT ON FUNCTION tintype.removals_due(p_worker bigint, p_limit integer) IS 'Deleted jobs whose files this worker is to remove';

CREATE FUNCTION tintype.request_cost(p_job tintype.jobs) RETURNS interval
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT make_interval(secs => p_job.image_count * (p_job.steps + 1)
    * (coalesce(p_job.width, 512) * coalesce(p_job.height, 512) / 262144.0)::double precision)
$$;

COMMENT ON FUNCTION tintype.request_cost(p_job tintype.jobs) IS 'What a job costs its tenant: a second for each step, and one for decoding, of each picture of 512 x 512 pixels';

CREATE FUNCTION tintype.request_digest(p_job tintype.jobs) RETURNS bytea
    LANGUAGE sql STABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT sha256(convert_to(row(
    p_job.prompt, p_job.negative_prompt, p_job.model, p_job.width, p_job.height, p_job.steps, p_job.guidance_scale,
    p_job.strength, p_job.init_image, sha256(p_job.init_image_data), p_job.init_job, p_job.seed, p_job.image_count,
    p_job.queue, p_job.priority, extract(epoch FROM p_job.run_at), p_job.max_attempts,
    extract(epoch FROM p_job.timeout), p_job.metadata)::text
    -- Only if given: digests of requests that were made before these columns existed stay what they are.
    || CASE WHEN num_nonnulls(p_job.tenant, p_job.concurrency_key, p_job.deadline) = 0 THEN ''
       ELSE row(p_job.tenant, p_job.concurrency_key, extract(epoch FROM p_job.deadline))::text END, 'UTF8'))
$$;

COMMENT ON FUNCTION tintype.request_digest(p_job tintype.jobs) IS 'Digest of a request as it was given, before a seed is drawn';

CREATE FUNCTION tintype.resume(queue text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
BEGIN
  UPDATE tintype.queues SET paused_at = NULL, paused_by = NULL, pause_reason = NULL WHERE name = $1;
  IF NOT FOUND THEN
    PERFORM tintype.refuse('queue', format('one of the queues that exist (%s)',
      (SELECT string_agg(name, ', ' ORDER BY name) FROM tintype.queues)), $1);
  END IF;
  PERFORM pg_notify('tintype_ready', $1);
END $_$;

COMMENT ON FUNCTION tintype.resume(queue text) IS 'Opens a paused queue';

CREATE FUNCTION tintype.retry(job_id bigint) RETURNS text
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
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

COMMENT ON FUNCTION tintype.retry(job_id bigint) IS 'Brings a failed or cancelled job back with all its attempts; a deadline that has passed no longer counts, and the history stays in attempts. Returns its new state';

CREATE FUNCTION tintype.retry_delay(p_base interval, p_cap interval, p_failures integer, p_jitter double precision) RETURNS interval
    LANGUAGE sql IMMUTABLE
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT make_interval(secs =>
    least(extract(epoch FROM p_cap), extract(epoch FROM p_base) * 2.0 ^ least(p_failures - 1, 40))::double precision
    * (0.5 + 0.5 * p_jitter))
$$;

COMMENT ON FUNCTION tintype.retry_delay(p_base interval, p_cap interval, p_failures integer, p_jitter double precision) IS 'min(cap, base x 2^(failures-1)) x (1/2 + jitter/2), jitter in 0 to 1. RetryPolicy.swift is the same';

CREATE FUNCTION tintype.retry_failed(queue text DEFAULT NULL::text, error_code text DEFAULT NULL::text, at_most integer DEFAULT 1000) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $_$
#variable_conflict use_column
DECLARE
  dead    bigint;
  retried integer := 0;
BEGIN
  -- In the order of their ids, so that a job is back before those that start from its picture.
  FOR dead IN
    SELECT d.id FROM (
      SELECT j.id, j.init_job FROM tintype.jobs j
       WHERE j.state = 'failed' AND ($1 IS NULL OR j.queue = $1) AND ($2 IS NULL OR j.error_code = $2)
         AND tintype.can_manage(j.submitted_by)
       ORDER BY j.finished_at DESC LIMIT least(at_most, 10000)) d ORDER BY d.id
  LOOP
    -- Not what a failed job outside of this choice would hold up.
    CONTINUE WHEN EXISTS (SELECT FROM tintype.jobs c JOIN tintype.jobs p ON p.id = c.init_job
                           WHERE c.id = dead AND p.state IN ('failed', 'cancelled'));
    CONTINUE WHEN (SELECT j.state FROM tintype.jobs j WHERE j.id = dead) <> 'failed';
    PERFORM tintype.retry(dead);
    retried := retried + 1;
  END LOOP;
  RETURN retried;
END $_$;

COMMENT ON FUNCTION tintype.retry_failed(queue text, error_code text, at_most integer) IS 'Brings back the newest failed jobs that one may manage: of a queue, with an error_code, at most so many. Returns how many';

CREATE FUNCTION tintype.settle_waiting_for(p_job bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    SET plan_cache_mode TO 'force_generic_plan'
    AS $$
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

COMMENT ON FUNCTION tintype.settle_waiting_for(p_job bigint) IS 'Moves on the jobs that are blocked by a job that has ended';

CREATE FUNCTION tintype.stop_worker(p_worker bigint) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
BEGIN
  UPDATE tintype.workers SET ended_at = clock_timestamp(), ended_by = 'stop' WHERE id = p_worker AND ended_at IS NULL;
  RETURN tintype.release_all(p_worker, 'released', NULL, NULL);
END $$;

COMMENT ON FUNCTION tintype.stop_worker(p_worker bigint) IS 'A worker says goodbye: what it still holds is ready again, no attempt spent. Returns how many jobs';

CREATE FUNCTION tintype.take(p_queue text, p_model text, p_from timestamp with time zone, p_from_id bigint, p_to timestamp with time zone, p_to_id bigint, p_limit integer) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION tintype.take(p_queue text, p_model text, p_from timestamp with time zone, p_from_id bigint, p_to timestamp with time zone, p_to_id bigint, p_limit integer) IS 'Locks and returns the first jobs of a line between two places, past those whose concurrency key forbids it. Internal';

CREATE FUNCTION tintype.take_alike(p_lead bigint, p_from timestamp with time zone, p_limit integer) RETURNS bigint[]
    LANGUAGE plpgsql
    AS $$
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

COMMENT ON FUNCTION tintype.take_alike(p_lead bigint, p_from timestamp with time zone, p_limit integer) IS 'Locks and returns ready jobs near the head of the line that ask for the same model, size, steps and kind of start as another. Internal';

CREATE FUNCTION tintype.waiting_state(p_init_job bigint, p_run_at timestamp with time zone) RETURNS text
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
  SELECT CASE
    WHEN EXISTS (SELECT FROM tintype.jobs j WHERE j.id = p_init_job AND j.state <> 'succeeded') THEN 'blocked'
    WHEN p_run_at > clock_timestamp() THEN 'scheduled'
    ELSE 'ready'
  END
$$;

COMMENT ON FUNCTION tintype.waiting_state(p_init_job bigint, p_run_at timestamp with time zone) IS 'How a job waits: for another job, for its time, or for a worker';

CREATE TABLE tintype.attempts (
    id bigint NOT NULL,
    job_id bigint NOT NULL,
    worker_id bigint NOT NULL,
    number integer NOT NULL,
    phase text,
    step integer,
    progress double precision,
    progress_at timestamp with time zone,
    cancel_requested_at timestamp with time zone,
    cancel_requested_by text,
    deadline timestamp with time zone,
    timings jsonb,
    outcome text,
    error_code text,
    error text,
    started_at timestamp with time zone NOT NULL,
    finished_at timestamp with time zone,
    CONSTRAINT attempt_is_whole CHECK (tintype.attempt_is_whole(outcome, finished_at, progress))
)
WITH (fillfactor='70', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='5000', autovacuum_vacuum_insert_scale_factor='0.05', autovacuum_vacuum_cost_delay='0');

COMMENT ON TABLE tintype.attempts IS 'One row per run of a job, kept as its history. The only table written while a job runs';

COMMENT ON COLUMN tintype.attempts.id IS 'The fencing token: from a sequence, so no two runs ever share one. Every write and every file of the run carries it';

COMMENT ON COLUMN tintype.attempts.job_id IS 'The job';

COMMENT ON COLUMN tintype.attempts.worker_id IS 'The process that ran it';

COMMENT ON COLUMN tintype.attempts.number IS 'Failures before it plus one: the n in "attempt n of max_attempts"';

COMMENT ON COLUMN tintype.attempts.phase IS 'What it is doing: load_model, fetch_init, encode_text, encode_image, denoise, decode, write';

COMMENT ON COLUMN tintype.attempts.step IS 'Denoising steps begun';

COMMENT ON COLUMN tintype.attempts.progress IS 'Share of the work done, 0 to 1';

COMMENT ON COLUMN tintype.attempts.progress_at IS 'When the progress last changed';

COMMENT ON COLUMN tintype.attempts.cancel_requested_at IS 'Someone wants it stopped; the worker hears of it in its next heartbeat''s reply';

COMMENT ON COLUMN tintype.attempts.cancel_requested_by IS 'Who';

COMMENT ON COLUMN tintype.attempts.deadline IS 'started_at plus the job''s timeout';

COMMENT ON COLUMN tintype.attempts.timings IS 'Seconds by phase';

COMMENT ON COLUMN tintype.attempts.outcome IS 'succeeded, failed, cancelled or released as the worker said; lost or timed_out as maintain() found';

COMMENT ON COLUMN tintype.attempts.error_code IS 'Why it failed, for programs';

COMMENT ON COLUMN tintype.attempts.error IS 'Why it failed, for people';

COMMENT ON COLUMN tintype.attempts.started_at IS 'When it was claimed';

COMMENT ON COLUMN tintype.attempts.finished_at IS 'When it ended';

ALTER TABLE tintype.attempts ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tintype.attempts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tintype.compatibility (
    singleton boolean DEFAULT true NOT NULL,
    oldest_program integer NOT NULL,
    CONSTRAINT compatibility_singleton_check CHECK (singleton)
);

COMMENT ON TABLE tintype.compatibility IS 'One row: which older programs this schema still serves';

COMMENT ON COLUMN tintype.compatibility.singleton IS 'Always true: there is one row';

COMMENT ON COLUMN tintype.compatibility.oldest_program IS 'A program whose last known migration is this one or a later one may use the schema as it is. A migration that breaks older programs sets it to its own number';

CREATE TABLE tintype.concurrency_limits (
    queue text NOT NULL,
    concurrency_key text NOT NULL,
    max_running integer NOT NULL,
    CONSTRAINT concurrency_limits_concurrency_key_check CHECK (((char_length(concurrency_key) >= 1) AND (char_length(concurrency_key) <= 200))),
    CONSTRAINT concurrency_limits_max_running_check CHECK ((max_running >= 1))
);

COMMENT ON TABLE tintype.concurrency_limits IS 'Limits of single concurrency keys, where they differ from the queue''s max_running_per_key';

COMMENT ON COLUMN tintype.concurrency_limits.queue IS 'The queue';

COMMENT ON COLUMN tintype.concurrency_limits.concurrency_key IS 'The key, as in jobs.concurrency_key';

COMMENT ON COLUMN tintype.concurrency_limits.max_running IS 'Most jobs with the key running at once';

CREATE VIEW tintype.dead_letters AS
 SELECT j.id,
    j.queue,
    j.model,
    j.tenant,
    j.submitted_by,
    j.finished_at,
        CASE
            WHEN (j.error_code = 'worker_lost'::text) THEN 'poison'::text
            WHEN (j.error_code = 'deadline_passed'::text) THEN 'deadline'::text
            WHEN ((j.error_code ~~ 'init\_job\_%'::text) AND (j.attempt_id IS NULL)) THEN 'init_job'::text
            WHEN (j.failures >= j.max_attempts) THEN 'attempts'::text
            ELSE 'permanent'::text
        END AS reason,
    j.error_code,
    j.error,
    j.failures,
    j.losses,
    j.max_attempts,
    ( SELECT count(*) AS count
           FROM tintype.attempts a
          WHERE (a.job_id = j.id)) AS attempts
   FROM ( SELECT jobs.id,
            jobs.prompt,
            jobs.negative_prompt,
            jobs.model,
            jobs.width,
            jobs.height,
            jobs.steps,
            jobs.guidance_scale,
            jobs.strength,
            jobs.init_image,
            jobs.init_image_data,
            jobs.init_job,
            jobs.seed,
            jobs.image_count,
            jobs.queue,
            jobs.priority,
            jobs.run_at,
            jobs.max_attempts,
            jobs.timeout,
            jobs.idempotency_key,
            jobs.metadata,
            jobs.state,
            jobs.attempt_id,
            jobs.failures,
            jobs.losses,
            jobs.error_code,
            jobs.error,
            jobs.warnings,
            jobs.submitted_by,
            jobs.created_at,
            jobs.started_at,
            jobs.finished_at,
            jobs.claim_key,
            jobs.request_digest,
            jobs.tenant,
            jobs.concurrency_key,
            jobs.deadline,
            jobs.throttled,
            jobs.fair_at
           FROM tintype.jobs
          WHERE (jobs.state = 'failed'::text)
          ORDER BY jobs.finished_at DESC
         LIMIT 1000) j
  ORDER BY j.finished_at DESC;

COMMENT ON VIEW tintype.dead_letters IS 'The last thousand jobs that failed for good, newest first, and why: poison (its workers vanished), attempts (used up), permanent (trying again cannot help), deadline, init_job. retry(id) brings one back';

COMMENT ON COLUMN tintype.dead_letters.id IS 'The job: retry(id) brings it back';

COMMENT ON COLUMN tintype.dead_letters.queue IS 'Its queue';

COMMENT ON COLUMN tintype.dead_letters.model IS 'The model it asked for; null for the worker''s default';

COMMENT ON COLUMN tintype.dead_letters.tenant IS 'For whom the job is';

COMMENT ON COLUMN tintype.dead_letters.submitted_by IS 'The session user who inserted it';

COMMENT ON COLUMN tintype.dead_letters.finished_at IS 'When it failed for good';

COMMENT ON COLUMN tintype.dead_letters.reason IS 'poison (its workers vanished), attempts (used up), permanent (trying again cannot help), deadline, or init_job (the job it was to start from)';

COMMENT ON COLUMN tintype.dead_letters.error_code IS 'The last failure, for programs';

COMMENT ON COLUMN tintype.dead_letters.error IS 'The last failure, for people; never quotes a prompt';

COMMENT ON COLUMN tintype.dead_letters.failures IS 'Attempts that failed or ran out of time';

COMMENT ON COLUMN tintype.dead_letters.losses IS 'Attempts whose worker vanished';

COMMENT ON COLUMN tintype.dead_letters.max_attempts IS 'Failures after which it fails for good';

COMMENT ON COLUMN tintype.dead_letters.attempts IS 'Attempts on record, released and lost ones included';

CREATE TABLE tintype.fairness (
    singleton boolean DEFAULT true NOT NULL,
    ahead interval DEFAULT '00:00:00'::interval NOT NULL,
    moved_at timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT fairness_singleton_check CHECK (singleton)
)
WITH (fillfactor='10');

COMMENT ON TABLE tintype.fairness IS 'One row: how far the lines'' clock runs ahead of the time of day';

COMMENT ON COLUMN tintype.fairness.singleton IS 'Always true: there is one row';

COMMENT ON COLUMN tintype.fairness.ahead IS 'A tenant''s jobs stand apart in the line by their cost. When they are taken faster than that, newcomers join at the place that is being served, which is this much later than now';

COMMENT ON COLUMN tintype.fairness.moved_at IS 'When it last moved';

CREATE TABLE tintype.images (
    job_id bigint NOT NULL,
    index integer NOT NULL,
    attempt_id bigint NOT NULL,
    path text NOT NULL,
    sha256 bytea NOT NULL,
    bytes bigint NOT NULL,
    width integer NOT NULL,
    height integer NOT NULL,
    seed bigint NOT NULL,
    CONSTRAINT image_is_whole CHECK (tintype.image_is_whole(index, path, sha256, bytes, width, height))
);

COMMENT ON TABLE tintype.images IS 'One row per picture. Written in the same transaction that makes its job succeeded, after the file is durable';

COMMENT ON COLUMN tintype.images.job_id IS 'The job';

COMMENT ON COLUMN tintype.images.index IS 'From 0, in seed order';

COMMENT ON COLUMN tintype.images.attempt_id IS 'The attempt that made it';

COMMENT ON COLUMN tintype.images.path IS 'The file, below the worker''s output root';

COMMENT ON COLUMN tintype.images.sha256 IS 'SHA-256 of the file';

COMMENT ON COLUMN tintype.images.bytes IS 'Size of the file';

COMMENT ON COLUMN tintype.images.width IS 'Pixels';

COMMENT ON COLUMN tintype.images.height IS 'Pixels';

COMMENT ON COLUMN tintype.images.seed IS 'The seed that alone reproduces it';

CREATE TABLE tintype.installation (
    singleton boolean DEFAULT true NOT NULL,
    id uuid DEFAULT gen_random_uuid() NOT NULL,
    CONSTRAINT installation_singleton_check CHECK (singleton)
);

COMMENT ON TABLE tintype.installation IS 'One row: which database this is, for output folders to know to whom they belong';

COMMENT ON COLUMN tintype.installation.singleton IS 'Always true: there is one row';

COMMENT ON COLUMN tintype.installation.id IS 'Drawn when the schema was installed';

CREATE TABLE tintype.queues (
    name text NOT NULL,
    max_running integer,
    max_attempts integer DEFAULT 3 NOT NULL,
    max_losses integer DEFAULT 3 NOT NULL,
    timeout interval,
    retry_base interval DEFAULT '00:00:05'::interval NOT NULL,
    retry_cap interval DEFAULT '00:10:00'::interval NOT NULL,
    retention interval,
    paused_at timestamp with time zone,
    paused_by text,
    pause_reason text,
    max_running_per_key integer,
    model_affinity interval DEFAULT '00:00:03'::interval NOT NULL,
    CONSTRAINT pause_is_whole CHECK ((((paused_at IS NULL) = (paused_by IS NULL)) AND ((pause_reason IS NULL) OR (paused_at IS NOT NULL)))),
    CONSTRAINT queues_max_attempts_check CHECK (((max_attempts >= 1) AND (max_attempts <= 100))),
    CONSTRAINT queues_max_losses_check CHECK (((max_losses >= 1) AND (max_losses <= 100))),
    CONSTRAINT queues_max_running_check CHECK ((max_running >= 1)),
    CONSTRAINT queues_max_running_per_key_check CHECK ((max_running_per_key >= 1)),
    CONSTRAINT queues_model_affinity_check CHECK (((model_affinity >= '00:00:00'::interval) AND (model_affinity <= '00:10:00'::interval))),
    CONSTRAINT queues_name_check CHECK ((name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'::text)),
    CONSTRAINT queues_retention_check CHECK ((retention >= '00:00:00'::interval)),
    CONSTRAINT queues_retry_base_check CHECK (((retry_base >= '00:00:00'::interval) AND (retry_base <= '1 day'::interval))),
    CONSTRAINT queues_retry_cap_check CHECK (((retry_cap >= '00:00:00'::interval) AND (retry_cap <= '7 days'::interval))),
    CONSTRAINT queues_timeout_check CHECK (((timeout >= '00:00:01'::interval) AND (timeout <= '7 days'::interval)))
);

COMMENT ON TABLE tintype.queues IS 'Lines of jobs and their policy. A change applies from the next claim or failure on';

COMMENT ON COLUMN tintype.queues.name IS 'What jobs.queue names';

COMMENT ON COLUMN tintype.queues.max_running IS 'Most jobs running at once over all workers; null for no limit. A limit serialises this queue''s claims';

COMMENT ON COLUMN tintype.queues.max_attempts IS 'Default of jobs.max_attempts';

COMMENT ON COLUMN tintype.queues.max_losses IS 'A job whose worker has vanished this many times fails instead of taking down another one';

COMMENT ON COLUMN tintype.queues.timeout IS 'Default of jobs.timeout; null for no limit';

COMMENT ON COLUMN tintype.queues.retry_base IS 'Wait after the first failure; doubles with each, times a random factor between one half and one';

COMMENT ON COLUMN tintype.queues.retry_cap IS 'Longest wait between attempts';

COMMENT ON COLUMN tintype.queues.retention IS 'Finished jobs older than this are deleted with their attempts and images rows (not their files); null to keep them';

COMMENT ON COLUMN tintype.queues.paused_at IS 'Since when nothing is claimed from it; null while it is open. Set by pause() and resume()';

COMMENT ON COLUMN tintype.queues.paused_by IS 'Who paused it';

COMMENT ON COLUMN tintype.queues.pause_reason IS 'Why, for whoever wonders';

COMMENT ON COLUMN tintype.queues.max_running_per_key IS 'Most jobs with the same concurrency_key running at once, where concurrency_limits says nothing; null for no limit';

COMMENT ON COLUMN tintype.queues.model_affinity IS 'A worker without a job''s model in memory leaves it so long to one that has it; and one that has it may take it so much ahead of its turn. Zero for strict order';

CREATE TABLE tintype.workers (
    id bigint NOT NULL,
    name text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    queues text[] NOT NULL,
    models text[] NOT NULL,
    slots integer NOT NULL,
    lease interval NOT NULL,
    lease_until timestamp with time zone NOT NULL,
    desired text DEFAULT 'run'::text NOT NULL,
    started_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    ended_at timestamp with time zone,
    ended_by text,
    loaded text[],
    output text,
    CONSTRAINT end_is_whole CHECK (((ended_at IS NULL) = (ended_by IS NULL))),
    CONSTRAINT workers_desired_check CHECK ((desired = ANY (ARRAY['run'::text, 'drain'::text]))),
    CONSTRAINT workers_ended_by_check CHECK ((ended_by = ANY (ARRAY['stop'::text, 'lost'::text]))),
    CONSTRAINT workers_lease_check CHECK ((lease > '00:00:00'::interval)),
    CONSTRAINT workers_output_check CHECK (((char_length(output) >= 1) AND (char_length(output) <= 200))),
    CONSTRAINT workers_slots_check CHECK ((slots >= 1))
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='500');

COMMENT ON TABLE tintype.workers IS 'One row per start of a worker process. A new start is a new row: names may be reused, ids never';

COMMENT ON COLUMN tintype.workers.id IS 'Identity of this process';

COMMENT ON COLUMN tintype.workers.name IS 'What its operator calls it';

COMMENT ON COLUMN tintype.workers.host IS 'Machine';

COMMENT ON COLUMN tintype.workers.pid IS 'Process id on that machine';

COMMENT ON COLUMN tintype.workers.version IS 'Version of the program';

COMMENT ON COLUMN tintype.workers.queues IS 'Queues it claims from';

COMMENT ON COLUMN tintype.workers.models IS 'Models it has; jobs without a model run on the first';

COMMENT ON COLUMN tintype.workers.slots IS 'Jobs it runs at once';

COMMENT ON COLUMN tintype.workers.lease IS 'How long after its last heartbeat it counts as alive';

COMMENT ON COLUMN tintype.workers.lease_until IS 'Renewed by each heartbeat. Past it, any other worker may rescue this one''s jobs';

COMMENT ON COLUMN tintype.workers.desired IS 'run, or drain: finish what runs, claim nothing, exit';

COMMENT ON COLUMN tintype.workers.started_at IS 'When it registered';

COMMENT ON COLUMN tintype.workers.ended_at IS 'When it stopped or was declared lost. From then on it is fenced: it can claim and renew nothing';

COMMENT ON COLUMN tintype.workers.ended_by IS 'stop: it said goodbye. lost: its lease ran out';

COMMENT ON COLUMN tintype.workers.loaded IS 'Models it had in memory at its last claim, as far as it says; null if it does not';

COMMENT ON COLUMN tintype.workers.output IS 'Which output folder it writes to: the id in the folder''s .tintype file. Workers that share a folder share it';

CREATE VIEW tintype.job_status AS
 SELECT j.id,
    j.state,
    j.queue,
    j.model,
    j.priority,
    j.width,
    j.height,
    j.steps,
    j.guidance_scale,
    j.strength,
    j.seed,
    j.image_count,
    j.init_job,
    j.submitted_by,
    j.created_at,
    j.run_at,
    j.started_at,
    j.finished_at,
        CASE j.state
            WHEN 'blocked'::text THEN format('job %s to succeed'::text, j.init_job)
            WHEN 'scheduled'::text THEN 'its time, run_at'::text
            WHEN 'ready'::text THEN
            CASE
                WHEN (EXISTS ( SELECT
                   FROM tintype.queues q
                  WHERE ((q.name = j.queue) AND (q.paused_at IS NOT NULL)))) THEN format('queue %s to be resumed'::text, j.queue)
                WHEN j.throttled THEN 'another job with its concurrency_key to end'::text
                WHEN (NOT (EXISTS ( SELECT
                   FROM tintype.workers w
                  WHERE ((w.ended_at IS NULL) AND (w.lease_until > now()) AND (w.desired = 'run'::text) AND (j.queue = ANY (w.queues)) AND ((j.model IS NULL) OR (j.model = ANY (w.models))))))) THEN (format('a worker for queue %s'::text, j.queue) || COALESCE((' with model '::text || j.model), ''::text))
                ELSE 'a free worker'::text
            END
            ELSE NULL::text
        END AS waiting_for,
    j.failures,
    j.losses,
    j.max_attempts,
    j.error_code,
    cardinality(j.warnings) AS warning_count,
    j.attempt_id,
    a.worker_id,
    a.phase,
    a.step,
    a.progress,
    a.progress_at,
    ((a.cancel_requested_at IS NOT NULL) AND (a.finished_at IS NULL)) AS cancelling,
    j.tenant,
    j.deadline
   FROM (tintype.jobs j
     LEFT JOIN tintype.attempts a ON ((a.id = j.attempt_id)));

COMMENT ON VIEW tintype.job_status IS 'Each job without its words: where it stands, what it waits for, how far it has got. Filter it by id or order by id with a limit';

COMMENT ON COLUMN tintype.job_status.id IS 'The job: tintype.jobs.id';

COMMENT ON COLUMN tintype.job_status.state IS 'scheduled, blocked, ready, running, succeeded, failed or cancelled';

COMMENT ON COLUMN tintype.job_status.queue IS 'Which line it stands in';

COMMENT ON COLUMN tintype.job_status.model IS 'The model it asked for; null for whatever the worker''s default is';

COMMENT ON COLUMN tintype.job_status.priority IS '-1000 to 1000, higher is sooner';

COMMENT ON COLUMN tintype.job_status.width IS 'Pixels; null for the model''s own size or the initial picture''s';

COMMENT ON COLUMN tintype.job_status.height IS 'Pixels; null as for width';

COMMENT ON COLUMN tintype.job_status.steps IS 'Denoising steps';

COMMENT ON COLUMN tintype.job_status.guidance_scale IS 'Classifier-free guidance; at 1 and below there is none';

COMMENT ON COLUMN tintype.job_status.strength IS 'How much of the initial picture is replaced; null without one';

COMMENT ON COLUMN tintype.job_status.seed IS 'Seed of the first picture; picture i uses seed + i';

COMMENT ON COLUMN tintype.job_status.image_count IS 'Pictures to make';

COMMENT ON COLUMN tintype.job_status.init_job IS 'The earlier job whose picture it starts from';

COMMENT ON COLUMN tintype.job_status.submitted_by IS 'The session user who inserted it';

COMMENT ON COLUMN tintype.job_status.created_at IS 'When it was inserted';

COMMENT ON COLUMN tintype.job_status.run_at IS 'Not before this time; after a failure, when the next attempt is due';

COMMENT ON COLUMN tintype.job_status.started_at IS 'When the current or last attempt started';

COMMENT ON COLUMN tintype.job_status.finished_at IS 'When it reached a terminal state';

COMMENT ON COLUMN tintype.job_status.waiting_for IS 'What must happen before it runs, in words; null when nothing must';

COMMENT ON COLUMN tintype.job_status.failures IS 'Attempts that failed or ran out of time, since the last retry()';

COMMENT ON COLUMN tintype.job_status.losses IS 'Attempts whose worker vanished, since the last retry()';

COMMENT ON COLUMN tintype.job_status.max_attempts IS 'Failures after which it fails for good';

COMMENT ON COLUMN tintype.job_status.error_code IS 'The last failure, for programs';

COMMENT ON COLUMN tintype.job_status.warning_count IS 'How many warnings a success came with: jobs.warnings has them';

COMMENT ON COLUMN tintype.job_status.attempt_id IS 'The attempt that holds the job or that ended it; null while it waits';

COMMENT ON COLUMN tintype.job_status.worker_id IS 'Who runs it, or ran it last';

COMMENT ON COLUMN tintype.job_status.phase IS 'What that attempt does, or did last: load_model, fetch_init, encode_text, encode_image, denoise, decode, write';

COMMENT ON COLUMN tintype.job_status.step IS 'Denoising steps begun in that attempt';

COMMENT ON COLUMN tintype.job_status.progress IS 'Share of that attempt''s work done, 0 to 1';

COMMENT ON COLUMN tintype.job_status.progress_at IS 'When that last changed';

COMMENT ON COLUMN tintype.job_status.cancelling IS 'It runs, its cancellation is asked for, and its worker has not stopped yet; null without an attempt';

COMMENT ON COLUMN tintype.job_status.tenant IS 'For whom the job is';

COMMENT ON COLUMN tintype.job_status.deadline IS 'Of no use after this time; null for never';

ALTER TABLE tintype.jobs ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tintype.jobs_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE tintype.lines (
    queue text NOT NULL,
    model text NOT NULL,
    begins_at timestamp with time zone NOT NULL,
    begins_id bigint NOT NULL,
    checked_at timestamp with time zone NOT NULL
)
WITH (fillfactor='50', autovacuum_vacuum_scale_factor='0', autovacuum_vacuum_threshold='500');

COMMENT ON TABLE tintype.lines IS 'Where a line begins, for lines at whose head dead index entries have piled up. A hint: nothing is lost with it';

COMMENT ON COLUMN tintype.lines.queue IS 'The queue';

COMMENT ON COLUMN tintype.lines.model IS 'The model; empty for jobs that name none';

COMMENT ON COLUMN tintype.lines.begins_at IS 'No ready job stood before this claim_key when last checked, ...';

COMMENT ON COLUMN tintype.lines.begins_id IS '... nor at it with a lower id: jobs inserted together share one claim_key';

COMMENT ON COLUMN tintype.lines.checked_at IS 'When that was';

CREATE TABLE tintype.maintenance (
    singleton boolean DEFAULT true NOT NULL,
    last_run_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    grace_until timestamp with time zone DEFAULT '-infinity'::timestamp with time zone NOT NULL,
    CONSTRAINT maintenance_singleton_check CHECK (singleton)
);

COMMENT ON TABLE tintype.maintenance IS 'One row: when maintain() last ran, by which it notices that the database was away';

COMMENT ON COLUMN tintype.maintenance.singleton IS 'Always true: there is one row';

COMMENT ON COLUMN tintype.maintenance.last_run_at IS 'When maintain() last ran';

COMMENT ON COLUMN tintype.maintenance.grace_until IS 'Nothing is rescued before: after an outage every worker first gets the chance to renew its lease';

CREATE TABLE tintype.migrations (
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    applied_by text DEFAULT SESSION_USER NOT NULL
);

COMMENT ON TABLE tintype.migrations IS 'The migrations applied to this database, written by `tintype migrate`';

COMMENT ON COLUMN tintype.migrations.version IS 'Number in the file''s name';

COMMENT ON COLUMN tintype.migrations.name IS 'The file''s name';

COMMENT ON COLUMN tintype.migrations.checksum IS 'SHA-256 of the file, hexadecimal: an applied file must not be edited';

COMMENT ON COLUMN tintype.migrations.applied_at IS 'When it was applied';

COMMENT ON COLUMN tintype.migrations.applied_by IS 'The database user who applied it';

CREATE VIEW tintype.queue_status AS
 WITH waiting AS (
         SELECT halves.queue,
            (sum(halves.n))::bigint AS ready
           FROM ( SELECT jobs.queue,
                    count(*) AS n
                   FROM tintype.jobs
                  WHERE ((jobs.state = 'ready'::text) AND (NOT jobs.throttled))
                  GROUP BY jobs.queue
                UNION ALL
                 SELECT jobs.queue,
                    count(*) AS count
                   FROM tintype.jobs
                  WHERE ((jobs.state = 'ready'::text) AND jobs.throttled)
                  GROUP BY jobs.queue) halves
          GROUP BY halves.queue
        ), timed AS (
         SELECT jobs.queue,
            count(*) AS scheduled
           FROM tintype.jobs
          WHERE (jobs.state = 'scheduled'::text)
          GROUP BY jobs.queue
        ), chained AS (
         SELECT jobs.queue,
            count(*) AS blocked
           FROM tintype.jobs
          WHERE (jobs.state = 'blocked'::text)
          GROUP BY jobs.queue
        ), busy AS (
         SELECT jobs.queue,
            count(*) AS running
           FROM tintype.jobs
          WHERE (jobs.state = 'running'::text)
          GROUP BY jobs.queue
        )
 SELECT q.name AS queue,
    COALESCE(waiting.ready, (0)::bigint) AS ready,
    COALESCE(timed.scheduled, (0)::bigint) AS scheduled,
    COALESCE(chained.blocked, (0)::bigint) AS blocked,
    COALESCE(busy.running, (0)::bigint) AS running,
    q.max_running,
    ( WITH RECURSIVE line(model, run_at) AS (
                ( SELECT COALESCE(j.model, ''::text) AS "coalesce",
                    j.run_at
                   FROM tintype.jobs j
                  WHERE ((j.state = 'ready'::text) AND (NOT j.throttled) AND (j.queue = q.name))
                  ORDER BY COALESCE(j.model, ''::text), j.claim_key, j.id
                 LIMIT 1)
                UNION ALL
                 SELECT next.model,
                    next.run_at
                   FROM (line line_1
                     CROSS JOIN LATERAL ( SELECT COALESCE(j.model, ''::text) AS model,
                            j.run_at
                           FROM tintype.jobs j
                          WHERE ((j.state = 'ready'::text) AND (NOT j.throttled) AND (j.queue = q.name) AND (COALESCE(j.model, ''::text) > line_1.model))
                          ORDER BY COALESCE(j.model, ''::text), j.claim_key, j.id
                         LIMIT 1) next)
                )
         SELECT max((now() - line.run_at)) AS max
           FROM line) AS oldest_ready,
    ( SELECT count(*) AS count
           FROM tintype.workers w
          WHERE ((w.ended_at IS NULL) AND (w.lease_until > now()) AND (q.name = ANY (w.queues)))) AS workers,
    q.paused_at,
    q.paused_by,
    q.pause_reason
   FROM ((((tintype.queues q
     LEFT JOIN waiting ON ((waiting.queue = q.name)))
     LEFT JOIN timed ON ((timed.queue = q.name)))
     LEFT JOIN chained ON ((chained.queue = q.name)))
     LEFT JOIN busy ON ((busy.queue = q.name)));

COMMENT ON VIEW tintype.queue_status IS 'Each queue: how much waits and for how long, who serves it, whether and why it is paused';

COMMENT ON COLUMN tintype.queue_status.queue IS 'Name of the queue';

COMMENT ON COLUMN tintype.queue_status.ready IS 'Jobs that may run now, those included that wait for their concurrency_key';

COMMENT ON COLUMN tintype.queue_status.scheduled IS 'Jobs whose run_at has not come: new ones of later, failed ones that back off';

COMMENT ON COLUMN tintype.queue_status.blocked IS 'Jobs that wait for their init_job to succeed';

COMMENT ON COLUMN tintype.queue_status.running IS 'Jobs that a worker holds';

COMMENT ON COLUMN tintype.queue_status.max_running IS 'How many may run at once; null: as many as the workers take';

COMMENT ON COLUMN tintype.queue_status.oldest_ready IS 'How long the first job of the line has waited since its run_at; jobs that wait for their concurrency_key do not count';

COMMENT ON COLUMN tintype.queue_status.workers IS 'Live workers that serve the queue';

COMMENT ON COLUMN tintype.queue_status.paused_at IS 'Since when no worker takes a job of the queue; null: it runs';

COMMENT ON COLUMN tintype.queue_status.paused_by IS 'Who paused it';

COMMENT ON COLUMN tintype.queue_status.pause_reason IS 'Why, as that person said';

CREATE VIEW tintype.recent_errors AS
 SELECT a.finished_at,
    a.job_id,
    a.id AS attempt_id,
    j.queue,
    j.model,
    a.worker_id,
    w.name AS worker,
    w.host,
    a.number,
    a.phase,
    a.outcome,
    a.error_code,
    a.error,
    j.state AS job_state
   FROM ((( SELECT attempts.id,
            attempts.job_id,
            attempts.worker_id,
            attempts.number,
            attempts.phase,
            attempts.step,
            attempts.progress,
            attempts.progress_at,
            attempts.cancel_requested_at,
            attempts.cancel_requested_by,
            attempts.deadline,
            attempts.timings,
            attempts.outcome,
            attempts.error_code,
            attempts.error,
            attempts.started_at,
            attempts.finished_at
           FROM tintype.attempts
          WHERE (attempts.error_code IS NOT NULL)
          ORDER BY attempts.finished_at DESC
         LIMIT 100) a
     JOIN tintype.jobs j ON ((j.id = a.job_id)))
     JOIN tintype.workers w ON ((w.id = a.worker_id)))
  ORDER BY a.finished_at DESC;

COMMENT ON VIEW tintype.recent_errors IS 'The last hundred attempts that went wrong, newest first';

COMMENT ON COLUMN tintype.recent_errors.finished_at IS 'When the attempt ended';

COMMENT ON COLUMN tintype.recent_errors.job_id IS 'Its job';

COMMENT ON COLUMN tintype.recent_errors.attempt_id IS 'The attempt';

COMMENT ON COLUMN tintype.recent_errors.queue IS 'The job''s queue';

COMMENT ON COLUMN tintype.recent_errors.model IS 'The model that the job asked for; null for the worker''s default';

COMMENT ON COLUMN tintype.recent_errors.worker_id IS 'The process that ran it';

COMMENT ON COLUMN tintype.recent_errors.worker IS 'That worker''s name';

COMMENT ON COLUMN tintype.recent_errors.host IS 'That worker''s machine';

COMMENT ON COLUMN tintype.recent_errors.number IS 'Failures before it plus one: the n in "attempt n of max_attempts"';

COMMENT ON COLUMN tintype.recent_errors.phase IS 'What it was doing';

COMMENT ON COLUMN tintype.recent_errors.outcome IS 'failed, cancelled or released as the worker said; lost or timed_out as maintain() found';

COMMENT ON COLUMN tintype.recent_errors.error_code IS 'Why it failed, for programs';

COMMENT ON COLUMN tintype.recent_errors.error IS 'Why it failed, for people; never quotes a prompt';

COMMENT ON COLUMN tintype.recent_errors.job_state IS 'What has become of the job since';

CREATE TABLE tintype.removals (
    output text NOT NULL,
    job_id bigint NOT NULL,
    ordered_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

COMMENT ON TABLE tintype.removals IS 'Deleted jobs whose files are still to be removed, by any worker with that output folder';

COMMENT ON COLUMN tintype.removals.output IS 'The output folder, as in workers.output';

COMMENT ON COLUMN tintype.removals.job_id IS 'The job, whose files all lie in one folder of its own';

COMMENT ON COLUMN tintype.removals.ordered_at IS 'When the job was deleted';

CREATE VIEW tintype.throughput AS
 SELECT date_trunc('minute'::text, j.finished_at) AS minute,
    j.queue,
    count(*) FILTER (WHERE (j.state = 'succeeded'::text)) AS succeeded,
    count(*) FILTER (WHERE (j.state = 'failed'::text)) AS failed,
    count(*) FILTER (WHERE (j.state = 'cancelled'::text)) AS cancelled,
    COALESCE(sum(j.image_count) FILTER (WHERE (j.state = 'succeeded'::text)), (0)::bigint) AS images,
    percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((EXTRACT(epoch FROM (j.started_at - j.run_at)))::double precision)) AS wait_p50,
    percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY ((EXTRACT(epoch FROM (j.started_at - j.run_at)))::double precision)) AS wait_p95,
    percentile_cont((0.5)::double precision) WITHIN GROUP (ORDER BY ((EXTRACT(epoch FROM (j.finished_at - j.started_at)))::double precision)) AS run_p50,
    percentile_cont((0.95)::double precision) WITHIN GROUP (ORDER BY ((EXTRACT(epoch FROM (j.finished_at - j.started_at)))::double precision)) AS run_p95
   FROM (tintype.queues q
     JOIN tintype.jobs j ON (((j.queue = q.name) AND (j.finished_at > (now() - '01:00:00'::interval)))))
  GROUP BY (date_trunc('minute'::text, j.finished_at)), j.queue;

COMMENT ON VIEW tintype.throughput IS 'The last hour by minute and queue: jobs by how they ended, pictures, seconds waited and run';

COMMENT ON COLUMN tintype.throughput.minute IS 'Beginning of the minute in which the jobs ended';

COMMENT ON COLUMN tintype.throughput.queue IS 'Their queue';

COMMENT ON COLUMN tintype.throughput.succeeded IS 'Jobs that succeeded';

COMMENT ON COLUMN tintype.throughput.failed IS 'Jobs that failed for good';

COMMENT ON COLUMN tintype.throughput.cancelled IS 'Jobs that were cancelled';

COMMENT ON COLUMN tintype.throughput.images IS 'Pictures of the jobs that succeeded';

COMMENT ON COLUMN tintype.throughput.wait_p50 IS 'Seconds from run_at to the start: half of the jobs waited at most so long';

COMMENT ON COLUMN tintype.throughput.wait_p95 IS 'As wait_p50, for 95 of 100';

COMMENT ON COLUMN tintype.throughput.run_p50 IS 'Seconds from the start of the last attempt to the end: half of the jobs ran at most so long';

COMMENT ON COLUMN tintype.throughput.run_p95 IS 'As run_p50, for 95 of 100';

CREATE VIEW tintype.worker_status AS
 SELECT w.id,
    w.name,
    w.host,
    w.pid,
    w.version,
    w.queues,
    w.models,
    w.slots,
    ( SELECT count(*) AS count
           FROM tintype.attempts a
          WHERE ((a.worker_id = w.id) AND (a.finished_at IS NULL))) AS running,
        CASE
            WHEN (w.ended_by = 'stop'::text) THEN 'stopped'::text
            WHEN (w.ended_by = 'lost'::text) THEN 'lost'::text
            WHEN (w.lease_until < now()) THEN 'silent'::text
            WHEN (w.desired = 'drain'::text) THEN 'draining'::text
            ELSE 'running'::text
        END AS state,
    GREATEST((now() - (w.lease_until - w.lease)), '00:00:00'::interval) AS silent_for,
    w.started_at,
    w.ended_at
   FROM tintype.workers w
  WHERE ((w.ended_at IS NULL) OR (w.ended_at > (now() - '1 day'::interval)));

COMMENT ON VIEW tintype.worker_status IS 'Each worker that lives or ended within a day, and how long ago it was last heard of';

COMMENT ON COLUMN tintype.worker_status.id IS 'Identity of the process';

COMMENT ON COLUMN tintype.worker_status.name IS 'What its operator calls it';

COMMENT ON COLUMN tintype.worker_status.host IS 'Machine';

COMMENT ON COLUMN tintype.worker_status.pid IS 'Process id on that machine';

COMMENT ON COLUMN tintype.worker_status.version IS 'Version of the program';

COMMENT ON COLUMN tintype.worker_status.queues IS 'Queues it claims from';

COMMENT ON COLUMN tintype.worker_status.models IS 'Models it has; jobs without a model run on the first';

COMMENT ON COLUMN tintype.worker_status.slots IS 'Jobs it may run at once';

COMMENT ON COLUMN tintype.worker_status.running IS 'Jobs it runs now';

COMMENT ON COLUMN tintype.worker_status.state IS 'running, draining (finishes what it runs and takes nothing more), silent (its lease is over and nobody has noticed yet), stopped (it said goodbye) or lost';

COMMENT ON COLUMN tintype.worker_status.silent_for IS 'How long ago its last heartbeat was';

COMMENT ON COLUMN tintype.worker_status.started_at IS 'When it registered';

COMMENT ON COLUMN tintype.worker_status.ended_at IS 'When it stopped or was declared lost; null while it lives';

ALTER TABLE tintype.workers ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME tintype.workers_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY tintype.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tintype.compatibility
    ADD CONSTRAINT compatibility_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY tintype.concurrency_limits
    ADD CONSTRAINT concurrency_limits_pkey PRIMARY KEY (queue, concurrency_key);

ALTER TABLE ONLY tintype.fairness
    ADD CONSTRAINT fairness_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY tintype.images
    ADD CONSTRAINT images_pkey PRIMARY KEY (job_id, index);

ALTER TABLE ONLY tintype.installation
    ADD CONSTRAINT installation_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY tintype.jobs
    ADD CONSTRAINT jobs_pkey PRIMARY KEY (id);

ALTER TABLE ONLY tintype.lines
    ADD CONSTRAINT lines_pkey PRIMARY KEY (queue, model);

ALTER TABLE ONLY tintype.maintenance
    ADD CONSTRAINT maintenance_pkey PRIMARY KEY (singleton);

ALTER TABLE ONLY tintype.migrations
    ADD CONSTRAINT migrations_pkey PRIMARY KEY (version);

ALTER TABLE ONLY tintype.queues
    ADD CONSTRAINT queues_pkey PRIMARY KEY (name);

ALTER TABLE ONLY tintype.removals
    ADD CONSTRAINT removals_pkey PRIMARY KEY (output, job_id);

ALTER TABLE ONLY tintype.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (id);

CREATE INDEX attempts_job_id ON tintype.attempts USING btree (job_id);

CREATE INDEX attempts_running ON tintype.attempts USING btree (worker_id) WHERE (finished_at IS NULL);

CREATE INDEX attempts_with_error ON tintype.attempts USING btree (finished_at) WHERE (error_code IS NOT NULL);

CREATE INDEX jobs_blocked ON tintype.jobs USING btree (init_job) INCLUDE (queue) WHERE (state = 'blocked'::text);

CREATE INDEX jobs_deadline ON tintype.jobs USING btree (deadline) WHERE ((deadline IS NOT NULL) AND (state = ANY (ARRAY['scheduled'::text, 'blocked'::text, 'ready'::text])));

CREATE INDEX jobs_failed ON tintype.jobs USING btree (finished_at) WHERE (state = 'failed'::text);

CREATE INDEX jobs_finished ON tintype.jobs USING btree (queue, finished_at) WHERE (finished_at IS NOT NULL);

CREATE INDEX jobs_init_job ON tintype.jobs USING btree (init_job) WHERE (init_job IS NOT NULL);

CREATE INDEX jobs_key_ready ON tintype.jobs USING btree (queue, concurrency_key, id) WHERE ((state = 'ready'::text) AND (NOT throttled) AND (concurrency_key IS NOT NULL));

CREATE INDEX jobs_key_running ON tintype.jobs USING btree (queue, concurrency_key) WHERE ((state = 'running'::text) AND (concurrency_key IS NOT NULL));

CREATE INDEX jobs_line ON tintype.jobs USING btree (queue, COALESCE(model, ''::text), claim_key, id) WHERE ((state = 'ready'::text) AND (NOT throttled));

CREATE UNIQUE INDEX jobs_queue_idempotency_key ON tintype.jobs USING btree (queue, idempotency_key) WHERE (idempotency_key IS NOT NULL);

CREATE INDEX jobs_running ON tintype.jobs USING btree (queue) WHERE (state = 'running'::text);

CREATE INDEX jobs_scheduled ON tintype.jobs USING btree (run_at) INCLUDE (queue) WHERE (state = 'scheduled'::text);

CREATE INDEX jobs_tenant ON tintype.jobs USING btree (queue, tenant, fair_at) WHERE ((state = 'ready'::text) AND (tenant IS NOT NULL));

CREATE INDEX jobs_throttled ON tintype.jobs USING btree (queue, concurrency_key, claim_key, id) WHERE ((state = 'ready'::text) AND throttled);

CREATE INDEX workers_live ON tintype.workers USING btree (id) WHERE (ended_at IS NULL);

CREATE TRIGGER jobs_check_request BEFORE INSERT OR UPDATE OF prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image, init_image_data, init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, idempotency_key, metadata ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.check_request();

CREATE TRIGGER jobs_check_transition BEFORE UPDATE OF state ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.check_transition();

CREATE TRIGGER jobs_left AFTER UPDATE OF finished_at, failures ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.job_left();

CREATE TRIGGER jobs_notify_ready AFTER INSERT ON tintype.jobs REFERENCING NEW TABLE AS inserted FOR EACH STATEMENT EXECUTE FUNCTION tintype.notify_ready();

CREATE TRIGGER jobs_order_removal BEFORE DELETE ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.order_removal();

CREATE TRIGGER jobs_place_in_line BEFORE INSERT OR UPDATE OF state, queue, priority, run_at, tenant, concurrency_key, deadline ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.place_in_line();

CREATE CONSTRAINT TRIGGER jobs_recheck_blocked AFTER INSERT OR UPDATE OF init_job ON tintype.jobs DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN ((new.state = 'blocked'::text)) EXECUTE FUNCTION tintype.recheck_blocked();

ALTER TABLE ONLY tintype.attempts
    ADD CONSTRAINT attempts_job_id_fkey FOREIGN KEY (job_id) REFERENCES tintype.jobs(id) ON DELETE CASCADE;

ALTER TABLE ONLY tintype.attempts
    ADD CONSTRAINT attempts_worker_id_fkey FOREIGN KEY (worker_id) REFERENCES tintype.workers(id);

ALTER TABLE ONLY tintype.concurrency_limits
    ADD CONSTRAINT concurrency_limits_queue_fkey FOREIGN KEY (queue) REFERENCES tintype.queues(name) ON DELETE CASCADE;

ALTER TABLE ONLY tintype.images
    ADD CONSTRAINT images_job_id_fkey FOREIGN KEY (job_id) REFERENCES tintype.jobs(id) ON DELETE CASCADE;

ALTER TABLE ONLY tintype.jobs
    ADD CONSTRAINT jobs_init_job_fkey FOREIGN KEY (init_job) REFERENCES tintype.jobs(id) ON DELETE SET NULL;

ALTER TABLE ONLY tintype.jobs
    ADD CONSTRAINT jobs_queue_fkey FOREIGN KEY (queue) REFERENCES tintype.queues(name);

CREATE POLICY all_jobs ON tintype.jobs TO tintype_admin USING (true) WITH CHECK (true);

ALTER TABLE tintype.attempts ENABLE ROW LEVEL SECURITY;

ALTER TABLE tintype.images ENABLE ROW LEVEL SECURITY;

ALTER TABLE tintype.jobs ENABLE ROW LEVEL SECURITY;

CREATE POLICY own_jobs ON tintype.attempts FOR SELECT USING ((EXISTS ( SELECT
   FROM tintype.jobs j
  WHERE (j.id = attempts.job_id))));

CREATE POLICY own_jobs ON tintype.images FOR SELECT USING ((EXISTS ( SELECT
   FROM tintype.jobs j
  WHERE (j.id = images.job_id))));

CREATE POLICY own_jobs ON tintype.jobs USING ((submitted_by = SESSION_USER)) WITH CHECK ((submitted_by = SESSION_USER));

GRANT USAGE ON SCHEMA tintype TO tintype_enqueuer;
GRANT USAGE ON SCHEMA tintype TO tintype_worker;
GRANT USAGE ON SCHEMA tintype TO tintype_reader;
GRANT USAGE ON SCHEMA tintype TO tintype_admin;

REVOKE ALL ON FUNCTION tintype.admit_throttled() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.admits(p_queue text, p_key text, p_taken bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.admitted(p_queue text, p_ids bigint[], p_keys text[], INOUT taken text[], OUT ids bigint[]) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.advance_fairness(p_fair_at timestamp with time zone) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.attempt_is_whole(p_outcome text, p_finished_at timestamp with time zone, p_progress double precision) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.can_manage(p_submitted_by text) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.cancel(job_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.cancel(job_id bigint) TO tintype_enqueuer;

REVOKE ALL ON FUNCTION tintype.check_request() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.check_transition() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.claim(p_worker bigint, p_queues text[], p_models text[], p_limit integer, p_loaded text[], p_alike boolean) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.claim(p_worker bigint, p_queues text[], p_models text[], p_limit integer, p_loaded text[], p_alike boolean) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.drain(worker_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.drain(worker_id bigint) TO tintype_admin;

REVOKE ALL ON FUNCTION tintype.end_attempt(p_job bigint, p_attempt bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean, p_warnings text[], p_timings jsonb) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.enqueue(prompt text, negative_prompt text, model text, width integer, height integer, steps integer, guidance_scale double precision, strength double precision, init_image text, init_image_data bytea, init_job bigint, seed bigint, image_count integer, queue text, priority integer, run_at timestamp with time zone, max_attempts integer, timeout interval, idempotency_key text, metadata jsonb, tenant text, concurrency_key text, deadline timestamp with time zone) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.enqueue(prompt text, negative_prompt text, model text, width integer, height integer, steps integer, guidance_scale double precision, strength double precision, init_image text, init_image_data bytea, init_job bigint, seed bigint, image_count integer, queue text, priority integer, run_at timestamp with time zone, max_attempts integer, timeout interval, idempotency_key text, metadata jsonb, tenant text, concurrency_key text, deadline timestamp with time zone) TO tintype_enqueuer;

REVOKE ALL ON FUNCTION tintype.entries_read() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.job_is_whole(p_state text, p_attempt_id bigint, p_started_at timestamp with time zone, p_finished_at timestamp with time zone, p_failures integer, p_losses integer, p_error_code text, p_error text, p_init_job bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.job_is_whole(p_state text, p_attempt_id bigint, p_started_at timestamp with time zone, p_finished_at timestamp with time zone, p_failures integer, p_losses integer, p_error_code text, p_error text, p_init_job bigint) TO tintype_enqueuer;

GRANT SELECT ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(prompt),UPDATE(prompt) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(negative_prompt),UPDATE(negative_prompt) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(model),UPDATE(model) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(width),UPDATE(width) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(height),UPDATE(height) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(steps),UPDATE(steps) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(guidance_scale),UPDATE(guidance_scale) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(strength),UPDATE(strength) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(init_image),UPDATE(init_image) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(init_image_data),UPDATE(init_image_data) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(init_job),UPDATE(init_job) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(seed),UPDATE(seed) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(image_count),UPDATE(image_count) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(queue),UPDATE(queue) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(priority),UPDATE(priority) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(run_at),UPDATE(run_at) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(max_attempts),UPDATE(max_attempts) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(timeout),UPDATE(timeout) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(idempotency_key) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(metadata),UPDATE(metadata) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(tenant),UPDATE(tenant) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(concurrency_key),UPDATE(concurrency_key) ON TABLE tintype.jobs TO tintype_enqueuer;

GRANT INSERT(deadline),UPDATE(deadline) ON TABLE tintype.jobs TO tintype_enqueuer;

REVOKE ALL ON FUNCTION tintype.fair_place(p_job tintype.jobs) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.finish(p_worker bigint, p_attempt bigint, p_job bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean, p_images jsonb, p_warnings text[], p_timings jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.finish(p_worker bigint, p_attempt bigint, p_job bigint, p_outcome text, p_error_code text, p_error text, p_permanent boolean, p_images jsonb, p_warnings text[], p_timings jsonb) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.finish_all(p_worker bigint, p_reports jsonb) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.finish_all(p_worker bigint, p_reports jsonb) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.heartbeat(p_worker bigint, p_running jsonb, OUT fenced boolean, OUT drain boolean, OUT cancel bigint[], OUT revoked bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.heartbeat(p_worker bigint, p_running jsonb, OUT fenced boolean, OUT drain boolean, OUT cancel bigint[], OUT revoked bigint[]) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.image_is_whole(p_index integer, p_path text, p_sha256 bytea, p_bytes bigint, p_width integer, p_height integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.install_roles() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.installation_id() FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.installation_id() TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.job_left() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.lock_job(p_job bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.maintain(p_unless_within interval, OUT ran boolean, OUT grace boolean, OUT promoted integer, OUT workers_lost integer, OUT rescued integer, OUT timed_out integer, OUT pruned integer, OUT expired integer, OUT admitted integer, OUT next_due double precision) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.maintain(p_unless_within interval, OUT ran boolean, OUT grace boolean, OUT promoted integer, OUT workers_lost integer, OUT rescued integer, OUT timed_out integer, OUT pruned integer, OUT expired integer, OUT admitted integer, OUT next_due double precision) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.note_head(p_queue text, p_model text, p_claim_key timestamp with time zone, p_id bigint, p_is_slow boolean) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.notify_ready() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.order_removal() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.orphans(p_worker bigint, p_jobs bigint[], p_attempts bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.orphans(p_worker bigint, p_jobs bigint[], p_attempts bigint[]) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.own_output(p_worker bigint, p_output text) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.own_output(p_worker bigint, p_output text) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.pause(queue text, reason text) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.pause(queue text, reason text) TO tintype_admin;

REVOKE ALL ON FUNCTION tintype.place_in_line() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.recheck_blocked() FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.refuse(p_column text, p_legal text, p_got text) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.register_worker(p_name text, p_host text, p_pid integer, p_version text, p_queues text[], p_models text[], p_slots integer, p_lease interval) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.register_worker(p_name text, p_host text, p_pid integer, p_version text, p_queues text[], p_models text[], p_slots integer, p_lease interval) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.release_all(p_worker bigint, p_outcome text, p_error_code text, p_error text) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.removals_done(p_worker bigint, p_jobs bigint[]) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.removals_done(p_worker bigint, p_jobs bigint[]) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.removals_due(p_worker bigint, p_limit integer) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.removals_due(p_worker bigint, p_limit integer) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.request_cost(p_job tintype.jobs) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.request_digest(p_job tintype.jobs) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.resume(queue text) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.resume(queue text) TO tintype_admin;

REVOKE ALL ON FUNCTION tintype.retry(job_id bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.retry(job_id bigint) TO tintype_enqueuer;

REVOKE ALL ON FUNCTION tintype.retry_delay(p_base interval, p_cap interval, p_failures integer, p_jitter double precision) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.retry_failed(queue text, error_code text, at_most integer) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.retry_failed(queue text, error_code text, at_most integer) TO tintype_enqueuer;

REVOKE ALL ON FUNCTION tintype.settle_waiting_for(p_job bigint) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.stop_worker(p_worker bigint) FROM PUBLIC;
GRANT ALL ON FUNCTION tintype.stop_worker(p_worker bigint) TO tintype_worker;

REVOKE ALL ON FUNCTION tintype.take(p_queue text, p_model text, p_from timestamp with time zone, p_from_id bigint, p_to timestamp with time zone, p_to_id bigint, p_limit integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.take_alike(p_lead bigint, p_from timestamp with time zone, p_limit integer) FROM PUBLIC;

REVOKE ALL ON FUNCTION tintype.waiting_state(p_init_job bigint, p_run_at timestamp with time zone) FROM PUBLIC;

GRANT SELECT ON TABLE tintype.attempts TO tintype_enqueuer;

GRANT SELECT ON TABLE tintype.compatibility TO tintype_enqueuer;
GRANT SELECT ON TABLE tintype.compatibility TO tintype_worker;
GRANT SELECT ON TABLE tintype.compatibility TO tintype_reader;
GRANT SELECT ON TABLE tintype.compatibility TO tintype_admin;

GRANT SELECT,INSERT,DELETE,UPDATE ON TABLE tintype.concurrency_limits TO tintype_admin;

GRANT SELECT ON TABLE tintype.dead_letters TO tintype_reader;

GRANT SELECT ON TABLE tintype.images TO tintype_enqueuer;

GRANT SELECT ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(name) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(max_running),UPDATE(max_running) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(max_attempts),UPDATE(max_attempts) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(max_losses),UPDATE(max_losses) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(timeout),UPDATE(timeout) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(retry_base),UPDATE(retry_base) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(retry_cap),UPDATE(retry_cap) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(retention),UPDATE(retention) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(max_running_per_key),UPDATE(max_running_per_key) ON TABLE tintype.queues TO tintype_admin;

GRANT INSERT(model_affinity),UPDATE(model_affinity) ON TABLE tintype.queues TO tintype_admin;

GRANT SELECT ON TABLE tintype.workers TO tintype_admin;

GRANT SELECT ON TABLE tintype.job_status TO tintype_reader;

GRANT SELECT ON TABLE tintype.migrations TO tintype_worker;
GRANT SELECT ON TABLE tintype.migrations TO tintype_reader;
GRANT SELECT ON TABLE tintype.migrations TO tintype_enqueuer;
GRANT SELECT ON TABLE tintype.migrations TO tintype_admin;

GRANT SELECT ON TABLE tintype.queue_status TO tintype_reader;

GRANT SELECT ON TABLE tintype.recent_errors TO tintype_reader;

GRANT SELECT ON TABLE tintype.throughput TO tintype_reader;

GRANT SELECT ON TABLE tintype.worker_status TO tintype_reader;

