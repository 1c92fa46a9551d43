"""How much memory we hold: the proportional set sizes of this process and of its PostgreSQL, summed, at the highest."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recoup.database import processes, server

EVERY_S = 0.2
_KIB_PER_MIB = 1024


class Peak:
    """The highest sum seen so far, MiB."""

    def __init__(self) -> None:
        self.mib = 0.0


@contextmanager
def watch_memory() -> Iterator[Peak]:
    """Sample while the block lasts: short-lived tops between two samples are not seen."""
    peak, done = Peak(), threading.Event()

    def sample() -> None:
        while True:
            peak.mib = max(peak.mib, sum_pss_mib())
            if done.wait(EVERY_S):
                return

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        done.set()
        thread.join()


def sum_pss_mib() -> float:
    """Memory of our processes now: shared pages count once in all, by shares."""
    running = server.status()
    pids = [os.getpid(), *(processes.all_ours(running.data_folder) if running else [])]
    return sum(map(_read_pss_kib, pids)) / _KIB_PER_MIB


def _read_pss_kib(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0  # it ended between listing and reading
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
