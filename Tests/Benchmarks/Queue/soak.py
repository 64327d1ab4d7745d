"""An hour of steady work while a reader holds a snapshot, as a forgotten dashboard or a dump does: do dead rows stay
bounded, and does the claim stay fast? Prints a line every half minute and a summary; stops by itself."""

import argparse
import asyncio
import json
import random
import statistics
import time

import asyncpg

from cluster import cluster
from systems import Tintype


async def work(url: str, worker: int, rate: float, deadline: float, times: list) -> None:
    """Claims and finishes `rate` jobs a second, and beats every ten seconds."""
    connection = await asyncpg.connect(url)
    beat = time.monotonic() + random.uniform(0, 10)
    while time.monotonic() < deadline:
        started = time.perf_counter()
        rows = await connection.fetch("SELECT id, attempt_id FROM tintype.claim($1, '{default}', '{bench}', 1)", worker)
        claimed = time.perf_counter()
        for row in rows:
            await connection.execute(
                "SELECT tintype.finish($1, $2, $3, 'succeeded', NULL, NULL, false, $4, '{}', '{}')",
                worker, row["attempt_id"], row["id"], Tintype.image)
            times.append((claimed - started, time.perf_counter() - claimed))
        if time.monotonic() > beat:
            await connection.execute("SELECT fenced FROM tintype.heartbeat($1, '[]')", worker)
            await connection.execute("SELECT ran FROM tintype.maintain()")
            beat = time.monotonic() + 10
        await asyncio.sleep(random.uniform(0, 2 / rate))
    await connection.close()


async def enqueue(url: str, rate: float, deadline: float) -> None:
    connection = await asyncpg.connect(url)
    while time.monotonic() < deadline:
        await connection.execute("INSERT INTO tintype.jobs (prompt) SELECT 'a lake at dawn' FROM generate_series(1, $1::int)", int(rate))
        await asyncio.sleep(1)
    await connection.close()


async def read(url: str, hold: float, deadline: float) -> None:
    """A snapshot of `hold` seconds, and the next one as soon as it is over: there is always one."""
    connection = await asyncpg.connect(url)
    while time.monotonic() < deadline:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            await connection.fetchval("SELECT count(*) FROM tintype.job_status")
            await asyncio.sleep(min(hold, max(0, deadline - time.monotonic())))
    await connection.close()


async def watch(url: str, deadline: float, times: list, log: list) -> None:
    connection = await asyncpg.connect(url)
    start = time.monotonic()
    while time.monotonic() < deadline:
        await asyncio.sleep(30)
        recent, times[:] = times[:], []
        rows = await connection.fetch(
            """SELECT relname, n_live_tup AS live, n_dead_tup AS dead, pg_total_relation_size(relid) >> 20 AS mb, autovacuum_count AS vacuums
                 FROM pg_stat_user_tables WHERE schemaname = 'tintype' AND relname IN ('jobs', 'attempts', 'workers')""")
        claims = sorted(claim for claim, _ in recent)
        line = {"minute": round((time.monotonic() - start) / 60, 1), "jobs": len(recent),
                **{f"{row['relname']}.{key}": row[key] for row in rows for key in ("live", "dead", "mb", "vacuums")}}
        if claims:
            line |= {"claim p50": round(statistics.median(claims) * 1000, 2), "claim p99": round(claims[int(len(claims) * 0.99)] * 1000, 2)}
        log.append(line)
        print(json.dumps(line), flush=True)
    await connection.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=40, help="jobs a second")
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--hold", type=float, default=300, help="seconds that a snapshot is held")
    options = parser.parse_args()
    with cluster() as server:
        system = Tintype()
        server.psql("postgres", f"CREATE DATABASE {system.name}")
        system.install(server)
        url, deadline = server.url(system.name), time.monotonic() + options.minutes * 60
        times, log = [], []
        await asyncio.gather(
            enqueue(url, options.rate, deadline), read(url, options.hold, deadline), watch(url, deadline, times, log),
            *(work(url, 1 + n, options.rate * 1.5 / options.workers, deadline, times) for n in range(options.workers)))
        dead = [line["jobs.dead"] for line in log]
        print(json.dumps({"dead jobs rows, largest": max(dead), "in the last quarter": max(dead[-len(dead) // 4:]),
                          "claim p99, median of the lines": statistics.median(line.get("claim p99", 0) for line in log)}))


if __name__ == "__main__":
    asyncio.run(main())
