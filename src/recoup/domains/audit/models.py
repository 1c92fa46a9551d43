"""The record of what people did."""

from django.db import models

from recoup.database.fields import RecordedTxField


class AuditEvent(models.Model):
    """One row per act of a person: who, when, what kind, on which subject, for which reason."""

    event_id = models.BigAutoField(primary_key=True)
    staff_id = models.BigIntegerField(null=True)
    username = models.TextField()
    org_unit = models.TextField(null=True)
    kind = models.TextField()
    subject = models.TextField()
    reason = models.TextField(default="")
    detail = models.JSONField(default=dict)
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "audit_event"
        indexes = [models.Index(fields=["kind", "event_id"], name="audit_event_kind")]
