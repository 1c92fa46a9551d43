"""Loading what other systems tell: the documented format, and readers of other formats."""

from recoup.usecases.load.folder import LoadReport, load_folder, load_sources

__all__ = ["LoadReport", "load_folder", "load_sources"]
