"""The console as Django knows it."""

from django.apps import AppConfig


class ConsoleConfig(AppConfig):
    """Templates, static files and tags of the console."""

    name = "recoup.web.console"
    label = "console"
