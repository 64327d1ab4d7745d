-- Where a job stands in its line: fair shares between tenants, limits on jobs that share something, and deadlines.
-- V0010 has the claim that goes by it.

ALTER TABLE tintype.jobs
  ADD COLUMN tenant          text,
  ADD COLUMN concurrency_key text,
  ADD COLUMN deadline        timestamptz,
  ADD COLUMN throttled       boolean NOT NULL DEFAULT false,
  ADD COLUMN fair_at         timestamptz;
COMMENT ON COLUMN tintype.jobs.tenant          IS 'For whom the job is, 1 to 200 characters: tenants with work waiting get equal shares, however much one of them has enqueued. Null takes its turn by time alone';
COMMENT ON COLUMN tintype.jobs.concurrency_key IS 'What jobs must share sparingly, 1 to 200 characters: of those with the same key in a queue only so many run at once (concurrency_limits, queues.max_running_per_key)';
COMMENT ON COLUMN tintype.jobs.deadline        IS 'Of no use after this time: a job that still waits then fails, an attempt that still runs is stopped; null for never';
COMMENT ON COLUMN tintype.jobs.throttled       IS 'Ready, but as many jobs with its concurrency_key run as may: left out of the line until one of them ends';
COMMENT ON COLUMN tintype.jobs.fair_at         IS 'Place in the line before priority: run_at, moved back behind the tenant''s own earlier jobs';
COMMENT ON COLUMN tintype.jobs.claim_key       IS 'Place in the line: fair_at less ten minutes a point of priority';

ALTER TABLE tintype.queues
  ADD COLUMN max_running_per_key integer CHECK (max_running_per_key >= 1),
  ADD COLUMN model_affinity      interval NOT NULL DEFAULT '3 seconds' CHECK (model_affinity BETWEEN '0' AND '10 minutes');
COMMENT ON COLUMN tintype.queues.max_running_per_key IS 'Most jobs with the same concurrency_key running at once, where concurrency_limits says nothing; null for no limit';
COMMENT ON COLUMN tintype.queues.model_affinity      IS 'A worker without a job''s model in memory leaves it so long to one that has it; and one that has it may take it so much ahead of its turn. Zero for strict order';

CREATE TABLE tintype.concurrency_limits (
  queue            text NOT NULL REFERENCES tintype.queues (name) ON DELETE CASCADE,
  concurrency_key  text NOT NULL CHECK (char_length(concurrency_key) BETWEEN 1 AND 200),
  max_running      integer NOT NULL CHECK (max_running >= 1),
  PRIMARY KEY (queue, concurrency_key)
);
COMMENT ON TABLE  tintype.concurrency_limits                 IS 'Limits of single concurrency keys, where they differ from the queue''s max_running_per_key';
COMMENT ON COLUMN tintype.concurrency_limits.queue           IS 'The queue';
COMMENT ON COLUMN tintype.concurrency_limits.concurrency_key IS 'The key, as in jobs.concurrency_key';
COMMENT ON COLUMN tintype.concurrency_limits.max_running     IS 'Most jobs with the key running at once';

-- One row, moved at most five times a second, read by every insert.
CREATE TABLE tintype.fairness (
  singleton  boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  ahead      interval NOT NULL DEFAULT '0',
  moved_at   timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 10);
COMMENT ON TABLE  tintype.fairness           IS 'One row: how far the lines'' clock runs ahead of the time of day';
COMMENT ON COLUMN tintype.fairness.singleton IS 'Always true: there is one row';
COMMENT ON COLUMN tintype.fairness.ahead     IS 'A tenant''s jobs stand apart in the line by their cost. When they are taken faster than that, newcomers join at the place that is being served, which is this much later than now';
COMMENT ON COLUMN tintype.fairness.moved_at  IS 'When it last moved';
INSERT INTO tintype.fairness DEFAULT VALUES;

-- The line without those who are held back. Replaces jobs_ready.
CREATE INDEX jobs_line ON tintype.jobs (queue, coalesce(model, ''), claim_key, id) WHERE state = 'ready' AND NOT throttled;
DROP INDEX tintype.jobs_ready;
CREATE INDEX jobs_tenant      ON tintype.jobs (queue, tenant, fair_at) WHERE state = 'ready' AND tenant IS NOT NULL;
CREATE INDEX jobs_key_ready   ON tintype.jobs (queue, concurrency_key, id) WHERE state = 'ready' AND NOT throttled AND concurrency_key IS NOT NULL;
CREATE INDEX jobs_throttled   ON tintype.jobs (queue, concurrency_key, claim_key, id) WHERE state = 'ready' AND throttled;
CREATE INDEX jobs_key_running ON tintype.jobs (queue, concurrency_key) WHERE state = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX jobs_deadline    ON tintype.jobs (deadline) WHERE deadline IS NOT NULL AND state IN ('scheduled', 'blocked', 'ready');
CREATE INDEX jobs_failed      ON tintype.jobs (finished_at) WHERE state = 'failed';

