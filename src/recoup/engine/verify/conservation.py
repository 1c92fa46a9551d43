"""Invariant 3: what goes in comes out or is refused, never both, never neither; amounts are kept."""

import polars as pl

from recoup.database.bulk import read_rows
from recoup.engine.verify.scene import ClosedDay, Finding, Scene, check, expect_none


@check(3, "rows of a file were lost: load the folder again, it completes")
def files_account_for_every_row(scene: Scene) -> Finding:
    """Rows read = loaded + known + superseding + conflicting + quarantined + skipped, per file that was taken."""
    lost = """
        SELECT load_id, name, rows_read, rows_loaded, rows_known, rows_superseding, rows_conflicting,
               rows_quarantined, rows_skipped
        FROM loaded_file
        WHERE state = 'LOADED' AND rows_read <> rows_loaded + rows_known + rows_superseding + rows_conflicting
                                                + rows_quarantined + rows_skipped
    """
    read, files = scene.rows("SELECT coalesce(sum(rows_read), 0), count(*) FROM loaded_file")[0]
    return expect_none(scene, lost, "files do not account for their rows", f"{read:,} rows of {files:,} files")


@check(3, "a reading was lost between metering and billing: look at its service point's installation and tariff")
def readings_are_billed_or_refused(scene: Scene) -> Finding:
    """Each reading due on a closed day has a bill or an issue, and not both; the first of a register may have none."""
    if scene.last is None:
        return Finding(True, "no day is closed yet")
    if scene.profile.external:
        return Finding(True, "bills come from another system")
    due = _read_due(scene, scene.days[0], scene.last)
    billed = read_rows(
        scene.cursor, "SELECT reading_key FROM bill WHERE reading_key IS NOT NULL", {"reading_key": pl.String()}
    )
    refused = _list_refused(scene, due)
    lost = due.filter(~pl.col("is_opening")).join(billed, on="reading_key", how="anti")
    lost = lost.join(refused, on="reading_key", how="anti")
    both = refused.join(billed, on="reading_key", how="semi")
    told = (
        f"{due.height:,} due = {due.join(billed, on='reading_key', how='semi').height:,} billed + "
        f"{refused.height:,} refused + {_count_openings(due, billed, refused):,} openings"
    )
    if lost.height or both.height:
        first = pl.concat([lost["reading_key"], both["reading_key"]]).head(3).to_list()
        return Finding(False, f"{lost.height:,} neither, {both.height:,} both: {'; '.join(first)} ({told})")
    return Finding(True, told)


def _count_openings(due: pl.DataFrame, billed: pl.DataFrame, refused: pl.DataFrame) -> int:
    left = due.filter("is_opening").join(billed, on="reading_key", how="anti")
    return left.join(refused, on="reading_key", how="anti").height


def _read_due(scene: Scene, first: ClosedDay, last: ClosedDay) -> pl.DataFrame:
    """Latest readings of the closed days that the last cut knew, marked where they only open their register."""
    query = f"""
        SELECT service_point || '/' || meter || '/' || register || '/' || read_on || '/' || part || '/' || source,
               service_point, read_on, part,
               index_from_e4 IS NULL AND (months IS NULL OR stated_wh IS NULL)
                   AND NOT EXISTS (
                       SELECT FROM reading b WHERE (b.service_point, b.meter, b.register)
                           = (r.service_point, r.meter, r.register) AND (b.read_on, b.part) < (r.read_on, r.part))
        FROM (
            SELECT DISTINCT ON (service_point, meter, register, read_on, part, source) * FROM reading
            WHERE read_on BETWEEN %s AND %s AND pg_visible_in_snapshot(recorded_tx, '{last.cut.snapshot}')
            ORDER BY service_point, meter, register, read_on, part, source, version DESC) r
    """
    schema = {
        "reading_key": pl.String(),
        "service_point": pl.String(),
        "read_on": pl.Date(),
        "part": pl.Int64(),
        "is_opening": pl.Boolean(),
    }
    return read_rows(scene.cursor, query, schema, [first.on, last.on])


