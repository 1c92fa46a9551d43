"""Feeds, loads, files, quarantined rows, conflicts and the keys of imported debts."""

from django.db import models

from recoup.database.fields import RecordedTxField


class Feed(models.Model):
    """One row per feed and the latest watermark of a complete load."""

    code = models.TextField(primary_key=True)
    source = models.TextField()
    simulated = models.BooleanField()
    watermark_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "feed"


class FeedLoad(models.Model):
    """One row per started load of one feed; one that is not `watched` does not make its feed younger."""

    load_id = models.BigAutoField(primary_key=True)
    feed = models.TextField()
    as_of_at = models.DateTimeField()
    state = models.TextField()
    simulated = models.BooleanField()
    watched = models.BooleanField(db_default=True)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "feed_load"


class LoadedFile(models.Model):
    """One row per file of a load: what it stated and what became of every row."""

    pk = models.CompositePrimaryKey("load_id", "name")
    load_id = models.BigIntegerField()
    name = models.TextField()
    entity = models.TextField()
    sha256 = models.TextField()
    rows_stated = models.BigIntegerField(null=True)
    rows_read = models.BigIntegerField()
    rows_loaded = models.BigIntegerField()
    rows_known = models.BigIntegerField()
    rows_superseding = models.BigIntegerField()
    rows_conflicting = models.BigIntegerField()
    rows_quarantined = models.BigIntegerField()
    rows_skipped = models.BigIntegerField()
    state = models.TextField()
    detail = models.TextField(null=True)

    class Meta:
        db_table = "loaded_file"


class Quarantine(models.Model):
    """One row per refused row of a file: where it stood, which field, why, and its text."""

    quarantine_id = models.BigAutoField(primary_key=True)
    load_id = models.BigIntegerField()
    file = models.TextField()
    file_sha256 = models.TextField()
    row_no = models.BigIntegerField()
    byte_offset = models.BigIntegerField(null=True)
    field = models.TextField()
    reason = models.TextField()
    content = models.TextField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "quarantine"
        constraints = [
            models.UniqueConstraint(fields=["file_sha256", "row_no", "field"], name="quarantine_once"),
        ]


class Conflict(models.Model):
    """One row per known key that came again with other content and no claim to supersede: both are shown."""

    conflict_id = models.BigAutoField(primary_key=True)
    load_id = models.BigIntegerField()
    file = models.TextField()
    row_no = models.BigIntegerField()
    entity = models.TextField()
    key = models.TextField()
    stored = models.JSONField()
    offered = models.JSONField()
    offered_hash = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "conflict"
        constraints = [
            models.UniqueConstraint(fields=["entity", "key", "offered_hash"], name="conflict_once"),
        ]


class Imported(models.Model):
    """One row per bill, item or credit of another system: its key there and its id in our partitioned tables."""

    pk = models.CompositePrimaryKey("entity", "key", "version")
    entity = models.TextField()
    key = models.TextField()
    version = models.IntegerField(default=1)
    row_id = models.BigIntegerField()
    row_no = models.BigIntegerField()
    content_hash = models.BigIntegerField()
    load_id = models.BigIntegerField()
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "imported"


class FileMapping(models.Model):
    """Succession per feed and shape (set of headings): what a person said of a clerk's sheet, and who."""

    mapping_id = models.BigAutoField(primary_key=True)
    feed = models.TextField()
    shape = models.TextField()
    version = models.IntegerField()
    mapping = models.JSONField()
    headings = models.JSONField()
    withdrawn = models.BooleanField(default=False)
    who = models.TextField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    recorded_tx = RecordedTxField()

    class Meta:
        db_table = "file_mapping"
        constraints = [
            models.UniqueConstraint(fields=["feed", "shape", "version"], name="file_mapping_one_version"),
        ]
        indexes = [models.Index(fields=["shape"], name="file_mapping_shape")]


class FileUpload(models.Model):
    """Queue: one row per file that a person has dropped into the console, until it is loaded or thrown away.

    `said` is what the person said of it, `found` the last preview or question, `done` of `total` how far the work is.
    """

    upload_id = models.BigAutoField(primary_key=True)
    name = models.TextField()
    size = models.BigIntegerField()
    uploaded_by = models.TextField()
    uploaded_at = models.DateTimeField(auto_now_add=True)
    task = models.TextField()
    state = models.TextField()
    started_at = models.DateTimeField(null=True)
    said = models.JSONField(default=dict)
    found = models.JSONField(null=True)
    message = models.JSONField(default=dict)
    done = models.BigIntegerField(default=0)
    total = models.BigIntegerField(default=0)
    load_id = models.BigIntegerField(null=True)

    class Meta:
        db_table = "file_upload"
        indexes = [models.Index(fields=["uploaded_by"], name="file_upload_by")]
