"""Gradients of pure noise of many kinds, and gradients with planted directions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Generator, Tensor

from spectrain.answers.course import Gradients, PlantedRun, Script
from spectrain.answers.finding import Finding
from spectrain.answers.noise.row import Kind, NoiseGroup, NoiseRow, Verdict
from spectrain.noise import additive, proportional

_SHAPE = (16, 24)
_REPLICAS, _STEPS = 8, 2
_ENOUGH = 6
"""Samples of an interval of the noise scale, which takes three at least."""


Found = Finding[NoiseRow, NoiseGroup]
Draw = Callable[[Generator], Tensor]


def _normal(generator: Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator)


def _white(g: Generator) -> Tensor:
    return _normal(g, _REPLICAS, *_SHAPE)


def _changing_sign(g: Generator) -> Tensor:
    """One direction with a standard normal factor, far above the rest."""
    x = _white(g)
    x[:, 0, 0] += 60 * _normal(g, _REPLICAS)
    return x


def _lognormal_scales(g: Generator) -> Tensor:
    """Rows and columns with scales of their own, redrawn at every step."""
    return _normal(g, _SHAPE[0], 1).exp() * _normal(g, 1, _SHAPE[1]).exp() * _white(g)


def _heavy_tails(g: Generator) -> Tensor:
    """Student's t with two degrees of freedom."""
    return _white(g) / (_white(g).square() + _white(g).square()).sqrt()


def _skewed(g: Generator) -> Tensor:
    """Log-normal entries about their mean: not symmetric, as the test assumes."""
    return _white(g).exp() - torch.tensor(0.5).exp()


def _signal(*values: float) -> Tensor:
    made = torch.zeros(_SHAPE)
    made[range(len(values)), range(len(values))] = torch.tensor(values)
    return made


_EIGHT = _signal(*(100 * 0.75**i for i in range(8)))


def _two_directions(g: Generator) -> Tensor:
    return additive(_signal(90.0, 50.0), replicas=_REPLICAS, generator=g)


def _isotropic(g: Generator) -> Tensor:
    return additive(_EIGHT, replicas=_REPLICAS, generator=g)


def _in_proportion(g: Generator) -> Tensor:
    return proportional(_EIGHT, replicas=_REPLICAS, generator=g, left=0.04, right=0.04)


def _uneven(g: Generator) -> Tensor:
    """Additive noise whose rows differ by a factor of 4.7."""
    rows = torch.tensor([0.3, 1.4]).repeat(_SHAPE[0] // 2)
    return additive(_EIGHT, replicas=_REPLICAS, generator=g, row_std=rows)


def _with_scale(ratio: float) -> Draw:
    """The noise scale is ``ratio`` times the batch of a step."""
    energy = _SHAPE[0] * _SHAPE[1] / (_REPLICAS * ratio)

    def draw(g: Generator) -> Tensor:
        return additive(_signal(energy**0.5), replicas=_REPLICAS, generator=g)

    return draw


def _script_of(draw: Draw) -> Callable[[Generator], Script]:
    """Every step's replicas are drawn anew, one a microbatch."""

    def script(generator: Generator) -> Script:
        def microbatches() -> Iterator[Tensor]:
            while True:
                yield from draw(generator)

        coming = microbatches()

        def gradients(step: int) -> Gradients:
            return {"a": next(coming)}

        return Script(gradients)

    return script


def _directions(least: int, most: int) -> Callable[[Found], bool]:
    return lambda finding: least <= (finding.rows[0].signal_directions or 0) <= most


def _kind(*kinds: Kind) -> Callable[[Found], bool]:
    return lambda finding: finding.rows[0].kind in kinds


def _verdict(*verdicts: Verdict) -> Callable[[Found], bool]:
    return lambda finding: finding.rows[0].verdict in verdicts


_NAMED = (Kind.ISOTROPIC, Kind.ADDITIVE, Kind.PROPORTIONAL)


def _run(
    name: str,
    draw: Draw,
    claim: str,
    said: Callable[[Found], bool],
    *,
    true: bool = False,
    steps: int = _STEPS,
) -> PlantedRun:
    return PlantedRun(
        name=name,
        claim=claim,
        true=true,
        shapes={"a": _SHAPE},
        draw=_script_of(draw),
        said=said,
        steps=steps,
        microbatches=_REPLICAS,
    )


_NULLS = (
    (_white, "white noise"),
    (_changing_sign, "one direction of changing sign"),
    (_lognormal_scales, "rows and columns of log-normal scale"),
    (_heavy_tails, "heavy tails, t with 2 degrees of freedom"),
    (_skewed, "skewed entries"),
)
_KINDS = (
    (_isotropic, "isotropic additive noise", Kind.ISOTROPIC),
    (_in_proportion, "noise in proportion to the signal", Kind.PROPORTIONAL),
    (_uneven, "additive noise of uneven rows", Kind.ADDITIVE),
)

PLANTED = (
    *(_run(name, draw, "a signal direction", _directions(1, 8)) for draw, name in _NULLS),
    *(_run(name, draw, "a kind of noise", _kind(*_NAMED)) for draw, name in _NULLS[:2]),
    _run("two strong directions", _two_directions, "more than two", _directions(3, 8)),
    _run("two strong directions", _two_directions, "exactly two", _directions(2, 2), true=True),
    *(
        _run(name, draw, "another kind", _kind(*(k for k in _NAMED if k is not kind)))
        for draw, name, kind in _KINDS
    ),
    *(_run(name, draw, "its kind", _kind(kind), true=True) for draw, name, kind in _KINDS),
    *(
        _run("noise scale of one batch", _with_scale(1.0), claim, _verdict(verdict), steps=_ENOUGH)
        for claim, verdict in (("mostly noise", Verdict.NOISE), ("mostly signal", Verdict.SIGNAL))
    ),
    _run(
        "noise scale of 10 batches",
        _with_scale(10.0),
        "mostly noise",
        _verdict(Verdict.NOISE),
        true=True,
        steps=_ENOUGH,
    ),
    _run(
        "noise scale of .1 batches",
        _with_scale(0.1),
        "mostly signal",
        _verdict(Verdict.SIGNAL),
        true=True,
        steps=_ENOUGH,
    ),
)
