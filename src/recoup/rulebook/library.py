"""The documents of a rulebook as files: shipped with the package, overlaid by the site's folder."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from recoup.rulebook.reading import TextInvalid, read
from recoup.rulebook.schema import DOCUMENT, Document

SHIPPED = Path(__file__).parent


class Problem(NamedTuple):
    """What is wrong with a document, and where in it."""

    document: str
    field: str
    detail: str

    def __str__(self) -> str:
        return f"{self.document}: {self.field}: {self.detail}" if self.field else f"{self.document}: {self.detail}"


class RulebookInvalid(Exception):
    """The documents cannot be used; `problems` says why, one by one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in self.problems))


class UnknownJurisdiction(Exception):
    """No folder of the rulebook has this name."""


class Library(NamedTuple):
    """All documents by id, and what was wrong with those that could not be read."""

    documents: Mapping[str, Document]
    problems: tuple[Problem, ...]


def open_library(extra_folder: Path | None = None) -> Library:
    """Read the shipped documents; one of the same id in `extra_folder` replaces it, others are added."""
    documents: dict[str, Document] = {}
    problems: list[Problem] = []
    for folder in (SHIPPED, extra_folder):
        if folder is not None:
            _read_folder(folder, documents, problems)
    return Library(dict(sorted(documents.items())), tuple(problems))


def _read_folder(folder: Path, documents: dict[str, Document], problems: list[Problem]) -> None:
    for path in sorted(folder.rglob("*.yaml")):
        expected = path.relative_to(folder).with_suffix("").as_posix()
        try:
            document = DOCUMENT.validate_python(read(path))
        except TextInvalid as error:
            problems.append(Problem(expected, "", str(error)))
        except ValidationError as error:
            problems.extend(
                Problem(expected, ".".join(str(part) for part in found["loc"]), found["msg"])
                for found in error.errors()
            )
        else:
            if document.id != expected:
                problems.append(Problem(expected, "id", f"is {document.id}, but the file's place says {expected}"))
            documents[expected] = document


def digest(document: Document) -> str:
    """SHA-256 of a document's canonical form: the same for any order, spacing or comment in its file."""
    canonical = json.dumps(
        document.model_dump(mode="json", by_alias=True, exclude_none=True),
        ensure_ascii=False,
        sort_keys=True,
        separators=(",", ":"),
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def digest_all(documents: Iterable[Document]) -> str:
    """SHA-256 over the ids and digests of documents, in the order of their ids."""
    listed = sorted(f"{document.id} {digest(document)}" for document in documents)
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()


def chain(jurisdiction: str) -> list[str]:
    """A jurisdiction and those it falls back to, the nearest last: "", cn, cn/shandong."""
    parts = jurisdiction.split("/")
    return ["", *("/".join(parts[: depth + 1]) for depth in range(len(parts)))]


def jurisdictions(library: Library) -> list[str]:
    """List the jurisdictions that have a document."""
    return sorted({document.jurisdiction for document in library.documents.values()} - {""})


def prevailing(library: Library, jurisdiction: str) -> tuple[Document, ...]:
    """Choose the documents in force for a jurisdiction: of one kind and code the nearest prevails.

    Raises UnknownJurisdiction when no document names it.
    """
    if jurisdiction not in jurisdictions(library):
        known = ", ".join(jurisdictions(library))
        raise UnknownJurisdiction(f"no rulebook for {jurisdiction!r}; there are: {known}")
    chosen: dict[tuple[str, str], Document] = {}
    for place in chain(jurisdiction):
        for document in library.documents.values():
            if document.jurisdiction == place:
                chosen[document.kind, getattr(document, "code", "")] = document
    return tuple(sorted(chosen.values(), key=lambda document: document.id))
