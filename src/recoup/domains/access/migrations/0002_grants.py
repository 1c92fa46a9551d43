"""Staff and sessions may change; nobody who only reads sees a password's hash or a session."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("access", "0001_initial"), ("sessions", "0001_initial")]
    operations = [
        schema.grant_projections("staff", "django_session"),
        migrations.RunSQL("REVOKE ALL ON staff, django_session FROM recoup_reader", migrations.RunSQL.noop),
    ]
