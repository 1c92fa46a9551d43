"""Named points at which a fault test kills the worker or the database server.

`RECOUP_FAILPOINT=name[:nth][:server]`: at the nth passage (first by default) of that point the process kills itself
with SIGKILL, or with `server` kills the database server and goes on into the broken connection. Unset, a passage
costs one dictionary look-up.
"""

import os
import signal
from collections import Counter

_passages: Counter[str] = Counter()


def hit(name: str) -> None:
    """Pass the point `name`; die here when a test asks for it."""
    wanted = os.environ.get("RECOUP_FAILPOINT")
    if not wanted or wanted.split(":")[0] != name:
        return
    _passages[name] += 1
    options = wanted.split(":")[1:]
    nth = next((int(option) for option in options if option.isdigit()), 1)
    if _passages[name] != nth:
        return
    if "server" in options:
        from recoup.database.server import kill_hard

        kill_hard()
    else:
        os.kill(os.getpid(), signal.SIGKILL)
