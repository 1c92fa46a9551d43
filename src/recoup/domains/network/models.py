"""Units and premises."""

from django.db import models

from recoup.database.fields import RecordedTxField


class OrgUnit(models.Model):
    """One row per unit: company, station or transformer district."""

    code = models.TextField(primary_key=True)
    name = models.TextField()
    kind = models.TextField()
    parent = models.TextField(null=True)
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "org_unit"
        indexes = [models.Index(fields=["parent"], name="org_unit_parent")]
