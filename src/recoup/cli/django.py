"""Making Django ready for a command."""

import os

import django


def setup() -> None:
    """Loads the models; to be called before the first import of a room."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "recoup.settings")
    django.setup()
