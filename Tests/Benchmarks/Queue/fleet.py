"""A thousand workers against one database: registered, beating, claiming, running for as long as pictures take, finishing.
The workers are simulated, their statements are the real ones; the connections go through PgBouncer when asked. Prints
what the database did a second and how long each statement took."""

import argparse
import asyncio
import collections
import json
import pathlib
import random
import statistics
import subprocess
import time

import psycopg
import psycopg_pool

from cluster import cluster, unprivileged
from systems import Tintype


class Fleet:
    """A pool of connections, and what each statement took."""

    def __init__(self, pool, options):
        self.pool, self.options = pool, options
        self.times: dict[str, list[float]] = collections.defaultdict(list)
        self.running: dict[int, list] = {}
        self.is_measuring = False
        self.waiting: list[float] = []

    async def ask(self, name: str, sql: str, *parameters):
        started = time.perf_counter()
        async with self.pool.connection() as connection:
            held = time.perf_counter()
            rows = await (await connection.execute(sql, parameters)).fetchall() if name != "enqueue" else await connection.execute(sql, parameters)
        if self.is_measuring:
            self.times[name].append(time.perf_counter() - held)
            self.waiting.append(held - started)
        return rows

    async def beat(self, worker: int) -> None:
        await asyncio.sleep(random.uniform(0, self.options.heartbeat))
        while True:
            listed = json.dumps([{"attempt": attempt, "phase": "denoise", "step": random.randint(1, 4), "progress": random.random()}
                                 for attempt in self.running.get(worker, [])])
            await self.ask("heartbeat", "SELECT * FROM tintype.heartbeat(%s, %s::jsonb)", worker, listed)
            await asyncio.sleep(self.options.heartbeat * random.uniform(0.8, 1.2))

    async def maintain(self) -> None:
        await asyncio.sleep(random.uniform(0, 5))
        while True:
            await self.ask("maintain", "SELECT ran FROM tintype.maintain()")
            await asyncio.sleep(5 * random.uniform(0.8, 1.2))

    async def produce(self, worker: int) -> None:
        await asyncio.sleep(random.choice(self.options.times))
        while True:
            rows = await self.ask(
                "claim", "SELECT id, attempt_id FROM tintype.claim(%s, '{default}', '{bench}', 1)", worker)
            if not rows:
                # The poll; notifications are left out: they only make it sooner.
                await asyncio.sleep(2 * random.uniform(0.8, 1.2))
                continue
            job, attempt = rows[0]
            self.running[worker] = [attempt]
            await asyncio.sleep(random.choice(self.options.times))
            await self.ask("finish", "SELECT tintype.finish(%s, %s, %s, 'succeeded', NULL, NULL, false, %s::jsonb, '{}', %s::jsonb)",
                           worker, attempt, job, Tintype.image, '{"unet": 0.8}')
            self.running[worker] = []

    async def enqueue(self) -> None:
        """As much as the fleet can do, in batches of a tenth of a second."""
        rate = self.options.workers / self.options.service * self.options.load
        while True:
            started = time.monotonic()
            await self.ask("enqueue", "INSERT INTO tintype.jobs (prompt) SELECT 'a lake at dawn' FROM generate_series(1, %s)",
                           max(1, round(rate / 10)))
            await asyncio.sleep(max(0, 0.1 - (time.monotonic() - started)))


def pgbouncer(server, size: int) -> subprocess.Popen:
    folder = server.folder
    (folder / "bouncer.ini").write_text(f"""[databases]
tintype = host={folder} port=5432 user=postgres pool_size={size}
[pgbouncer]
pool_mode = transaction
listen_addr =
unix_socket_dir = {folder}
listen_port = 6432
auth_type = any
max_client_conn = 5000
""")
    process = subprocess.Popen(unprivileged("pgbouncer", "-q", folder / "bouncer.ini"), cwd="/", stderr=subprocess.DEVNULL)
    for _ in range(100):
        if (pathlib.Path(folder) / ".s.PGSQL.6432").exists():
            return process
        time.sleep(0.05)
    raise SystemExit("pgbouncer did not start")


