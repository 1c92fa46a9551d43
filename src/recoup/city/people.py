"""Who holds each account: kind of customer, name, phone, identity number. Grain: one row per account or party.

Nobody here exists: names come from lists of invented words, phones begin with a prefix that no phone has, and
identity numbers fail their check digit on purpose.
"""

import polars as pl

from recoup.city import names, plan
from recoup.city.dice import Dice

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECKS = "10X98765432"


def list_people(first: int, last: int, dice: Dice) -> pl.DataFrame:
    """List accounts `[first, last)`: n, kind and its codes, holder (the account number whose party holds it)."""
    n = pl.col("n")
    people = pl.DataFrame({"n": range(first, last)}, schema={"n": pl.Int64}).with_columns(
        kind=_kind_of(n, dice), before=_kind_of(n - 1, dice)
    )
    homes = (pl.col("kind") == plan.RESIDENT.code) & (pl.col("before") == plan.RESIDENT.code)
    second = dice.happens(n, "second-home", plan.SECOND_HOME_PPM)
    second_before = dice.happens(n - 1, "second-home", plan.SECOND_HOME_PPM)
    codes = pl.DataFrame(
        {
            "kind": [kind.code for kind in plan.KINDS],
            "class": [kind.class_ for kind in plan.KINDS],
            "tariff": [kind.tariff for kind in plan.KINDS],
            "is_high_voltage": [kind.is_high_voltage for kind in plan.KINDS],
            "is_person": [kind.is_person for kind in plan.KINDS],
        }
    )
    return (
        people.with_columns(holder=n - (homes & second & ~second_before & (n > 0)).cast(pl.Int64))
        .drop("before")
        .join(codes, on="kind", how="left", maintain_order="left")
    )


def _kind_of(n: pl.Expr, dice: Dice) -> pl.Expr:
    plant = dice.happens(n, "plant", plan.PLANTS_OF_HIGH_VOLTAGE_PPM)
    draw = dice.ppm(n, "kind")
    return (
        pl.when(n == plan.COLLECTIVE_AT)
        .then(pl.lit(plan.COLLECTIVE.code))
        .when((n % plan.HIGH_VOLTAGE_EVERY == plan.HIGH_VOLTAGE_AT) & plant)
        .then(pl.lit(plan.PLANT.code))
        .when(n % plan.HIGH_VOLTAGE_EVERY == plan.HIGH_VOLTAGE_AT)
        .then(pl.lit(plan.MALL.code))
        .when(draw < plan.SHOPS_PPM)
        .then(pl.lit(plan.SHOP.code))
        .when(draw < plan.SHOPS_PPM + plan.PUBLIC_PPM)
        .then(pl.lit(plan.PUBLIC.code))
        .otherwise(pl.lit(plan.RESIDENT.code))
    )


def party_code(n: pl.Expr) -> pl.Expr:
    """Name the party that holds account number n."""
    return pl.format("P{}", n.cast(pl.String).str.zfill(9))


def list_parties(people: pl.DataFrame, dice: Dice) -> pl.DataFrame:
    """List the parties among accounts: party, name, kind, phone, id_no."""
    n = pl.col("n")
    person = pl.col("is_person")
    return people.filter(n == pl.col("holder")).select(
        party=party_code(n),
        name=pl.when(person).then(_person_name(n, dice)).otherwise(_firm_name(n, dice)),
        kind=pl.when(person).then(pl.lit("PERSON")).otherwise(pl.lit("FIRM")),
        phone=_phone(n, dice),
        id_no=pl.when(person).then(_false_identity(n, dice)).otherwise(_false_credit_code(n)),
    )


def _person_name(n: pl.Expr, dice: Dice) -> pl.Expr:
    second = pl.when(dice.happens(n, "two-given", 800_000)).then(dice.pick(n, "given-2", names.GIVEN))
    return pl.concat_str(
        dice.pick(n, "surname", names.SURNAMES), dice.pick(n, "given-1", names.GIVEN), second.otherwise(pl.lit(""))
    )


def _firm_name(n: pl.Expr, dice: Dice) -> pl.Expr:
    trades = {
        plan.SHOP.code: names.SHOP_TRADES,
        plan.PLANT.code: names.PLANT_TRADES,
        plan.MALL.code: names.MALL_TRADES,
    }
    word = dice.pick(n, "firm-word", names.FIRM_WORDS)
    body = pl.format("{}{}", dice.pick(n, "body-area", names.AREAS), dice.pick(n, "body", names.PUBLIC_BODIES))
    name = pl.when(pl.col("kind") == plan.PUBLIC.code).then(body).otherwise(pl.lit(names.COLLECTIVE_HOLDER))
    for kind, words in trades.items():
        firm = pl.format("烟台{}{}有限公司", word, dice.pick(n, f"trade-{kind}", words))
        name = pl.when(pl.col("kind") == kind).then(firm).otherwise(name)
    return name


def _phone(n: pl.Expr, dice: Dice) -> pl.Expr:
    """Eleven digits; some people share the number of the first of their block, some have none."""
    shared = dice.happens(n, "shared-phone", plan.SHARED_PHONE_PPM)
    owner = pl.when(shared).then(n - n % plan.PHONE_BLOCK).otherwise(n)
    scattered = (owner * 611_953 + 104_729) % 10**9
    number = pl.concat_str(pl.lit(plan.PHONE_PREFIX), scattered.cast(pl.String).str.zfill(9))
    return pl.when(~dice.happens(n, "no-phone", plan.NO_PHONE_PPM)).then(number)


def _false_identity(n: pl.Expr, dice: Dice) -> pl.Expr:
    """A resident identity number (GB 11643) whose check digit is the next one after the true one."""
    born = dice.below(n, "born-year", 60) * 10_000 + (dice.below(n, "born-month", 12) + 1) * 100
    day = 19_450_001 + born + dice.below(n, "born-day", 28)
    number = (370_602 * 10**11) + day * 1_000 + n % 1_000
    total = pl.lit(0, dtype=pl.Int64)
    for place, weight in enumerate(_ID_WEIGHTS):
        total = total + number // 10 ** (16 - place) % 10 * weight
    checks = pl.lit(pl.Series(list(_ID_CHECKS)))
    return pl.concat_str(number.cast(pl.String), checks.gather((total + 1) % 11))


def _false_credit_code(n: pl.Expr) -> pl.Expr:
    """A unified credit code (GB 32100) ending in a letter that the code never uses."""
    return pl.format("91370600MA{}I", n.cast(pl.String).str.zfill(7).str.tail(7))
