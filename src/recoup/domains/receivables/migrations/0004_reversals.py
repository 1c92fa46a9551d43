"""Which receipt was taken back, found from the receipt: reversals are few, and the index holds only them."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("receivables", "0003_desk_holds")]
    operations = [
        migrations.RunSQL(
            "CREATE INDEX open_item_reversal ON open_item (designation) WHERE origin_kind = 'PAYMENT_REVERSAL'",
            "DROP INDEX open_item_reversal",
        ),
    ]
