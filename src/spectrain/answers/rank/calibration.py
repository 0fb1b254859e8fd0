"""Runs in which no rank moves or no link exists, and runs in which it does."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from spectrain.answers.course import PlantedRun, Script
from spectrain.answers.finding import Finding
from spectrain.answers.rank.health import State
from spectrain.answers.rank.row import RankGroup, RankRow, Verdict

_SIZE = 12
_STEPS = 60
_SHAPES = {"a": (_SIZE, _SIZE), "b": (_SIZE, _SIZE)}
_RANK = ("gradient/effective_rank", "gradient/frobenius_norm")
_NORM = ("gradient/frobenius_norm", "backward/frobenius_norm")

Found = Finding[RankRow, RankGroup]


def of_share(share: float) -> Tensor:
    """A diagonal matrix of effective rank ``share`` times full rank, by bisection.

    Example:
        >>> values = of_share(0.5).diagonal()
        >>> p = values / values.sum()
        >>> round(float((-(p * p.log()).sum()).exp()) / len(values), 3)
        0.5
    """
    places = torch.arange(_SIZE, dtype=torch.float64)
    low, high = 0.0, 1.0
    for _ in range(40):
        ratio = (low + high) / 2
        p = ratio**places / (ratio**places).sum()
        rank = math.exp(-float(torch.special.xlogy(p, p).sum()))
        low, high = (ratio, high) if rank < share * _SIZE else (low, ratio)
    return torch.diag(low**places).float()


def _normal(generator: Generator, count: int = _STEPS) -> Tensor:
    return torch.randn(count, generator=generator, dtype=torch.float64)


def _ranks(*courses: Tensor, losses: Tensor | None = None) -> Script:
    """Blocks whose shares of full rank follow these courses."""
    made = [[of_share(float(share)) for share in course.clip(0.15, 0.95)] for course in courses]
    logged = [] if losses is None else losses.tolist()
    return Script(
        lambda step: {name: made[place][step] for place, name in enumerate(_SHAPES)}, logged
    )


def _level(generator: Generator) -> Script:
    """Shares about a level, each with autocorrelated noise of its own."""
    courses = []
    for _ in _SHAPES:
        phi = float(torch.rand(1, generator=generator)) * 0.8
        noise = _normal(generator)
        for step in range(1, _STEPS):
            noise[step] += phi * noise[step - 1]
        courses.append(0.5 + 0.03 * noise)
    return _ranks(*courses)


def _falling(generator: Generator) -> Script:
    time = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
    return _ranks(*(0.6 - 0.2 * time + 0.03 * _normal(generator) for _ in _SHAPES))


def _exponentials(generator: Generator) -> Script:
    """Rank and pace fall at rates of their own and level off, with noise of their own."""
    time = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
    rates = 0.05 + 0.45 * torch.rand(3, 1, generator=generator, dtype=torch.float64)
    first, second, pace = torch.exp(-time / rates)
    noisy = pace + 0.1 * _normal(generator)
    shares = (0.3 * torch.exp(x + 0.1 * _normal(generator)) for x in (first, second))
    return _ranks(*shares, losses=10 - noisy.cumsum(0))


def _linked(generator: Generator) -> Script:
    """The pace is the rank's own fluctuation, and half as much noise."""
    z = _normal(generator)
    pace = 0.1 + 0.1 * z + 0.05 * _normal(generator)
    share = 0.4 * torch.exp(0.3 * z)
    return _ranks(share, share, losses=10 - pace.cumsum(0))


def _norms(course: Tensor, losses: Tensor, generator: Generator) -> Script:
    """Gaussian gradients of these norms."""

    def gradients(step: int) -> dict[str, Tensor]:
        drawn = torch.randn(len(_SHAPES), _SIZE, _SIZE, generator=generator)
        return dict(zip(_SHAPES, float(course[step]) * drawn / _SIZE, strict=True))

    return Script(gradients, losses.tolist())


def _saddle(generator: Generator) -> Script:
    """A plateau near zero is left at a time of its own; then the loss falls and levels off."""
    time = torch.linspace(0, 1, _STEPS, dtype=torch.float64)
    left = float(torch.rand(1, generator=generator))
    risen = torch.sigmoid((time - left) * 30)
    norms = (1e-4 + risen) * torch.exp(0.5 * _normal(generator))
    return _norms(norms, 2 - risen + 0.01 * _normal(generator), generator)


def _heavy(generator: Generator) -> Script:
    """Norms that scatter over decades about a level, under a loss that scatters."""
    return _norms(torch.exp(_normal(generator)), 1 + 0.1 * _normal(generator), generator)


def _explosion(generator: Generator) -> Script:
    """Norm and loss grow by a third a step from the middle of the run on."""
    time = torch.arange(_STEPS, dtype=torch.float64)
    grown = torch.exp(0.3 * (time - _STEPS / 2).clip(min=0))
    return _norms(grown * torch.exp(0.3 * _normal(generator)), grown, generator)


def _moves(finding: Found) -> bool:
    return any(row.verdict in (Verdict.FALLING, Verdict.RISING) for row in finding.rows)


def _links(finding: Found) -> bool:
    return any("pace of learning goes with the rank" in line for line in finding.limits)


def _explodes(finding: Found) -> bool:
    return any(row.state is State.EXPLODING for row in finding.rows)


_MOVES, _LINK, _EXPLODES = "a rank moves", "pace goes with rank", "a gradient explodes"
PLANTED = (
    PlantedRun(
        name="level ranks, autocorrelated up to 0.8",
        claim=_MOVES,
        true=False,
        draw=_level,
        said=_moves,
        shapes=_SHAPES,
        measures=_RANK,
    ),
    PlantedRun(
        name="ranks that fall by a third",
        claim=_MOVES,
        true=True,
        draw=_falling,
        said=_moves,
        shapes=_SHAPES,
        measures=_RANK,
    ),
    PlantedRun(
        name="independent exponential courses",
        claim=_LINK,
        true=False,
        draw=_exponentials,
        said=_links,
        shapes=_SHAPES,
        measures=_RANK,
    ),
    PlantedRun(
        name="pace that is the rank's fluctuation and half as much noise",
        claim=_LINK,
        true=True,
        draw=_linked,
        said=_links,
        shapes=_SHAPES,
        measures=_RANK,
    ),
    PlantedRun(
        name="a saddle point that is left at any time",
        claim=_EXPLODES,
        true=False,
        draw=_saddle,
        said=_explodes,
        shapes=_SHAPES,
        measures=_NORM,
    ),
    PlantedRun(
        name="norms that scatter by a factor e",
        claim=_EXPLODES,
        true=False,
        draw=_heavy,
        said=_explodes,
        shapes=_SHAPES,
        measures=_NORM,
    ),
    PlantedRun(
        name="norm and loss that grow by a third a step",
        claim=_EXPLODES,
        true=True,
        draw=_explosion,
        said=_explodes,
        shapes=_SHAPES,
        measures=_NORM,
    ),
)
