"""Quarantine and conflicts are facts; the state of feeds and loads changes."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("feeds", "0001_initial"), ("book", "0002_partition_maker")]
    operations = [
        schema.grant_facts("quarantine", "conflict"),
        schema.grant_projections("feed", "feed_load", "loaded_file"),
    ]
