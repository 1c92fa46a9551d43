"""Settings of the generated city as data: who lives there, how much they use, how large things are.

Shares are ppm, energy is hundredths of a kilowatt-hour a month (`_ckwh`), knots are (share of customers, value).
Sources of the usage figures: docs/guides/demo-city.md. Codes are those of the rulebook for cn/shandong.
"""

from typing import NamedTuple

from recoup.core.simulation import Knots

JURISDICTION = "cn/shandong"
UTC_OFFSET = "+08:00"
FEED = "demo-city"
SOURCE = "recoup city (simulated)"
CITY_CODE = "3706"

# One account in two hundred is at high voltage; one, early in every city, is a collective meter.
HIGH_VOLTAGE_EVERY = 200
HIGH_VOLTAGE_AT = 137
COLLECTIVE_AT = 12
COLLECTIVE_HOMES = 312

DISTRICT_ACCOUNTS = (100, 200)
STATION_DISTRICTS = 33
ROUTE_DISTRICTS = 3
READING_DAYS = 25
HIGH_VOLTAGE_READING_DAY = 1
OLD_NUMBERS_PERCENT = 60


class Kind(NamedTuple):
    """A kind of customer: its codes and its use. `calm_ppm` scales how much the months vary."""

    code: str
    class_: str
    tariff: str
    is_high_voltage: bool
    is_person: bool
    usage_ckwh: Knots
    season_ppm: tuple[int, ...]
    calm_ppm: int


# January to December.
HOME_SEASON = (
    *(1_130_000, 1_080_000, 930_000, 800_000, 780_000, 930_000),
    *(1_230_000, 1_380_000, 1_010_000, 800_000, 850_000, 1_080_000),
)
TRADE_SEASON = (
    *(1_020_000, 900_000, 960_000, 940_000, 960_000, 1_030_000),
    *(1_110_000, 1_140_000, 1_030_000, 940_000, 960_000, 1_010_000),
)

RESIDENT = Kind(
    *("RESIDENT", "RESIDENTIAL", "RESIDENTIAL_TIERED", False, True),
    (
        *((0, 1_500), (100_000, 4_400), (250_000, 8_600), (500_000, 13_200), (750_000, 18_600)),
        *((900_000, 27_500), (970_000, 44_000), (1_000_000, 110_000)),
    ),
    HOME_SEASON,
    1_000_000,
)
COLLECTIVE = Kind(
    *("COLLECTIVE", "RESIDENTIAL", "RESIDENTIAL_COLLECTIVE", False, False),
    ((0, 4_400_000), (1_000_000, 5_200_000)),
    HOME_SEASON,
    150_000,
)
SHOP = Kind(
    *("SHOP", "COMMERCIAL", "GENERAL_COMMERCE", False, False),
    (
        *((0, 3_000), (250_000, 20_000), (500_000, 48_000), (750_000, 105_000)),
        *((900_000, 240_000), (1_000_000, 700_000)),
    ),
    TRADE_SEASON,
    800_000,
)
PUBLIC = Kind(
    *("PUBLIC", "PUBLIC", "PUBLIC_INSTITUTION", False, False),
    ((0, 40_000), (500_000, 200_000), (1_000_000, 900_000)),
    TRADE_SEASON,
    400_000,
)
PLANT = Kind(
    *("PLANT", "INDUSTRIAL", "LARGE_INDUSTRY", True, False),
    (
        *((0, 1_500_000), (250_000, 3_100_000), (500_000, 5_600_000), (750_000, 10_500_000)),
        *((950_000, 22_000_000), (1_000_000, 36_000_000)),
    ),
    TRADE_SEASON,
    300_000,
)
MALL = Kind(
    *("MALL", "COMMERCIAL", "GENERAL_COMMERCE", True, False),
    ((0, 1_500_000), (500_000, 4_600_000), (900_000, 12_000_000), (1_000_000, 22_000_000)),
    TRADE_SEASON,
    300_000,
)
KINDS = (RESIDENT, COLLECTIVE, SHOP, PUBLIC, PLANT, MALL)

PLANTS_OF_HIGH_VOLTAGE_PPM = 600_000
SHOPS_PPM = 55_000
PUBLIC_PPM = 4_000

# How much a customer's months vary (standard deviation over mean) and the shape of it, skewed to high months.
VARIATION_PPM = ((0, 130_000), (250_000, 310_000), (500_000, 510_000), (750_000, 740_000), (1_000_000, 1_300_000))
SHAPE_PPM = (
    *((0, -1_350_000), (50_000, -1_163_000), (100_000, -1_038_000), (250_000, -735_000), (500_000, -228_000)),
    *((750_000, 490_000), (900_000, 1_336_000), (950_000, 1_940_000), (990_000, 3_280_000), (1_000_000, 4_300_000)),
)
EMPTY_HOMES_PPM = 50_000
EMPTY_MONTH_OF_EMPTY_HOME_PPM = 750_000
EMPTY_MONTH_PPM = 12_000
OPENING_INDEX_E2 = 900_000

# Upper bound of use (ckwh a month, null: none) -> multiplier of the current and voltage transformers.
MULTIPLIERS = ((150_000, 1), (400_000, 20), (1_500_000, 40), (3_000_000, 500), (8_000_000, 1_000), (None, 2_000))
COLLECTIVE_MULTIPLIER = 60

# Upper bound of use (ckwh a month) -> contracted capacity in kVA.
CAPACITIES = (
    *((50_000, 8), (150_000, 16), (500_000, 50), (1_500_000, 100), (3_000_000, 315), (6_000_000, 630)),
    *((12_000_000, 1_250), (24_000_000, 2_500), (None, 5_000)),
)

DUE_DAYS = 30
PAYMENT_MODE = "SINGLE"
AGREED_RATE_PPM = 50_000
AGREED_RATES_PERMILLE = ("1", "1.5", "2")
LOW_INCOME_PPM = 30_000
LOW_INCOME_FREE_KWH = 15

SECOND_HOME_PPM = 20_000
SHARED_PHONE_PPM = 30_000
PHONE_BLOCK = 40
NO_PHONE_PPM = 20_000
# No mobile number in China begins with 12: nobody can be called by mistake.
PHONE_PREFIX = "12"

MEDICAL_PPM = 1_000
DISPUTE_PPM = 2_000
DISPUTE_DAYS = (20, 60)
ESTIMATED_PPM = 10_000
CUSTOMER_READ_PPM = 3_000
