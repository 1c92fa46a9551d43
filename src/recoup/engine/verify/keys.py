"""Invariant 2: a key has one effect. Invariant 3, for the joins that no foreign key guards: no orphans."""

from recoup.engine.verify.scene import Finding, Scene, check, expect_none

# What must be one of its kind, by natural key. Keys that are primary keys are guarded by the database itself.
_ONCE = {
    "bill number": ("bill", "bill_no"),
    "item key": ("open_item", "item_key"),
    "item id": ("open_item", "item_id"),
    "entry of an origin": ("entry", "kind, origin_key"),
    "reading billed": ("bill", "reading_key"),
    "run of a day": ("run", "flow, business_on, mode"),
}


@check(2, "the same outside fact had two effects: compare the two rows and cancel one by a reversing row")
def keys_have_one_effect(scene: Scene) -> Finding:
    """One bill per number, one open item per key, one entry per origin, one run per day."""
    doubled = [
        f"SELECT '{what}' AS what, concat_ws('/', {columns}) AS key, count(*) FROM {table} "
        f"WHERE ({columns}) IS NOT NULL GROUP BY {columns} HAVING count(*) > 1"
        for what, (table, columns) in _ONCE.items()
    ]
    items = scene.rows("SELECT count(*) FROM open_item")[0][0]
    told = f"{items:,} item keys, {len(_ONCE)} kinds of key"
    return expect_none(scene, " UNION ALL ".join(doubled), "keys have more than one effect", told)


@check(2, "a contract was acted upon twice: the second action must not go out")
def a_contract_is_acted_upon_once_a_day(scene: Scene) -> Finding:
    """At most one action per contract and day, and each touch of ours and each outcome has its action."""
    wrong = """
        SELECT contract_id, decided_on, 'acted upon ' || count(*) || ' times' FROM action
        GROUP BY 1, 2 HAVING count(*) > 1
        UNION ALL
        SELECT t.contract_id, t.decided_on, 'touch without action' FROM touch t
        LEFT JOIN action a USING (contract_id, decided_on, action_code)
        WHERE t.origin IN ('OWN', 'DESK') AND a.contract_id IS NULL
        UNION ALL
        SELECT o.contract_id, o.decided_on, 'outcome without action' FROM outcome o
        LEFT JOIN action a USING (contract_id, decided_on, action_code) WHERE a.contract_id IS NULL
        UNION ALL
        SELECT t.contract_id, t.decided_on, 'contact of a desk without outcome' FROM touch t
        LEFT JOIN outcome o USING (contract_id, decided_on, action_code)
        WHERE t.origin = 'DESK' AND o.contract_id IS NULL
    """
    actions = scene.rows("SELECT count(*) FROM action")[0][0]
    return expect_none(scene, wrong, "actions or touches are wrong", f"{actions:,} actions")


@check(3, "a row lost its parent: no foreign key guards bulk tables, so look for who wrote it")
def rows_have_their_parents(scene: Scene) -> Finding:
    """No bill, item, payment, posting, allocation or touch without the row it belongs to."""
    orphans = """
        SELECT 'bill line of no bill', l.bill_id::text FROM bill_line l
        LEFT JOIN bill b USING (bill_id, booked_on) WHERE b.bill_id IS NULL
        UNION ALL
        SELECT 'allocation of no credit', a.credit_id::text FROM allocation a
        LEFT JOIN open_item i ON i.item_id = a.credit_id AND i.amount_minor < 0 WHERE i.item_id IS NULL
        UNION ALL
        SELECT 'allocation to no debit', a.debit_id::text FROM allocation a
        LEFT JOIN open_item i ON i.item_id = a.debit_id AND i.amount_minor > 0 WHERE i.item_id IS NULL
        UNION ALL
        SELECT 'late charge of no item', c.item_key FROM open_item c
        LEFT JOIN open_item i ON i.item_id = c.charge_of WHERE c.charge_of IS NOT NULL AND i.item_id IS NULL
        UNION ALL
        SELECT 'touch item of no touch', n.item_key FROM touch_item n
        LEFT JOIN touch t USING (contract_id, decided_on, action_code) WHERE t.contract_id IS NULL
        UNION ALL
        SELECT 'contract of no account or party', c.contract_key FROM contract c
        LEFT JOIN account a USING (account_id) LEFT JOIN party p USING (party_id)
        WHERE a.account_id IS NULL OR p.party_id IS NULL
    """
    of_no_contract = [
        f"SELECT '{table} of no contract', x.contract_id::text FROM {table} x "
        "LEFT JOIN contract c USING (contract_id) WHERE c.contract_id IS NULL"
        for table in ("bill", "open_item", "payment", "entry", "hold", "touch", "action", "service", "agreement")
    ]
    return expect_none(scene, " UNION ALL ".join([orphans, *of_no_contract]), "rows have no parent", "no orphans")


CHECKS = (keys_have_one_effect, a_contract_is_acted_upon_once_a_day, rows_have_their_parents)
