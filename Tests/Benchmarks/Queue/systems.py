"""What is compared: how each queue is installed, filled, claimed from and finished with, in its own SQL."""

import asyncio
import importlib.metadata
import os
import pathlib
import subprocess
import uuid
from datetime import timedelta

ROOT = pathlib.Path(__file__).resolve().parents[3]


def tintype_binary() -> str:
    given = os.environ.get("TINTYPE")
    for path in [given] if given else [ROOT / ".build/release/tintype", ROOT / ".build/debug/tintype"]:
        if pathlib.Path(path).exists():
            return str(path)
    raise SystemExit("no tintype: `swift build -c release --product tintype`, or TINTYPE=path")


class System:
    """One queue in a database of its own name."""

    name: str
    version: str = ""

    def install(self, cluster) -> None:
        raise NotImplementedError

    def fill(self, cluster, jobs: int) -> None:
        """`jobs` waiting jobs, all the same."""
        raise NotImplementedError

    def script(self) -> str:
        """A pgbench script: claims one job, then says that it succeeded. Two transactions, as in life."""
        raise NotImplementedError

    def batch_script(self, jobs: int) -> str | None:
        """The same for several jobs at once, each step one statement; None where the system has no such statements."""
        return None


class Tintype(System):
    name = "tintype"
    image = ('[{"index":0,"path":"0/1/1-0.png","sha256":"' + "ab" * 32
             + '","bytes":400000,"width":512,"height":512,"seed":1}]')

    def install(self, cluster):
        subprocess.run([tintype_binary(), "migrate", "--database-url", cluster.url(self.name)], check=True,
                       stdout=subprocess.DEVNULL)
        self.register(cluster, 100)

    def register(self, cluster, workers: int):
        cluster.psql(self.name, f"""
            SELECT count(tintype.register_worker('w' || n, 'h', 1, '0', '{{default}}', '{{bench}}', 1, '1 day'))
              FROM generate_series(1, {workers}) n""")

    def fill(self, cluster, jobs):
        cluster.psql(self.name, f"INSERT INTO tintype.jobs (prompt) SELECT 'a lake at dawn' FROM generate_series(1, {jobs})")

    def script(self):
        return f"""
\\set worker :client_id + 1
SELECT id AS job, attempt_id AS attempt FROM tintype.claim(:worker, '{{default}}', '{{bench}}', 1) \\gset
SELECT tintype.finish(:worker, :attempt, :job, 'succeeded', NULL, NULL, false, '{self.image}', '{{}}', '{{"unet": 0.5}}');
"""

    def batch_script(self, jobs):
        # A worker writes the reports itself; here the server has to put them together, too.
        report = ('{"attempt":%s,"job":%s,"outcome":"succeeded","images":' + self.image
                  + ',"warnings":[],"timings":{"unet":0.5}}')
        return f"""
\\set worker :client_id + 1
SELECT '[' || string_agg(format('{report}', attempt_id, id), ',') || ']' AS reports FROM tintype.claim(:worker, '{{default}}', '{{bench}}', {jobs}) \\gset
SELECT count(state) FROM tintype.finish_all(:worker, :reports);
"""


class RiverShape(System):
    """The shape of River's statements as its documentation and talks describe it, written anew: one table, a state
    column, claim by CTE and update, completion guarded by the state. Not River: its Go client completes in batches."""

    name = "river_shape"
    schema = """
        CREATE TYPE job_state AS ENUM ('available', 'cancelled', 'completed', 'discarded', 'pending', 'retryable', 'running', 'scheduled');
        CREATE TABLE job (
          id bigserial PRIMARY KEY, state job_state NOT NULL DEFAULT 'available', attempt smallint NOT NULL DEFAULT 0,
          max_attempts smallint NOT NULL DEFAULT 25, attempted_at timestamptz, created_at timestamptz NOT NULL DEFAULT now(),
          finalized_at timestamptz, scheduled_at timestamptz NOT NULL DEFAULT now(), priority smallint NOT NULL DEFAULT 1,
          args jsonb NOT NULL, attempted_by text[], errors jsonb[], kind text NOT NULL, metadata jsonb NOT NULL DEFAULT '{}',
          queue text NOT NULL DEFAULT 'default', tags varchar(255)[] NOT NULL DEFAULT '{}', unique_key bytea,
          CHECK ((finalized_at IS NULL) = (state NOT IN ('cancelled', 'completed', 'discarded'))));
        CREATE INDEX ON job (kind);
        CREATE INDEX ON job (state, queue, priority, scheduled_at, id);
        CREATE INDEX ON job (state, finalized_at) WHERE finalized_at IS NOT NULL;
        CREATE INDEX ON job USING gin (args);
        CREATE INDEX ON job USING gin (metadata);
        CREATE UNIQUE INDEX ON job (kind, unique_key) WHERE unique_key IS NOT NULL;
        """

    def install(self, cluster):
        cluster.psql(self.name, self.schema)

    def fill(self, cluster, jobs):
        cluster.psql(self.name, f"""INSERT INTO job (kind, args) SELECT 'image', '{{"prompt": "a lake at dawn"}}' FROM generate_series(1, {jobs})""")

    def script(self):
        return """
WITH next AS (
    SELECT id FROM job WHERE state = 'available' AND queue = 'default' AND scheduled_at <= now()
     ORDER BY priority, scheduled_at, id LIMIT 1 FOR UPDATE SKIP LOCKED)
  UPDATE job SET state = 'running', attempt = attempt + 1, attempted_at = now(),
         attempted_by = array_append(attempted_by, 'client')
    FROM next WHERE job.id = next.id RETURNING job.id AS job \\gset
UPDATE job SET state = 'completed', finalized_at = now() WHERE id = :job AND state = 'running';
"""

    def batch_script(self, jobs):
        return f"""
WITH next AS (
    SELECT id FROM job WHERE state = 'available' AND queue = 'default' AND scheduled_at <= now()
     ORDER BY priority, scheduled_at, id LIMIT {jobs} FOR UPDATE SKIP LOCKED),
  claimed AS (
    UPDATE job SET state = 'running', attempt = attempt + 1, attempted_at = now(), attempted_by = array_append(attempted_by, 'client')
      FROM next WHERE job.id = next.id RETURNING job.id)
  SELECT array_agg(id)::text AS jobs FROM claimed \\gset
UPDATE job SET state = 'completed', finalized_at = now() WHERE id = ANY (:jobs::bigint[]) AND state = 'running';
"""


