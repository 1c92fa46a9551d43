"""The overview: three rates against their targets, the accounts that make the gap, and where the money is."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import path, reverse
from django.utils.http import urlencode

from recoup.core.money import PPM
from recoup.database.listing import Connection
from recoup.definitions import define
from recoup.domains.access.models import WHOLE_BOOK
from recoup.domains.access.permissions import SET_TARGET, may
from recoup.domains.analytics.queries import list_prepared
from recoup.domains.contracts.queries import list_units
from recoup.engine.dashboard import UNITS_SHOWN, Dashboard, read_dashboard
from recoup.engine.figures import as_major, as_share
from recoup.engine.gap import GapList, Missing, Wanted, list_gap
from recoup.labels import Labels, grouped, percent
from recoup.web.console.access import ConsoleRequest, page
from recoup.web.console.language import EN, Title
from recoup.web.console.reading import current_law, reading
from recoup.web.console.tables import Column, Table
from recoup.web.console.views.figure_charts import draw_all
from recoup.web.console.views.gap import ON_PAGE, describe_rows

ROWS_OF_GAP = 8
# The rate a company is judged by first.
_CARDS = (1, 0, 2)


@dataclass(frozen=True)
class Card:
    """One rate: what it is, how far it is from its target, and where the missing accounts are listed."""

    name: str
    definition: str
    share_ppm: int | None
    target_ppm: int | None
    gap_minor: int | None
    href: str

    @property
    def share(self) -> str:
        """The rate as a person reads it."""
        return percent(as_share(self.share_ppm))

    @property
    def target(self) -> str:
        """The target as a person reads it; nothing where none is set."""
        return "" if self.target_ppm is None else percent(as_share(self.target_ppm))

    @property
    def is_met(self) -> bool:
        """Whether the target is reached."""
        return self.gap_minor == 0

    @property
    def high(self) -> int:
        """From here on the bar is good: the target."""
        return PPM if self.target_ppm is None and self.share_ppm is None else self.target_ppm or 0

    @property
    def low(self) -> int:
        """Below here the bar is bad: a tenth under the target."""
        return max(self.high - PPM // 10, 0)


@dataclass(frozen=True)
class Chosen:
    """Which unit and day a page of figures shows, and what else may be chosen."""

    unit: str
    on: date | None
    units: dict[str, str]
    days: list[date]

    def address(self, name: str, **more: str) -> str:
        """The address of a page of figures for the same unit and day."""
        asked = {"unit": "" if self.unit == WHOLE_BOOK else self.unit, "on": self.on.isoformat() if self.on else ""}
        chosen = {key: value for key, value in {**asked, **more}.items() if value}
        return f"{reverse(name)}?{urlencode(chosen)}" if chosen else reverse(name)


def read_chosen(request: ConsoleRequest, connection: Connection) -> Chosen:
    """What the address asks for; a unit outside the person's scope, or a day not prepared, is left out."""
    units = {each["code"]: str(each["name"]) for each in list_units(connection, request.scope)}
    days = [day.business_on for day in list_prepared(connection)]
    own = request.staff.org_unit
    asked = request.GET.get("unit", "")
    unit = asked if asked in units else (WHOLE_BOOK if request.scope.units is None else own)
    wanted = next((day for day in days if day.isoformat() == request.GET.get("on", "")), None)
    return Chosen(unit, wanted, units, days)


@page()
def dashboard(request: ConsoleRequest) -> HttpResponse:
    """The overview of the person's unit, or of one below it."""
    rules = current_law().rules
    with reading() as connection:
        chosen = read_chosen(request, connection)
        found = read_dashboard(connection, request.scope, chosen.on, rules.denom, chosen.unit)
        wanted = Wanted(unit=chosen.unit, limit=ROWS_OF_GAP)
        gap = list_gap(connection, request.scope, chosen.on, rules.denom, wanted)
    language, digits = request.language, rules.minor_digits
    context = {
        "title": Title("总览", "Overview"),
        "chosen": chosen,
        "on": found.sheet.on,
        "prepared_at": found.sheet.prepared.prepared_at if found.sheet.prepared else None,
        "cards": [_describe_card(found.rates[measure], chosen, language) for measure in _CARDS],
        "tiles": _list_tiles(found, language, digits),
        "gap": gap,
        "needed": f"{gap.needed.contracts:,}",
        "rest": f"{gap.rest.contracts:,}",
        "gap_name": Labels(short(language))(f"collection_rate_{gap.wanted.measure}"),
        "gap_href": chosen.address("console:gap"),
        "gap_table": _table_of_gap(gap, request, digits),
        "units_table": _table_of_units(found, chosen, language, digits),
        "charts": draw_all(found, language, digits, current_law()),
        "may_set_target": may(request.staff, SET_TARGET),
        "digits": digits,
        "meanings": list_meanings(language),
    }
    return render(request, "console/dashboard.html", context)


def list_meanings(language: str) -> list[tuple[str, str]]:
    """The three words that every page of figures uses, with what they mean."""
    labels = Labels(short(language))
    return [(labels(name), define(name, short(language))) for name in ("as_it_stood", "reported", "known_now")]


def short(language: str) -> str:
    """The language as terminal and papers name it."""
    return "en" if language == EN else "zh"


def _describe_card(missing: Missing, chosen: Chosen, language: str) -> Card:
    name = f"collection_rate_{missing.measure}"
    target = missing.target.share_ppm if missing.target else None
    return Card(
        Labels(short(language))(name),
        define(name, short(language)),
        missing.share_ppm,
        target,
        missing.gap_minor,
        chosen.address("console:gap", measure=missing.measure),
    )


_AMOUNTS = ("receivable_open", "arrears", "prior_arrears", "advance", "in_transit", "suspense")
_COUNTS = ("arrears_contracts", "accounts")


def _list_tiles(found: Dashboard, language: str, digits: int) -> list[dict[str, str]]:
    labels = Labels(short(language))
    values = {name: grouped(as_major(found.amounts[name], digits)) for name in _AMOUNTS}
    values |= {name: f"{found.counts[name]:,}" for name in _COUNTS}
    return [
        {"name": labels(name), "value": value, "definition": define(name, short(language))}
        for name, value in values.items()
    ]


def _table_of_gap(gap: GapList, request: ConsoleRequest, digits: int) -> Table:
    rows = describe_rows(gap.rows, request.language, digits)
    return Table(ON_PAGE, rows, request.language, digits, region="gap-list", empty=_NO_GAP)


_NO_GAP = Title("目标已达成，或尚未设定目标。", "The target is met, or none is set.")


def _table_of_units(found: Dashboard, chosen: Chosen, language: str, digits: int) -> Table:
    """The units with the largest gaps, each leading to its own overview."""

    def lead(row: dict[str, Any]) -> str | None:
        return chosen.address("console:dashboard", unit=row["org_unit"])

    columns = (
        Column("unit_name", "供电单位", "Unit", link=lead),
        Column("rate_current_ppm", "当年回收率", "Current rate", "percent"),
        Column("target_ppm", "目标", "Target", "percent"),
        Column("gap_minor", "缺口", "Gap", "money"),
        Column("rate_cumulative_ppm", "累计回收率", "Cumulative", "percent"),
        Column("rate_prior_ppm", "陈欠回收率", "Prior", "percent"),
    )
    rows = found.units.head(UNITS_SHOWN).to_dicts()
    more = found.units.height - len(rows)
    note = Title(f"另有 {more} 个单位", f"{more} more units") if more > 0 else None
    return Table(columns, rows, language, digits, region="units", note=note)


urlpatterns = [path("", dashboard, name="dashboard")]
