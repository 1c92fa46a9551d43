"""Actions, touches, enrolments, episodes and roll-ups."""

from django.db import models
from django.db.models.functions import Now

from recoup.database.fields import RecordedTxField


class Action(models.Model):
    """One row per decided action: outbox (SMS), call list (CALL), visit orders (VISIT). Nothing leaves by itself."""

    pk = models.CompositePrimaryKey("contract_id", "decided_on", "action_code")
    contract_id = models.BigIntegerField()
    decided_on = models.DateField()
    action_code = models.TextField()
    channel = models.TextField()
    stage = models.BigIntegerField()
    org_unit = models.TextField()
    overdue_minor = models.BigIntegerField()
    denom = models.TextField()
    items = models.BigIntegerField()
    run_no = models.BigIntegerField()
    simulated = models.BooleanField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "action"
        indexes = [models.Index(fields=["decided_on", "channel"], name="action_day")]


class Touch(models.Model):
    """One row per contact that really happened (ours, or another system's with its proof)."""

    pk = models.CompositePrimaryKey("contract_id", "decided_on", "action_code")
    contract_id = models.BigIntegerField()
    decided_on = models.DateField()
    action_code = models.TextField()
    stage = models.BigIntegerField()
    channel = models.TextField()
    sent_on = models.DateField()
    delivered_on = models.DateField(null=True)
    proof = models.TextField(null=True)
    proven = models.BooleanField()
    result = models.TextField(null=True)
    simulated = models.BooleanField()
    origin = models.TextField()
    content_hash = models.BigIntegerField(null=True)
    load_id = models.BigIntegerField(null=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "touch"


class TouchItem(models.Model):
    """One row per item a touch named, with the amount it stated."""

    pk = models.CompositePrimaryKey("contract_id", "decided_on", "action_code", "item_key")
    contract_id = models.BigIntegerField()
    decided_on = models.DateField()
    action_code = models.TextField()
    item_key = models.TextField()
    amount_minor = models.BigIntegerField()
    content_hash = models.BigIntegerField(null=True)
    load_id = models.BigIntegerField(null=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "touch_item"


class Outcome(models.Model):
    """One row per outcome that a person recorded of an action, and version: a correction is the next version.

    `happened_on` is the business day of the contact; `promise_minor` is what was promised by `promise_on`.
    `request_key` is the sender's own key: the same request twice is one outcome.
    """

    pk = models.CompositePrimaryKey("contract_id", "decided_on", "action_code", "version")
    contract_id = models.BigIntegerField()
    decided_on = models.DateField()
    action_code = models.TextField()
    version = models.IntegerField(default=1)
    result = models.TextField()
    happened_on = models.DateField()
    promise_on = models.DateField(null=True)
    promise_minor = models.BigIntegerField(null=True)
    note = models.TextField(default="")
    recorded_by = models.TextField()
    request_key = models.TextField(unique=True)
    recorded_at = models.DateTimeField(db_default=Now())
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "outcome"
        constraints = [
            models.CheckConstraint(
                condition=models.Q(promise_on__isnull=True, promise_minor__isnull=True)
                | models.Q(promise_on__gte=models.F("happened_on"), promise_minor__gt=0),
                name="outcome_promise_whole",
            ),
        ]
        indexes = [
            models.Index(fields=["happened_on"], name="outcome_day"),
        ]


class Enrolment(models.Model):
    """One row per contract and episode: which strategy version it follows."""

    pk = models.CompositePrimaryKey("contract_id", "episode_from_on")
    contract_id = models.BigIntegerField()
    episode_from_on = models.DateField()
    strategy = models.TextField()
    version = models.BigIntegerField()
    arm = models.TextField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "enrolment"


class Episode(models.Model):
    """Projection: contracts inside an unbroken run of days with overdue at or above the threshold."""

    contract_id = models.BigIntegerField(primary_key=True)
    episode_from_on = models.DateField()

    class Meta:
        db_table = "episode"


class Rollup(models.Model):
    """Projection: one row per contract and month with an event."""

    pk = models.CompositePrimaryKey("contract_id", "month_on")
    contract_id = models.BigIntegerField()
    month_on = models.DateField()
    bills = models.BigIntegerField()
    late_bills = models.BigIntegerField()
    days_late = models.BigIntegerField()
    max_overdue_minor = models.BigIntegerField()
    contacts = models.BigIntegerField()

    class Meta:
        db_table = "rollup"
