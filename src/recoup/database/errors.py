"""The one error of this package."""


class DatabaseUnavailable(Exception):
    """PostgreSQL cannot be found, started or reached; the message says what to do."""
