"""What one spectral and one Euclidean step of each block really gain, on the gradient's own batch.

The criterion nr(G) ≥ st(A) compares guarantees at the natural lengths; this compares outcomes, each
step at its best length.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from spectrain.core import QUANTITIES, Block, InputError, Quantity, Record, Source
from spectrain.descent import RealisedDecrease, realised_decrease
from spectrain.matrix import diagonal_spectrum, frobenius_norm, nuclear_norm, spectrum
from spectrain.monitor.progress import bar
from spectrain.monitor.surgery import write_matrix
from spectrain.network import find_blocks
from spectrain.noise import ReplicaGradients

_ONE_STEP = "arXiv 2512.04299, §1.2 compares the guarantees"
STEP_QUANTITIES = QUANTITIES.add(
    Quantity(Source.REALISED, measure, unit, formula, _ONE_STEP)
    for measure, unit, formula in (
        ("loss", "unit of the loss", "L before any step"),
        ("decrease_spectral", "unit of the loss", "max_s L(W) − L(W − s·polar(G))"),
        ("decrease_euclidean", "unit of the loss", "max_s L(W) − L(W − s·G/‖G‖_F)"),
        ("length_spectral", "unit of W", "the maximising s, an operator norm"),
        ("length_euclidean", "unit of W", "the maximising s, a Frobenius norm"),
    )
)
"""What the line searches record."""

FIRST = 0.01
"""Share of the loss that the first trial lengths would gain if it were linear."""


@dataclass(frozen=True, slots=True)
class BlockSteps:
    """Both steps of one block.

    Attributes:
        block: which.
        realised: decreases and lengths; ``None`` where there are none.
        reason: why there are none.
    """

    block: Block
    realised: RealisedDecrease | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class StepMeasurement:
    """Both steps of every block.

    Attributes:
        loss: of the batch, before any step.
        blocks: in the order of the network.
    """

    loss: float
    blocks: tuple[BlockSteps, ...]

    def records(self, step: int) -> list[Record]:
        """Rows under :attr:`~spectrain.core.Source.REALISED`; the loss has no block.

        Measures are ``loss``, ``decrease_spectral``, ``decrease_euclidean``, ``length_spectral``
        (operator norm) and ``length_euclidean`` (Frobenius norm).
        """
        source = Source.REALISED
        rows = [Record(step, None, source, "loss", self.loss)]
        for one in self.blocks:
            realised = one.realised
            values = {
                "decrease_spectral": None if realised is None else realised.spectral,
                "decrease_euclidean": None if realised is None else realised.euclidean,
                "length_spectral": None if realised is None else realised.spectral_length,
                "length_euclidean": None if realised is None else realised.euclidean_length,
            }
            rows += [
                Record(step, one.block.name, source, name, value, reason=one.reason)
                for name, value in values.items()
            ]
        return rows


def measure_steps(
    model: nn.Module,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    batch: Any,
    *,
    include: Sequence[str] = ("*",),
    dropout: bool = False,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> StepMeasurement:
    """Line searches along −G and along −polar(G), one block at a time, on the batch that gave G.

    Each search takes some 10 to 20 forward passes. Weights, buffers, gradients, modes, random
    states and optimizer are left as they were, even after an error.

    Args:
        model: not wrapped for distributed training.
        loss_fn: (model, batch) ↦ mean loss over the batch's examples.
        batch: what gradient and losses are taken on.
        include: blocks whose name matches a pattern (``*`` and ``?``).
        dropout: whether dropout is on; the same mask is drawn for every loss.
        generator: seeds dropout.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        InputError: no block matches, the loss is not a scalar, or a gradient is not finite.

    Source:
        Davis & Drusvyatskiy, §1.2, compare the guarantees.

    Example:
        >>> import torch
        >>> x = torch.randn(64, 16, generator=torch.Generator().manual_seed(0))
        >>> model = torch.nn.Linear(16, 8, bias=False)
        >>> _ = torch.nn.init.zeros_(model.weight)
        >>> measured = measure_steps(model, lambda m, x: (m(x) - x[:, :8]).square().mean(), x)
        >>> (one,) = measured.blocks
        >>> one.block.name, one.realised.spectral > one.realised.euclidean > 0
        ('weight', True)
    """
    blocks = _chosen(model, include)
    parameters = dict(model.named_parameters())
    gradients = ReplicaGradients(
        model,
        loss_fn,
        [batch],
        dropout=dropout,
        parameters={block.parameter: parameters[block.parameter] for block in blocks},
        generator=generator,
    )
    (gradient,) = gradients
    start = gradients.loss()
    measured = []
    with bar("blocks", len(blocks), shown=progress) as advance:
        for block in blocks:
            part = block.view.of(gradient[block.parameter])
            if bool(part.any()):
                realised = _steps(block, parameters[block.parameter], part, gradients, start)
                measured.append(BlockSteps(block, realised))
            else:
                measured.append(BlockSteps(block, None, "zero gradient"))
            advance()
    return StepMeasurement(start, tuple(measured))


def _chosen(model: nn.Module, include: Sequence[str]) -> list[Block]:
    patterns = [pattern.replace("[", "[[]") for pattern in include]
    chosen = [
        block
        for block in find_blocks(model).blocks
        if any(fnmatchcase(block.name, pattern) for pattern in patterns)
    ]
    if not chosen:
        raise InputError(
            f"no block matches {', '.join(include)}",
            remedy="see spectrain.find_blocks(model) for the names",
        )
    return chosen


@torch.no_grad()
def _steps(
    block: Block, parameter: nn.Parameter, gradient: Tensor, losses: ReplicaGradients, start: float
) -> RealisedDecrease:
    s = diagonal_spectrum(gradient) if block.view.diagonal else spectrum(gradient)
    first = FIRST * (abs(start) or 1.0)
    before = parameter.clone()
    matrix = block.view.of(before).clone()

    def loss() -> float:
        write_matrix(block, parameter, matrix)
        return losses.loss()

    try:
        return realised_decrease(
            loss,
            matrix,
            gradient,
            euclidean_length=first / frobenius_norm(s).item(),
            spectral_length=first / nuclear_norm(s).item(),
        )
    finally:
        parameter.copy_(before)
