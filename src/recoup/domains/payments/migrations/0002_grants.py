"""Facts are appended and read by the application, never changed."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("payments", "0001_initial"), ("book", "0002_partition_maker")]
    operations = [
        schema.grant_facts("payment"),
    ]
