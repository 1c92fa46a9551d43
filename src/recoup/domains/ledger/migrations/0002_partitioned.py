"""Entries and postings, append-only; the database itself refuses an entry that does not sum to zero."""

from django.db import migrations

from recoup.database import schema


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("book", "0002_partition_maker")]
    operations = [
        schema.create_partitioned(
            "entry",
            """
            entry_id bigint NOT NULL,
            booked_on date NOT NULL,
            kind text NOT NULL,
            origin_key text NOT NULL,
            contract_id bigint NOT NULL,
            value_on date NOT NULL,
            run_no bigint,
            reverses bigint,
            recorded_tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
            PRIMARY KEY (entry_id, booked_on)
            """,
        ),
        schema.create_partitioned(
            "posting",
            """
            entry_id bigint NOT NULL,
            line smallint NOT NULL,
            booked_on date NOT NULL,
            subject text NOT NULL,
            contract_id bigint NOT NULL,
            denom text NOT NULL,
            amount_minor bigint NOT NULL CHECK (amount_minor <> 0),
            PRIMARY KEY (entry_id, line, booked_on)
            """,
            "contract_id",
        ),
        migrations.RunSQL(
            """
            CREATE FUNCTION posting_sums_to_zero() RETURNS trigger LANGUAGE plpgsql AS $$
            DECLARE
                unbalanced bigint;
            BEGIN
                SELECT entry_id INTO unbalanced FROM arrived
                GROUP BY entry_id, denom HAVING sum(amount_minor) <> 0 LIMIT 1;
                IF FOUND THEN
                    RAISE EXCEPTION 'entry % does not sum to zero: send all postings of an entry in one statement', unbalanced
                        USING ERRCODE = 'check_violation';
                END IF;
                RETURN NULL;
            END $$;
            CREATE TRIGGER posting_sums_to_zero AFTER INSERT ON posting
                REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION posting_sums_to_zero();
            """,
            "DROP TRIGGER posting_sums_to_zero ON posting; DROP FUNCTION posting_sums_to_zero()",
        ),
        schema.grant_projections("balance"),
    ]
