"""How long does a job wait for an idle worker? Real workers, one of each system, each woken by its own notification; a job
every so often into an empty queue, from one session, as a program's pool has it: the first statements of a session also plan and
compile. Times are the database's: from the transaction that enqueued to the claim."""

import argparse
import asyncio
import contextlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from cluster import cluster
from systems import ROOT, PgQueuer, Procrastinate, Tintype, tintype_binary

ENQUEUE = {
    "tintype": "INSERT INTO tintype.jobs (prompt, width, height) VALUES ('a lake', 8, 8)",
    "procrastinate": "SELECT procrastinate_defer_jobs_v1(ARRAY[('default', 'image', 0, NULL, NULL, '{}', NULL)::procrastinate_job_to_defer_v1])",
    "pgqueuer": None,
}
WAITED = {
    "tintype": "SELECT extract(epoch FROM a.started_at - j.created_at) FROM tintype.jobs j JOIN tintype.attempts a ON a.job_id = j.id ORDER BY a.id",
    "procrastinate": """SELECT extract(epoch FROM s.at - d.at) FROM procrastinate_events d JOIN procrastinate_events s USING (job_id)
                         WHERE d.type = 'deferred' AND s.type = 'started' ORDER BY s.id""",
    "pgqueuer": """SELECT extract(epoch FROM p.created - q.created) FROM pgqueuer_log q JOIN pgqueuer_log p USING (job_id)
                    WHERE q.status = 'queued' AND p.status = 'picked' ORDER BY p.id""",
}


async def work_procrastinate(url: str) -> None:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=url))

    @app.task(name="image", queue="default")
    async def image():
        pass

    async with app.open_async():
        await app.run_worker_async(concurrency=1, install_signal_handlers=False)


async def work_pgqueuer(url: str) -> None:
    import asyncpg
    from pgqueuer import PgQueuer as Application
    from pgqueuer.db import AsyncpgDriver

    application = Application(AsyncpgDriver(await asyncpg.connect(url)))

    @application.entrypoint("image")
    async def image(job):
        pass

    await application.run(batch_size=1)


async def enqueue(system, url: str, count: int) -> None:
    """A job each quarter of a second."""
    if statement := ENQUEUE[system.name]:
        import psycopg

        connection = await psycopg.AsyncConnection.connect(url, autocommit=True)
        insert = lambda: connection.execute(statement)
    else:
        import asyncpg
        from pgqueuer.db import AsyncpgDriver
        from pgqueuer.queries import Queries

        connection = await asyncpg.connect(url)
        queries = Queries(AsyncpgDriver(connection))
        insert = lambda: queries.enqueue("image", b"a lake")
    for _ in range(count):
        await insert()
        await asyncio.sleep(0.25)
    await connection.close()


@contextlib.contextmanager
def worker(server, system):
    with tempfile.TemporaryDirectory() as output:
        if system.name == "tintype":
            command = [tintype_binary(), "worker", "--database-url", server.url(system.name), "--model",
                       f"demo={ROOT}/Deploy/demo-model/model", "--output", output, "--threads", "1", "--idle-exit", "120"]
        else:
            command = [sys.executable, __file__, "--work", system.name, "--url", server.url(system.name)]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM if system.name == "tintype" else signal.SIGKILL)
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=60)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run({"procrastinate": work_procrastinate, "pgqueuer": work_pgqueuer}[options.work](options.url))
        return
    with cluster() as server:
        print("| queue | jobs | p50 ms | p90 ms | largest ms |\n|---|---|---|---|---|")
        for system in [Tintype(), Procrastinate(), PgQueuer()]:
            server.psql("postgres", f"CREATE DATABASE {system.name}")
            system.install(server)
            with worker(server, system):
                time.sleep(4)  # to load, and to fall idle
                asyncio.run(enqueue(system, server.url(system.name), options.jobs))
                time.sleep(1)
                waits = [float(line) * 1000 for line in server.psql(system.name, WAITED[system.name]).split()]
            # The first ones found it loading, or planning its statements.
            waits = sorted(waits[2:])
            print(f"| {system.name} {system.version} | {len(waits)} | {statistics.median(waits):.1f} | {waits[int(len(waits) * 0.9)]:.1f} | {waits[-1]:.1f} |", flush=True)


if __name__ == "__main__":
    main()
