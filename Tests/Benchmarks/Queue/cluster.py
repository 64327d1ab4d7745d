"""A PostgreSQL server of the benchmark's own: durable, as a user's would be, and gone afterwards."""

import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

# The same for all. fsync and synchronous_commit stay on: a queue that loses jobs at a power cut is fast for nothing.
SETTINGS = """
listen_addresses = ''
max_connections = 1300
shared_buffers = 1GB
max_wal_size = 4GB
checkpoint_timeout = 15min
autovacuum_naptime = 5s
random_page_cost = 1.1
shared_preload_libraries = 'pg_stat_statements'
timezone = 'UTC'
"""


def programs() -> pathlib.Path:
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]))
    on_path = shutil.which("initdb")
    return pathlib.Path(os.path.realpath(on_path)).parent if on_path else found[-1].parent


def unprivileged(*command: object) -> list[str]:
    """The server refuses to run as root."""
    words = [str(word) for word in command]
    if os.getuid() != 0:
        return words
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *words]


class Cluster:
    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.bin = programs()

    def url(self, database: str, host: str | None = None, port: int = 5432) -> str:
        return f"postgresql:///{database}?host={host or self.folder}&port={port}&user=postgres"

    def psql(self, database: str, *statements: str) -> str:
        command = [self.bin / "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", self.url(database)]
        for statement in statements:
            command += ["-c", statement]
        return subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout.strip()

    def prioritise(self, nice: int) -> None:
        """Of all its processes. A session is an autogroup where the kernel has those, and then niceness counts only within:
        the group has one of its own."""
        main = (self.folder / "data/postmaster.pid").read_text().split()[0]
        children = subprocess.run(["pgrep", "-P", main], capture_output=True, text=True).stdout.split()
        subprocess.run(["renice", "-n", str(nice), "-p", main, *children], check=True, stdout=subprocess.DEVNULL)
        group = pathlib.Path(f"/proc/{main}/autogroup")
        if group.exists():
            group.write_text(str(nice))

    def processor_seconds(self) -> float:
        """What its processes have taken so far, those that have ended included."""
        main = (self.folder / "data/postmaster.pid").read_text().split()[0]
        children = subprocess.run(["pgrep", "-P", main], capture_output=True, text=True).stdout.split()
        ticks = 0
        for process in [main, *children]:
            with contextlib.suppress(FileNotFoundError):
                fields = pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
                # User and system; of the first process also those of the children that it has buried.
                ticks += sum(map(int, fields[11:15] if process == main else fields[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def control(self, *words: str) -> None:
        command = unprivileged(self.bin / "pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", *words)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


@contextlib.contextmanager
def cluster(where: str | None = None, extra: str = ""):
    """`where`: a folder on the disk to measure; a temporary one otherwise."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="tintype-bench.", dir=where))
    folder.chmod(0o755)
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    server = Cluster(folder)
    # Asked to end, this must take its server with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        subprocess.run(
            unprivileged(server.bin / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8",
                         "--locale=C.UTF-8"),
            check=True, stdout=subprocess.DEVNULL, cwd="/")
        with open(folder / "data/postgresql.conf", "a") as configuration:
            configuration.write(SETTINGS + f"unix_socket_directories = '{folder}'\n" + extra)
        server.control("start")
        yield server
    finally:
        if (folder / "data/postmaster.pid").exists():
            server.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
