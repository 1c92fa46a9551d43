"""Open items and allocations, append-only, partitioned by booked_on; what is open is a projection."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("receivables", "0001_initial"), ("book", "0002_partition_maker")]
    operations = [
        schema.create_partitioned(
            "open_item",
            """
            item_id bigint NOT NULL,
            booked_on date NOT NULL,
            item_key text NOT NULL,
            origin_kind text NOT NULL,
            contract_id bigint NOT NULL,
            component text NOT NULL,
            subject text NOT NULL,
            denom text NOT NULL,
            amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
            issued_on date NOT NULL,
            value_on date NOT NULL,
            due_on date,
            overdue_from_on date,
            period_from date,
            charge_of bigint,
            designation bigint,
            state text,
            run_no bigint,
            recorded_tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
            PRIMARY KEY (item_id, booked_on)
            """,
            "contract_id",
            "item_key",
        ),
        schema.create_partitioned(
            "allocation",
            """
            group_id bigint NOT NULL,
            seq bigint NOT NULL,
            line integer NOT NULL,
            booked_on date NOT NULL,
            contract_id bigint NOT NULL,
            credit_id bigint NOT NULL,
            debit_id bigint NOT NULL,
            amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
            value_on date NOT NULL,
            rule text NOT NULL,
            recorded_tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
            PRIMARY KEY (group_id, seq, line, booked_on)
            """,
            "contract_id",
        ),
        schema.grant_facts("hold"),
        schema.grant_projections("item_open"),
    ]
