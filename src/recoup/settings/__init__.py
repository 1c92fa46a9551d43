"""Django's settings. Importing them starts nothing: the server is found at the first connection."""

import secrets

from recoup.database.home import home, keep


def _secret_key() -> str:
    return keep("secret_key", lambda: secrets.token_urlsafe(48)) if home().exists() else secrets.token_urlsafe(48)


INSTALLED_APPS = [
    "recoup.domains.book",
    "recoup.domains.parties",
    "recoup.domains.network",
    "recoup.domains.contracts",
    "recoup.domains.metering",
    "recoup.domains.ledger",
    "recoup.domains.receivables",
    "recoup.domains.feeds",
    "recoup.domains.billing",
    "recoup.domains.payments",
    "recoup.domains.collection",
    "recoup.engine",
]
DATABASES = {
    "default": {"ENGINE": "recoup.database.backend", "NAME": "recoup"},  # role: RECOUP_ROLE, else app
    "owner": {"ENGINE": "recoup.database.backend", "NAME": "recoup", "ROLE": "owner"},  # migrations
    "reader": {"ENGINE": "recoup.database.backend", "NAME": "recoup", "ROLE": "reader"},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS: list[str] = []
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "zh-hans"
