"""Charts: a Vega-Lite specification, its words, and the same figures as a table for those who do not see it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from typing import Any

import vl_convert

from recoup.web.console.language import Title
from recoup.web.console.tables import Table

_SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


@dataclass(frozen=True)
class Chart:
    """A chart to be shown by `{% chart chart %}`; colours and fonts come from the page, so leave them out."""

    key: str
    title: Title
    spec: Mapping[str, Any]
    table: Table | None = None
    summary: Title | None = None
    height: int = 220
    rows: Sequence[Mapping[str, Any]] = field(default_factory=tuple)

    def whole(self) -> dict[str, Any]:
        """The specification with its data, as wide as the page gives."""
        whole: dict[str, Any] = {"$schema": _SCHEMA, "width": "container", "height": self.height, **self.spec}
        if self.rows:
            whole["data"] = {"values": [dict(row) for row in self.rows]}
        return whole


@lru_cache(maxsize=1)
def read_bundle() -> bytes:
    """Vega, Vega-Lite and Vega-Embed as one script, from the installed package."""
    return vl_convert.javascript_bundle().encode()  # type: ignore[call-arg]  # the stub asks for a snippet


def stamp_bundle() -> str:
    """What the script's address carries, so that a browser may keep it for ever."""
    return version("vl-convert-python").replace(".", "-")
