"""Prepares the measured book in a process of its own: `prepare.py write|load ACCOUNTS FOLDER`.

The home folder and the database are those named in the environment.
"""

import sys
from pathlib import Path
from time import perf_counter


def main() -> int:
    """Write the folders of a city and of its debts, or load both."""
    import books

    from recoup.cli import django

    django.setup()
    task, accounts, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    city, debts = folder / f"city-{accounts}", folder / f"debts-{accounts}"
    start = perf_counter()
    if task == "write":
        books.write_city(accounts, city)
        books.write_debts(city, debts)
    else:
        load_whole(city)
        load_whole(debts)
    print(f"\r{task} {accounts:,} accounts: {perf_counter() - start:.0f} s{' ' * 30}", file=sys.stderr, flush=True)
    return 0


def load_whole(folder: Path) -> None:
    """Load a folder and accept no refused file."""
    from django.db import connections

    from recoup.usecases.load import load_folder

    if not load_folder(folder, _tell).complete:
        raise AssertionError(f"{folder.name} was not loaded whole")
    connections.close_all()


def _tell(name: str, done: int, size: int) -> None:
    print(f"\r  {name}: {done * 100 // max(size, 1)} %{' ' * 20}", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
