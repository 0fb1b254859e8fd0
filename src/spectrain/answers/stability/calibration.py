"""Weights that are level or level off, and weights that grow; even and uneven paces; spikes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import torch
from scipy.signal import lfilter
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from spectrain.answers.course import PlantedRun, Script
from spectrain.answers.finding import Finding
from spectrain.answers.loss import Direction
from spectrain.answers.stability.indicators import RISE
from spectrain.answers.stability.pace import FACTOR
from spectrain.answers.stability.row import (
    Grouped,
    LossTrend,
    Pace,
    Spike,
    StabilityRow,
    Verdict,
)

_SHAPES = dict.fromkeys("abcd", (12, 10))
_STEPS = 60
_LOSSES = 200
_LEAD = 8

Found = Finding[StabilityRow, Grouped]
Sizes = Callable[[Generator], Tensor]
"""A drawn course of the largest singular value, one value a step and one more."""


def _by_one(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.SGD(parameters, lr=1.0)


def _weights(draw: Sizes) -> Callable[[Generator], Script]:
    """Weights with a direction of each drawn size, beside what they start with."""

    def script(generator: Generator) -> Script:
        steps: dict[str, list[Tensor]] = {}
        for name, (rows, columns) in _SHAPES.items():
            left, right = (
                nn.functional.normalize(torch.randn(n, generator=generator), dim=0)
                for n in (rows, columns)
            )
            sizes = draw(generator) * torch.exp(0.03 * autocorrelated(generator, _STEPS + 1))
            moves = -sizes.diff(prepend=sizes.new_zeros(1))
            steps[name] = [move * torch.outer(left, right) for move in moves.float()]
        return Script(lambda step: {name: steps[name][step] for name in _SHAPES})

    return script


def autocorrelated(generator: Generator, count: int) -> Tensor:
    """Noise of standard deviation 1, of a coefficient up to 0.8 that is drawn too."""
    phi = float(torch.rand(1, generator=generator)) * 0.8
    fresh = torch.randn(count, generator=generator, dtype=torch.float64)
    fresh[1:] *= math.sqrt(1 - phi**2)
    return torch.from_numpy(lfilter([1.0], [1.0, -phi], fresh.numpy()))


def _time(generator: Generator) -> tuple[Tensor, float, float]:
    """Time from 0 to 1, and two numbers drawn evenly from there."""
    first, second = torch.rand(2, generator=generator).tolist()
    return torch.linspace(0, 1, _STEPS + 1, dtype=torch.float64), first, second


def level(generator: Generator) -> Tensor:
    time, first, _ = _time(generator)
    return torch.full_like(time, 1 + 4 * first)


def saturating(generator: Generator) -> Tensor:
    """To up to five times the first size, with a time constant of 5 to 50 % of the run."""
    time, first, second = _time(generator)
    return 1 + 4 * first * (1 - torch.exp(-time / (0.05 + 0.45 * second)))


def logarithmic(generator: Generator) -> Tensor:
    """As norms grow under a falling gradient: to two to five times the first size."""
    time, first, second = _time(generator)
    rate = 5 + 95 * second
    return 1 + (1 + 3 * first) * torch.log1p(rate * time) / math.log1p(rate)


def on_the_edge(generator: Generator) -> Tensor:
    """Exponential at the very rate that reaches the limit after as many steps again.

    The first quarter's median, of which the limit is tenfold, lies an eighth into the run.
    """
    time, _, _ = _time(generator)
    return torch.exp(math.log(RISE) / (2 - 1 / 8) * time)


def exponential(generator: Generator) -> Tensor:
    """From the middle on by a factor of four to six until the end."""
    time, first, _ = _time(generator)
    return torch.exp((1.4 + 0.4 * first) * (2 * time - 1).clamp_min(0))


def _paced(factor: float, *, within: float) -> Callable[[Generator], Script]:
    """Steps of each block of a size of its own within a factor; the first is ``factor`` larger."""

    def script(generator: Generator) -> Script:
        spread = torch.rand(len(_SHAPES), generator=generator, dtype=torch.float64) * 2 - 1
        sizes = torch.exp(math.log(within) * spread)
        sizes[0] *= factor

        def gradients(step: int) -> dict[str, Tensor]:
            return {
                name: 1e-3
                * float(size * torch.exp(0.3 * torch.randn(1, generator=generator)))
                * torch.randn(shape, generator=generator)
                / math.sqrt(shape[1])
                for (name, shape), size in zip(_SHAPES.items(), sizes, strict=True)
            }

        return Script(gradients)

    return script


def _loss(height: float = 0.0, rise: float = 0.0) -> Callable[[Generator], Script]:
    """A falling loss with autocorrelated noise, and a rise of so many deviations in five steps.

    Over the second half it may rise again, by so many deviations.
    """

    def script(generator: Generator) -> Script:
        losses = (
            2
            + 2 * torch.exp(-torch.arange(_LOSSES) / 40)
            + 0.05 * autocorrelated(generator, _LOSSES)
        )
        at = int(torch.randint(_LOSSES // 2, _LOSSES - 10, (1,), generator=generator))
        losses[at : at + 5] += 0.05 * height
        losses[_LOSSES // 2 :] += 0.05 * rise * torch.linspace(0, 1, _LOSSES // 2)
        zero = {name: torch.zeros(shape) for name, shape in _SHAPES.items()}
        return Script(lambda step: zero, losses.tolist())

    return script


def _spiked(lead: int | None) -> Callable[[Generator], Script]:
    """A loss that rises by 12 deviations, and gradients whose norms wander by 30 %.

    From ``lead`` steps before until the end of the rise those of the first block are tenfold; where
    it is ``None``, nothing moves.
    """

    def script(generator: Generator) -> Script:
        losses = 2 + 0.05 * autocorrelated(generator, _LOSSES)
        at = int(torch.randint(_LOSSES * 6 // 10, _LOSSES - 10, (1,), generator=generator))
        losses[at : at + 5] += 0.05 * 12
        sizes = {
            name: torch.exp(0.3 * autocorrelated(generator, _LOSSES)).tolist() for name in _SHAPES
        }
        if lead is not None:
            sizes["a"][at - lead : at + 5] = [10 * s for s in sizes["a"][at - lead : at + 5]]

        def gradients(step: int) -> dict[str, Tensor]:
            return {
                name: 1e-3 * sizes[name][step] * torch.randn(shape, generator=generator)
                for name, shape in _SHAPES.items()
            }

        return Script(gradients, losses.tolist())

    return script


def _grows(finding: Found) -> bool:
    return any(row.verdict in (Verdict.GROWING, Verdict.ALARM) for row in finding.rows)


def _uneven(finding: Found) -> bool:
    return any(row.pace in (Pace.FAST, Pace.SLOW) for row in finding.rows)


def _fast(finding: Found) -> bool:
    return [row.block for row in finding.rows if row.pace is Pace.FAST] == ["a.weight"]


def _spikes(finding: Found) -> bool:
    return any(isinstance(group, Spike) for group in finding.groups)


def _led(finding: Found) -> bool:
    return any(isinstance(g, Spike) and g.moved is not None for g in finding.groups)


def _led_by_a(finding: Found) -> bool:
    """Named with a lead of at most the planted one and a sample before."""
    return any(
        isinstance(g, Spike)
        and g.moved == "gradient/frobenius_norm of a.weight"
        and (g.lead or 0) <= _LEAD + 1
        for g in finding.groups
    )


def _rises(finding: Found) -> bool:
    trends = [group.course for group in finding.groups if isinstance(group, LossTrend)]
    return any(course.direction is Direction.RISING for course in trends)


_GROWS, _PACE = "a block grows towards its limit", "paces are uneven"
_FIRST = "something left its course before a spike"
_SPIKE, _RISES = "the loss spikes", "the loss rises over the second half"
_LEADING = ("gradient/frobenius_norm", "weight/operator_norm", "update/rms_gain")
_WEIGHT, _MOVED = ("weight/operator_norm",), ("update/rms_gain", "input/frobenius_norm")


def _planted(
    name: str,
    claim: str,
    true: bool,
    draw: Callable[[Generator], Script],
    said: Callable[[Found], bool],
    measures: Sequence[str],
    steps: int = _STEPS,
    every: int = 1,
) -> PlantedRun:
    return PlantedRun(
        name=name,
        claim=claim,
        true=true,
        shapes=_SHAPES,
        draw=draw,
        said=said,
        steps=steps,
        every=every,
        optimizer=_by_one,
        measures=tuple(measures),
    )


PLANTED = (
    _planted("weights that are level", _GROWS, False, _weights(level), _grows, _WEIGHT),
    _planted("weights that level off", _GROWS, False, _weights(saturating), _grows, _WEIGHT),
    _planted(
        "weights that grow as a logarithm", _GROWS, False, _weights(logarithmic), _grows, _WEIGHT
    ),
    _planted(
        "weights that grow at the very rate that is still allowed",
        _GROWS,
        False,
        _weights(on_the_edge),
        _grows,
        _WEIGHT,
    ),
    _planted(
        "weights that grow exponentially from the middle on",
        _GROWS,
        True,
        _weights(exponential),
        _grows,
        _WEIGHT,
    ),
    _planted(
        "paces that differ by a factor up to 2.8 from their middle",
        _PACE,
        False,
        _paced(1.0, within=math.sqrt(FACTOR)),
        _uneven,
        _MOVED,
    ),
    _planted(
        "one block at the very pace that is still called even",
        _PACE,
        False,
        _paced(FACTOR, within=1.0),
        _uneven,
        _MOVED,
    ),
    _planted(
        "one block at 32 times the pace", _PACE, True, _paced(32.0, within=1.5), _fast, _MOVED
    ),
    _planted("a loss with autocorrelated noise", _SPIKE, False, _loss(), _spikes, (), _LOSSES),
    _planted("a loss with autocorrelated noise", _RISES, False, _loss(), _rises, (), _LOSSES),
    _planted(
        "a loss that rises by 8 deviations", _RISES, True, _loss(rise=8.0), _rises, (), _LOSSES
    ),
    _planted("a rise by 12 deviations", _SPIKE, True, _loss(12.0), _spikes, (), _LOSSES),
    _planted(
        "a spike before which nothing moves",
        _FIRST,
        False,
        _spiked(None),
        _led,
        _LEADING,
        _LOSSES,
        every=2,
    ),
    _planted(
        f"a spike that one block's gradient leads by {_LEAD} steps",
        _FIRST,
        True,
        _spiked(_LEAD),
        _led_by_a,
        _LEADING,
        _LOSSES,
        every=2,
    ),
)
