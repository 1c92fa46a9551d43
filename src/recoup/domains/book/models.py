"""The book itself, and who keeps the record of each function."""

from django.db import models


class BookKind(models.TextChoices):
    """Only demo and evaluation books may be filled by the simulator."""

    LIVE = "live"
    DEMO = "demo"
    EVALUATION = "evaluation"


class Book(models.Model):
    """One row: what this database is the book of."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    kind = models.TextField(choices=BookKind)
    name = models.TextField()
    jurisdiction = models.TextField()
    seed = models.BigIntegerField()
    timezone = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "book"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="book_is_one_row"),
            models.CheckConstraint(condition=models.Q(kind__in=BookKind.values), name="book_kind_known"),
        ]


class FunctionMode(models.Model):
    """One row per function: kept here (own) or by another system of record (external)."""

    function = models.TextField(primary_key=True)
    mode = models.TextField()

    class Meta:
        db_table = "function_mode"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(mode__in=["own", "external"]),
                name="function_mode_known",
            )
        ]
