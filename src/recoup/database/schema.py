"""Building blocks of migrations: grants by kind of table, and tables partitioned by the month of `booked_on`.

Facts are inserted and read; projections, runs and queues may also change. Partitions belong to the owner: the
application reaches them through their parent only.
"""

from django.db import migrations

_PARTITIONED = "recoup_partitioned"


def grant_facts(*tables: str) -> migrations.RunSQL:
    """Let the application insert and read these tables, never update, delete or truncate them."""
    return _grant("SELECT, INSERT", tables)


def grant_projections(*tables: str) -> migrations.RunSQL:
    """Let the application also update and delete rows of these tables."""
    return _grant("SELECT, INSERT, UPDATE, DELETE", tables)


def _grant(privileges: str, tables: tuple[str, ...]) -> migrations.RunSQL:
    statements = [f"GRANT {privileges} ON {table} TO recoup_app" for table in tables]
    statements.append("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO recoup_app")
    return migrations.RunSQL(";\n".join(statements), migrations.RunSQL.noop)


def create_partitioned(table: str, columns: str, *indexes: str) -> migrations.RunSQL:
    """Create a fact table partitioned by the month of `booked_on`, with its indexes, and let the app append to it."""
    made = "\n".join(f"CREATE INDEX ON {table} ({index});" for index in indexes)
    return migrations.RunSQL(
        f"""
        CREATE TABLE {table} ({columns}) PARTITION BY RANGE (booked_on);
        {made}
        INSERT INTO {_PARTITIONED} (table_name) VALUES ('{table}');
        GRANT SELECT, INSERT ON {table} TO recoup_app;
        """,
        f"DROP TABLE {table}",
    )


CREATE_PARTITION_MAKER = migrations.RunSQL(
    f"""
    CREATE TABLE {_PARTITIONED} (table_name text PRIMARY KEY);
    CREATE FUNCTION recoup_make_partitions(day date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        month_from date := date_trunc('month', day);
        month_to date := date_trunc('month', day) + interval '1 month';
        parent text;
        child text;
    BEGIN
        PERFORM pg_advisory_xact_lock(hashtext('recoup_make_partitions'));
        FOR parent IN SELECT table_name FROM {_PARTITIONED} ORDER BY table_name LOOP
            child := parent || '_' || to_char(month_from, 'YYYYMM');
            IF to_regclass(child) IS NULL THEN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                               child, parent, month_from, month_to);
            END IF;
        END LOOP;
    END $$;
    REVOKE ALL ON FUNCTION recoup_make_partitions(date) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION recoup_make_partitions(date) TO recoup_app;
    """,
    "DROP FUNCTION recoup_make_partitions(date); DROP TABLE recoup_partitioned",
)

# Autovacuum gathers statistics of partitions but never of their parents; without them joins are planned blindly.
CREATE_ANALYZER = migrations.RunSQL(
    f"""
    CREATE FUNCTION recoup_analyze() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        parent text;
    BEGIN
        FOR parent IN SELECT table_name FROM {_PARTITIONED} ORDER BY table_name LOOP
            EXECUTE format('ANALYZE %I', parent);
        END LOOP;
    END $$;
    REVOKE ALL ON FUNCTION recoup_analyze() FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION recoup_analyze() TO recoup_app;
    """,
    "DROP FUNCTION recoup_analyze()",
)
