"""`recoup verify`: every invariant of the design read again from what is stored (design §5: 1-6, 8, 9, 11, 12)."""

from collections.abc import Callable, Iterator

from recoup.core.rules import Rules
from recoup.database.connect import connect
from recoup.engine.cycle import Profile
from recoup.engine.verify import (
    beside,
    conservation,
    decisions,
    figures,
    keys,
    lake_files,
    ledger,
    lines,
    projections,
    rederivation,
)
from recoup.engine.verify.scene import LAST_RUNS, SAMPLE_GROUPS, Check, Finding, Scene, read_days

CHECKS: tuple[Check, ...] = (
    *ledger.CHECKS,
    *keys.CHECKS,
    *conservation.CHECKS,
    *lake_files.CHECKS,
    *rederivation.CHECKS,
    *lines.CHECKS,
    *decisions.CHECKS,
    *projections.CHECKS,
    *beside.CHECKS,
    *figures.CHECKS,
)

__all__ = ["CHECKS", "Check", "Finding", "Scene", "run_checks"]


def run_checks(
    rules: Rules,
    profile: Profile,
    *,
    everything: bool = False,
    begin: Callable[[Check], None] = lambda _: None,
) -> Iterator[tuple[Check, Finding]]:
    """Run every check as the reader under one snapshot of the database; `begin` is told before each.

    `everything` reads all runs and all settlement groups again, not only the last runs and a sample.
    """
    with connect("reader") as connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        # Every check reads whole tables, perhaps just filled and without statistics: nested loops are never meant.
        cursor.execute("SET LOCAL enable_nestloop = off; SET LOCAL work_mem = '128MB'")
        depth = (None, None) if everything else (LAST_RUNS, SAMPLE_GROUPS)
        scene = Scene(cursor, rules, profile, read_days(cursor), *depth)
        for each in CHECKS:
            begin(each)
            yield each, each.find(scene)
