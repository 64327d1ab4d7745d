"""How long does a claim take with a million jobs waiting and ten million finished? At a steady rate and as fast as it goes;
and how long while somebody holds a snapshot. Once with the commit's fsync and once without, and a transaction of one plain row at
the same rate: what the disk alone takes."""

import argparse
import asyncio
import random
import subprocess
import sys
import time

import asyncpg

from cluster import cluster
from systems import Tintype

# Straight into the tables: through the triggers eleven million rows would take a quarter of an hour.
FINISHED = """
SET session_replication_role = replica;
INSERT INTO tintype.jobs (prompt, steps, seed, run_at, max_attempts, state, attempt_id, failures, losses, warnings, submitted_by, created_at,
    started_at, finished_at, claim_key)
  SELECT 'a lake at dawn', 1, n, t, 3, 'succeeded', n, 0, 0, '{{}}', 'postgres', t, t, t + interval '2 s', t
    FROM generate_series({first}, {last}) n, LATERAL (SELECT now() - interval '30 days' + n * interval '0.25 s' AS t) x;
INSERT INTO tintype.attempts (job_id, worker_id, number, outcome, started_at, finished_at)
  SELECT id, 1, 1, 'succeeded', started_at, finished_at FROM tintype.jobs WHERE id BETWEEN {first} AND {last};
"""


# What a phase's commits do, and what its line in the table says of it.
NOTES = {"on": "", "off": ", no fsync", "plain": ", a plain row in place of a claim"}


async def claim(url: str, worker: int, rate: float, sync: str, deadline: float, times: list) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(f"SET synchronous_commit = {sync}")
    due = time.monotonic() + random.uniform(0, 1 / rate if rate else 0)
    while time.monotonic() < deadline:
        started = time.perf_counter()
        rows = await connection.fetch("SELECT id, attempt_id FROM tintype.claim($1, '{default}', '{bench}', 1)", worker)
        times.append(time.perf_counter() - started)
        await connection.execute("SELECT tintype.finish($1, $2, $3, 'succeeded', NULL, NULL, false, $4, '{}', '{}')",
                                 worker, rows[0]["attempt_id"], rows[0]["id"], Tintype.image)
        if rate:
            # Poisson, as arrivals are; never in step with each other.
            due += random.expovariate(rate)
            await asyncio.sleep(max(0, due - time.monotonic()))
    await connection.close()


async def insert(url: str, worker: int, rate: float, sync: str, deadline: float, times: list) -> None:
    """As many commits as a claim and an end are, of one small row each."""
    connection = await asyncpg.connect(url)
    due = time.monotonic() + random.uniform(0, 1 / rate)
    while time.monotonic() < deadline:
        started = time.perf_counter()
        await connection.execute("INSERT INTO plain VALUES ($1)", worker)
        times.append(time.perf_counter() - started)
        await connection.execute("INSERT INTO plain VALUES ($1)", worker)
        due += random.expovariate(rate)
        await asyncio.sleep(max(0, due - time.monotonic()))
    await connection.close()


async def phase(url: str, rate: float, seconds: float, clients: int, hold: bool, sync: str) -> str:
    times: list[float] = []
    deadline = time.monotonic() + seconds
    reader = None
    if hold:
        reader = await asyncpg.connect(url)
        await reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1 FROM tintype.workers LIMIT 1")
    client = insert if sync == "plain" else claim
    await asyncio.gather(*(client(url, 1 + n, rate / clients, sync, deadline, times) for n in range(clients)))
    if reader:
        await reader.close()
    times.sort()
    return (f"| {'a snapshot held, ' if hold else ''}{f'{rate:.0f} a second' if rate else 'as fast as it goes'}{NOTES[sync]} | {len(times) / seconds:.0f} "
            f"| {times[len(times) // 2] * 1000:.1f} | {times[int(len(times) * .99)] * 1000:.1f} | {times[-1] * 1000:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--finished", type=int, default=10_000_000)
    parser.add_argument("--waiting", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--phase", help=argparse.SUPPRESS)
    parser.add_argument("--quiet", default="", help="a command to run each measurement under")
    parser.add_argument("--renice", type=int, help="the server's priority while it is measured; it is filled at this process's own")
    options = parser.parse_args()
    if options.phase:
        url, rate, hold, sync = options.phase.split(" ")
        print(asyncio.run(phase(url, float(rate), options.seconds, options.clients, hold == "True", sync)))
        return
    with cluster() as server:
        system = Tintype()
        server.psql("postgres", f"CREATE DATABASE {system.name}")
        system.install(server)
        server.psql(system.name, "ALTER SYSTEM SET synchronous_commit = off", "SELECT pg_reload_conf()")
        for first in range(1, options.finished, 1_000_000):
            server.psql(system.name, FINISHED.format(first=first, last=min(first + 999_999, options.finished)))
            print(f"{first + 999_999} finished", file=sys.stderr, flush=True)
        # This backlog is older than now, so that nothing that joins later is in front of it.
        server.psql(system.name, """SET session_replication_role = replica;
            INSERT INTO tintype.jobs (prompt, steps, seed, run_at, max_attempts, state, failures, losses, warnings, submitted_by, created_at, claim_key)
              SELECT 'a lake at dawn', 1, n, t, 3, 'ready', 0, 0, '{}', 'postgres', t, t
                FROM generate_series(1, %d) n, LATERAL (SELECT now() - interval '1 day' + n * interval '0.05 s' AS t) x""" % options.waiting)
        server.psql(system.name, "ALTER SYSTEM RESET synchronous_commit", "SELECT pg_reload_conf()", "VACUUM ANALYZE", "CHECKPOINT")
        if options.renice is not None:
            server.prioritise(options.renice)
        print("| load | claims a second | p50 ms | p99 ms | largest ms |\n|---|---|---|---|---|", flush=True)
        server.psql(system.name, "CREATE TABLE plain (worker bigint)")
        # With fsync last: by then the pages that every claim writes to have been written whole to the log, as each is once after a checkpoint.
        for rate, hold, sync in [(150, False, "off"), (350, False, "off"), (0, False, "off"), (150, True, "off"), (150, False, "on"),
                                 (150, False, "plain"), (350, False, "on")]:
            command = [*options.quiet.split(), sys.executable, __file__, "--phase", f"{server.url(system.name)} {rate} {hold} {sync}",
                       "--seconds", str(options.seconds), "--clients", str(options.clients)]
            print(subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip(), flush=True)


if __name__ == "__main__":
    main()
