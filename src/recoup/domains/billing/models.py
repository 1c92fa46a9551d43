"""Bills and bill lines, partitioned by the month of `booked_on`."""

from django.db import models

from recoup.database.fields import RecordedTxField


class Bill(models.Model):
    """One row per bill (contract, period, part, version); immutable."""

    pk = models.CompositePrimaryKey("bill_id", "booked_on")
    bill_id = models.BigIntegerField()
    booked_on = models.DateField()
    bill_no = models.TextField()
    contract_id = models.BigIntegerField()
    service_id = models.BigIntegerField(null=True)
    period_from = models.DateField(null=True)
    period_to = models.DateField(null=True)
    part = models.IntegerField()
    version = models.IntegerField()
    issued_on = models.DateField()
    due_on = models.DateField()
    months = models.BigIntegerField(null=True)
    energy_wh = models.BigIntegerField(null=True)
    read_wh = models.BigIntegerField(null=True)
    energy_source = models.TextField(null=True)
    reading_key = models.TextField(null=True)
    amount_minor = models.BigIntegerField()
    denom = models.TextField()
    run_no = models.BigIntegerField(null=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "bill"
        managed = False


class BillLine(models.Model):
    """One row per bill x rule x block: quantity, price, amount and the dated parameter that says so."""

    pk = models.CompositePrimaryKey("bill_id", "line", "booked_on")
    bill_id = models.BigIntegerField()
    line = models.SmallIntegerField()
    booked_on = models.DateField()
    component = models.TextField()
    rule_id = models.TextField()
    param_id = models.TextField()
    block = models.SmallIntegerField()
    quantity = models.BigIntegerField()
    price_e8 = models.BigIntegerField()
    amount_minor = models.BigIntegerField()

    class Meta:
        db_table = "bill_line"
        managed = False
