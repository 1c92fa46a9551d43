"""Cuts and issues are facts; runs and slices move through their states."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("engine", "0001_initial"), ("book", "0002_partition_maker")]
    operations = [
        schema.grant_facts("cut", "run_issue"),
        schema.grant_projections("run", "slice"),
    ]
