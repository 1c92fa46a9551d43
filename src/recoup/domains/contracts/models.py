"""Accounts, contracts and what is agreed by date."""

from django.db import models

from recoup.database.fields import RecordedTxField


class Account(models.Model):
    """One row per account number. It survives its customers and owes nothing itself."""

    account_id = models.BigAutoField(primary_key=True)
    account_no = models.TextField(unique=True)
    old_account_no = models.TextField(null=True)
    premise = models.TextField(null=True)
    address = models.TextField(null=True)
    org_unit = models.TextField()
    route = models.TextField(null=True)
    reading_day = models.SmallIntegerField(null=True)
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "account"
        indexes = [
            models.Index(fields=["old_account_no"], name="account_old_no"),
            models.Index(fields=["org_unit", "account_no"], name="account_unit"),
        ]


class Contract(models.Model):
    """One row per supply contract: one party's tenure of one account over `[valid_from, valid_to)`."""

    contract_id = models.BigAutoField(primary_key=True)
    contract_key = models.TextField(unique=True)
    account_id = models.BigIntegerField()
    party_id = models.BigIntegerField()
    payer_id = models.BigIntegerField(null=True)
    group_key = models.TextField(null=True)
    # `class` of the frames; the attribute has another name only because Python reserves the word.
    customer_class = models.TextField(db_column="class")
    jurisdiction = models.TextField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "contract"
        indexes = [
            models.Index(fields=["account_id"], name="contract_account"),
            models.Index(fields=["party_id"], name="contract_party"),
        ]


class Agreement(models.Model):
    """Succession per contract: how it pays, when it falls due, its own late-charge rate and strategy."""

    pk = models.CompositePrimaryKey("contract_id", "valid_from", "version")
    contract_id = models.BigIntegerField()
    valid_from = models.DateField()
    version = models.IntegerField(default=1)
    payment_mode = models.TextField(null=True)
    due_days = models.IntegerField()
    agreed_rate_ppm = models.BigIntegerField(null=True)
    strategy = models.TextField(null=True)
    withdrawn = models.BooleanField(default=False)
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "agreement"


class Service(models.Model):
    """Succession per service point: which contract, tariff and class it serves, with its entitlements."""

    service_id = models.BigAutoField(primary_key=True)
    service_point = models.TextField()
    valid_from = models.DateField()
    version = models.IntegerField(default=1)
    valid_to = models.DateField(null=True)
    contract_id = models.BigIntegerField()
    tariff = models.TextField()
    customer_class = models.TextField(db_column="class")
    capacity_va = models.BigIntegerField(null=True)
    household_size = models.BigIntegerField(null=True)
    households = models.BigIntegerField(null=True)
    free_wh_month = models.BigIntegerField()
    withdrawn = models.BooleanField(default=False)
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "service"
        constraints = [
            models.UniqueConstraint(
                fields=["service_point", "valid_from", "version"],
                name="service_one_validity",
            )
        ]
