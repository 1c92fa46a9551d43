"""Persons and firms, and their secrets kept apart."""

from django.db import models

from recoup.database.fields import RecordedTxField


class Party(models.Model):
    """One row per person or firm. `key64` keys every draw and hash in place of the surrogate id."""

    party_id = models.BigAutoField(primary_key=True)
    key64 = models.BigIntegerField(unique=True)
    code = models.TextField(unique=True)
    kind = models.TextField()
    name = models.TextField()
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "party"
        indexes = [models.Index(fields=["name"], opclasses=["text_pattern_ops"], name="party_name")]


class PartySecret(models.Model):
    """One row per party with a phone or an identity number, both encrypted; never in the lake."""

    party_id = models.BigIntegerField(primary_key=True)
    phone_cipher = models.BinaryField(null=True)
    phone_hash = models.BinaryField(null=True)
    identity_cipher = models.BinaryField(null=True)
    identity_hash = models.BinaryField(null=True)

    class Meta:
        db_table = "party_secret"
        indexes = [models.Index(fields=["phone_hash"], name="party_secret_phone")]
