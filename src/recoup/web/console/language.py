"""Text in two languages, beside the thing it names."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from django.conf import settings

ZH, EN = "zh-hans", "en"
LANGUAGES = (ZH, EN)


class Title(NamedTuple):
    """A text in both languages of the product."""

    zh: str
    en: str

    def say(self, language: str) -> str:
        """The text in a language (zh-hans or en)."""
        return self.en if language == EN else self.zh


def say(words: object, language: str) -> str:
    """The text of a Title, of a pair {"zh", "en"}, or of anything with the attributes zh and en."""
    if words is None:
        return ""
    if isinstance(words, str):
        return words
    if isinstance(words, Mapping):
        found: Any = words.get("en" if language == EN else "zh")
        return str(found or "")
    return str(getattr(words, "en" if language == EN else "zh"))


def choose(asked: str | None) -> str:
    """A language of the product; the default one for anything else."""
    return asked if asked in LANGUAGES else settings.LANGUAGE_CODE
