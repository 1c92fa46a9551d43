"""A mapping: what a person once said of a shape of sheet, kept and used again without asking."""

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from pydantic import BaseModel, ConfigDict


class SheetMapping(BaseModel):
    """Kind of sheet, heading (as compared) per field, constants, and units that no heading names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    fields: Mapping[str, str]
    constants: Mapping[str, str] = {}
    units: Mapping[str, str] = {}


def name_shape(keys: Iterable[str]) -> str:
    """The name of a set of headings, in whatever order they stand."""
    told = "\x1f".join(sorted(key for key in keys if key))
    return blake2b(told.encode(), digest_size=8).hexdigest()
