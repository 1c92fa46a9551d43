"""Asks for the address at every new connection: settings start nothing, and a moved server is found."""

import os
from typing import Any, cast

from django.db.backends.postgresql import base
from psycopg.conninfo import conninfo_to_dict

from recoup.database.connect import Role, database_name, dsn


class DatabaseWrapper(base.DatabaseWrapper):
    """A PostgreSQL connection as the role `ROLE` of its settings, else `RECOUP_ROLE`, else app."""

    def get_connection_params(self) -> dict[str, Any]:
        """Django's own parameters (cursors, adapters) with the address, role and password of ours."""
        self.settings_dict["NAME"] = database_name()
        role = cast(Role, self.settings_dict.get("ROLE") or os.environ.get("RECOUP_ROLE", "app"))
        return {**super().get_connection_params(), **conninfo_to_dict(dsn(role))}
