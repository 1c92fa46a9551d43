"""The people of the company who use the console."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models

WHOLE_BOOK = "*"


class Role(models.TextChoices):
    """What a person is there for; `permissions` says what each may do."""

    ADMIN = "admin"
    MANAGER = "manager"
    CLERK = "clerk"
    COLLECTOR = "collector"
    AUDITOR = "auditor"


class Language(models.TextChoices):
    """The language a person reads."""

    ZH = "zh-hans"
    EN = "en"


class Staff(AbstractBaseUser):
    """One row per person who may sign in: one role, one unit (`*` is the whole book), one language."""

    staff_id = models.BigAutoField(primary_key=True)
    username = models.TextField(unique=True)
    name = models.TextField()
    role = models.TextField(choices=Role)
    org_unit = models.TextField()
    language = models.TextField(choices=Language, default=Language.ZH)
    is_active = models.BooleanField(default=True)
    wrong_passwords = models.IntegerField(default=0)
    locked_until = models.DateTimeField(null=True)
    made_at = models.DateTimeField(auto_now_add=True)

    objects = BaseUserManager["Staff"]()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name", "role", "org_unit"]

    class Meta:
        db_table = "staff"
        constraints = [
            models.CheckConstraint(condition=models.Q(role__in=Role.values), name="staff_role_known"),
            models.CheckConstraint(condition=models.Q(language__in=Language.values), name="staff_language_known"),
        ]
