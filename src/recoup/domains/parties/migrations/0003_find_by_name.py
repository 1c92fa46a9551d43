"""Parties are found by the beginning of their name."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("parties", "0002_grants")]
    operations = [
        migrations.AddIndex(
            model_name="party",
            index=models.Index(fields=["name"], opclasses=["text_pattern_ops"], name="party_name"),
        )
    ]
