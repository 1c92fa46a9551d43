"""The partition maker, and what the application may do with the book."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("book", "0001_initial")]
    operations = [
        schema.CREATE_PARTITION_MAKER,
        schema.CREATE_ANALYZER,
        schema.grant_facts("book"),
        schema.grant_projections("function_mode"),
    ]
