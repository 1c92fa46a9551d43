"""What people did is appended and read, never changed."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [schema.grant_facts("audit_event")]
