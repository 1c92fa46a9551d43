"""Draws of the city: every attribute of account n is a function of (seed, n, its purpose) and of nothing else."""

from datetime import date
from typing import NamedTuple

import polars as pl

from recoup.core.draws import draw_ppm
from recoup.core.simulation import Knots, from_knots


class Dice(NamedTuple):
    """The seed of a city."""

    seed: int

    def ppm(self, key: pl.Expr, purpose: str, day: date | pl.Expr | None = None) -> pl.Expr:
        """Draw Int64 in [0, 10^6)."""
        return draw_ppm(key, seed=self.seed, purpose=f"city.{purpose}", day=day)

    def below(self, key: pl.Expr, purpose: str, count: int) -> pl.Expr:
        """Draw Int64 in [0, count), count at most a million."""
        return self.ppm(key, purpose) * count // 1_000_000

    def happens(self, key: pl.Expr, purpose: str, chance_ppm: int) -> pl.Expr:
        """Draw whether something of a chance happens."""
        return self.ppm(key, purpose) < chance_ppm

    def pick(self, key: pl.Expr, purpose: str, words: tuple[str, ...]) -> pl.Expr:
        """Draw one of the words."""
        return pl.lit(pl.Series(words)).gather(self.below(key, purpose, len(words)))

    def quantile(self, key: pl.Expr, purpose: str, knots: Knots) -> pl.Expr:
        """Draw from a piecewise linear quantile function."""
        return from_knots(self.ppm(key, purpose), knots)