class Procrastinate(System):
    name = "procrastinate"

    def __init__(self):
        self.version = importlib.metadata.version("procrastinate")

    def app(self, cluster):
        import procrastinate

        return procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=cluster.url(self.name)))

    def install(self, cluster):
        async def apply():
            async with self.app(cluster).open_async() as app:
                await app.schema_manager.apply_schema_async()

        asyncio.run(apply())
        cluster.psql(self.name, "SELECT procrastinate_register_worker_v1() FROM generate_series(1, 100)")

    def fill(self, cluster, jobs):
        cluster.psql(self.name, f"""
            SELECT cardinality(procrastinate_defer_jobs_v1(array_agg(
              ('default', 'image', 0, NULL, NULL, '{{"prompt": "a lake at dawn"}}', NULL)::procrastinate_job_to_defer_v1)))
              FROM generate_series(1, {jobs})""")

    def script(self):
        return """
\\set worker :client_id + 1
SELECT id AS job FROM procrastinate_fetch_job_v2('{default}'::varchar[], :worker) \\gset
SELECT procrastinate_finish_job_v1(:job, 'succeeded', false);
"""


class PgQueuer(System):
    name = "pgqueuer"

    def __init__(self):
        self.version = importlib.metadata.version("pgqueuer")

    def install(self, cluster):
        subprocess.run(["pgq", "--pg-dsn", cluster.url(self.name), "install"], check=True, stdout=subprocess.DEVNULL,
                       env=os.environ | {"PATH": f"{pathlib.Path(os.sys.executable).parent}:{os.environ['PATH']}"})

    def fill(self, cluster, jobs):
        from pgqueuer.adapters.persistence import qb

        query = qb.QueryQueueBuilder().build_enqueue_query()
        arrays = ["array_fill(0, ARRAY[n])::int[]", "array_fill('image'::text, ARRAY[n])",
                  "array_fill('a lake at dawn'::bytea, ARRAY[n])", "array_fill('0'::interval, ARRAY[n])",
                  "array_fill(NULL::text, ARRAY[n])", "array_fill(NULL::jsonb, ARRAY[n])"]
        for number, array in reversed(list(enumerate(arrays, 1))):
            query = query.replace(f"${number}", "(" + array.replace("n]", f"{jobs}]") + ")")
        cluster.psql(self.name, query)

    def script(self):
        return self.statements(1)

    def batch_script(self, jobs):
        return self.statements(jobs)

    def statements(self, jobs: int) -> str:
        from pgqueuer.adapters.persistence import qb

        builder = qb.QueryQueueBuilder()
        query = builder.build_dequeue_query(
            batch_size=jobs, entrypoints=["image"], concurrency_limits=[0], queue_manager_id=uuid.uuid4(),
            global_concurrency_limit=None, heartbeat_timeout=timedelta(seconds=30))
        literals = {1: str(jobs), 2: "'{image}'", 3: f"'{uuid.uuid4()}'", 4: "'30 s'"}
        claim = query.sql
        finish = builder.build_log_job_query()
        for number, literal in sorted(literals.items(), reverse=True):
            claim = claim.replace(f"${number}", literal)
        # pgbench's variables: the ids of the jobs that were claimed, in one row.
        finish = (finish.replace("$1", ":ids").replace("$2", f"array_fill('successful'::text, ARRAY[{jobs}])")
                  .replace("$3", f"array_fill(NULL::text, ARRAY[{jobs}])"))
        # Each statement on one line, without comments.
        flat = [" ".join(line.split("--")[0].strip() for line in text.splitlines()) for text in (claim, finish)]
        columns = "SELECT * FROM claimed"
        if columns not in flat[0]:
            raise SystemExit("PgQueuer's dequeue query does not end as this script expects: look at it anew")
        flat[0] = flat[0].replace(columns, "SELECT array_agg(id ORDER BY id)::text AS ids FROM claimed").split(" ORDER BY priority DESC, id ASC ;")[0]
        flat[0] = flat[0][: flat[0].rindex("FROM claimed") + len("FROM claimed")]
        return f"\n{flat[0]} \\gset\n{flat[1].rstrip(' ;')};\n"


ALL = [Tintype, RiverShape, Procrastinate, PgQueuer]
