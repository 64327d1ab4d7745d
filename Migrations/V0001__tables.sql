-- The tables. A row of tintype.jobs is a picture to make; the other tables say who makes it, how far it has got,
-- and what came out. Rules for requests are in V0002, what workers do in V0003, what people do in V0004.
--
-- jobs is one table, waiting and finished together, because one name is what people query. It stays fast because every
-- index that work depends on is partial: none of them holds a finished job. Updates are few (claimed, finished), and
-- whatever changes while a job runs is in attempts.

CREATE SCHEMA tintype;
COMMENT ON SCHEMA tintype IS 'Rows become pictures: INSERT INTO tintype.jobs (prompt) VALUES (''a red boat'')';

CREATE TABLE tintype.migrations (
  version     integer PRIMARY KEY,
  name        text NOT NULL,
  checksum    text NOT NULL,
  applied_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
  applied_by  text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE  tintype.migrations            IS 'The migrations applied to this database, written by `tintype migrate`';
COMMENT ON COLUMN tintype.migrations.version    IS 'Number in the file''s name';
COMMENT ON COLUMN tintype.migrations.name       IS 'The file''s name';
COMMENT ON COLUMN tintype.migrations.checksum   IS 'SHA-256 of the file, hexadecimal: an applied file must not be edited';
COMMENT ON COLUMN tintype.migrations.applied_at IS 'When it was applied';
COMMENT ON COLUMN tintype.migrations.applied_by IS 'The database user who applied it';

CREATE TABLE tintype.queues (
  name          text PRIMARY KEY CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
  max_running   integer CHECK (max_running >= 1),
  max_attempts  integer NOT NULL DEFAULT 3 CHECK (max_attempts BETWEEN 1 AND 100),
  max_losses    integer NOT NULL DEFAULT 3 CHECK (max_losses BETWEEN 1 AND 100),
  timeout       interval CHECK (timeout BETWEEN '1 second' AND '7 days'),
  retry_base    interval NOT NULL DEFAULT '5 seconds' CHECK (retry_base BETWEEN '0' AND '1 day'),
  retry_cap     interval NOT NULL DEFAULT '10 minutes' CHECK (retry_cap BETWEEN '0' AND '7 days'),
  retention     interval CHECK (retention >= '0'),
  paused_at     timestamptz,
  paused_by     text,
  pause_reason  text,
  CONSTRAINT pause_is_whole CHECK ((paused_at IS NULL) = (paused_by IS NULL)
                                   AND (pause_reason IS NULL OR paused_at IS NOT NULL))
);
COMMENT ON TABLE  tintype.queues              IS 'Lines of jobs and their policy. A change applies from the next claim or failure on';
COMMENT ON COLUMN tintype.queues.name         IS 'What jobs.queue names';
COMMENT ON COLUMN tintype.queues.max_running  IS 'Most jobs running at once over all workers; null for no limit. A limit serialises this queue''s claims';
COMMENT ON COLUMN tintype.queues.max_attempts IS 'Default of jobs.max_attempts';
COMMENT ON COLUMN tintype.queues.max_losses   IS 'A job whose worker has vanished this many times fails instead of taking down another one';
COMMENT ON COLUMN tintype.queues.timeout      IS 'Default of jobs.timeout; null for no limit';
COMMENT ON COLUMN tintype.queues.retry_base   IS 'Wait after the first failure; doubles with each, times a random factor between one half and one';
COMMENT ON COLUMN tintype.queues.retry_cap    IS 'Longest wait between attempts';
COMMENT ON COLUMN tintype.queues.retention    IS 'Finished jobs older than this are deleted with their attempts and images rows (not their files); null to keep them';
COMMENT ON COLUMN tintype.queues.paused_at    IS 'Since when nothing is claimed from it; null while it is open. Set by pause() and resume()';
COMMENT ON COLUMN tintype.queues.paused_by    IS 'Who paused it';
COMMENT ON COLUMN tintype.queues.pause_reason IS 'Why, for whoever wonders';
INSERT INTO tintype.queues (name) VALUES ('default');

CREATE TABLE tintype.jobs (
  -- What to draw, and when: the submitter's side.
  id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  prompt           text NOT NULL,
  negative_prompt  text,
  model            text,
  width            integer,
  height           integer,
  steps            integer NOT NULL,
  guidance_scale   double precision NOT NULL DEFAULT 0,
  strength         double precision,
  init_image       text,
  init_image_data  bytea,
  init_job         bigint REFERENCES tintype.jobs (id) ON DELETE SET NULL,
  seed             bigint NOT NULL,
  image_count      integer NOT NULL DEFAULT 1,
  queue            text NOT NULL DEFAULT 'default' REFERENCES tintype.queues (name),
  priority         integer NOT NULL DEFAULT 0,
  run_at           timestamptz NOT NULL,
  max_attempts     integer NOT NULL,
  timeout          interval,
  idempotency_key  text,
  metadata         jsonb NOT NULL DEFAULT '{}',
  -- What became of it: set by Tintype alone.
  state            text NOT NULL,
  attempt_id       bigint,
  failures         integer NOT NULL,
  losses           integer NOT NULL,
  error_code       text,
  error            text,
  warnings         text[] NOT NULL,
  submitted_by     text NOT NULL,
  created_at       timestamptz NOT NULL,
  started_at       timestamptz,
  finished_at      timestamptz,
  claim_key        timestamptz NOT NULL,
  request_digest   bytea,

  CONSTRAINT state_is_known CHECK
    (state IN ('scheduled', 'blocked', 'ready', 'running', 'succeeded', 'failed', 'cancelled')),
  CONSTRAINT finished_when_terminal CHECK
    ((finished_at IS NOT NULL) = (state IN ('succeeded', 'failed', 'cancelled'))),
  CONSTRAINT running_has_attempt CHECK
    (state NOT IN ('running', 'succeeded') OR (attempt_id IS NOT NULL AND started_at IS NOT NULL)),
  CONSTRAINT waiting_has_no_attempt CHECK
    (state NOT IN ('scheduled', 'blocked', 'ready') OR (attempt_id IS NULL AND started_at IS NULL)),
  CONSTRAINT blocked_has_init_job CHECK (state <> 'blocked' OR init_job IS NOT NULL),
  CONSTRAINT failed_has_error CHECK (state <> 'failed' OR (error_code IS NOT NULL AND error IS NOT NULL)),
  CONSTRAINT succeeded_has_no_error CHECK (state <> 'succeeded' OR (error_code IS NULL AND error IS NULL)),
  CONSTRAINT counters_are_natural CHECK (failures >= 0 AND losses >= 0)
) WITH (
  -- A job is rewritten twice in its life. Vacuum by count, not by share: one per cent of ten million finished rows is
  -- more dead entries than the head of the claim index should ever have to step over. And always clean the indexes: of a
  -- large table with few dead rows vacuum leaves them alone otherwise (measured: 100,000 dead entries stayed, and a claim
  -- read 340 pages to step over them). It costs two seconds for eleven million rows.
  fillfactor = 85, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000, vacuum_index_cleanup = on,
  autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0
);

-- Pictures are compressed already.
ALTER TABLE tintype.jobs ALTER COLUMN init_image_data SET STORAGE EXTERNAL;

-- The claim reads the first entry of a (queue, model) line: one probe, however long the line and the history are.
CREATE INDEX jobs_ready     ON tintype.jobs (queue, coalesce(model, ''), claim_key, id) WHERE state = 'ready';
CREATE INDEX jobs_scheduled ON tintype.jobs (run_at) INCLUDE (queue) WHERE state = 'scheduled';
CREATE INDEX jobs_blocked   ON tintype.jobs (init_job) INCLUDE (queue) WHERE state = 'blocked';
CREATE INDEX jobs_running   ON tintype.jobs (queue) WHERE state = 'running';
CREATE INDEX jobs_finished  ON tintype.jobs (queue, finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX jobs_init_job  ON tintype.jobs (init_job) WHERE init_job IS NOT NULL;
CREATE UNIQUE INDEX jobs_queue_idempotency_key ON tintype.jobs (queue, idempotency_key) WHERE idempotency_key IS NOT NULL;

COMMENT ON TABLE  tintype.jobs                 IS 'One row a job. Only the prompt is needed; a request may be changed while it waits';
COMMENT ON COLUMN tintype.jobs.id              IS 'Given by the database';
COMMENT ON COLUMN tintype.jobs.prompt          IS 'The text to draw: at most 16384 bytes, may be empty. Text beyond the model''s 77 tokens is cut, with a warning';
COMMENT ON COLUMN tintype.jobs.negative_prompt IS 'What to steer away from: at most 16384 bytes. It has an effect only with guidance_scale above 1';
COMMENT ON COLUMN tintype.jobs.model           IS 'A name some worker was started with; null for whatever the worker''s default is';
COMMENT ON COLUMN tintype.jobs.width           IS 'Pixels, a multiple of 8 from 8 to 4096; null for the model''s own size or, with an initial picture, the picture''s';
COMMENT ON COLUMN tintype.jobs.height          IS 'Pixels, a multiple of 8 from 8 to 4096; null as for width';
COMMENT ON COLUMN tintype.jobs.steps           IS 'Denoising steps, 1 to 50; null for 1 or, with an initial picture, 2';
COMMENT ON COLUMN tintype.jobs.guidance_scale  IS 'Classifier-free guidance, 0 to 50; at 1 and below there is none';
COMMENT ON COLUMN tintype.jobs.strength        IS 'How much of the initial picture is replaced, 0 to 1, and trunc(steps x strength) at least 1; null for 0.5 (1 with one step). Only with an initial picture';
COMMENT ON COLUMN tintype.jobs.init_image      IS 'Start from this picture: a path below the worker''s input root, relative, without ".."';
COMMENT ON COLUMN tintype.jobs.init_image_data IS 'Start from this picture: a PNG or JPEG file''s bytes, at most 16 MiB';
COMMENT ON COLUMN tintype.jobs.init_job        IS 'Start from the first picture of this earlier job; the job is blocked until that one has succeeded';
COMMENT ON COLUMN tintype.jobs.seed            IS 'Seed of the first picture, any bigint; picture i uses seed + i. Null draws one below 2^32, so it is always on record';
COMMENT ON COLUMN tintype.jobs.image_count     IS 'Pictures to make, 1 to 64';
COMMENT ON COLUMN tintype.jobs.queue           IS 'Which line to stand in: a row of tintype.queues';
COMMENT ON COLUMN tintype.jobs.priority        IS '-1000 to 1000, higher is sooner. A point is worth ten minutes of waiting, so nothing starves';
COMMENT ON COLUMN tintype.jobs.run_at          IS 'Not before this time; null for now. After a failure: when the next attempt is due';
COMMENT ON COLUMN tintype.jobs.max_attempts    IS 'Failures after which the job fails for good, 1 to 100; null for the queue''s. A released or lost attempt is not counted';
COMMENT ON COLUMN tintype.jobs.timeout         IS 'What one attempt may take, 1 second to 7 days; null for the queue''s';
COMMENT ON COLUMN tintype.jobs.idempotency_key IS '1 to 200 characters, unique in its queue: a second job with the key is refused, enqueue() returns the first';
COMMENT ON COLUMN tintype.jobs.metadata        IS 'The submitter''s own notes: a JSON object of at most 16384 bytes, never interpreted';
COMMENT ON COLUMN tintype.jobs.state           IS 'scheduled, blocked, ready, running, succeeded, failed or cancelled';
COMMENT ON COLUMN tintype.jobs.attempt_id      IS 'The attempt that holds the job or that ended it: the fencing token. Null while it waits';
COMMENT ON COLUMN tintype.jobs.failures        IS 'Attempts that failed or ran out of time, since the last retry()';
COMMENT ON COLUMN tintype.jobs.losses          IS 'Attempts whose worker vanished, since the last retry()';
COMMENT ON COLUMN tintype.jobs.error_code      IS 'The last failure, for programs';
COMMENT ON COLUMN tintype.jobs.error           IS 'The last failure, for people. Dashboards show it: it never quotes a prompt';
COMMENT ON COLUMN tintype.jobs.warnings        IS 'What the submitter should know about a success: the prompt was cut, say';
COMMENT ON COLUMN tintype.jobs.submitted_by    IS 'The session user who inserted it, and who may see, change and cancel it';
COMMENT ON COLUMN tintype.jobs.created_at      IS 'When it was inserted';
COMMENT ON COLUMN tintype.jobs.started_at      IS 'When the current or last attempt started';
COMMENT ON COLUMN tintype.jobs.finished_at     IS 'When the job reached a terminal state';
COMMENT ON COLUMN tintype.jobs.claim_key       IS 'Place in the line: run_at less ten minutes a point of priority';
COMMENT ON COLUMN tintype.jobs.request_digest  IS 'SHA-256 of the request as given, with an idempotency key only: tells a repeated request from another with the same key';

CREATE TABLE tintype.workers (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name         text NOT NULL,
  host         text NOT NULL,
  pid          integer NOT NULL,
  version      text NOT NULL,
  queues       text[] NOT NULL,
  models       text[] NOT NULL,
  slots        integer NOT NULL CHECK (slots >= 1),
  lease        interval NOT NULL CHECK (lease > '0'),
  lease_until  timestamptz NOT NULL,
  desired      text NOT NULL DEFAULT 'run' CHECK (desired IN ('run', 'drain')),
  started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  ended_at     timestamptz,
  ended_by     text CHECK (ended_by IN ('stop', 'lost')),
  CONSTRAINT end_is_whole CHECK ((ended_at IS NULL) = (ended_by IS NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
-- No index on the lease: renewing it must stay a HOT update. The live workers are found by the partial index.
CREATE INDEX workers_live ON tintype.workers (id) WHERE ended_at IS NULL;
COMMENT ON TABLE  tintype.workers             IS 'One row per start of a worker process. A new start is a new row: names may be reused, ids never';
COMMENT ON COLUMN tintype.workers.id          IS 'Identity of this process';
COMMENT ON COLUMN tintype.workers.name        IS 'What its operator calls it';
COMMENT ON COLUMN tintype.workers.host        IS 'Machine';
COMMENT ON COLUMN tintype.workers.pid         IS 'Process id on that machine';
COMMENT ON COLUMN tintype.workers.version     IS 'Version of the program';
COMMENT ON COLUMN tintype.workers.queues      IS 'Queues it claims from';
COMMENT ON COLUMN tintype.workers.models      IS 'Models it has; jobs without a model run on the first';
COMMENT ON COLUMN tintype.workers.slots       IS 'Jobs it runs at once';
COMMENT ON COLUMN tintype.workers.lease       IS 'How long after its last heartbeat it counts as alive';
COMMENT ON COLUMN tintype.workers.lease_until IS 'Renewed by each heartbeat. Past it, any other worker may rescue this one''s jobs';
COMMENT ON COLUMN tintype.workers.desired     IS 'run, or drain: finish what runs, claim nothing, exit';
COMMENT ON COLUMN tintype.workers.started_at  IS 'When it registered';
COMMENT ON COLUMN tintype.workers.ended_at    IS 'When it stopped or was declared lost. From then on it is fenced: it can claim and renew nothing';
COMMENT ON COLUMN tintype.workers.ended_by    IS 'stop: it said goodbye. lost: its lease ran out';

CREATE TABLE tintype.attempts (
  id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  job_id               bigint NOT NULL REFERENCES tintype.jobs (id) ON DELETE CASCADE,
  worker_id            bigint NOT NULL REFERENCES tintype.workers (id),
  number               integer NOT NULL,
  phase                text,
  step                 integer,
  progress             double precision CHECK (progress BETWEEN 0 AND 1),
  progress_at          timestamptz,
  cancel_requested_at  timestamptz,
  cancel_requested_by  text,
  deadline             timestamptz,
  timings              jsonb,
  outcome              text CHECK (outcome IN ('succeeded', 'failed', 'cancelled', 'released', 'lost', 'timed_out')),
  error_code           text,
  error                text,
  started_at           timestamptz NOT NULL,
  finished_at          timestamptz,
  CONSTRAINT finish_is_whole CHECK ((finished_at IS NULL) = (outcome IS NULL))
) WITH (
  -- Room on the page for the progress of running attempts: those updates touch no index and stay HOT.
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
  autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0
);
CREATE INDEX attempts_job_id     ON tintype.attempts (job_id);
CREATE INDEX attempts_running    ON tintype.attempts (worker_id) WHERE finished_at IS NULL;
CREATE INDEX attempts_with_error ON tintype.attempts (finished_at) WHERE error_code IS NOT NULL;
COMMENT ON TABLE  tintype.attempts             IS 'One row per run of a job, kept as its history. The only table written while a job runs';
COMMENT ON COLUMN tintype.attempts.id          IS 'The fencing token: from a sequence, so no two runs ever share one. Every write and every file of the run carries it';
COMMENT ON COLUMN tintype.attempts.job_id      IS 'The job';
COMMENT ON COLUMN tintype.attempts.worker_id   IS 'The process that ran it';
COMMENT ON COLUMN tintype.attempts.number      IS 'Failures before it plus one: the n in "attempt n of max_attempts"';
COMMENT ON COLUMN tintype.attempts.phase       IS 'What it is doing: load_model, fetch_init, encode_text, encode_image, denoise, decode, write';
COMMENT ON COLUMN tintype.attempts.step        IS 'Denoising steps begun';
COMMENT ON COLUMN tintype.attempts.progress    IS 'Share of the work done, 0 to 1';
COMMENT ON COLUMN tintype.attempts.progress_at IS 'When the progress last changed';
COMMENT ON COLUMN tintype.attempts.cancel_requested_at IS 'Someone wants it stopped; the worker hears of it in its next heartbeat''s reply';
COMMENT ON COLUMN tintype.attempts.cancel_requested_by IS 'Who';
COMMENT ON COLUMN tintype.attempts.deadline    IS 'started_at plus the job''s timeout';
COMMENT ON COLUMN tintype.attempts.timings     IS 'Seconds by phase';
COMMENT ON COLUMN tintype.attempts.outcome     IS 'succeeded, failed, cancelled or released as the worker said; lost or timed_out as maintain() found';
COMMENT ON COLUMN tintype.attempts.error_code  IS 'Why it failed, for programs';
COMMENT ON COLUMN tintype.attempts.error       IS 'Why it failed, for people';
COMMENT ON COLUMN tintype.attempts.started_at  IS 'When it was claimed';
COMMENT ON COLUMN tintype.attempts.finished_at IS 'When it ended';

CREATE TABLE tintype.images (
  job_id      bigint NOT NULL REFERENCES tintype.jobs (id) ON DELETE CASCADE,
  index       integer NOT NULL CHECK (index >= 0),
  attempt_id  bigint NOT NULL,
  path        text NOT NULL CHECK (path <> '' AND path !~ '^/'),
  sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
  bytes       bigint NOT NULL CHECK (bytes > 0),
  width       integer NOT NULL CHECK (width > 0),
  height      integer NOT NULL CHECK (height > 0),
  seed        bigint NOT NULL,
  PRIMARY KEY (job_id, index)
);
COMMENT ON TABLE  tintype.images            IS 'One row per picture. Written in the same transaction that makes its job succeeded, after the file is durable';
COMMENT ON COLUMN tintype.images.job_id     IS 'The job';
COMMENT ON COLUMN tintype.images.index      IS 'From 0, in seed order';
COMMENT ON COLUMN tintype.images.attempt_id IS 'The attempt that made it';
COMMENT ON COLUMN tintype.images.path       IS 'The file, below the worker''s output root';
COMMENT ON COLUMN tintype.images.sha256     IS 'SHA-256 of the file';
COMMENT ON COLUMN tintype.images.bytes      IS 'Size of the file';
COMMENT ON COLUMN tintype.images.width      IS 'Pixels';
COMMENT ON COLUMN tintype.images.height     IS 'Pixels';
COMMENT ON COLUMN tintype.images.seed       IS 'The seed that alone reproduces it';

CREATE TABLE tintype.maintenance (
  singleton     boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  last_run_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  grace_until   timestamptz NOT NULL DEFAULT '-infinity'
);
COMMENT ON TABLE  tintype.maintenance             IS 'One row: when maintain() last ran, by which it notices that the database was away';
COMMENT ON COLUMN tintype.maintenance.singleton   IS 'Always true: there is one row';
COMMENT ON COLUMN tintype.maintenance.last_run_at IS 'When maintain() last ran';
COMMENT ON COLUMN tintype.maintenance.grace_until IS 'Nothing is rescued before: after an outage every worker first gets the chance to renew its lease';
INSERT INTO tintype.maintenance DEFAULT VALUES;
