"""Our own PostgreSQL server: made once, started as our child, left running for the commands that follow."""

import fcntl
import hashlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple

from psycopg import pq
from psycopg.conninfo import make_conninfo

from recoup.database import binaries as programs
from recoup.database import processes
from recoup.database.binaries import Binaries
from recoup.database.errors import DatabaseUnavailable
from recoup.database.home import (
    home,
    passwords,
    prepare_home,
    server_user,
    stepping_down,
)

HOST = "127.0.0.1"
LONGEST_SOCKET_FOLDER = 80  # the kernel allows 107 bytes for the whole path of a socket
ORPHANS_LEAVE_WITHIN_S = 60
PORT_TAKEN = "could not create any TCP/IP sockets"

_children: dict[int, subprocess.Popen[bytes]] = {}  # started by this very process, to be reaped by it


@dataclass(frozen=True)
class Server:
    """A running server of ours."""

    host: str
    port: int
    socket_folder: Path
    data_folder: Path
    pid: int


class _PidFile(NamedTuple):
    pid: int
    port: int
    socket_folder: str
    state: str


def ensure_running() -> Server:
    """Finds the running server or starts it; returns when it takes connections, however long recovery lasts.

    Raises DatabaseUnavailable when it cannot start; the message holds the end of its log.
    """
    server = status()
    if server is not None and _pid_file(server.data_folder, "ready"):
        return server
    prepare_home()
    with _one_at_a_time():
        server = status()
        if server is not None and _wait_until_ready(
            server.port, partial(processes.is_ours, server.pid, server.data_folder)
        ):
            return server
        return _start()


def status() -> Server | None:
    """The server, if its process lives; it may still be recovering."""
    data = _data_folder()
    noted = _pid_file(data)
    if noted is None or not processes.is_ours(noted.pid, data):
        return None
    return Server(HOST, noted.port, Path(noted.socket_folder), data, noted.pid)


def stop() -> bool:
    """Stops the server in good order and waits until it is gone; False when none ran."""
    if not os.path.isdir(home()):
        return False
    with _one_at_a_time():
        return _end(signal.SIGINT)


def kill_hard() -> bool:
    """Kills the server's first process without notice, as a power cut would; for fault tests."""
    return _end(signal.SIGKILL)


def log_file() -> Path:
    """Where the server writes its log."""
    return home() / "postgres.log"


