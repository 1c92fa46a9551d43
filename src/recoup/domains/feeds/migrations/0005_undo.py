"""Taking back a load while nothing stands on it: facts are only appended, so an owner's function does it, whole.

`recoup_list_obstacles` says what stands on a load; `recoup_undo_load` refuses while there is anything, else removes
the rows of the load in the caller's transaction, and keeps the records of the load and of its files as UNDONE.
"""

from django.db import migrations

# What a load brought, by table that carries its number.
_STAMPED = (
    *("org_unit", "party", "account", "contract", "agreement", "service", "installation", "reading", "payment"),
    *("touch", "touch_item", "hold", "imported"),
)
_TOLD = " UNION ".join(f"SELECT recorded_tx FROM {table} WHERE load_id = undone" for table in _STAMPED)

# Something of another load, or of a desk, that names what this load brought: kind, and how it is found.
_OTHERS = {
    "units of accounts": "FROM account o JOIN org_unit m ON m.code = o.org_unit",
    "units below": "FROM org_unit o JOIN org_unit m ON m.code = o.parent",
    "contracts of accounts": "FROM contract o JOIN account m USING (account_id)",
    "contracts of parties": "FROM contract o JOIN party m ON m.party_id IN (o.party_id, o.payer_id)",
    "agreements": "FROM agreement o JOIN contract m USING (contract_id)",
    "service points": "FROM service o JOIN contract m USING (contract_id)",
    "payments": "FROM payment o JOIN contract m USING (contract_id)",
    "holds": "FROM hold o JOIN contract m USING (contract_id)",
    "touches": "FROM touch o JOIN contract m USING (contract_id)",
    "items named by a touch": "FROM touch_item o JOIN touch m USING (contract_id, decided_on, action_code)",
    "installations": "FROM installation o JOIN service m USING (service_point)",
    "readings": "FROM reading o JOIN service m USING (service_point)",
    "reversals of payments": "FROM payment o JOIN payment m ON m.channel = o.channel AND m.channel_key = o.reverses",
    "corrected payments": "FROM payment o JOIN payment m ON (o.channel, o.channel_key) = (m.channel, m.channel_key) "
    "AND o.version > m.version",
    "corrected holds": "FROM hold o JOIN hold m ON o.hold_key = m.hold_key AND o.version > m.version",
    "holds of items": "FROM hold o JOIN imported m ON m.entity = 'open_items' AND m.key = o.item_key",
    "corrected service points": "FROM service o JOIN service m ON (o.service_point, o.valid_from) = "
    "(m.service_point, m.valid_from) AND o.version > m.version",
    "corrected readings": "FROM reading o JOIN reading m ON (o.service_point, o.meter, o.register, o.read_on, o.part, "
    "o.source) = (m.service_point, m.meter, m.register, m.read_on, m.part, m.source) AND o.version > m.version",
    "corrected installations": "FROM installation o JOIN installation m ON (o.service_point, o.meter, o.register, "
    "o.valid_from) = (m.service_point, m.meter, m.register, m.valid_from) AND o.version > m.version",
}
_NAMED = "\n".join(
    f"""
    UNION ALL
    SELECT 'ROWS', '{what}' || coalesce(' (load ' || string_agg(DISTINCT o.load_id::text, ', ') || ')', '')
    {query} WHERE m.load_id = undone AND o.load_id IS DISTINCT FROM undone HAVING count(*) > 0
    """
    for what, query in _OTHERS.items()
)

_OBSTACLES = f"""
    CREATE FUNCTION recoup_list_obstacles(undone bigint) RETURNS TABLE (kind text, detail text)
    LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
    WITH told AS MATERIALIZED ({_TOLD})
    SELECT 'RUN', min(r.business_on)::text FROM run r JOIN cut c USING (cut_no)
    WHERE EXISTS (SELECT 1 FROM told WHERE pg_visible_in_snapshot(told.recorded_tx, c.snapshot::pg_snapshot))
    HAVING count(*) > 0
    UNION ALL
    SELECT 'CUTOFF', min(c.business_on)::text FROM cutoff c
    WHERE EXISTS (SELECT 1 FROM told WHERE pg_visible_in_snapshot(told.recorded_tx, c.snapshot::pg_snapshot))
    HAVING count(*) > 0
    UNION ALL
    SELECT 'LOAD', string_agg(l.load_id::text, ', ' ORDER BY l.load_id DESC) FROM feed_load l
    WHERE l.load_id > undone AND l.state <> 'UNDONE' AND EXISTS (
        SELECT 1 FROM loaded_file f JOIN loaded_file m ON m.load_id = undone AND m.entity = f.entity
        WHERE f.load_id = l.load_id AND f.state = 'LOADED' AND m.rows_loaded + m.rows_superseding > 0
          AND f.rows_known + f.rows_superseding > 0)
    HAVING count(*) > 0
    UNION ALL
    SELECT 'ROWS', 'credited payments' WHERE EXISTS (
        SELECT 1 FROM payment m JOIN open_item i ON i.item_key = m.channel || ':' || m.channel_key
        WHERE m.load_id = undone)
    UNION ALL
    SELECT 'ROWS', 'allocated items' WHERE EXISTS (
        SELECT 1 FROM imported m JOIN allocation a ON m.row_id IN (a.debit_id, a.credit_id)
        WHERE m.load_id = undone AND m.entity IN ('open_items', 'credits'))
    UNION ALL
    SELECT 'ROWS', 'items and bills' WHERE EXISTS (
        SELECT 1 FROM contract m JOIN open_item i USING (contract_id)
        WHERE m.load_id = undone AND NOT EXISTS (
            SELECT 1 FROM imported o WHERE o.row_id = i.item_id AND o.load_id = undone))
    {_NAMED}
    $$;
    REVOKE ALL ON FUNCTION recoup_list_obstacles(bigint) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION recoup_list_obstacles(bigint) TO recoup_app, recoup_reader;
"""

