"""A hold may come from a desk instead of a file: then no load stands behind it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("receivables", "0002_partitioned")]
    operations = [
        migrations.AlterField(model_name="hold", name="load_id", field=models.BigIntegerField(null=True)),
    ]
