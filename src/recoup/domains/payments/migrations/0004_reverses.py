"""A payment row may take back an earlier payment of its channel."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0003_find_by_contract")]
    operations = [
        migrations.AddField(model_name="payment", name="reverses", field=models.TextField(null=True)),
    ]
