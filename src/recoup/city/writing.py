"""Writes the files of a load block by block, so that memory stays with one block, and the manifest last of all."""

import json
import shutil
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import polars as pl

_PARTS = ".parts"
_MANIFEST = "manifest.json"


class Format(StrEnum):
    """How files are written."""

    PARQUET = "parquet"
    CSV = "csv"


class File(NamedTuple):
    """A file written, with its control totals."""

    name: str
    entity: str
    rows: int
    sums: Mapping[str, str]


class Writer:
    """Writes one folder. `sums` are control totals by entity and column; nothing is a load before `finish`."""

    def __init__(self, folder: Path, format_: Format, summed: Mapping[str, tuple[str, ...]]) -> None:
        self._folder, self._format, self._summed = folder, format_, summed
        self._rows: dict[str, int] = {}
        self._sums: dict[str, dict[str, Decimal]] = {}
        self._blocks: dict[str, int] = {}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _MANIFEST).unlink(missing_ok=True)
        self._drop_parts()
        if format_ is Format.PARQUET:
            (folder / _PARTS).mkdir()

    def append(self, entity: str, rows: pl.DataFrame) -> None:
        """Write one more block of an entity."""
        block = self._blocks.get(entity, 0)
        self._blocks[entity] = block + 1
        self._rows[entity] = self._rows.get(entity, 0) + rows.height
        sums = self._sums.setdefault(entity, {name: Decimal(0) for name in self._summed.get(entity, ())})
        for name in sums:
            sums[name] += Decimal(str(rows[name].sum() or 0))
        if self._format is Format.PARQUET:
            rows.write_parquet(self._part(entity, block), compression="lz4", statistics=False)
            return
        with (self._folder / f"{entity}.csv").open("wb" if block == 0 else "ab") as file:
            rows.write_csv(file, include_header=block == 0)

    def finish(self, statement: Mapping[str, object]) -> list[File]:
        """Join the blocks, write the manifest, say what was written."""
        files = [self._close(entity) for entity in self._blocks]
        self._drop_parts()
        stated = {**statement, "files": [{**file._asdict(), "sums": dict(file.sums)} for file in files]}
        text = json.dumps(stated, ensure_ascii=False, indent=2)
        (self._folder / _MANIFEST).write_text(text + "\n", "utf-8")
        return files

    def _close(self, entity: str) -> File:
        name = f"{entity}.{self._format.value}"
        if self._format is Format.PARQUET:
            parts = [self._part(entity, block) for block in range(self._blocks[entity])]
            pl.scan_parquet(parts).sink_parquet(self._folder / name, compression="zstd")
        sums = {column: str(total) for column, total in self._sums[entity].items()}
        return File(name, entity, self._rows[entity], sums)

    def _part(self, entity: str, block: int) -> Path:
        return self._folder / _PARTS / f"{entity}-{block:05}.parquet"

    def _drop_parts(self) -> None:
        shutil.rmtree(self._folder / _PARTS, ignore_errors=True)
