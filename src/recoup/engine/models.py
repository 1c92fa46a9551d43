"""Cuts, runs, slices and their issues."""

from django.db import models


class Cut(models.Model):
    """A known-as-of: a business date and the snapshot that says which facts were told by then."""

    cut_no = models.BigAutoField(primary_key=True)
    business_on = models.DateField()
    snapshot = models.TextField()
    made_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "cut"


class Run(models.Model):
    """One row per run of a flow on a business day. It names one cut for good."""

    run_no = models.BigAutoField(primary_key=True)
    flow = models.TextField()
    business_on = models.DateField()
    cut_no = models.BigIntegerField()
    rulebook_hash = models.TextField()
    code_version = models.TextField()
    mode = models.TextField()
    state = models.TextField()
    feeds = models.JSONField()
    content_hash = models.TextField(null=True)
    started_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "run"
        constraints = [
            models.UniqueConstraint(fields=["flow", "business_on", "mode"], name="run_once_a_day"),
        ]


class Slice(models.Model):
    """One row per slice: a contiguous range of `group_id`, with its lease, fence, id block and outcome."""

    pk = models.CompositePrimaryKey("run_no", "slice_no")
    run_no = models.BigIntegerField()
    slice_no = models.SmallIntegerField()
    group_from = models.BigIntegerField()
    group_to = models.BigIntegerField()
    state = models.TextField()
    attempts = models.IntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    id_from = models.BigIntegerField()
    keys_in = models.BigIntegerField(null=True)
    keys_out = models.BigIntegerField(null=True)
    issues = models.BigIntegerField(null=True)
    file = models.TextField(null=True)
    content_hash = models.TextField(null=True)

    class Meta:
        db_table = "slice"


class RunIssue(models.Model):
    """One row per input key that a run refused, and why."""

    issue_id = models.BigAutoField(primary_key=True)
    run_no = models.BigIntegerField()
    slice_no = models.SmallIntegerField()
    contract_id = models.BigIntegerField(null=True)
    kind = models.TextField()
    key = models.TextField()
    field = models.TextField()
    detail = models.TextField()

    class Meta:
        db_table = "run_issue"
