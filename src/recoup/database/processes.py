"""Telling our server's processes from everybody else's, by what the kernel says and not by a pid file."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from recoup.database.errors import DatabaseUnavailable
from recoup.database.home import server_user, stepping_down


def is_ours(pid: int, data: Path) -> bool:
    """Whether `pid` is a living PostgreSQL process at work in the folder `data`; a zombie is not."""
    program = _link(pid, "exe").removesuffix(" (deleted)")  # the kernel's mark after a package upgrade
    return os.path.basename(program) == "postgres" and _link(pid, "cwd") == str(data)


def all_ours(data: Path) -> list[int]:
    """Every PostgreSQL process at work in the folder `data`."""
    if not sys.platform.startswith("linux"):
        raise DatabaseUnavailable("Recoup runs its own server on Linux only; set RECOUP_DATABASE_URL here.")
    pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in pids if is_ours(pid, data)]


def send(pid: int, what: signal.Signals, data: Path) -> bool:
    """Signals the process `pid` if, and only if, it is ours; False when it was not."""
    if not is_ours(pid, data):
        return False
    os.kill(pid, what)
    return True


def _link(pid: int, name: str) -> str:
    path = f"/proc/{pid}/{name}"
    try:
        return os.readlink(path)
    except PermissionError:
        return _link_as_server_user(pid, path)
    except OSError:
        return ""


def _link_as_server_user(pid: int, path: str) -> str:
    """Asks again as the server's user: root of a container may not look at another user's process."""
    user = server_user()
    try:
        if user is None or os.stat(f"/proc/{pid}").st_uid != user.uid:
            return ""
    except OSError:
        return ""
    asked = subprocess.run(
        ["readlink", path],
        capture_output=True,
        text=True,
        check=False,
        **stepping_down(user),
    )
    return str(asked.stdout).rstrip("\n")
