"""Entering a database of a test and leaving it again."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def named(name: str) -> Iterator[None]:
    """Names the database to enter while the block lasts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECOUP_DATABASE_NAME", name)
        yield


def leave() -> None:
    """A database can be copied only when nobody is connected to it."""
    from django.db import connections

    connections.close_all()