_MINE = "SELECT row_id FROM imported WHERE load_id = undone AND entity IN ('open_items', 'credits')"
_REMOVED = "\n".join(f"DELETE FROM {table} WHERE load_id = undone;" for table in _STAMPED)

_UNDO = f"""
    CREATE FUNCTION recoup_undo_load(undone bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    DECLARE
        stands record;
        was feed_load;
    BEGIN
        IF NOT pg_try_advisory_xact_lock(hashtext('recoup.load')) THEN
            RAISE EXCEPTION 'another load is running' USING ERRCODE = 'lock_not_available';
        END IF;
        IF NOT pg_try_advisory_xact_lock(hashtext('recoup_cycle')) THEN
            RAISE EXCEPTION 'a cycle is running' USING ERRCODE = 'lock_not_available';
        END IF;
        SELECT * INTO was FROM feed_load WHERE load_id = undone FOR UPDATE;
        IF NOT FOUND OR was.state = 'UNDONE' THEN
            RAISE EXCEPTION 'load % is not there, or undone already', undone USING ERRCODE = 'no_data_found';
        END IF;
        FOR stands IN SELECT * FROM recoup_list_obstacles(undone) LOOP
            RAISE EXCEPTION 'load % is built on: % %', undone, stands.kind, stands.detail
                USING ERRCODE = 'dependent_objects_still_exist';
        END LOOP;
        UPDATE balance b SET amount_minor = b.amount_minor - gone.amount_minor
        FROM (SELECT subject, denom, date_trunc('month', booked_on)::date AS month_on, sum(amount_minor) AS amount_minor
              FROM posting WHERE entry_id IN ({_MINE}) GROUP BY 1, 2, 3) gone
        WHERE (b.subject, b.denom, b.month_on) = (gone.subject, gone.denom, gone.month_on);
        DELETE FROM posting WHERE entry_id IN ({_MINE});
        DELETE FROM entry WHERE entry_id IN ({_MINE});
        DELETE FROM item_open WHERE item_id IN ({_MINE});
        DELETE FROM open_item WHERE item_id IN ({_MINE});
        DELETE FROM bill WHERE bill_id IN (SELECT row_id FROM imported WHERE load_id = undone AND entity = 'bills');
        DELETE FROM party_secret WHERE party_id IN (SELECT party_id FROM party WHERE load_id = undone);
        {_REMOVED}
        UPDATE quarantine q SET load_id = (
            SELECT min(f.load_id) FROM loaded_file f JOIN feed_load l USING (load_id)
            WHERE f.sha256 = q.file_sha256 AND f.load_id <> undone AND l.state <> 'UNDONE')
        WHERE q.load_id = undone AND EXISTS (
            SELECT 1 FROM loaded_file f JOIN feed_load l USING (load_id)
            WHERE f.sha256 = q.file_sha256 AND f.load_id <> undone AND l.state <> 'UNDONE');
        DELETE FROM quarantine WHERE load_id = undone;
        DELETE FROM conflict WHERE load_id = undone;
        UPDATE loaded_file SET state = 'UNDONE' WHERE load_id = undone AND state = 'LOADED';
        UPDATE feed_load SET state = 'UNDONE', finished_at = coalesce(finished_at, now()) WHERE load_id = undone;
        UPDATE feed f SET
            watermark_at = (SELECT max(l.as_of_at) FROM feed_load l
                            WHERE l.feed = f.code AND l.state = 'COMPLETE' AND l.watched),
            simulated = coalesce((SELECT bool_or(l.simulated) FROM feed_load l
                                  WHERE l.feed = f.code AND l.state <> 'UNDONE'), f.simulated)
        WHERE f.code = was.feed;
    END $$;
    REVOKE ALL ON FUNCTION recoup_undo_load(bigint) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION recoup_undo_load(bigint) TO recoup_app;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("feeds", "0004_file_mapping"),
        ("analytics", "0001_initial"),
        ("billing", "0002_partitioned"),
        ("collection", "0001_initial"),
        ("contracts", "0001_initial"),
        ("engine", "0001_initial"),
        ("ledger", "0002_partitioned"),
        ("metering", "0001_initial"),
        ("network", "0001_initial"),
        ("parties", "0001_initial"),
        ("payments", "0004_reverses"),
        ("receivables", "0003_desk_holds"),
    ]
    operations = [
        migrations.RunSQL(_OBSTACLES, "DROP FUNCTION recoup_list_obstacles(bigint)"),
        migrations.RunSQL(_UNDO, "DROP FUNCTION recoup_undo_load(bigint)"),
    ]
