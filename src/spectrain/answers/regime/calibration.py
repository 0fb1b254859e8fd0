"""Blocks that only noise moves, under one rule after another, and blocks that a signal moves."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.optim import Optimizer

from spectrain.answers.course import PlantedRun, Script
from spectrain.answers.finding import Finding
from spectrain.answers.regime.row import Memory, RegimeGroup, RegimeRow, Verdict

_SHAPES = {"a": (16, 16), "b": (12, 20)}
_STEPS = 120
_EVERY = 3
_RATE, _DECAY = 0.1, 0.5
"""A relaxation time is 10 steps, of which the run has 12."""

_MEASURES = (
    *(f"{source}/frobenius_norm" for source in ("weight", "gradient", "update", "direction")),
    *("gradient/persistent_energy", "direction/successive_cosine"),
)

Found = Finding[RegimeRow, RegimeGroup | Memory]
Make = Callable[[Iterable[nn.Parameter]], Optimizer]


class Dropping(torch.optim.AdamW):
    """AdamW whose rate falls to a tenth after two thirds of the run."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step, at the rate of its turn."""
        for group in self.param_groups:
            group["taken"] = group.get("taken", 0) + 1
            group["lr"] = _RATE * (1.0 if group["taken"] <= 2 * _STEPS // 3 else 0.1)
        return super().step(closure)


_SETTINGS: dict[str, Any] = {"lr": _RATE, "weight_decay": _DECAY, "betas": (0.5, 0.9)}


def _adamw(**options: Any) -> Make:
    return lambda parameters: torch.optim.AdamW(parameters, **(_SETTINGS | options))


def _dropping(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return Dropping(parameters, **_SETTINGS)


def _sgd(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.SGD(parameters, lr=_RATE, momentum=0.5, weight_decay=_DECAY / 2)


def _muon(parameters: Iterable[nn.Parameter]) -> Optimizer:
    return torch.optim.Muon(parameters, lr=_RATE, weight_decay=_DECAY, momentum=0.5)


def _noise(scale: float = 1.0, used: float = 1.0) -> Callable[[Generator], Script]:
    """Gaussian gradients, drawn anew at every step; zero in a share of them."""

    def draw(generator: Generator) -> Script:
        def gradients(step: int) -> dict[str, Tensor]:
            on = float(torch.rand(1, generator=generator)) < used
            return {
                name: scale * on * torch.randn(shape, generator=generator)
                for name, shape in _SHAPES.items()
            }

        return Script(gradients)

    return draw


def _signal(generator: Generator) -> Script:
    """The same matrix at every step, under as much noise as signal."""
    steady = {name: torch.randn(shape, generator=generator) for name, shape in _SHAPES.items()}
    return Script(
        lambda step: {
            name: mean + torch.randn(mean.shape, generator=generator)
            for name, mean in steady.items()
        }
    )


def _any(*verdicts: Verdict) -> Callable[[Found], bool]:
    return lambda finding: any(row.verdict in verdicts for row in finding.rows)


_SCALE = "a block's scale is set by signal or loss"
_SETTLED = "a block is at the norm of its rate and decay"
_NOISES: tuple[tuple[str, Make, Callable[[Generator], Script]], ...] = (
    ("noise under AdamW", _adamw(), _noise()),
    ("noise under AdamW with amsgrad", _adamw(amsgrad=True), _noise()),
    ("noise beside which AdamW's ε matters", _adamw(), _noise(1e-9)),
    ("noise in one step of five under AdamW", _adamw(), _noise(used=0.2)),
    ("noise under AdamW whose rate drops", _dropping, _noise()),
    ("noise under SGD with momentum and coupled decay", _sgd, _noise()),
    ("noise under Muon", _muon, _noise()),
)


def _planted(
    name: str,
    make: Make,
    draw: Callable[[Generator], Script],
    claim: str,
    true: bool,
    said: Callable[[Found], bool],
) -> PlantedRun:
    return PlantedRun(
        name=name,
        claim=claim,
        true=true,
        draw=draw,
        said=said,
        steps=_STEPS,
        every=_EVERY,
        optimizer=make,
        shapes=_SHAPES,
        measures=_MEASURES,
    )


PLANTED = (
    *(
        _planted(*each, _SCALE, False, _any(Verdict.SIGNAL_DRIVEN, Verdict.BELOW))
        for each in _NOISES
    ),
    _planted(
        "noise under AdamW whose rate drops",
        _dropping,
        _noise(),
        _SETTLED,
        False,
        _any(Verdict.EQUILIBRIUM),
    ),
    _planted("noise under AdamW", _adamw(), _noise(), _SETTLED, True, _any(Verdict.EQUILIBRIUM)),
    _planted(
        "as much signal as noise under AdamW",
        _adamw(),
        _signal,
        _SCALE,
        True,
        _any(Verdict.SIGNAL_DRIVEN),
    ),
)
