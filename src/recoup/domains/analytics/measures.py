"""What a sheet of figures sums: the names of its measures. Each is defined in docs/guides/indicators.md."""

from enum import StrEnum

import polars as pl

from recoup.core.frames import Schema


class Measure(StrEnum):
    """A sum of a sheet; in brackets what its part is. Rates and arrears speak of principal only."""

    RECEIVABLE = "RECEIVABLE"
    CARRIED = "CARRIED"
    RECEIVED = "RECEIVED"
    RECEIVED_PRIOR = "RECEIVED_PRIOR"
    OPEN = "OPEN"  # ageing bucket
    ARREARS_PRIOR = "ARREARS_PRIOR"
    ARREARS_CONTRACTS = "ARREARS_CONTRACTS"
    LATE_CHARGES_OPEN = "LATE_CHARGES_OPEN"
    BILLED = "BILLED"  # month of issue
    COLLECTED = "COLLECTED"  # month of the value day
    COLLECTED_CHANNEL = "COLLECTED_CHANNEL"  # channel, this year
    UNAPPLIED = "UNAPPLIED"  # state: FREE (advance), IN_TRANSIT, SUSPENSE_MATCH
    STAGE = "STAGE"  # stage of the contract after the day's decision
    ACCOUNTS = "ACCOUNTS"
    CONTRACTS = "CONTRACTS"


# One row per unit (station), class, measure and part. `rows` counts what the amount sums.
FIGURES: Schema = {
    "org_unit": pl.String(),
    "class": pl.String(),
    "measure": pl.String(),
    "part": pl.String(),
    "rows": pl.Int64(),
    "amount_minor": pl.Int64(),
}
FIGURE_KEY = ("org_unit", "class", "measure", "part")
