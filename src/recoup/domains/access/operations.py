"""Adding people, and checking the password of one who wants to sign in."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.contrib.auth import hashers
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import connections, transaction

from recoup.domains.access.models import WHOLE_BOOK, Language, Role, Staff
from recoup.domains.access.queries import find_staff

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


class StaffRefused(Exception):
    """The person cannot be added or changed as asked; the message says what to give instead."""


class SignIn(StrEnum):
    """What came of a password."""

    WELCOME = "WELCOME"
    WRONG = "WRONG"
    LOCKED = "LOCKED"


@dataclass(frozen=True)
class LockRule:
    """After so many wrong passwords in a row nobody gets in under that name for so many minutes."""

    wrong_passwords: int
    minutes: int


@transaction.atomic
def add_staff(
    *, username: str, name: str, role: str, org_unit: str, password: str, language: str = Language.ZH
) -> Staff:
    """Add a person; raise StaffRefused for a name taken, an unknown unit or role, or a weak password."""
    _check_words(username, name, role, language)
    check_unit(org_unit)
    if find_staff(username):
        raise StaffRefused(f"{username} is taken: give another user name, or set a new password for this one")
    staff = Staff(username=username, name=name.strip(), role=role, org_unit=org_unit, language=language)
    _set_password(staff, password)
    staff.save()
    return staff


def _check_words(username: str, name: str, role: str, language: str) -> None:
    if not username or username != username.strip() or len(username) > 64 or any(c.isspace() for c in username):
        raise StaffRefused("give a user name of 1 to 64 characters without spaces")
    if not name.strip():
        raise StaffRefused("give the person's name")
    if role not in Role.values:
        raise StaffRefused(f"no role {role}: give one of {', '.join(Role.values)}")
    if language not in Language.values:
        raise StaffRefused(f"no language {language}: give one of {', '.join(Language.values)}")


def check_unit(org_unit: str) -> None:
    """Raise StaffRefused for a unit that the book does not hold."""
    with connections["default"].cursor() as cursor:
        cursor.execute("SELECT code FROM org_unit ORDER BY parent IS NOT NULL, code LIMIT 5")
        some = [code for (code,) in cursor.fetchall()]
        cursor.execute("SELECT 1 FROM org_unit WHERE code = %s", [org_unit])
        known = cursor.fetchone() is not None
    if not known and org_unit != WHOLE_BOOK:
        raise StaffRefused(f"no unit {org_unit}: give {WHOLE_BOOK} for the whole book, or a code such as {some}")


def _set_password(staff: Staff, password: str) -> None:
    try:
        validate_password(password, staff)
    except ValidationError as error:
        raise StaffRefused(f"the password is too weak: {' '.join(error.messages)}") from error
    staff.password = hashers.make_password(password)


def make_password() -> str:
    """A random password without letters that look alike, 69 bits of it."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(14))


@transaction.atomic
def set_password(staff: Staff, password: str) -> None:
    """Set a new password and lift a lock; every open session of the person ends."""
    _set_password(staff, password)
    staff.wrong_passwords, staff.locked_until = 0, None
    staff.save(update_fields=["password", "wrong_passwords", "locked_until"])


@transaction.atomic
def set_active(staff: Staff, active: bool) -> None:
    """Let a person sign in, or not any more; an open session ends with the next page."""
    staff.is_active = active
    staff.wrong_passwords, staff.locked_until = 0, None
    staff.save(update_fields=["is_active", "wrong_passwords", "locked_until"])


@transaction.atomic
def set_language(staff: Staff, language: str) -> None:
    """Remember the language a person reads."""
    if language in Language.values:
        staff.language = language
        staff.save(update_fields=["language"])


@transaction.atomic
def check_sign_in(username: str, password: str, now: datetime, rule: LockRule) -> tuple[SignIn, Staff | None]:
    """Check a password under the lock rule. The same time is spent, and the same said, for an unknown name."""
    staff = Staff.objects.select_for_update().filter(username=username).first()
    if staff is None:
        hashers.make_password(password)
        return SignIn.WRONG, None
    if staff.locked_until is not None and staff.locked_until > now:
        return SignIn.LOCKED, staff
    if not staff.check_password(password) or not staff.is_active:
        return _count_wrong(staff, now, rule), staff
    staff.wrong_passwords, staff.locked_until = 0, None
    staff.last_login = now
    staff.save(update_fields=["wrong_passwords", "locked_until", "last_login"])
    return SignIn.WELCOME, staff


def _count_wrong(staff: Staff, now: datetime, rule: LockRule) -> SignIn:
    staff.wrong_passwords += 1
    locked = staff.wrong_passwords >= rule.wrong_passwords
    if locked:
        staff.wrong_passwords, staff.locked_until = 0, now + timedelta(minutes=rule.minutes)
    staff.save(update_fields=["wrong_passwords", "locked_until"])
    return SignIn.LOCKED if locked else SignIn.WRONG
