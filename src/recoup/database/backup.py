"""A physical copy of our own server: taken while it works, checked file by file, put in place elsewhere."""

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from recoup.database import binaries as programs
from recoup.database.connect import connect, dsn, is_own_server, maintenance_database
from recoup.database.errors import DatabaseUnavailable
from recoup.database.failpoints import hit
from recoup.database.home import server_user

MANIFEST = "backup_manifest"  # PostgreSQL's own list of the files it copied
# What the server and its supervisor keep beside the data and make again when it is missing.
TRANSIENT = frozenset({"data", "data.new", "run", "port", "server.lock", "initdb.password"})
_LEAVES_WITHIN_S = 30

type Watch = Callable[[str, int, int], None]


class CopyRefused(Exception):
    """A copy is damaged or cannot be used here; the message names the file and says what to do."""


class Origin(NamedTuple):
    """Which server a copy is of."""

    version: str
    system_identifier: str


def refuse_foreign_server() -> None:
    """Raise DatabaseUnavailable when the server is one that Recoup does not run: its files are not ours to copy."""
    if not is_own_server():
        raise DatabaseUnavailable(
            "RECOUP_DATABASE_URL names a server that Recoup does not run. Back it up with the tool of those who run "
            "it: pg_basebackup, pgBackRest or Barman, or the provider's snapshots (a pg_dump forgets which facts were "
            "known when). Copy RECOUP_HOME after it, never before: it holds the lake and the keys."
        )


def describe_server() -> Origin:
    """Return version and identity of our server; started when it does not run."""
    with connect("owner", database=maintenance_database()) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int, system_identifier::text FROM pg_control_system()"
        ).fetchone()
    assert row is not None
    return Origin(f"{row[0] // 10_000}.{row[0] % 10_000}", row[1])


def measure_databases() -> int:
    """Return the bytes of all databases: what a copy will need at least."""
    with connect("owner", database=maintenance_database()) as connection:
        row = connection.execute("SELECT sum(pg_database_size(oid))::bigint FROM pg_database").fetchone()
    assert row is not None
    return int(row[0])


def list_databases() -> list[str]:
    """Return the names of the databases that people made."""
    with connect("owner", database=maintenance_database()) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE datallowconn AND NOT datistemplate AND datname <> 'postgres' "
            "ORDER BY 1"
        ).fetchall()
    return [str(row[0]) for row in rows]


def copy_server(target: Path, origin: Origin, watch: Watch) -> None:
    """Copy the running server to the new folder `target` with the log it needs to open; others go on working.

    Not yet safe from a power cut: `sync_disk` once all is written is ten times quicker than file after file.
    The copying program inherits `lock`, so that nobody takes the folder over while it outlives a killed command.
    Raises DatabaseUnavailable when it fails.
    """
    address: dict[str, Any] = dict(conninfo_to_dict(dsn("owner")))
    password = address.pop("password")  # never among the arguments, where everybody reads it
    command = [_program("pg_basebackup", int(origin.version.partition(".")[0])), "--dbname", make_conninfo(**address)]
    command += ["--pgdata", str(target), "--format=plain", "--wal-method=stream", "--checkpoint=fast"]
    command += ["--manifest-checksums=SHA256", "--no-password", "--no-sync", "--progress"]
    copying = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**_environment(), "PGPASSWORD": str(password)},
    )
    with copying:
        try:
            said = list(_follow(copying, watch))
        except BaseException:
            end_copying(target.parent)
            raise
    if copying.returncode != 0:
        raise DatabaseUnavailable(f"pg_basebackup failed: {' '.join(said[-3:]) or f'exit {copying.returncode}'}")
    hit("backup.server_copied")


def end_copying(folder: Path) -> None:
    """End what still copies a server into `folder` for a command that was killed; return when it is gone.

    pg_basebackup and the receiver of the log it forks outlive their parent and hold the server's log back. Only a
    process is signalled that is this program with a target in this folder.
    """
    for _ in range(_LEAVES_WITHIN_S * 20):
        left = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if _copies_into(pid, folder)]
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        time.sleep(0.05)
    raise DatabaseUnavailable(f"a killed backup still copies into {folder}: end the processes {left} first")


