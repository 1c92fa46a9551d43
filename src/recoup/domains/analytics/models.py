"""Prepared sums, signed cut-offs and targets. Amounts are minor units of one denomination."""

from django.db import models

from recoup.database.fields import RecordedTxField


class FigureDay(models.Model):
    """Projection: one row per business day whose sums are prepared, with the snapshot they were taken under."""

    business_on = models.DateField(primary_key=True)
    run_no = models.BigIntegerField()
    snapshot = models.TextField()
    prepared_at = models.DateTimeField()
    denom = models.TextField()
    content_hash = models.TextField()
    debtors_file = models.TextField()

    class Meta:
        db_table = "figure_day"


class FigureSheet(models.Model):
    """Projection: one sum per prepared day, station, class, measure and part (a month, a bucket, a stage, a state)."""

    pk = models.CompositePrimaryKey("business_on", "org_unit", "customer_class", "measure", "part")
    business_on = models.DateField()
    org_unit = models.TextField()
    customer_class = models.TextField(db_column="class")
    measure = models.TextField()
    part = models.TextField()
    rows = models.BigIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "figure_sheet"
        indexes = [models.Index(fields=["measure", "business_on"], name="figure_sheet_measure")]


class Cutoff(models.Model):
    """One row per signed business day: who signed what was known at `snapshot`. Signed once, never changed."""

    business_on = models.DateField(primary_key=True)
    signed_by = models.TextField()
    signed_at = models.DateTimeField()
    snapshot = models.TextField()
    closed_to_on = models.DateField()
    run_no = models.BigIntegerField()
    rulebook_hash = models.TextField()
    denom = models.TextField()
    content_hash = models.TextField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "cutoff"


class CutoffFigure(models.Model):
    """One signed sum, in the form of `FigureSheet`."""

    pk = models.CompositePrimaryKey("business_on", "org_unit", "customer_class", "measure", "part")
    business_on = models.DateField()
    org_unit = models.TextField()
    customer_class = models.TextField(db_column="class")
    measure = models.TextField()
    part = models.TextField()
    rows = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "cutoff_figure"


class Target(models.Model):
    """Succession per unit and rate: the share to be reached from `valid_from` on; `*` is the whole book."""

    pk = models.CompositePrimaryKey("org_unit", "measure", "valid_from", "version")
    org_unit = models.TextField()
    measure = models.TextField()
    valid_from = models.DateField()
    version = models.IntegerField()
    share_ppm = models.BigIntegerField()
    set_by = models.TextField()
    set_at = models.DateTimeField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "target"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(measure__in=["current", "cumulative", "prior"]), name="target_measure_known"
            ),
            models.CheckConstraint(
                condition=models.Q(share_ppm__gte=0, share_ppm__lte=1_000_000), name="target_share_within_all"
            ),
        ]
