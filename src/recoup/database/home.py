"""The folder that holds the server's data, and the operating-system user the server runs as."""

import json
import os
import pwd
import secrets
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recoup.database.errors import DatabaseUnavailable

ROLES = ("owner", "app", "reader")


@dataclass(frozen=True)
class ServerUser:
    """An operating-system user to whom root steps down, for PostgreSQL refuses to run as root."""

    name: str
    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """The user the server runs as: None for ourselves; for root `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return ServerUser(name, entry.pw_uid, entry.pw_gid)
    raise DatabaseUnavailable("root may not run PostgreSQL: add a user named postgres, or run as another user.")


def stepping_down(user: ServerUser | None) -> dict[str, Any]:
    """Keywords for `subprocess` that make a child run as `user`, from a folder everyone may enter."""
    if user is None:
        return {"cwd": "/"}
    return {"cwd": "/", "user": user.uid, "group": user.gid, "extra_groups": []}


def may_enter(path: Path, user: ServerUser | None) -> bool:
    """Whether `user` can search the folder, or execute the file, `path`: asked as that user, not guessed."""
    asked = subprocess.run(["test", "-x", str(path)], check=False, **stepping_down(user))
    return asked.returncode == 0


def home() -> Path:
    """The folder of all state: `RECOUP_HOME`, else `/var/lib/recoup` for root, else below the user's home."""
    given = os.environ.get("RECOUP_HOME")
    if given:
        return Path(given).expanduser().resolve()
    if os.geteuid() == 0:
        return Path("/var/lib/recoup")
    return (Path.home() / ".local" / "share" / "recoup").resolve()


def prepare_home() -> Path:
    """Makes the home folder and checks that the server's user can reach it.

    An existing folder keeps its mode: opening somebody's private folder is not ours to decide.
    """
    folder, user = home(), server_user()
    missing = [path for path in (folder, *folder.parents) if not os.path.exists(path)]
    if user is not None and not may_enter(missing[-1].parent if missing else folder, user):
        raise DatabaseUnavailable(
            f"The server runs as the user {user.name}, who cannot reach {folder}. Set RECOUP_HOME to a "
            f"folder outside private ones (say /var/lib/recoup), or allow passage: chmod o+x on its parents."
        )
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            path.chmod(0o700 if user is None else 0o711)
    except OSError as error:
        raise DatabaseUnavailable(f"{folder}: {error.strerror}. Set RECOUP_HOME to a folder you own.") from error
    return folder


def keep(name: str, make: Callable[[], str]) -> str:
    """The text of the private file `name` (mode 0600) in the home folder, made at first use."""
    path = home() / name
    if not path.exists():
        draft = path.with_name(f".{name}.{os.getpid()}")
        with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(make())
        try:
            os.link(draft, path)  # unlike a rename, leaves the file of a faster process alone
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text()


def passwords() -> dict[str, str]:
    """The passwords of our roles in our own server, by short name: owner, app, reader."""
    made = keep(
        "passwords.json",
        lambda: json.dumps({role: secrets.token_urlsafe(24) for role in ROLES}),
    )
    kept: dict[str, str] = json.loads(made)
    return kept
