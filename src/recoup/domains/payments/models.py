"""Payments."""

from django.db import models

from recoup.database.fields import RecordedTxField


class Payment(models.Model):
    """One row per payment of a channel and version: `value_on` the payer paid, `received_on` we knew.

    `reverses` is the channel_key of an earlier payment of the channel, which this row takes back on that one's value
    day.
    """

    pk = models.CompositePrimaryKey("channel", "channel_key", "version")
    channel = models.TextField()
    channel_key = models.TextField()
    version = models.IntegerField(default=1)
    contract_id = models.BigIntegerField()
    value_on = models.DateField()
    received_on = models.DateField()
    amount_minor = models.BigIntegerField()
    denom = models.TextField()
    designation = models.TextField(null=True)
    reverses = models.TextField(null=True)
    simulated = models.BooleanField()
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField(null=True)
    run_no = models.BigIntegerField(null=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "payment"
        indexes = [
            models.Index(fields=["received_on"], name="payment_received"),
            models.Index(fields=["contract_id"], name="payment_contract"),
        ]
