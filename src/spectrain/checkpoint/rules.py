"""Rules such as ``stable_rank<1.5`` that no block of a checkpoint may meet."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from spectrain.checkpoint.sketched import TWO_SIDED
from spectrain.core import InputError

_RULE = re.compile(
    r"\s*(?P<measure>[A-Za-z][\w.]*)\s*(?P<sign><=|>=|<|>)"
    r"\s*(?P<limit>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*",
    re.ASCII,
)

Known = Mapping[str, str]
"""Names that a rule may speak of; where one is not measured, what to do about it."""

_MARGIN = TWO_SIDED * pl.col("error").fill_null(0.0)


@dataclass(frozen=True, slots=True)
class Rule:
    """A comparison that no block may meet.

    Where a value is an estimate and the limit lies within its 95 % interval, the rule is undecided.

    Attributes:
        measure: name of the measure.
        sign: ``<``, ``<=``, ``>`` or ``>=``.
        limit: what it is compared with.
    """

    measure: str
    sign: str
    limit: float

    @classmethod
    def parse(cls, text: str, measures: Known) -> Rule:
        """Read a rule: a measure, a comparison, a number.

        Args:
            text: the rule.
            measures: the names that it may speak of.

        Raises:
            InputError: the text is not a rule, or names an unknown measure, or one that is not
                measured.

        Example:
            >>> Rule.parse("stable_rank < 1.5", {"stable_rank": ""})
            Rule(measure='stable_rank', sign='<', limit=1.5)
        """
        match = _RULE.fullmatch(text)
        if match is None:
            raise InputError(
                f"the rule {text!r} cannot be read",
                remedy="write a measure, a comparison and a number: 'stable_rank<1.5'",
            )
        if match["measure"] not in measures:
            raise InputError(
                f"the rule {text!r} speaks of {match['measure']!r}, which is not measured",
                remedy=f"choose among {', '.join(n for n, needs in measures.items() if not needs)}",
            )
        if needs := measures[match["measure"]]:
            raise InputError(
                f"the rule {text!r} speaks of {match['measure']!r}, which is not measured",
                remedy=needs,
            )
        return cls(match["measure"], match["sign"], float(match["limit"]))

    def __str__(self) -> str:
        return f"{self.measure}{self.sign}{self.limit:g}"

    def broken_by(self, metrics: pl.DataFrame) -> pl.DataFrame:
        """The rows of a metrics frame that meet the comparison.

        Example:
            >>> values = {"value": [1.0, 1.4, 2.0], "error": [None, 0.1, None]}
            >>> frame = pl.DataFrame({"measure": "a", **values})
            >>> Rule("a", "<", 1.5).broken_by(frame)["value"].to_list()
            [1.0]
        """
        value, limit = pl.col("value"), self.limit
        clear = (value - limit).abs() >= _MARGIN
        compared = {
            "<": value < limit,
            "<=": value <= limit,
            ">": value > limit,
            ">=": value >= limit,
        }[self.sign]
        return metrics.filter(pl.col("measure") == self.measure, compared, clear)

    def undecided_by(self, metrics: pl.DataFrame) -> pl.DataFrame:
        """The rows that have no value to compare, or none that is known well enough."""
        near = (pl.col("value") - self.limit).abs() < _MARGIN
        unknown = pl.col("value").is_null() | near
        return metrics.filter(pl.col("measure") == self.measure, unknown)
