"""Claims that differ in what they read only: exponents in a size, and inequalities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spectrain_studies.descent.planted import Made, Told, ends, levels, named, planted, powers
from spectrain_studies.descent.statistics import AT_MOST_1, Number, exponent, largest
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import AllOf, Experiment, Found, Measured, OnEvery, Results, Within


def claim_of_exponent(
    name: str,
    source: str,
    statement: str,
    statistic: str,
    criterion: Within,
    need: Experiment[Any],
    size: str,
    number: Number,
    *,
    made: Made | None = None,
    larger: bool = False,
    **where: Any,
) -> None:
    """A claim on the exponent of a number in a field of the cases.

    Args:
        name: of the claim, as the next three.
        source: document and place.
        statement: what is said there.
        statistic: what is measured.
        criterion: on the exponent.
        need: the experiment.
        size: the field.
        number: what is followed.
        made: an outcome of a case in which a computed number has a value, for planted worlds.
        larger: fit the larger half of the sizes alone.
        where: fields of the cases that are read.
    """
    if isinstance(number, str):
        made = named(number)

    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=statistic,
        criterion=criterion,
        needs=[need],
        planted=None if made is None else powers(need, size, criterion, made),
    )
    def judge(config: Any, results: Results) -> Measured:
        return exponent(results.where(**where), size, number, larger=larger)


def claim_of_exponents(
    name: str,
    source: str,
    statement: str,
    statistic: str,
    need: Experiment[Any],
    size: str,
    parts: Mapping[str, tuple[str, Within]],
    *,
    larger: bool = False,
    **where: Any,
) -> None:
    """A claim on several exponents at once; ``parts`` are numbers and criteria by label."""

    def growing(places: Mapping[str, int]) -> Told:
        powers = {name: ends(criterion)[places[name]] for name, criterion in parts.values()}
        return lambda case, noise: {
            name: noise * getattr(case, size) ** power for name, power in powers.items()
        }

    columns = [column for column, _ in parts.values()]
    right = dict.fromkeys(columns, 0)

    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=statistic,
        criterion=AllOf({label: criterion for label, (_, criterion) in parts.items()}),
        needs=[need],
        planted=planted([need], growing(right), growing({**right, columns[-1]: 1})),
    )
    def judge(config: Any, results: Results) -> Found:
        chosen = results.where(**where)
        return {
            label: exponent(chosen, size, column, larger=larger)
            for label, (column, _) in parts.items()
        }


def claim_of_ratio(
    name: str,
    source: str,
    statement: str,
    statistic: str,
    need: Experiment[Any],
    *ratios: str,
    of: Callable[[Results, str], Measured] = largest,
    criterion: Within = AT_MOST_1,
    by: Sequence[str] = (),
    **where: Any,
) -> None:
    """A claim on the extreme value of a ratio whose sides an inequality compares.

    Args:
        name: of the claim, as the next three.
        source: document and place.
        statement: what is said there.
        statistic: what is measured.
        need: the experiment.
        ratios: names; each must meet the criterion.
        of: the extreme that is judged.
        criterion: on it.
        by: fields of the cases; the criterion must be met at all their values.
        where: fields of the cases that are read.
    """
    single = len(ratios) == 1 and not by

    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=statistic,
        criterion=criterion if single else OnEvery(" and ".join(by) or "ratio", criterion),
        needs=[need],
        planted=levels(need, ratios, criterion),
    )
    def judge(config: Any, results: Results) -> Found:
        chosen = results.where(**where)
        if single:
            return of(chosen, ratios[0])
        groups = dict.fromkeys(tuple(getattr(r.case, field) for field in by) for r in chosen)
        return {
            ", ".join(map(str, (*group, *(ratios if len(ratios) > 1 else ())[k : k + 1]))): of(
                chosen.where(**dict(zip(by, group, strict=True))), ratio
            )
            for group in groups
            for k, ratio in enumerate(ratios)
        }
