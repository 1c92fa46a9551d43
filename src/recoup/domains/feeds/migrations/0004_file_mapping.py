"""How the sheets of clerks are read, remembered by shape; loads that do not make their feed younger."""

from django.db import migrations, models

import recoup.database.fields
from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("feeds", "0003_imports")]

    operations = [
        migrations.CreateModel(
            name="FileMapping",
            fields=[
                ("mapping_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("feed", models.TextField()),
                ("shape", models.TextField()),
                ("version", models.IntegerField()),
                ("mapping", models.JSONField()),
                ("headings", models.JSONField()),
                ("withdrawn", models.BooleanField(default=False)),
                ("who", models.TextField()),
                ("recorded_at", models.DateTimeField(auto_now_add=True)),
                (
                    "recorded_tx",
                    recoup.database.fields.RecordedTxField(
                        db_default=recoup.database.fields.CurrentTransaction(), editable=False
                    ),
                ),
            ],
            options={
                "db_table": "file_mapping",
                "indexes": [models.Index(fields=["shape"], name="file_mapping_shape")],
                "constraints": [
                    models.UniqueConstraint(fields=("feed", "shape", "version"), name="file_mapping_one_version")
                ],
            },
        ),
        schema.grant_facts("file_mapping"),
        migrations.AddField(
            model_name="feedload",
            name="watched",
            field=models.BooleanField(db_default=True),
        ),
    ]
