"""Bills paid late count in the month of the day they were paid, as pieces say it now: money told late moved them.

The first release counted them on the day of the booking and never corrected a count.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("collection", "0003_outcome"), ("receivables", "0002_partitioned")]
    operations = [
        migrations.RunSQL(
            """
            UPDATE rollup SET late_bills = 0, days_late = 0 WHERE late_bills <> 0 OR days_late <> 0;
            INSERT INTO rollup (contract_id, month_on, bills, late_bills, days_late, max_overdue_minor, contacts)
            SELECT contract_id, date_trunc('month', paid_on)::date, 0, count(*), sum(paid_on - due_on), 0, 0
            FROM (
                SELECT i.contract_id, i.due_on, max(a.value_on) AS paid_on FROM open_item i JOIN (
                    SELECT debit_id, value_on, sum(amount_minor) AS minor FROM allocation GROUP BY 1, 2
                    HAVING sum(amount_minor) <> 0) a ON a.debit_id = i.item_id
                WHERE i.amount_minor > 0 AND i.charge_of IS NULL
                GROUP BY i.contract_id, i.item_id, i.due_on, i.amount_minor
                HAVING sum(a.minor) = i.amount_minor AND max(a.value_on) > i.due_on) late
            GROUP BY 1, 2
            ON CONFLICT (contract_id, month_on)
            DO UPDATE SET late_bills = EXCLUDED.late_bills, days_late = EXCLUDED.days_late;
            """,
            migrations.RunSQL.noop,
        ),
    ]
