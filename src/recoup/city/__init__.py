"""A generated city: people, places and readings of a town that does not exist, to show and to test with."""

from recoup.city.generation import USE, City, generate
from recoup.city.writing import File, Format

__all__ = ["USE", "City", "File", "Format", "generate"]
