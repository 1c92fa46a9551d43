"""Invariant 1: the ledger balances, and what it says of debts and money is what the open items say."""

from recoup.engine.verify.scene import Finding, Scene, check, expect_none


@check(1, "an entry was written past the ledger's door: find who is the owner of the row's transaction")
def entries_sum_to_zero(scene: Scene) -> Finding:
    """Every entry sums to zero per denom."""
    unbalanced = "SELECT entry_id, denom, sum(amount_minor) FROM posting GROUP BY 1, 2 HAVING sum(amount_minor) <> 0"
    postings = scene.rows("SELECT count(*) FROM posting")[0][0]
    return expect_none(scene, unbalanced, "entries do not sum to zero", f"{postings:,} postings")


@check(1, "a partition was attached or copied in part: compare it with its backup")
def entries_and_postings_belong_together(scene: Scene) -> Finding:
    """Every entry has postings, every posting its entry."""
    torn = """
        SELECT coalesce(e.entry_id, p.entry_id), CASE WHEN e.entry_id IS NULL THEN 'posting without entry'
                                                      ELSE 'entry without posting' END
        FROM entry e FULL JOIN (SELECT DISTINCT entry_id, booked_on FROM posting) p USING (entry_id, booked_on)
        WHERE e.entry_id IS NULL OR p.entry_id IS NULL
    """
    entries = scene.rows("SELECT count(*) FROM entry")[0][0]
    return expect_none(scene, torn, "entries or postings stand alone", f"{entries:,} entries")


@check(1, "the projection is wrong, not the ledger: rebuild `balance` from `posting`")
def balances_are_sums_of_postings(scene: Scene) -> Finding:
    """Every balance of a subject, denom and month is the sum of its postings."""
    different = """
        SELECT subject, denom, month_on, coalesce(b.amount_minor, 0), coalesce(p.amount_minor, 0)
        FROM balance b FULL JOIN (
            SELECT subject, denom, date_trunc('month', booked_on)::date AS month_on, sum(amount_minor) AS amount_minor
            FROM posting GROUP BY 1, 2, 3) p USING (subject, denom, month_on)
        WHERE coalesce(b.amount_minor, 0) <> coalesce(p.amount_minor, 0)
    """
    balances = scene.rows("SELECT count(*) FROM balance")[0][0]
    return expect_none(scene, different, "balances differ from their postings", f"{balances:,} balances")


@check(1, "an item moved without its entry: `recoup why` on one of these contracts shows both")
def receivables_are_open_items(scene: Scene) -> Finding:
    """Per contract, subject and denom: the ledger's balance is what its items have open (debts +, money -)."""
    if not scene.profile.own_ledger:
        return Finding(True, "the ledger of record is kept elsewhere")
    different = """
        SELECT contract_id, subject, denom, coalesce(p.minor, 0), coalesce(o.minor, 0)
        FROM (SELECT i.contract_id, subject, denom, sum(sign(i.amount_minor) * o.open_minor) AS minor
              FROM open_item i JOIN item_open o USING (item_id) GROUP BY 1, 2, 3) o
        FULL JOIN (SELECT contract_id, subject, denom, sum(amount_minor) AS minor FROM posting
              WHERE subject IN (SELECT DISTINCT subject FROM open_item) GROUP BY 1, 2, 3) p
        USING (contract_id, subject, denom)
        WHERE coalesce(p.minor, 0) <> coalesce(o.minor, 0)
    """
    open_items = scene.rows("SELECT count(*), count(DISTINCT contract_id) FROM item_open")[0]
    told = "{:,} open items of {:,} contracts".format(*open_items)
    return expect_none(scene, different, "balances of contracts differ from their open items", told)


CHECKS = (
    entries_sum_to_zero,
    entries_and_postings_belong_together,
    balances_are_sums_of_postings,
    receivables_are_open_items,
)
