"""The manifest of a load: which feed, as of when, which files, and the control totals they must meet."""

import json
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

MANIFEST = "manifest.json"


class LoadRefused(Exception):
    """The folder as a whole cannot be loaded; the message says what to do."""


def _is_plain_name(name: str) -> str:
    if name != Path(name).name or name in ("", ".", ".."):
        raise ValueError("a file lies in the folder itself: no path in its name")
    return name


def _is_decimal(text: str) -> str:
    try:
        Decimal(text)
    except InvalidOperation as error:
        raise ValueError(f"{text!r} is not a decimal number") from error
    return text


class StatedFile(BaseModel):
    """One file with its control totals: rows, and sums of columns as decimal strings."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, AfterValidator(_is_plain_name)]
    entity: str
    rows: Annotated[int, Field(ge=0)]
    sums: dict[str, Annotated[str, AfterValidator(_is_decimal)]] = {}


class Manifest(BaseModel):
    """What the sender says about the folder."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    feed: Annotated[str, Field(min_length=1, max_length=100)]
    source: Annotated[str, Field(min_length=1, max_length=100)]
    as_of: AwareDatetime
    simulated: bool
    corrections: bool = False
    denom: str | None = None
    files: list[StatedFile]

    @property
    def as_of_at(self) -> datetime:
        """The instant up to which the feed is complete."""
        return self.as_of

    @property
    def as_of_on(self) -> date:
        """The day of that instant, by the offset that the sender wrote."""
        return self.as_of.date()


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a folder; raise LoadRefused with what is wrong and where."""
    path = folder / MANIFEST
    if not folder.is_dir():
        raise LoadRefused(f"{folder} is not a folder")
    if not path.is_file():
        raise LoadRefused(f"{folder} has no {MANIFEST}: it names the feed, as_of and the files with their totals")
    try:
        manifest = Manifest.model_validate(json.loads(path.read_text("utf-8-sig")))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LoadRefused(f"{path} is not JSON in UTF-8: {error}") from error
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc'])) or MANIFEST}: {e['msg']}" for e in error.errors())
        raise LoadRefused(f"{path}: {problems}") from error
    names = [stated.name for stated in manifest.files]
    if len(names) != len(set(names)):
        raise LoadRefused(f"{path} names a file twice")
    return manifest