def _list_refused(scene: Scene, due: pl.DataFrame) -> pl.DataFrame:
    """Readings due that an issue names: by their key, or as the determinant of their service point, day and part."""
    query = "SELECT key, detail, r.business_on FROM run_issue JOIN run r USING (run_no)"
    issues = read_rows(scene.cursor, query, {"key": pl.String(), "detail": pl.String(), "on": pl.Date()})
    named = pl.concat([issues.select(reading_key="key"), issues.select(reading_key="detail")]).unique()
    pieces = pl.col("key").str.split("|")
    rated = issues.filter(pieces.list.len() == 4).select(
        service_point=pieces.list.get(0),
        part=pieces.list.get(3).cast(pl.Int64, strict=False),
        business_on="on",
    )
    by_determinant = due.join(rated, on=["service_point", "part"]).filter(pl.col("business_on") >= pl.col("read_on"))
    by_key = due.join(named, on="reading_key", how="semi")
    return pl.concat([by_key.select("reading_key"), by_determinant.select("reading_key")]).unique()


@check(3, "money was received and not credited, or credited twice: `recoup why ACCOUNT` shows the payment")
def payments_become_credits(scene: Scene) -> Finding:
    """Each payment received on a closed day is one item of its amount, or an issue says why not.

    A credit; a reversal a debit. Items of a day still open are left to its close: their payments are not yet known at
    a closed cut. What a newer version says after the booking is an issue too.
    """
    if scene.last is None:
        return Finding(True, "no day is closed yet")
    different = f"""
        SELECT p.key, p.amount_minor, i.amount_minor FROM (
            SELECT DISTINCT ON (channel, channel_key) channel || ':' || channel_key AS key, version,
                   CASE WHEN reverses IS NULL THEN -amount_minor ELSE amount_minor END AS amount_minor
            FROM payment WHERE received_on <= %s
              AND (run_no IS NOT NULL OR pg_visible_in_snapshot(recorded_tx, '{scene.last.cut.snapshot}'))
            ORDER BY channel, channel_key, version DESC) p
        FULL JOIN (
            SELECT item_key AS key, amount_minor FROM open_item o WHERE origin_kind IN ('PAYMENT', 'PAYMENT_REVERSAL')
            AND NOT EXISTS (SELECT FROM run d WHERE d.run_no = o.run_no AND d.state <> 'DONE')) i USING (key)
        WHERE p.amount_minor IS DISTINCT FROM i.amount_minor
          AND NOT EXISTS (SELECT FROM run_issue u WHERE u.key = p.key || '#' || p.version
                          OR (p.version = 1 AND i.key IS NULL AND u.key = p.key))
    """
    received = scene.rows(
        "SELECT count(*), coalesce(-sum(amount_minor), 0) FROM open_item WHERE origin_kind = 'PAYMENT'"
    )[0]
    told = "{:,} payments of {:,} minor units".format(*received)
    return expect_none(scene, different, "payments differ from their credits", told, [scene.last.on])


@check(3, "more was applied than there was: the group's allocations must be derived again")
def allocations_stay_within_their_items(scene: Scene) -> Finding:
    """What is applied from a credit or to a debit lies between nothing and its amount, within one denom."""
    beyond = """
        SELECT i.item_key, i.amount_minor, a.minor FROM open_item i JOIN (
            SELECT debit_id AS item_id, sum(amount_minor) AS minor FROM allocation GROUP BY 1
            UNION ALL
            SELECT credit_id, -sum(amount_minor) FROM allocation GROUP BY 1) a USING (item_id)
        WHERE a.minor NOT BETWEEN least(i.amount_minor, 0) AND greatest(i.amount_minor, 0)
        UNION ALL
        SELECT d.item_key || ' by ' || c.item_key, d.amount_minor, c.amount_minor FROM allocation a
        JOIN open_item d ON d.item_id = a.debit_id JOIN open_item c ON c.item_id = a.credit_id
        WHERE d.denom <> c.denom
    """
    pieces = scene.rows("SELECT count(*), coalesce(sum(amount_minor), 0) FROM allocation")[0]
    told = "{:,} pieces of {:,} minor units".format(*pieces)
    return expect_none(scene, beyond, "items are over-applied", told)


CHECKS = (
    files_account_for_every_row,
    readings_are_billed_or_refused,
    payments_become_credits,
    allocations_stay_within_their_items,
)