def _end(how: signal.Signals) -> bool:
    server = status()
    if server is None or not processes.send(server.pid, how, server.data_folder):
        return False
    while processes.is_ours(server.pid, server.data_folder):
        time.sleep(0.02)
    child = _children.pop(server.pid, None)
    if child is not None:
        child.wait()
    return True


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Holds the file lock that lets one process at a time start or stop the server."""
    with open(home() / "server.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _data_folder() -> Path:
    return home() / "data"


def _socket_folder() -> Path:
    """Below the home folder, or a short path below /tmp when that would be too long."""
    folder = home() / "run"
    if len(str(folder)) > LONGEST_SOCKET_FOLDER:
        digest = hashlib.blake2b(str(folder).encode(), digest_size=6).hexdigest()
        folder = Path("/tmp") / f"recoup-{digest}"  # TMPDIR may differ between commands
    return folder


def _pid_file(data: Path, state: str = "") -> _PidFile | None:
    """What the server noted about itself; None when there is no note, or not in the wanted `state`."""
    try:
        lines = (data / "postmaster.pid").read_text().splitlines()
        noted = _PidFile(int(lines[0]), int(lines[3]), lines[4], lines[7].strip())
    except (OSError, IndexError, ValueError):
        return None
    return noted if state in ("", noted.state) else None


def _wait_until_ready(port: int, alive: Callable[[], bool]) -> bool:
    """Waits without limit, for a big database recovers as long as it must; False when the process ended."""
    address = make_conninfo(host=str(_socket_folder()), port=port, dbname="postgres", user="recoup_owner")
    pause = 0.02
    while pq.PGconn.ping(address.encode()) != pq.Ping.OK:
        if not alive():
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
    return True


def _start() -> Server:
    data = _data_folder()
    found = programs.reachable(programs.find(_major_of(data)), server_user(), home())
    if _major_of(data) is None:
        _make_data(found, data)
    elif not (home() / "passwords.json").exists():
        raise DatabaseUnavailable(f"{home()}/passwords.json of this data is lost: put it back from a backup.")
    _bury_the_dead(data)
    _make_private(_socket_folder())
    for port in (_kept_port(), _new_port(), _new_port()):
        child = _spawn(found, data, port)
        if _wait_until_ready(port, partial(_runs, child)):
            (home() / "port").write_text(str(port))
            _children[child.pid] = child
            return Server(HOST, port, _socket_folder(), data, child.pid)
        if PORT_TAKEN not in _last_words():
            break
    raise DatabaseUnavailable(f"PostgreSQL {found.version} did not start; {log_file()} ends with:\n{_last_words()}")


def _runs(child: subprocess.Popen[bytes]) -> bool:
    return child.poll() is None


def _last_words() -> str:
    return log_file().read_bytes()[-1500:].decode(errors="replace")


def _major_of(data: Path) -> int | None:
    try:
        return int((data / "PG_VERSION").read_text())
    except FileNotFoundError:
        return None


def _bury_the_dead(data: Path) -> None:
    """Waits for the last processes of a killed server, then removes the pid file and sockets it left.

    Their pid may by now belong to anybody, or to a zombie nobody reaps: PostgreSQL would
    refuse to start, though no process works on the data. Called under the lock only.
    """
    for _ in range(ORPHANS_LEAVE_WITHIN_S * 20):
        if not processes.all_ours(data):
            for left in (data / "postmaster.pid", *_socket_folder().glob(".s.PGSQL.*")):
                left.unlink(missing_ok=True)
            return
        time.sleep(0.05)
    left_over = processes.all_ours(data)
    raise DatabaseUnavailable(f"The server was killed but its processes {left_over} still work: end them first.")


def _make_data(found: Binaries, data: Path) -> None:
    """Makes the data folder beside its place and moves it there whole, so that none is ever half made."""
    draft, secret = data.with_name("data.new"), data.with_name("initdb.password")
    shutil.rmtree(draft, ignore_errors=True)
    _make_private(draft)
    try:
        with _open_private(secret, os.O_TRUNC, "w") as file:
            file.write(passwords()["owner"])
        _give(secret)
        _initdb(found, draft, secret)
    finally:
        secret.unlink(missing_ok=True)
    draft.rename(data)


def _initdb(found: Binaries, data: Path, secret: Path) -> None:
    command = [found.program("initdb"), f"--pgdata={data}", "--username=recoup_owner", f"--pwfile={secret}"]
    command += ["--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8"]
    for locale in ("C.UTF-8", "C"):  # old C libraries lack the first; both sort by code point
        made = _run([*command, f"--locale={locale}"])
        if made.returncode == 0:
            return
    raise DatabaseUnavailable(f"initdb of PostgreSQL {found.version} failed:\n{made.stderr[-1500:]}")


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs one of PostgreSQL's programs to its end as the server's user."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
        **stepping_down(server_user()),
    )


def _spawn(found: Binaries, data: Path, port: int) -> subprocess.Popen[bytes]:
    """Starts the server as our child in a session of its own, so that it outlives the command."""
    command = [found.program("postgres"), "-D", str(data)]
    settings = _settings(port) | {"wal_compression": _wal_compression(command)}
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with _open_private(log_file(), os.O_APPEND, "ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_environment(),
            **stepping_down(server_user()),
        )


def _settings(port: int) -> dict[str, str]:
    return {
        "listen_addresses": HOST,
        "port": str(port),
        "unix_socket_directories": str(_socket_folder()),
        "shared_buffers": os.environ.get("RECOUP_SHARED_BUFFERS", "256MB"),
        "max_wal_size": "4GB",
        "fsync": "on",
        "synchronous_commit": "on",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "jit": "off",  # only some builds have it: one behaviour everywhere
        "dynamic_shared_memory_type": _shared_memory(),
    }


def _wal_compression(command: list[str]) -> str:
    """lz4 where it is built in, else none: the other method halves the speed of bulk loads."""
    asked = _run([*command, "-C", "wal_compression", "-c", "wal_compression=lz4"])
    return "lz4" if asked.returncode == 0 else "off"


def _shared_memory() -> str:
    """Containers often have 64 MB of /dev/shm, too little for parallel queries; files serve there."""
    try:
        room = os.statvfs("/dev/shm")
    except OSError:
        return "mmap"
    return "posix" if room.f_bavail * room.f_frsize >= 1 << 29 else "mmap"


def _environment() -> dict[str, str]:
    """Only what the programs need: no PG* variable may bend them, no secret of ours may reach them."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C"}


def _kept_port() -> int:
    """The port of last time when it is still free, else another."""
    try:
        port = int((home() / "port").read_text())
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does itself
            probe.bind((HOST, port))
    except (OSError, ValueError):
        return _new_port()
    return port


def _new_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _make_private(folder: Path) -> None:
    """Makes `folder` if need be, and sees that nobody but the server's user can use it."""
    folder.mkdir(mode=0o700, exist_ok=True)
    user = server_user()
    trusted = {os.geteuid()} | ({user.uid} if user else set())
    if folder.is_symlink() or folder.stat().st_uid not in trusted:
        raise DatabaseUnavailable(f"{folder} belongs to somebody else; remove it or set RECOUP_HOME.")
    folder.chmod(0o700)
    _give(folder)


def _open_private(path: Path, how: int, mode: str) -> IO[Any]:
    """Opens a file only its owner can read: logs quote statements, and statements quote people."""
    return open(os.open(path, os.O_CREAT | os.O_WRONLY | how, 0o600), mode)


def _give(path: Path) -> None:
    user = server_user()
    if user is not None:
        os.chown(path, user.uid, user.gid)
