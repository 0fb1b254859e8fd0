"""Training a stack of copies, with the spectra and losses that are seen on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from spectrain_studies.rank.arms import Arm, make_optimizer, momentum_of
from spectrain_studies.rank.config import Interventions
from spectrain_studies.rank.data import draw, held_out, trained_on
from spectrain_studies.rank.stack import Stack

SOURCES = ("gradient", "momentum", "update")
HOPELESS = 100.0
"""Loss beyond which a copy has diverged: it stands still from there on."""
LAST_FACTOR = 0.1
"""The step size falls linearly to this share."""


@dataclass
class Trace:
    """What was seen of one training run of many copies.

    Attributes:
        steps: the sampled steps, T of them.
        train: loss of every step's own batch, steps × copies.
        held_out, trained_on: losses on fixed sets at the sampled steps, T × copies.
        spectra: by source, T × matrices × copies × r, NaN beyond a matrix's own r.
        first_order: Σ⟨g, Δw⟩ over all steps so far, T × matrices × copies.
    """

    steps: list[int] = field(default_factory=list)
    train: list[Tensor] = field(default_factory=list)
    held_out: list[Tensor] = field(default_factory=list)
    trained_on: list[Tensor] = field(default_factory=list)
    spectra: dict[str, list[Tensor]] = field(
        default_factory=lambda: {source: [] for source in SOURCES}
    )
    first_order: list[Tensor] = field(default_factory=list)

    def arrays(self) -> dict[str, np.ndarray]:
        """Plain arrays, as an outcome stores them."""
        found = {
            "steps": np.array(self.steps),
            "train": torch.stack(self.train).numpy(),
            "held_out": torch.stack(self.held_out).numpy(),
            "trained_on": torch.stack(self.trained_on).numpy(),
            "first_order": torch.stack(self.first_order).numpy(),
        }
        for source, values in self.spectra.items():
            found[f"spectra_{source}"] = torch.stack(values).float().numpy()
        return found


def train(
    stack: Stack,
    arm: Arm,
    settings: Interventions,
    rates: Tensor,
    *,
    steps: int,
    samples: Sequence[int] = (),
    at: Callable[[int], None] | None = None,
) -> Trace:
    """Train every copy with its own rate on the batches of its own seed.

    Args:
        stack: the copies, changed in place.
        arm: how they are trained.
        settings: of the interventions.
        rates: one a copy, in the unit of the arm's own steps.
        steps: how many.
        samples: steps after which spectra and held-out losses are taken.
        at: called after each sampled step, while the gradients are still there.
    """
    optimizers = _optimizers(stack, arm, settings, rates)
    peaks = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    chosen, trace = set(samples), Trace()
    evaluation = (held_out(stack.task), trained_on(stack.task)) if chosen else None
    hopeless = torch.zeros(len(stack.seeds), dtype=torch.bool)
    path = torch.zeros(len(stack.matrices), len(stack.seeds))
    for step in range(steps):
        _set_rates(optimizers, peaks, 1 - (1 - LAST_FACTOR) * step / max(steps - 1, 1))
        losses = _backward(stack, step)
        hopeless |= ~(losses.detach() < HOPELESS)
        _stop(stack.parameters.values(), hopeless)
        trace.train.append(torch.where(hopeless, torch.inf, losses.detach()))
        before = {name: stack.parameters[name].detach().clone() for name in stack.matrices}
        for optimizer in optimizers:
            optimizer.step()
        moved = {name: stack.parameters[name].detach() - before[name] for name in stack.matrices}
        path += torch.stack([_inner(stack.parameters[name].grad, moved[name]) for name in moved])
        if step in chosen and evaluation is not None:
            trace.steps.append(step)
            trace.held_out.append(_evaluated(stack, evaluation[0], hopeless))
            trace.trained_on.append(_evaluated(stack, evaluation[1], hopeless))
            trace.first_order.append(path.clone())
            for source, values in _spectra(stack, optimizers, moved).items():
                trace.spectra[source].append(values)
            if at is not None:
                at(step)
    return trace


def rates_of_sizes(stack: Stack, arm: Arm, settings: Interventions, sizes: Tensor) -> Tensor:
    """The rate of each copy at which an entry of the first step has this root mean square.

    All matrices that the arm transforms count together. One step is taken and undone.
    """
    before = stack.clone()
    moving = stack.matrices if arm.matrices == "all" else stack.hidden
    main = _optimizers(stack, arm, settings, torch.ones_like(sizes))[0]
    _backward(stack, 0)
    main.step()
    squares, entries = torch.zeros_like(sizes), 0
    with torch.no_grad():
        for name in moving:
            moved = stack.parameters[name] - before[name]
            squares += moved.square().flatten(1).sum(1)
            entries += moved[0].numel()
        for name, parameter in stack.parameters.items():
            parameter.copy_(before[name])
            parameter.grad = None
    return sizes / (squares / entries).sqrt().clamp_min(torch.finfo(sizes.dtype).tiny)


def sampled_steps(steps: int, samples: int) -> list[int]:
    """About so many steps, from the first to the last, evenly apart.

    Example:
        >>> sampled_steps(9, 3)
        [0, 4, 8]
    """
    return sorted({round(step) for step in np.linspace(0, steps - 1, samples)})


def _optimizers(stack: Stack, arm: Arm, settings: Interventions, rates: Tensor) -> list[Optimizer]:
    names = stack.matrices if arm.matrices == "all" else stack.hidden
    transformed = [stack.parameters[name] for name in names]
    rest = [p for name, p in stack.parameters.items() if name not in names]
    return make_optimizer(arm, settings, transformed, rest, rates, stack.task.auxiliary)


def _backward(stack: Stack, step: int) -> Tensor:
    for parameter in stack.parameters.values():
        parameter.grad = None
    losses = stack.losses(draw(stack.task, stack.seeds, step))
    losses.sum().backward()
    return losses


@torch.no_grad()
def _stop(parameters: Iterable[nn.Parameter], hopeless: Tensor) -> None:
    """Zero weights and gradients of copies that have diverged, so that the others can go on."""
    if not hopeless.any():
        return
    for parameter in parameters:
        parameter[hopeless] = 0.0
        if parameter.grad is not None:
            parameter.grad[hopeless] = 0.0


@torch.no_grad()
def _evaluated(stack: Stack, batch: tuple[Tensor, Tensor], hopeless: Tensor) -> Tensor:
    return torch.where(hopeless, torch.inf, stack.losses(batch, shared=True))


def _set_rates(optimizers: Sequence[Optimizer], peaks: Sequence[float], factor: float) -> None:
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    for group, peak in zip(groups, peaks, strict=True):
        group["lr"] = factor * peak


def _inner(gradient: Tensor | None, moved: Tensor) -> Tensor:
    assert gradient is not None
    return (gradient * moved).flatten(1).sum(1)


def _spectra(
    stack: Stack, optimizers: Sequence[Optimizer], moved: dict[str, Tensor]
) -> dict[str, Tensor]:
    """Singular values of gradient, momentum and update of every matrix and copy."""
    holder = {id(p): o for o in optimizers for g in o.param_groups for p in g["params"]}
    found: dict[str, list[Tensor]] = {source: [] for source in SOURCES}
    for name in stack.matrices:
        parameter = stack.parameters[name]
        assert parameter.grad is not None
        momentum = momentum_of(holder[id(parameter)], parameter)
        for source, tensor in zip(SOURCES, (parameter.grad, momentum, moved[name]), strict=True):
            found[source].append(singular_values(tensor.detach().flatten(2)))
    longest = max(values.shape[-1] for values in found["gradient"])
    return {
        source: torch.stack([_padded(values, longest) for values in group])
        for source, group in found.items()
    }


def singular_values(matrices: Tensor) -> Tensor:
    """Singular values in float64, zeros where a copy holds no finite matrix."""
    finite = matrices.isfinite().flatten(1).all(1)
    return torch.linalg.svdvals(torch.where(finite[:, None, None], matrices, 0.0).double())


def _padded(values: Tensor, length: int) -> Tensor:
    return nn.functional.pad(values, (0, length - values.shape[-1]), value=torch.nan)
