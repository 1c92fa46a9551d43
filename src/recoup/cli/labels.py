"""The words of the faces, for those who know them by this place: see `recoup.labels`."""

from recoup.labels import DEFINITIONS, LANGUAGES, Labels, grouped, percent

__all__ = ["DEFINITIONS", "LANGUAGES", "Labels", "grouped", "percent"]
