"""Null and planted runs for the answer on noise: eight microbatches a step, two sampled steps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from calibration.frame import CASES, Case, Found, record
from spectrain.answers.noise.row import Kind, Verdict
from spectrain.noise import additive, proportional

SHAPE = (16, 24)
REPLICAS, STEPS = 8, 2

Draw = Callable[[torch.Generator], Tensor]


def normal(generator: torch.Generator, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=generator)


def white(g: torch.Generator) -> Tensor:
    return normal(g, REPLICAS, *SHAPE)


def changing_sign(g: torch.Generator) -> Tensor:
    """One direction with a standard normal factor, far above the rest."""
    x = white(g)
    x[:, 0, 0] += 60 * normal(g, REPLICAS)
    return x


def lognormal_scales(g: torch.Generator) -> Tensor:
    """Rows and columns with scales of their own, redrawn at every step."""
    return normal(g, SHAPE[0], 1).exp() * normal(g, 1, SHAPE[1]).exp() * white(g)


def heavy_tails(g: torch.Generator) -> Tensor:
    """Student's t with two degrees of freedom."""
    return white(g) / (white(g).square() + white(g).square()).sqrt()


def skewed(g: torch.Generator) -> Tensor:
    """Log-normal entries about their mean: not symmetric, which the test supposes."""
    return white(g).exp() - torch.tensor(0.5).exp()


def signal(*values: float) -> Tensor:
    made = torch.zeros(SHAPE)
    made[range(len(values)), range(len(values))] = torch.tensor(values)
    return made


EIGHT = signal(*(100 * 0.75**i for i in range(8)))


def two_directions(g: torch.Generator) -> Tensor:
    return additive(signal(90.0, 50.0), replicas=REPLICAS, generator=g)


def isotropic(g: torch.Generator) -> Tensor:
    return additive(EIGHT, replicas=REPLICAS, generator=g)


def in_proportion(g: torch.Generator) -> Tensor:
    return proportional(EIGHT, replicas=REPLICAS, generator=g, left=0.04, right=0.04)


def uneven(g: torch.Generator) -> Tensor:
    """Additive noise whose rows differ by a factor of 4.7."""
    rows = torch.tensor([0.3, 1.4]).repeat(SHAPE[0] // 2)
    return additive(EIGHT, replicas=REPLICAS, generator=g, row_std=rows)


def with_scale(ratio: float) -> Draw:
    """The noise scale is ``ratio`` times the batch of a step."""
    energy = SHAPE[0] * SHAPE[1] / (REPLICAS * ratio)

    def draw(g: torch.Generator) -> Tensor:
        return additive(signal(energy**0.5), replicas=REPLICAS, generator=g)

    return draw


def runs_of(draw: Draw) -> Callable[[Path, torch.Generator], None]:
    def make(path: Path, generator: torch.Generator) -> None:
        steps = (list(draw(generator)) for _ in range(STEPS))
        record(path, generator, steps, shape=SHAPE)

    return make


def directions(least: int, most: int) -> Callable[[Found], bool]:
    return lambda found: least <= (found.rows[0].signal_directions or 0) <= most


def kind(*kinds: Kind) -> Callable[[Found], bool]:
    return lambda found: found.rows[0].kind in kinds


def verdict(*verdicts: Verdict) -> Callable[[Found], bool]:
    return lambda found: found.rows[0].verdict in verdicts


TOLD = (Kind.ISOTROPIC, Kind.ADDITIVE, Kind.PROPORTIONAL)
JUDGED = verdict(Verdict.NOISE, Verdict.SIGNAL)

NULLS = (
    (white, "white noise"),
    (changing_sign, "one direction of changing sign"),
    (lognormal_scales, "rows and columns of log-normal scale"),
    (heavy_tails, "heavy tails, t with 2 degrees of freedom"),
    (skewed, "skewed entries"),
)
KINDS = (
    (isotropic, "isotropic additive noise", Kind.ISOTROPIC),
    (in_proportion, "noise in proportion to the signal", Kind.PROPORTIONAL),
    (uneven, "additive noise of uneven rows", Kind.ADDITIVE),
)
SCALES = (
    (10.0, "noise scale of 10 batches", "mostly noise", Verdict.NOISE),
    (0.1, "noise scale of .1 batches", "mostly signal", Verdict.SIGNAL),
)

for _draw, _name in NULLS:
    _false = {
        "a signal direction": directions(1, 8),
        "a kind of noise": kind(*TOLD),
        "mostly signal": verdict(Verdict.SIGNAL),
    }
    CASES.append(Case("noise", _name, runs_of(_draw), _false))

CASES.append(
    Case(
        "noise",
        "two strong directions",
        runs_of(two_directions),
        {"more than two": directions(3, 8)},
        {"exactly two": directions(2, 2)},
    )
)

for _draw, _name, _kind in KINDS:
    _others = kind(*(other for other in TOLD if other is not _kind))
    CASES.append(
        Case("noise", _name, runs_of(_draw), {"another kind": _others}, {"its kind": kind(_kind)})
    )

CASES.append(
    Case(
        "noise",
        "noise scale of just the batch",
        runs_of(with_scale(1.0)),
        {"mostly noise or mostly signal": JUDGED},
        limit=0.1,
    )
)

for _ratio, _name, _told, _verdict in SCALES:
    CASES.append(Case("noise", _name, runs_of(with_scale(_ratio)), true={_told: verdict(_verdict)}))
