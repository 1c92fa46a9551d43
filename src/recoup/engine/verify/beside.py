"""Invariant 11: beside a system of record nothing of ours is posted or charged, and nothing is done on old facts."""

from datetime import date, datetime

from recoup.engine.freshness import feed_ages
from recoup.engine.verify.scene import ClosedDay, Finding, Scene, check, expect_none


@check(11, "a mirrored book holds rows of its own: its modes were changed after runs; start a new book")
def a_mirrored_book_posts_nothing(scene: Scene) -> Finding:
    """In external mode no run made a bill, an entry, a posting or a late charge."""
    if not scene.profile.external:
        return Finding(True, "this book keeps the record itself")
    ours = """
        SELECT 'entry', origin_key FROM entry WHERE run_no IS NOT NULL
        UNION ALL SELECT 'bill', bill_no FROM bill WHERE run_no IS NOT NULL
        UNION ALL SELECT 'charge', item_key FROM open_item
                  WHERE run_no IS NOT NULL AND origin_kind IN ('BILL', 'CHARGE', 'CHARGE_CREDIT')
        UNION ALL SELECT 'posting', entry_id::text FROM posting
    """
    return expect_none(scene, ours, "rows of our own stand in a mirrored book", "nothing of ours is posted")


@check(11, "someone was contacted on old facts: withdraw the action, and load the feed")
def nothing_is_done_on_a_stale_feed(scene: Scene) -> Finding:
    """In external mode no action was decided on a day whose oldest feed was older than the action's limit."""
    if not scene.profile.external:
        return Finding(True, "this book feeds itself")
    acted = scene.rows("SELECT run_no, action_code, count(*) FROM action GROUP BY 1, 2")
    days = {day.run_no: day for day in scene.days}
    stale = [
        f"{days[run_no].on} {code} ({count:,})"
        for run_no, code, count in acted
        if run_no in days and not _is_fresh(scene, days[run_no], code)
    ]
    if stale:
        return Finding(False, f"{len(stale)} days with actions on a stale feed, first: {stale[0]}")
    return Finding(True, f"{sum(row[2] for row in acted):,} actions, all on fresh feeds")


def _limit_hours(scene: Scene, on: date, action_code: str) -> int:
    """Hours of an action on a day; one that several strategies know counts with the longest."""
    rungs = [rung for each in scene.rules.at(on).strategies for rung in each.rungs]
    return max((rung.feed_limit_hours for rung in rungs if rung.action_code == action_code), default=0)


def _is_fresh(scene: Scene, day: ClosedDay, action_code: str) -> bool:
    marks = {code: datetime.fromisoformat(mark) for code, mark in day.feeds.items()}
    ages = feed_ages(marks, day.on, scene.profile.timezone)
    return bool(ages) and max(ages.values()) <= _limit_hours(scene, day.on, action_code)


CHECKS = (a_mirrored_book_posts_nothing, nothing_is_done_on_a_stale_feed)
