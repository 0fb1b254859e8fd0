"""Blocks that only noise moves, under one rule after another, and blocks that a signal moves.

All lie side by side in one run, each pair in a parameter group of its own: a block is judged by
itself, so that one training serves every claim.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from spectrain.answers.course import PlantedRun, Script
from spectrain.answers.finding import Finding
from spectrain.answers.regime.row import Memory, RegimeGroup, RegimeRow, Verdict

_PAIR = ((16, 16), (12, 20))
"""Shapes of the blocks under one rule."""
_STEPS = 120
_EVERY = 3
_RATE, _DECAY = 0.1, 0.5
"""A relaxation time is 10 steps, of which the run has 12."""

_MEASURES = (
    *(f"{source}/frobenius_norm" for source in ("weight", "gradient", "update", "direction")),
    *("gradient/persistent_energy", "direction/successive_cosine"),
)

Found = Finding[RegimeRow, RegimeGroup | Memory]
_ADAMW: dict[str, Any] = {"lr": _RATE, "weight_decay": _DECAY, "betas": (0.5, 0.9)}
_SGD: dict[str, Any] = {"lr": _RATE, "momentum": 0.5, "weight_decay": _DECAY / 2}
_MUON: dict[str, Any] = {"lr": _RATE, "weight_decay": _DECAY, "momentum": 0.5}


class Dropping(torch.optim.AdamW):
    """AdamW; where a group ``drops``, its rate falls to a tenth after two thirds of the run."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, at the rate that is due."""
        for group in self.param_groups:
            group["taken"] = group.get("taken", 0) + 1
            if group.get("drops") and group["taken"] > 2 * _STEPS // 3:
                group["lr"] = _RATE / 10
        return super().step(closure)


@dataclass(frozen=True, slots=True)
class Kind:
    """A pair of blocks, what moves them, and by which rule.

    Attributes:
        name: in words.
        rule: of the optimizer.
        options: of its parameter group.
        noise: standard deviation of the entries of a gradient, drawn anew at every step.
        signal: the same of a matrix that every gradient holds.
        used: share of the steps in which the gradient is not zero.
    """

    name: str
    rule: Callable[..., Optimizer] = Dropping
    options: Mapping[str, Any] = field(default_factory=lambda: _ADAMW)
    noise: float = 1.0
    signal: float = 0.0
    used: float = 1.0


_KINDS = (
    Kind("noise under AdamW"),
    Kind("noise under AdamW with amsgrad", options=_ADAMW | {"amsgrad": True}),
    Kind("noise beside which AdamW's ε matters", noise=1e-9),
    Kind("noise in one step of five under AdamW", used=0.2),
    Kind("noise under AdamW whose rate drops", options=_ADAMW | {"drops": True}),
    Kind("noise under SGD with momentum and coupled decay", torch.optim.SGD, _SGD),
    Kind("noise under Muon", torch.optim.Muon, _MUON),
    Kind("as much signal as noise under AdamW", signal=1.0),
)
_SHAPES = {
    f"{place}{'ab'[which]}": shape
    for place in range(len(_KINDS))
    for which, shape in enumerate(_PAIR)
}


def _optimizers(parameters: Iterable[nn.Parameter]) -> Sequence[Optimizer]:
    """One a rule, with a parameter group a kind."""
    pairs = iter(parameters)
    groups = [{"params": [next(pairs), next(pairs)], **kind.options} for kind in _KINDS]
    rules = dict.fromkeys(kind.rule for kind in _KINDS)
    return [
        rule([group for group, kind in zip(groups, _KINDS, strict=True) if kind.rule is rule])
        for rule in rules
    ]


def _draw(generator: Generator) -> Script:
    steady = {name: torch.randn(shape, generator=generator) for name, shape in _SHAPES.items()}

    def gradients(step: int) -> dict[str, Tensor]:
        on = [float(torch.rand(1, generator=generator)) < kind.used for kind in _KINDS]
        drawn_gradients = {}
        for place, (name, mean) in enumerate(steady.items()):
            kind = _KINDS[place // 2]
            drawn = kind.noise * torch.randn(mean.shape, generator=generator)
            drawn_gradients[name] = on[place // 2] * (drawn + kind.signal * mean)
        return drawn_gradients

    return Script(gradients)


def _any(place: int, *verdicts: Verdict) -> Callable[[Found], bool]:
    """Whether a block of that kind has one of these verdicts."""
    return lambda finding: any(
        row.verdict in verdicts for row in finding.rows if row.block.startswith(str(place))
    )


_SCALE = "a block's scale is set by signal or loss"
_SETTLED = "a block is at the norm of its rate and decay"


def _planted(place: int, claim: str, *verdicts: Verdict, true: bool = False) -> PlantedRun:
    return PlantedRun(
        name="blocks side by side",
        claim=f"{claim}: {_KINDS[place].name}",
        true=true,
        draw=_draw,
        said=_any(place, *verdicts),
        steps=_STEPS,
        every=_EVERY,
        optimizer=_optimizers,
        shapes=_SHAPES,
        measures=_MEASURES,
    )


PLANTED = (
    *(
        _planted(place, _SCALE, Verdict.SIGNAL_DRIVEN, Verdict.BELOW)
        for place, kind in enumerate(_KINDS)
        if not kind.signal
    ),
    _planted(4, _SETTLED, Verdict.EQUILIBRIUM),
    _planted(0, _SETTLED, Verdict.EQUILIBRIUM, true=True),
    _planted(7, _SCALE, Verdict.SIGNAL_DRIVEN, true=True),
)