async def run(server, options) -> None:
    system = Tintype()
    server.psql("postgres", f"CREATE DATABASE {system.name}")
    system.install(server)
    system.register(server, options.workers)
    bouncer = pgbouncer(server, options.pool) if options.pgbouncer else None
    try:
        url = server.url(system.name, port=6432 if bouncer else 5432)
        # As the workers' own client does: no prepared statements, and every statement in one message, so that a pooler may
        # give each to another connection.
        pool = psycopg_pool.AsyncConnectionPool(
            url, min_size=options.connections, max_size=options.connections, open=False, timeout=60,
            kwargs={"autocommit": True, "prepare_threshold": None})
        await pool.open(wait=True)
        fleet = Fleet(pool, options)
        ids = [int(line) for line in server.psql(
            system.name, f"SELECT id FROM tintype.workers ORDER BY id DESC LIMIT {options.workers}").split()]
        tasks = [asyncio.create_task(fleet.enqueue())]
        for worker in ids:
            tasks += [asyncio.create_task(fleet.beat(worker)), asyncio.create_task(fleet.produce(worker)), asyncio.create_task(fleet.maintain())]
        await asyncio.sleep(options.warm_up)
        server.psql(system.name, "CREATE EXTENSION IF NOT EXISTS pg_stat_statements", "SELECT pg_stat_statements_reset()")
        before = server.psql(system.name, "SELECT pg_current_wal_lsn()")
        cpu = server.processor_seconds()
        fleet.is_measuring = True
        await asyncio.sleep(options.seconds)
        fleet.is_measuring = False
        cpu = server.processor_seconds() - cpu
        wal = int(server.psql(system.name, f"SELECT (pg_current_wal_lsn() - '{before}')::bigint"))
        for task in tasks:
            task.cancel()
        failures = [result for result in await asyncio.gather(*tasks, return_exceptions=True)
                    if isinstance(result, Exception) and not isinstance(result, asyncio.CancelledError)]
        print(f"{options.workers} workers, {options.service} s a picture, load {options.load:.0%}, "
              f"{'PgBouncer with ' + str(options.pool) + ' server connections' if bouncer else str(options.connections) + ' connections'}")
        print("| statement | a second | p50 ms | p99 ms | largest ms |\n|---|---|---|---|---|")
        for name, times in sorted(fleet.times.items()):
            times.sort()
            print(f"| {name} | {len(times) / options.seconds:.0f} | {statistics.median(times) * 1000:.1f} "
                  f"| {times[int(len(times) * 0.99)] * 1000:.1f} | {times[-1] * 1000:.0f} |")
        waits = sorted(fleet.waiting)
        print(f"server: {cpu / options.seconds * 100:.0f} % of a core, {wal / options.seconds / 1e6:.1f} MB of WAL a second; "
              f"wait for a free connection p99 {waits[int(len(waits) * 0.99)] * 1000:.1f} ms")
        print(server.psql(system.name, """
            SELECT string_agg(format('%s: %s ms of server time a call', name, round((total / calls)::numeric, 3)), '; ' ORDER BY name) FROM (
              SELECT substring(query from 'tintype\\.(claim|finish|heartbeat|maintain)') AS name, sum(total_exec_time) AS total, sum(calls) AS calls
                FROM pg_stat_statements WHERE query ~ 'tintype\\.(claim|finish|heartbeat|maintain)' GROUP BY 1) s"""))
        if failures:
            print(f"failures: {len(failures)}, the first: {failures[0]!r}")
        await pool.close()
    finally:
        if bouncer:
            bouncer.terminate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--times", type=pathlib.Path, default=pathlib.Path(__file__).with_name("times.txt"),
                        help="seconds of real attempts, one a line; each picture takes one of them")
    parser.add_argument("--service", type=float, default=10, help="what they are scaled to on average")
    parser.add_argument("--load", type=float, default=0.9, help="share of the fleet that has work")
    parser.add_argument("--heartbeat", type=float, default=4)
    parser.add_argument("--connections", type=int, default=64, help="at most open at once")
    parser.add_argument("--pgbouncer", action="store_true")
    parser.add_argument("--pool", type=int, default=20, help="PgBouncer's connections to the server")
    parser.add_argument("--warm-up", type=float, default=15)
    parser.add_argument("--seconds", type=float, default=30)
    options = parser.parse_args()
    recorded = [float(line) for line in options.times.read_text().splitlines() if line and not line.startswith("#")]
    options.times = [seconds * options.service / statistics.mean(recorded) for seconds in recorded]
    with cluster() as server:
        asyncio.run(run(server, options))


if __name__ == "__main__":
    main()
