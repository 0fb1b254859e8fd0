"""Claims of several parts: they fail as soon as one part fails, and hold where all hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from spectrain_studies.frame.criteria import Criterion, Simple
from spectrain_studies.frame.judgement import Judgement, Verdict, undecided, untestable
from spectrain_studies.frame.measured import Found, Untestable

ORDER = (Verdict.FAILS, Verdict.UNTESTABLE, Verdict.UNDECIDED, Verdict.HOLDS)
"""What one part says of the whole, the strongest first."""


def combined(parts: Mapping[str, Judgement], *, note: str = "") -> Judgement:
    """The logic of "and": the whole has the verdict of its worst part, and names that part.

    What remains open cannot save a claim if one of its parts is refuted. All parts are in details.

    Example:
        >>> from spectrain_studies.frame import above, undecided
        >>> whole = combined({"a": above(-1.0, 0.0), "b": undecided("too few data")})
        >>> str(whole.verdict), whole.measured
        ('fails', -1.0)
    """
    if not parts:
        return undecided("no part was measured")
    worst = min(parts.values(), key=lambda part: ORDER.index(part.verdict))
    seeds = [part.seeds for part in parts.values() if part.seeds is not None]
    return replace(
        worst,
        seeds=min(seeds, default=None),
        note=". ".join(filter(None, (note, worst.note))),
        details={name: part.as_part() for name, part in parts.items()},
    )


@dataclass(frozen=True, slots=True)
class AllOf(Criterion):
    """Several criteria at once, each on a statistic of its own.

    Attributes:
        parts: the criteria; the judge returns a statistic for each, by the same names.

    Example:
        >>> from spectrain_studies.frame.criteria import Above, Below
        >>> both = AllOf({"slope": Below(0), "level": Above(1)})
        >>> str(both), str(both.judge({"slope": -1.0, "level": 0.5}).verdict)
        ('slope below 0, and level above 1', 'fails')
    """

    parts: Mapping[str, Criterion]

    def __str__(self) -> str:
        return ", and ".join(f"{name} {criterion}" for name, criterion in self.parts.items())

    def judge(self, found: Found, *, parts: int = 1) -> Judgement:
        """The verdict of the worst part."""
        if isinstance(found, Untestable):
            return untestable(found.why)
        if not isinstance(found, Mapping) or found.keys() != self.parts.keys():
            raise TypeError(f"a statistic is needed for each of {', '.join(self.parts)}")
        among = parts * len(self.parts)
        return combined(
            {name: one.judge(found[name], parts=among) for name, one in self.parts.items()}
        )


@dataclass(frozen=True, slots=True)
class OnEvery(Criterion):
    """One criterion on every member of a family, such as every model.

    Attributes:
        what: the family.
        criterion: of each member; the judge returns a statistic for each, by its name.

    Example:
        >>> from spectrain_studies.frame.criteria import Above
        >>> every = OnEvery("model", Above(0))
        >>> str(every), str(every.judge({"gpt": 1.0, "mlp": -1.0}).verdict)
        ('above 0 on every model', 'fails')
    """

    what: str
    criterion: Criterion

    def __str__(self) -> str:
        return f"{self.criterion} on every {self.what}"

    def judge(self, found: Found, *, parts: int = 1) -> Judgement:
        """The verdict of the worst member; of those that fail, of the one furthest off."""
        if isinstance(found, Untestable):
            return untestable(found.why)
        if not isinstance(found, Mapping):
            raise TypeError(f"a statistic is needed for every {self.what}")
        if not found:
            return undecided(f"there is no {self.what}")
        among = parts * len(found)
        judged = {name: self.criterion.judge(part, parts=among) for name, part in found.items()}
        whole = combined(dict(sorted(judged.items(), key=self._shortfall)))
        details = {name: part.as_part() for name, part in judged.items()}
        note = ". ".join(filter(None, (whole.note, f"Rests on {', '.join(found)}")))
        return replace(whole, note=note, details=details)

    def _shortfall(self, item: tuple[str, Judgement]) -> float:
        measured = item[1].measured
        if measured is None or not isinstance(self.criterion, Simple):
            return 0.0
        return -self.criterion.shortfall(measured)
