"""Entries, postings and monthly totals."""

from django.db import models

from recoup.database.fields import RecordedTxField


class Entry(models.Model):
    """One row per balanced entry; partitioned by the month of `booked_on`."""

    pk = models.CompositePrimaryKey("entry_id", "booked_on")
    entry_id = models.BigIntegerField()
    booked_on = models.DateField()
    kind = models.TextField()
    origin_key = models.TextField()
    contract_id = models.BigIntegerField()
    value_on = models.DateField()
    run_no = models.BigIntegerField(null=True)
    reverses = models.BigIntegerField(null=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "entry"
        managed = False


class Posting(models.Model):
    """One row per line of an entry: debit > 0, credit < 0."""

    pk = models.CompositePrimaryKey("entry_id", "line", "booked_on")
    entry_id = models.BigIntegerField()
    line = models.SmallIntegerField()
    booked_on = models.DateField()
    subject = models.TextField()
    contract_id = models.BigIntegerField()
    denom = models.TextField()
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "posting"
        managed = False


class Balance(models.Model):
    """Projection: net movement per subject, denom and booked month; rebuilt and compared by `recoup verify`."""

    pk = models.CompositePrimaryKey("subject", "denom", "month_on")
    subject = models.TextField()
    denom = models.TextField()
    month_on = models.DateField()
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "balance"
