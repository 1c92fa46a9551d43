"""What a demonstration shows of figures: targets that are nearly met, and a month end that is signed."""

from datetime import date, timedelta

TARGETS_PPM = {"current": 985_000, "cumulative": 985_000, "prior": 600_000}


def ensure_figures(start: date, end: date) -> None:
    """Set the targets of the whole book and sign the last month end before `end`, where neither was done yet."""
    from recoup.database.connect import connect
    from recoup.domains.access.models import WHOLE_BOOK
    from recoup.domains.analytics.operations import set_target
    from recoup.domains.analytics.queries import find_cutoff, list_targets
    from recoup.engine.cutoffs import sign
    from recoup.engine.profile import read_rules

    with connect("app") as connection:
        if not list_targets(connection):
            with connection.cursor() as cursor:
                for measure, share_ppm in TARGETS_PPM.items():
                    set_target(
                        cursor, unit=WHOLE_BOOK, measure=measure, share_ppm=share_ppm, valid_from=start, by="demo"
                    )
        connection.commit()
        signed_on = end.replace(day=1) - timedelta(days=1)
        if signed_on >= start and find_cutoff(connection, signed_on) is None:
            connection.commit()
            sign(connection, signed_on, "demo", read_rules().denom)
