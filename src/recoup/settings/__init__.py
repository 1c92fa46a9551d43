"""Django's settings. Importing them starts nothing: the server is found at the first connection."""

import importlib.util
import os
import secrets
from pathlib import Path

from django.utils.csp import CSP

from recoup.database.home import home, keep


def _secret_key() -> str:
    return keep("secret_key", lambda: secrets.token_urlsafe(48)) if home().exists() else secrets.token_urlsafe(48)


def _folder_of(package: str) -> Path:
    """The folder of an installed package, without importing it."""
    found = importlib.util.find_spec(package)
    assert found is not None and found.origin is not None
    return Path(found.origin).parent


INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_htmx",
    "recoup.domains.access",
    "recoup.domains.audit",
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
    "recoup.domains.analytics",
    "recoup.engine",
    "recoup.web.console",
]
# A connection of the console serves many pages; one the server has closed is found out before it is used.
_KEPT = {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True}
DATABASES = {
    "default": {"ENGINE": "recoup.database.backend", "NAME": "recoup", **_KEPT},  # role: RECOUP_ROLE, else app
    "owner": {"ENGINE": "recoup.database.backend", "NAME": "recoup", "ROLE": "owner"},  # migrations
    "reader": {"ENGINE": "recoup.database.backend", "NAME": "recoup", "ROLE": "reader", **_KEPT},
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SECRET_KEY = _secret_key()
DEBUG = False
ALLOWED_HOSTS: list[str] = [host for host in os.environ.get("RECOUP_HOSTS", "").split(",") if host] or [
    "localhost",
    "127.0.0.1",
    "[::1]",
]
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = True
LANGUAGE_CODE = "zh-hans"

AUTH_USER_MODEL = "access.Staff"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
# Wrong passwords in a row before a name is locked, for how long, and how long a session may rest.
LOCK_AFTER_WRONG_PASSWORDS = 5
LOCK_MINUTES = 15
SESSION_IDLE_MINUTES = 30
SESSION_COOKIE_AGE = 12 * 60 * 60

# True behind a proxy that speaks HTTPS (`RECOUP_HTTPS=1`): cookies then never travel in the open.
_HTTPS = os.environ.get("RECOUP_HTTPS") == "1"
SESSION_COOKIE_NAME = "recoup_session"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = _HTTPS
CSRF_COOKIE_NAME = "recoup_csrf"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SECURE = _HTTPS
CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS] if _HTTPS else []
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if _HTTPS else None
SECURE_SSL_REDIRECT = _HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.NONE],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}

ROOT_URLCONF = "recoup.web.urls"
WSGI_APPLICATION = "recoup.web.wsgi.application"
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "recoup.web.console.middleware.ConsoleMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.messages.context_processors.messages",
                "recoup.web.console.context.describe_page",
            ]
        },
    }
]
FILE_UPLOAD_HANDLERS = [
    "recoup.web.console.uploads.BoundedUpload",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"
LOGIN_URL = "console:sign-in"
CSRF_FAILURE_VIEW = "recoup.web.console.views.errors.refuse_forged"
STATIC_URL = "static/"
# Served from the packages themselves: nothing is collected, nothing comes from elsewhere.
STATICFILES_DIRS = [("inter", _folder_of("unfold") / "static" / "unfold" / "fonts" / "inter")]
WHITENOISE_USE_FINDERS = True
WHITENOISE_MAX_AGE = 31_536_000  # every address of a static file carries the hash of its content
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "loggers": {"django.request": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}
