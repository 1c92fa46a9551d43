"""Bills and lines, append-only, partitioned by booked_on."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("book", "0002_partition_maker")]
    operations = [
        schema.create_partitioned(
            "bill",
            """
            bill_id bigint NOT NULL,
            booked_on date NOT NULL,
            bill_no text NOT NULL,
            contract_id bigint NOT NULL,
            service_id bigint,
            period_from date,
            period_to date,
            part integer NOT NULL,
            version integer NOT NULL,
            issued_on date NOT NULL,
            due_on date NOT NULL,
            months bigint,
            energy_wh bigint,
            read_wh bigint,
            energy_source text,
            reading_key text,
            amount_minor bigint NOT NULL,
            denom text NOT NULL,
            run_no bigint,
            recorded_tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
            PRIMARY KEY (bill_id, booked_on)
            """,
            "contract_id",
            "bill_no",
        ),
        schema.create_partitioned(
            "bill_line",
            """
            bill_id bigint NOT NULL,
            line smallint NOT NULL,
            booked_on date NOT NULL,
            component text NOT NULL,
            rule_id text NOT NULL,
            param_id text NOT NULL,
            block smallint NOT NULL,
            quantity bigint NOT NULL,
            price_e8 bigint NOT NULL,
            amount_minor bigint NOT NULL,
            PRIMARY KEY (bill_id, line, booked_on)
            """,
        ),
    ]
