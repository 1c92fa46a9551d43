"""Files dropped into the console, and how far their preview or load is."""

from django.db import migrations, models

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("feeds", "0005_undo")]

    operations = [
        migrations.CreateModel(
            name="FileUpload",
            fields=[
                ("upload_id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.TextField()),
                ("size", models.BigIntegerField()),
                ("uploaded_by", models.TextField()),
                ("uploaded_at", models.DateTimeField(auto_now_add=True)),
                ("task", models.TextField()),
                ("state", models.TextField()),
                ("started_at", models.DateTimeField(null=True)),
                ("said", models.JSONField(default=dict)),
                ("found", models.JSONField(null=True)),
                ("message", models.JSONField(default=dict)),
                ("done", models.BigIntegerField(default=0)),
                ("total", models.BigIntegerField(default=0)),
                ("load_id", models.BigIntegerField(null=True)),
            ],
            options={
                "db_table": "file_upload",
                "indexes": [models.Index(fields=["uploaded_by"], name="file_upload_by")],
            },
        ),
        schema.grant_projections("file_upload"),
    ]
