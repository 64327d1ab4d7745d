"""Claim and finish, nothing in between: how many a second, by clients; each system in its own SQL through pgbench.

One server, the systems in turn, so that all meet the same machine. Prints a table; medians over the rounds.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

from cluster import cluster
from systems import ALL


def measure(server, system, clients: int, seconds: float, batch: int, quiet: list[str]) -> dict:
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script, tempfile.TemporaryDirectory() as logs:
        script.write(system.script() if batch == 1 else system.batch_script(batch))
        script.flush()
        command = [*quiet, str(server.bin / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(seconds),
                   # Deadlocks and the like are tried again, as each of these clients does.
                   "--max-tries=20",
                   "-f", script.name, "-l", f"--log-prefix={logs}/l", server.url(system.name)]
        spent = server.processor_seconds()
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0 or "aborted" in done.stderr:
            raise SystemExit(f"{system.name}: {done.stderr[:1000]}")
        spent = server.processor_seconds() - spent
        rate = float(re.search(r"tps = ([\d.]+) \(without", done.stdout).group(1))
        times = sorted(int(line.split()[2]) for log in pathlib.Path(logs).iterdir() for line in log.open())
    return {"rate": rate * batch, "p50": times[len(times) // 2] / 1000, "p99": times[int(len(times) * 0.99)] / 1000,
            "server": spent / len(times) / batch * 1000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8, help="of one measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--batch", type=int, default=1, help="jobs claimed and finished by one statement each, of the systems that can")
    parser.add_argument("--jobs", type=int, default=30_000, help="waiting at the start of each measurement")
    parser.add_argument("--only", nargs="*", help="names of systems")
    parser.add_argument("--folder", help="where the server's data lie")
    parser.add_argument("--no-fsync", action="store_true", help="commit without waiting for the disk: what the processor takes")
    parser.add_argument("--priority", type=int, help="of the server while it is measured, as nice counts")
    parser.add_argument("--quiet", default="", help="a command to run each measurement under")
    options = parser.parse_args()
    with cluster(options.folder, "fsync = off\n" if options.no_fsync else "") as server:
        systems = [kind() for kind in ALL if not options.only or kind.name in options.only]
        if options.batch > 1:
            systems = [system for system in systems if system.batch_script(options.batch)]
        if options.priority is not None:
            server.prioritise(options.priority)
        for system in systems:
            server.psql("postgres", f"CREATE DATABASE {system.name}")
            system.install(server)
        found: dict = {}
        for round in range(options.rounds):
            for clients in options.clients:
                # Each round in another order: what one leaves to the server's background work hits another each time.
                for system in systems[round % len(systems):] + systems[:round % len(systems)]:
                    system.fill(server, options.jobs)
                    server.psql(system.name, "VACUUM ANALYZE", "CHECKPOINT")
                    result = measure(server, system, clients, options.seconds, options.batch, options.quiet.split())
                    found.setdefault((system.name, clients), []).append(result)
                    print(system.name, clients, result, file=sys.stderr, flush=True)
        print("| queue | " + " | ".join(f"{clients} clients" for clients in options.clients) + " |")
        print("|---" * (len(options.clients) + 1) + "|")
        for system in systems:
            cells = []
            for clients in options.clients:
                results = found[system.name, clients]
                median = {key: statistics.median(r[key] for r in results) for key in results[0]}
                cells.append(f"{median['rate']:.0f}/s, p50 {median['p50']:.1f} ms, p99 {median['p99']:.1f} ms, {median['server']:.2f} ms of the processor a job")
            print(f"| {system.name} {system.version} | " + " | ".join(cells) + " |")
        print(json.dumps({f"{name} {clients}": results for (name, clients), results in found.items()}))


if __name__ == "__main__":
    main()