def _copies_into(pid: int, folder: Path) -> bool:
    try:
        program = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")
        words = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
    except OSError:
        return False
    if os.path.basename(program) != "pg_basebackup" or "--pgdata" not in words:
        return False
    return Path(words[words.index("--pgdata") + 1]).parent == folder


def _follow(copying: subprocess.Popen[str], watch: Watch) -> Iterator[str]:
    """Tell the progress of a copy; yield the lines that are something else."""
    assert copying.stderr is not None
    for line in copying.stderr:
        numbers = line.split()[:1] and line.split()[0].partition("/")
        if numbers and numbers[0].isdigit() and numbers[2].isdigit():
            watch("database", int(numbers[0]) * 1024, int(numbers[2]) * 1024)
            hit("backup.server_copying")
        elif line.strip():
            yield line.strip()


def check_copy(copy: Path, watch: Watch) -> list[str]:
    """Read every file of a copy again; return what is wrong with it, each with the file's name.

    Raises DatabaseUnavailable when no PostgreSQL of the copy's version is there to open it.
    """
    try:
        major = int((copy / "PG_VERSION").read_text())
        listed = json.loads((copy / MANIFEST).read_text())["Files"]
    except (OSError, ValueError, KeyError) as error:
        return [f"{copy.name}: {error}"]
    found = programs.find(major)
    in_all, done, wrong = sum(file["Size"] for file in listed), 0, []
    for file in listed:
        fault = find_fault(copy / file["Path"], file["Size"], file["Checksum"])
        wrong += [f"{copy.name}/{file['Path']}: {fault}"] if fault else []
        done += file["Size"]
        watch("checking the database", done, in_all)
    return wrong or _ask_postgresql(found, copy)


def _ask_postgresql(found: programs.Binaries, copy: Path) -> list[str]:
    """Let PostgreSQL read the log of a copy, and look for files that should not be there, where it has the tool."""
    if not os.access(found.program("pg_verifybackup"), os.X_OK):
        return []
    readable = os.access(found.program("pg_waldump"), os.X_OK)
    asked = subprocess.run(
        [found.program("pg_verifybackup"), "--skip-checksums", *([] if readable else ["--no-parse-wal"]), str(copy)],
        capture_output=True,
        text=True,
        check=False,
        env=_environment(),
    )
    return [f"{copy.name}: {line}" for line in asked.stderr.splitlines()] if asked.returncode else []


def find_fault(path: Path, size: int, sha256: str) -> str | None:
    """Say what is wrong with a file that should have this size and SHA-256; None when nothing is."""
    try:
        if path.stat().st_size != size:
            return f"{path.stat().st_size:,} bytes instead of {size:,}"
        return None if digest(path) == sha256 else "other content than was written"
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"


def digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_disk(folder: Path) -> None:
    """Wait until all that was written to the disk of `folder` lies on it; raise OSError when the disk failed."""
    library = ctypes.CDLL(None, use_errno=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        if library.syncfs(handle) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(folder))
    finally:
        os.close(handle)


def install_copy(copy: Path, target: Path, watch: Watch) -> None:
    """Put a checked copy into the new folder `target`, private to the user who will run the server."""
    user = server_user()
    sizes = {path: path.stat().st_size for path in copy.rglob("*") if path.is_file()}
    in_all, done = sum(sizes.values()), 0
    for source in (copy, *sorted(copy.rglob("*"))):
        if source.name == MANIFEST:
            continue
        place = target / source.relative_to(copy)
        if source.is_dir():
            place.mkdir()
        else:
            shutil.copyfile(source, place)
            done += sizes[source]
            watch("database", done, in_all)
        place.chmod(0o700 if source.is_dir() else 0o600)
        if user is not None:
            os.chown(place, user.uid, user.gid)


def _program(name: str, major: int) -> str:
    path = programs.find(major).program(name)
    if not os.access(path, os.X_OK):
        raise DatabaseUnavailable(f"{path} is missing: install PostgreSQL {major} with its client programs.")
    return path


def _environment() -> dict[str, str]:
    """Only what the programs need: no PG* variable may bend them."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C"}
