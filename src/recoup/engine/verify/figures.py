"""Invariant 12: a signed figure never changes, and what is known otherwise since is explained fact by fact.

What reads figures knows who may see which unit, and so needs Django's models: imported when a check is made.
"""

from typing import TYPE_CHECKING

import polars as pl

from recoup.core.indicators import SUMS
from recoup.engine import lake
from recoup.engine.verify.scene import Finding, Scene, check

if TYPE_CHECKING:
    from recoup.domains.analytics.queries import Signed

_LAST = 3


@check(12, "signed figures were changed by hand: restore `cutoff` and `cutoff_figure` from a backup")
def cutoffs_are_as_they_were_signed(scene: Scene) -> Finding:
    """The figures of each cut-off have the hash they were signed with."""
    from recoup.engine.indicator_sheet import hash_figures

    signed = _read_signed(scene)
    broken = [
        each.business_on
        for each in signed
        if hash_figures(_read_figures(scene, "cutoff_figure", each), each.business_on) != each.content_hash
    ]
    if broken:
        return Finding(False, f"{len(broken)} cut-offs are not as signed, first: {broken[0]}")
    return Finding(True, f"{len(signed):,} signed cut-offs")


@check(12, "rows were changed or lost after the signature: `recoup cutoff show DAY` tells how much; restore a backup")
def differences_are_explained(scene: Scene) -> Finding:
    """What is known of a signed day differs from the signed figures by the facts told since, and by nothing else."""
    signed = _read_signed(scene)
    looked_at = signed if scene.runs is None else signed[:_LAST]
    wrong, told = [], 0
    for each in looked_at:
        lost, facts = _compare(scene, each)
        told += facts
        wrong += [f"{each.business_on} {name} {minor} minor units" for name, minor in lost.items() if minor]
    if wrong:
        return Finding(False, f"{len(wrong)} differences without a fact, first: {wrong[0]}")
    return Finding(True, f"{len(looked_at):,} of {len(signed):,} cut-offs compared, {told:,} facts told since")


def _compare(scene: Scene, signed: "Signed") -> tuple[dict[str, int], int]:
    """What of each base's difference no fact makes (minor units), and how many facts were told."""
    from recoup.engine.differences import list_differences, sum_effects
    from recoup.engine.figures_known import View, sum_debts
    from recoup.engine.indicator_sheet import share_by

    view = View(signed.business_on, signed.denom)
    reported = share_by(_read_figures(scene, "cutoff_figure", signed)).row(0, named=True)
    known = share_by(sum_debts(scene.cursor, view)).row(0, named=True)
    facts = list_differences(scene.cursor, view, signed.snapshot)
    effects = sum_effects(facts)
    return {name: known[name] - reported[name] - effects[name] for name in SUMS}, facts.height


@check(12, "the prepared sums do not follow from the book: `recoup figures prepare` makes them again")
def prepared_sums_follow_from_the_book(scene: Scene) -> Finding:
    """The newest prepared day, summed again as known then, is what was prepared."""
    from recoup.domains.access.scope import Scope
    from recoup.domains.analytics.queries import Prepared, read_figures
    from recoup.engine.figures_known import View, sum_figures
    from recoup.engine.indicator_sheet import hash_figures

    rows = scene.rows(f"SELECT {', '.join(Prepared._fields)} FROM figure_day ORDER BY business_on DESC LIMIT 1")
    if not rows:
        return Finding(True, "no day is prepared")
    day = Prepared(*rows[0])
    stored = read_figures(scene.cursor, "figure_sheet", day.business_on, Scope.EVERYTHING)
    if hash_figures(stored, day.business_on) != day.content_hash:
        return Finding(False, f"the sums of {day.business_on} were changed after they were prepared")
    files = [row[0] for row in scene.rows("SELECT file FROM slice WHERE run_no = %s ORDER BY slice_no", [day.run_no])]
    if not all((lake.lake_folder() / file).is_file() for file in files):
        return Finding(False, f"decisions of {day.business_on} are missing, its stages cannot be counted again")
    first_on = scene.days[0].on if scene.days else None
    again = sum_figures(scene.cursor, View(day.business_on, day.denom, day.snapshot), files, first_on)
    if not again.equals(stored):
        return Finding(False, f"the sums of {day.business_on} are others when summed again")
    return Finding(True, f"{stored.height:,} sums of {day.business_on} summed again")


def _read_signed(scene: Scene) -> "list[Signed]":
    from recoup.domains.analytics.queries import Signed

    rows = scene.rows(f"SELECT {', '.join(Signed._fields)} FROM cutoff ORDER BY business_on DESC")
    return [Signed(*row) for row in rows]


def _read_figures(scene: Scene, table: str, signed: "Signed") -> pl.DataFrame:
    from recoup.domains.access.scope import Scope
    from recoup.domains.analytics.queries import read_figures

    return read_figures(scene.cursor, table, signed.business_on, Scope.EVERYTHING)


CHECKS = (cutoffs_are_as_they_were_signed, differences_are_explained, prepared_sums_follow_from_the_book)
