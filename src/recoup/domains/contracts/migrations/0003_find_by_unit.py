"""The accounts of a unit are found without reading them all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("contracts", "0002_grants")]
    operations = [
        migrations.AddIndex(
            model_name="account",
            index=models.Index(fields=["org_unit", "account_no"], name="account_unit"),
        )
    ]