CREATE OR REPLACE FUNCTION tintype.request_digest(p_job tintype.jobs) RETURNS bytea
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT sha256(convert_to(row(
    p_job.prompt, p_job.negative_prompt, p_job.model, p_job.width, p_job.height, p_job.steps, p_job.guidance_scale,
    p_job.strength, p_job.init_image, sha256(p_job.init_image_data), p_job.init_job, p_job.seed, p_job.image_count,
    p_job.queue, p_job.priority, extract(epoch FROM p_job.run_at), p_job.max_attempts,
    extract(epoch FROM p_job.timeout), p_job.metadata)::text
    -- Only if given: digests of requests that were made before these columns existed stay what they are.
    || CASE WHEN num_nonnulls(p_job.tenant, p_job.concurrency_key, p_job.deadline) = 0 THEN ''
       ELSE row(p_job.tenant, p_job.concurrency_key, extract(epoch FROM p_job.deadline))::text END, 'UTF8'))
$$;

CREATE FUNCTION tintype.request_cost(p_job tintype.jobs) RETURNS interval
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
  SELECT make_interval(secs => p_job.image_count * (p_job.steps + 1)
    * (coalesce(p_job.width, 512) * coalesce(p_job.height, 512) / 262144.0)::double precision)
$$;
COMMENT ON FUNCTION tintype.request_cost IS 'What a job costs its tenant: a second for each step, and one for decoding, of each picture of 512 x 512 pixels';

CREATE FUNCTION tintype.fair_place(p_job tintype.jobs) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
  behind tintype.jobs;
BEGIN
  -- Behind the tenant's last. Volatile on purpose: within one INSERT of many rows each sees those before it.
  SELECT * INTO behind FROM tintype.jobs j
    WHERE j.state = 'ready' AND j.queue = p_job.queue AND j.tenant = p_job.tenant AND j.id <> p_job.id
    ORDER BY j.fair_at DESC LIMIT 1;
  RETURN greatest((SELECT p_job.run_at + f.ahead FROM tintype.fairness f), behind.fair_at + tintype.request_cost(behind));
END $$;
COMMENT ON FUNCTION tintype.fair_place IS 'Where a tenant''s job joins the line: now, or behind the tenant''s jobs, each at a distance of its cost (start-time fair queueing). Internal';

CREATE FUNCTION tintype.place_in_line() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' THEN
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
COMMENT ON FUNCTION tintype.place_in_line IS 'Checks tenant, concurrency_key and deadline, and gives a job that becomes ready its place';

-- By its name it runs after jobs_check_request and jobs_check_transition, which have settled everything else.
CREATE TRIGGER jobs_place_in_line BEFORE INSERT OR UPDATE OF state, queue, priority, run_at, tenant, concurrency_key, deadline
  ON tintype.jobs FOR EACH ROW EXECUTE FUNCTION tintype.place_in_line();

CREATE OR REPLACE FUNCTION tintype.check_transition() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  IF NEW.state = OLD.state
     OR (CASE OLD.state
          WHEN 'scheduled' THEN NEW.state IN ('ready', 'failed', 'cancelled')
          WHEN 'blocked'   THEN NEW.state IN ('scheduled', 'ready', 'failed', 'cancelled')
          WHEN 'ready'     THEN NEW.state IN ('running', 'failed', 'cancelled')
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

-- A job with a key has ended, or was given back: the next of those that wait for the key may join the line. Nothing waits
-- for a lock here; whom this passes over, maintain() finds within seconds.
CREATE FUNCTION tintype.admit_next() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
  next bigint;
BEGIN
  SELECT id INTO next FROM tintype.jobs j
    WHERE j.state = 'ready' AND j.throttled AND j.queue = OLD.queue AND j.concurrency_key = OLD.concurrency_key
    ORDER BY j.claim_key, j.id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
  IF FOUND THEN
    UPDATE tintype.jobs SET throttled = false WHERE id = next;
    PERFORM pg_notify('tintype_ready', OLD.queue);
  END IF;
  RETURN NULL;
END $$;
COMMENT ON FUNCTION tintype.admit_next IS 'Lets the first of those that are throttled by a concurrency key into the line again';

CREATE TRIGGER jobs_admit_next AFTER UPDATE OF state ON tintype.jobs FOR EACH ROW
  WHEN (OLD.state = 'running' AND NEW.state <> 'running' AND OLD.concurrency_key IS NOT NULL)
  EXECUTE FUNCTION tintype.admit_next();

-- The same request gives the same job also with the new columns. Positional calls of the earlier function still fit.
DROP FUNCTION tintype.enqueue;
CREATE FUNCTION tintype.enqueue(
  prompt text, negative_prompt text DEFAULT NULL, model text DEFAULT NULL, width integer DEFAULT NULL,
  height integer DEFAULT NULL, steps integer DEFAULT NULL, guidance_scale double precision DEFAULT NULL,
  strength double precision DEFAULT NULL, init_image text DEFAULT NULL, init_image_data bytea DEFAULT NULL,
  init_job bigint DEFAULT NULL, seed bigint DEFAULT NULL, image_count integer DEFAULT NULL, queue text DEFAULT NULL,
  priority integer DEFAULT NULL, run_at timestamptz DEFAULT NULL, max_attempts integer DEFAULT NULL,
  timeout interval DEFAULT NULL, idempotency_key text DEFAULT NULL, metadata jsonb DEFAULT NULL,
  tenant text DEFAULT NULL, concurrency_key text DEFAULT NULL, deadline timestamptz DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
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
END $$;
COMMENT ON FUNCTION tintype.enqueue IS 'Inserts a job and returns its id. With an idempotency_key already used by the same request: that job''s id';
