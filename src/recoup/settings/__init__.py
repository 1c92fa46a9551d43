"""Django's settings. Importing them starts nothing: the server is found at the first connection."""

import secrets
from pathlib import Path

from recoup.database.home import home, keep


def _rooms() -> list[str]:
    """Every package of ours that has models."""
    root = Path(__file__).resolve().parents[1]
    domains = sorted(path.parent.name for path in (root / "domains").glob("*/models.py"))
    engine = ["recoup.engine"] if (root / "engine" / "models.py").exists() else []
    return [f"recoup.domains.{name}" for name in domains] + engine


def _secret_key() -> str:
    return keep("secret_key", lambda: secrets.token_urlsafe(48)) if home().exists() else secrets.token_urlsafe(48)


INSTALLED_APPS = _rooms()
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
