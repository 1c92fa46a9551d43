"""Keys of imported bills, items and credits, and the ids that loads give to derived rows."""

from django.db import migrations, models

import recoup.database.fields
from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("feeds", "0002_grants")]

    operations = [
        migrations.CreateModel(
            name="Imported",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "entity", "key", "version", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("entity", models.TextField()),
                ("key", models.TextField()),
                ("version", models.IntegerField(default=1)),
                ("row_id", models.BigIntegerField()),
                ("row_no", models.BigIntegerField()),
                ("content_hash", models.BigIntegerField()),
                ("load_id", models.BigIntegerField()),
                (
                    "recorded_tx",
                    recoup.database.fields.RecordedTxField(
                        db_default=recoup.database.fields.CurrentTransaction(), editable=False
                    ),
                ),
            ],
            options={"db_table": "imported"},
        ),
        # Ids of derived rows that a load makes lie below those of the first run (2^40).
        migrations.RunSQL(
            "CREATE SEQUENCE derived_id AS bigint START 1 MAXVALUE 1099511627775", "DROP SEQUENCE derived_id"
        ),
        schema.grant_facts("imported"),
    ]
