"""Column types of PostgreSQL that Django does not ship."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Func


class CurrentTransaction(Func):
    """The 64-bit id of the transaction that writes the row."""

    function = "pg_current_xact_id"
    arity = 0


class RecordedTxField(models.Field):  # type: ignore[type-arg]
    """Which transaction told us a fact: compared with the snapshot of a cut by `pg_visible_in_snapshot`."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("db_default", CurrentTransaction())
        options.setdefault("editable", False)
        super().__init__(**options)

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        return "xid8"
