"""Touches and actions are facts; episodes and roll-ups are projections."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("collection", "0001_initial"), ("book", "0002_partition_maker")]
    operations = [
        schema.grant_facts("action", "touch", "touch_item", "enrolment"),
        schema.grant_projections("episode", "rollup"),
    ]
