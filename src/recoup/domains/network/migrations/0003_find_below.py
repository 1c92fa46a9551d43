"""The units below a unit are found without reading them all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("network", "0002_grants")]
    operations = [
        migrations.AddIndex(
            model_name="orgunit",
            index=models.Index(fields=["parent"], name="org_unit_parent"),
        )
    ]
