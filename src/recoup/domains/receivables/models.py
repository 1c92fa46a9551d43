"""Open items, allocations, holds, and what is open now."""

from django.db import models

from recoup.database.fields import RecordedTxField


class OpenItem(models.Model):
    """One row per item: debts > 0; money received, prepaid, deposited < 0. Immutable; partitioned by `booked_on`.

    A late charge names its principal in `charge_of` and the day it was accrued to in `value_on`. A credit names in
    `designation` the debt its payer chose; a reversal (PAYMENT_REVERSAL) the credit it takes back.
    """

    pk = models.CompositePrimaryKey("item_id", "booked_on")
    item_id = models.BigIntegerField()
    booked_on = models.DateField()
    item_key = models.TextField()
    origin_kind = models.TextField()
    contract_id = models.BigIntegerField()
    component = models.TextField()
    subject = models.TextField()
    denom = models.TextField()
    amount_minor = models.BigIntegerField()
    issued_on = models.DateField()
    value_on = models.DateField()
    due_on = models.DateField(null=True)
    overdue_from_on = models.DateField(null=True)
    period_from = models.DateField(null=True)
    charge_of = models.BigIntegerField(null=True)
    designation = models.BigIntegerField(null=True)
    state = models.TextField(null=True)
    run_no = models.BigIntegerField(null=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "open_item"
        managed = False


class ItemOpen(models.Model):
    """Projection: what is still open of each open item (absolute minor units)."""

    item_id = models.BigIntegerField(primary_key=True)
    contract_id = models.BigIntegerField()
    open_minor = models.BigIntegerField()

    class Meta:
        db_table = "item_open"
        indexes = [models.Index(fields=["contract_id"], name="item_open_contract")]


class Allocation(models.Model):
    """One row per piece of a credit applied to a debit. `seq` is the run that settled the group: a group is settled
    once a run, so (group, seq) is the lock that a second settler loses."""

    pk = models.CompositePrimaryKey("group_id", "seq", "line", "booked_on")
    group_id = models.BigIntegerField()
    seq = models.BigIntegerField()
    line = models.IntegerField()
    booked_on = models.DateField()
    contract_id = models.BigIntegerField()
    credit_id = models.BigIntegerField()
    debit_id = models.BigIntegerField()
    amount_minor = models.BigIntegerField()
    value_on = models.DateField()
    rule = models.TextField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "allocation"
        managed = False


class Hold(models.Model):
    """One row per hold and version: which processes it stops, why, and over which days `[valid_from, valid_to)`."""

    pk = models.CompositePrimaryKey("hold_key", "version")
    hold_key = models.TextField()
    version = models.IntegerField(default=1)
    contract_id = models.BigIntegerField()
    item_key = models.TextField(null=True)
    stops_late_charge = models.BooleanField()
    stops_dun = models.BooleanField()
    stops_debit = models.BooleanField()
    stops_disconnect = models.BooleanField()
    stops_refund = models.BooleanField()
    reason = models.TextField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    evidence = models.TextField(null=True)
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField(null=True)  # none: recorded at a desk
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "hold"
        indexes = [models.Index(fields=["contract_id"], name="hold_contract")]
