"""The payments of a contract are found without reading them all."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("payments", "0002_grants")]
    operations = [
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["contract_id"], name="payment_contract"),
        )
    ]
