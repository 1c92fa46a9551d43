"""Installations and readings."""

from django.db import models

from recoup.database.fields import RecordedTxField


class Installation(models.Model):
    """Succession per service point and register: which meter, with which multiplier (CT x PT x 10^4)."""

    pk = models.CompositePrimaryKey("service_point", "meter", "register", "valid_from", "version")
    service_point = models.TextField()
    meter = models.TextField()
    register = models.TextField()
    valid_from = models.DateField()
    version = models.IntegerField(default=1)
    valid_to = models.DateField(null=True)
    multiplier_e4 = models.BigIntegerField()
    withdrawn = models.BooleanField(default=False)
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "installation"


class Reading(models.Model):
    """One row per reading event. A correction is a newer version of the same key."""

    pk = models.CompositePrimaryKey("service_point", "meter", "register", "read_on", "part", "source", "version")
    service_point = models.TextField()
    meter = models.TextField()
    register = models.TextField()
    read_on = models.DateField()
    part = models.IntegerField()
    source = models.TextField()
    version = models.IntegerField(default=1)
    index_from_e4 = models.BigIntegerField(null=True)
    index_e4 = models.BigIntegerField()
    multiplier_e4 = models.BigIntegerField(null=True)
    months = models.BigIntegerField(null=True)
    stated_wh = models.BigIntegerField(null=True)
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "reading"
