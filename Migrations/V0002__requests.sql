-- What a job may ask for, and which way its state may go.
--
-- One trigger holds every rule for requests, so each refusal can name the column and the legal values; the CHECKs in
-- V0001 hold the invariants between state and columns. Sources/Jobs/RequestLimits.swift has the same numbers for the
-- command line, and a test holds the two together.

CREATE FUNCTION tintype.refuse(p_column text, p_legal text, p_got text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% must be %; got %', p_column, p_legal, coalesce(p_got, 'null')
    USING ERRCODE = 'check_violation', SCHEMA = 'tintype', TABLE = 'jobs', COLUMN = p_column;
END $$;
COMMENT ON FUNCTION tintype.refuse IS 'Raises SQLSTATE 23514 naming the column, the legal values and what was given';

CREATE FUNCTION tintype.can_manage(p_submitted_by text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT p_submitted_by = session_user
      OR pg_has_role(session_user, current_user, 'MEMBER')  -- the owner, and superusers
      OR coalesce(pg_has_role(session_user, to_regrole('tintype_admin'), 'MEMBER'), false)
$$;
COMMENT ON FUNCTION tintype.can_manage IS 'Whether the session user may cancel, retry or build upon jobs of this submitter';

CREATE FUNCTION tintype.waiting_state(p_init_job bigint, p_run_at timestamptz) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
  SELECT CASE
    WHEN EXISTS (SELECT FROM tintype.jobs j WHERE j.id = p_init_job AND j.state <> 'succeeded') THEN 'blocked'
    WHEN p_run_at > clock_timestamp() THEN 'scheduled'
    ELSE 'ready'
  END
$$;
COMMENT ON FUNCTION tintype.waiting_state IS 'How a job waits: for another job, for its time, or for a worker';

CREATE FUNCTION tintype.request_digest(p_job tintype.jobs) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT sha256(convert_to(row(
    p_job.prompt, p_job.negative_prompt, p_job.model, p_job.width, p_job.height, p_job.steps, p_job.guidance_scale,
    p_job.strength, p_job.init_image, sha256(p_job.init_image_data), p_job.init_job, p_job.seed, p_job.image_count,
    p_job.queue, p_job.priority, extract(epoch FROM p_job.run_at), p_job.max_attempts,
    extract(epoch FROM p_job.timeout), p_job.metadata)::text, 'UTF8'))
$$;
COMMENT ON FUNCTION tintype.request_digest IS 'Digest of a request as it was given, before a seed is drawn';

CREATE FUNCTION tintype.check_request() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;
COMMENT ON FUNCTION tintype.check_request IS 'Fills in what a request leaves open and refuses what can never run';

CREATE TRIGGER jobs_check_request
  BEFORE INSERT OR UPDATE OF prompt, negative_prompt, model, width, height, steps, guidance_scale, strength, init_image,
    init_image_data, init_job, seed, image_count, queue, priority, run_at, max_attempts, timeout, idempotency_key, metadata
  ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.check_request();

CREATE FUNCTION tintype.check_transition() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.state = OLD.state
     OR (CASE OLD.state
          WHEN 'scheduled' THEN NEW.state IN ('ready', 'cancelled')
          WHEN 'blocked'   THEN NEW.state IN ('scheduled', 'ready', 'failed', 'cancelled')
          WHEN 'ready'     THEN NEW.state IN ('running', 'cancelled')
          WHEN 'running'   THEN NEW.state IN ('scheduled', 'ready', 'succeeded', 'failed', 'cancelled')
          -- Only retry() makes this setting, for as long as its UPDATE runs.
          WHEN 'failed'    THEN NEW.state IN ('scheduled', 'blocked', 'ready') AND current_setting('tintype.retry', true) = 'on'
          WHEN 'cancelled' THEN NEW.state IN ('scheduled', 'blocked', 'ready') AND current_setting('tintype.retry', true) = 'on'
          ELSE false
        END)
  THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'job % cannot go from % to %', OLD.id, OLD.state, NEW.state
    USING ERRCODE = 'object_not_in_prerequisite_state', SCHEMA = 'tintype', TABLE = 'jobs', COLUMN = 'state',
      HINT = 'cancel(id) ends a job, retry(id) brings a failed or cancelled one back; workers do the rest.';
END $$;
COMMENT ON FUNCTION tintype.check_transition IS 'Refuses every change of state that Docs/job-states.md does not show, whoever makes it';

-- Its name sorts before no other that matters: check_request looks at the state only to tell a transition from a request.
CREATE TRIGGER jobs_check_transition BEFORE UPDATE OF state ON tintype.jobs
  FOR EACH ROW EXECUTE FUNCTION tintype.check_transition();
