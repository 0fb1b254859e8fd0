"""What the random bulk of the weights is worth: the loss without it, and with another in its place.

"Significant part of the spectrum remains random. How relevant is it? Remove? Sparse weights?"
(Aarts et al., arXiv:2411.13512) is answered by changing the weights and asking for the loss.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from spectrain.core import QUANTITIES, InputError, Quantity, Record, Source
from spectrain.monitor.progress import bar
from spectrain.monitor.surgery import Split, Surgery, write_matrix
from spectrain.network import find_blocks

FINETUNED = ("finetuned", "bulk_removed_finetuned")
"""Names of the changes after finetuning, without surgery and with it."""

BULK_QUANTITIES = QUANTITIES.add(
    (
        Quantity(
            Source.ABLATION, "loss", "unit of the loss", "mean over batches, weights as they are"
        ),
        *(
            Quantity(
                Source.ABLATION,
                f"loss_change_{name}",
                unit="unit of the loss",
                formula="loss with the weights so changed − loss",
            )
            for name in (*Surgery, *FINETUNED)
        ),
        Quantity(Source.ABLATION, "spikes", "1", "singular values that stand apart from the bulk"),
        Quantity(Source.ABLATION, "bulk_energy", "1", "share of ‖W‖_F² in the bulk"),
    )
)
"""What surgery on the weights records."""

LEAST_COLUMNS = 16
"""Narrower matrices have too few singular values for a bulk."""


@dataclass(frozen=True, slots=True)
class Change:
    """The loss with changed weights minus the loss as it was, batch by batch.

    Attributes:
        value: mean over the batches, in the loss's unit.
        error: its standard error; ``None`` for a single batch.
    """

    value: float
    error: float | None


@dataclass(frozen=True, slots=True)
class BulkMeasurement:
    """What the bulk is worth.

    Attributes:
        loss: as it was.
        together: the change under each surgery on all blocks at once, and, where finetuning was
            given, ``"finetuned"`` (nothing removed) and ``"bulk_removed_finetuned"``.
        alone: the change under each surgery on one block.
        spikes: number of components that stand apart, by block.
        energy: fraction of each block's energy that is in its bulk.
        batches: number of batches behind every loss.
    """

    loss: Change
    together: Mapping[str, Change]
    alone: Mapping[str, Mapping[str, Change]]
    spikes: Mapping[str, int]
    energy: Mapping[str, float]
    batches: int

    def records(self, step: int) -> list[Record]:
        """Rows under :attr:`~spectrain.core.Source.ABLATION`; surgery on all blocks has no block.

        Measures are ``loss``, ``loss_change_<surgery>``, ``spikes`` and ``bulk_energy``.
        """
        source, count = Source.ABLATION, self.batches
        rows = [Record(step, None, source, "loss", self.loss.value, self.loss.error, count)]
        for block, changes in [(None, self.together), *self.alone.items()]:
            for name, change in changes.items():
                measure = f"loss_change_{name}"
                rows.append(Record(step, block, source, measure, change.value, change.error, count))
        for block in self.spikes:
            rows.append(Record(step, block, source, "spikes", float(self.spikes[block])))
            rows.append(Record(step, block, source, "bulk_energy", self.energy[block]))
        return rows


def measure_bulk(
    model: nn.Module,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    batches: Iterable[Any],
    *,
    include: Sequence[str] = ("*",),
    surgeries: Sequence[Surgery] = tuple(Surgery),
    each: bool = False,
    finetune: Callable[[nn.Module], None] | None = None,
    level: float = 0.01,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> BulkMeasurement:
    """Measure the loss of a model with the random bulk of its weights changed.

    The bulk of a matrix is what :func:`~spectrain.rmt.count_spikes` does not count. Evaluation is
    in evaluation mode and without gradients; the model is left as it was, even after an error.

    Args:
        model: its blocks of at least 16 rows and columns are changed.
        loss_fn: (model, batch) ↦ mean loss over the batch's examples.
        batches: held-out batches; all are used for every loss.
        include: blocks whose name matches a pattern (``*`` and ``?``).
        surgeries: what to do.
        each: also change every block alone.
        finetune: trains the model it is given for a while; called twice, with the weights as they
            are and with the bulk removed.
        level: of the test for spikes.
        generator: source of the random singular vectors.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        InputError: no batch, or no block that is wide enough and matches.

    Source: the question of Aarts, Hajizadeh, Lucini & Park, arXiv:2411.13512.

    Example:
        >>> import torch
        >>> generator = torch.Generator().manual_seed(0)
        >>> data = torch.randn(4, 64, 32, generator=generator)
        >>> model = torch.nn.Linear(32, 32, bias=False)
        >>> with torch.no_grad():
        ...     _ = model.weight.normal_(std=0.1, generator=generator)
        ...     _ = model.weight[0, 0].fill_(5.0)
        >>> measured = measure_bulk(model, lambda m, x: m(x).square().mean(), data)
        >>> measured.spikes, measured.energy["weight"] < 0.4
        ({'weight': 1}, True)
    """
    data = list(batches)
    if not data:
        raise InputError("no batch is given", remedy="pass held-out batches")
    parts = _split(model, include, level)
    if not parts:
        raise InputError(
            f"no block of {LEAST_COLUMNS} rows and columns or more matches {', '.join(include)}",
            remedy="pass a model with larger matrices, or other patterns",
        )
    generator = generator or torch.Generator().manual_seed(0)
    losses = 1 + len(surgeries) * (1 + (len(parts) if each else 0)) + 2 * (finetune is not None)
    with _restored(model), bar("losses", losses, shown=progress) as advance:
        before = _losses(model, loss_fn, data)
        advance()
        together: dict[str, Change] = {}
        alone: dict[str, dict[str, Change]] = {name: {} for name in parts} if each else {}
        for surgery in surgeries:
            together[str(surgery)] = _changed(
                model, parts.values(), surgery, loss_fn, data, before, generator
            )
            advance()
            for name in alone:
                alone[name][str(surgery)] = _changed(
                    model, [parts[name]], surgery, loss_fn, data, before, generator
                )
                advance()
        if finetune is not None:
            for name, chosen in zip(FINETUNED, ((), parts.values()), strict=True):
                with _restored(model):
                    _operate(model, chosen, Surgery.BULK_TRUNCATED, generator)
                    finetune(model)
                    together[name] = _change(_losses(model, loss_fn, data) - before)
                advance()
    return BulkMeasurement(
        loss=_change(before),
        together=together,
        alone=alone,
        spikes={name: part.spikes for name, part in parts.items()},
        energy={name: part.energy for name, part in parts.items()},
        batches=len(data),
    )


def _split(model: nn.Module, include: Sequence[str], level: float) -> dict[str, Split]:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    splits = {}
    for block in find_blocks(model).blocks:
        patterns = (pattern.replace("[", "[[]") for pattern in include)
        if block.view.diagonal or min(block.shape) < LEAST_COLUMNS:
            continue
        if any(fnmatchcase(block.name, pattern) for pattern in patterns):
            matrix = block.view.of(parameters[block.parameter].detach())
            if bool(matrix.any()):
                splits[block.name] = Split.of(block, matrix, level=level)
    return splits


def _changed(
    model: nn.Module,
    parts: Iterable[Split],
    surgery: Surgery,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    data: Sequence[Any],
    before: Tensor,
    generator: torch.Generator,
) -> Change:
    with _restored(model):
        _operate(model, parts, surgery, generator)
        return _change(_losses(model, loss_fn, data) - before)


def _operate(
    model: nn.Module, parts: Iterable[Split], surgery: Surgery, generator: torch.Generator
) -> None:
    parameters = dict(model.named_parameters(remove_duplicate=False))
    with torch.no_grad():
        for part in parts:
            parameter = parameters[part.block.parameter]
            matrix = part.after(surgery, generator).to(parameter)
            write_matrix(part.block, parameter, matrix)


def _losses(
    model: nn.Module, loss_fn: Callable[[nn.Module, Any], Tensor], data: Sequence[Any]
) -> Float[Tensor, " batches"]:
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad():
            return torch.stack([loss_fn(model, batch).double().cpu() for batch in data])
    finally:
        for module in training:
            module.training = True


def _change(differences: Float[Tensor, " batches"]) -> Change:
    count = len(differences)
    error = float(differences.std() / count**0.5) if count > 1 else None
    return Change(float(differences.mean()), error)


@contextmanager
def _restored(model: nn.Module) -> Iterator[None]:
    """Weights, buffers, gradients and training flags as before, whatever happens inside."""
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [(p, None if p.grad is None else p.grad.clone()) for p in model.parameters()]
    training = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        model.load_state_dict(kept)
        for parameter, gradient in gradients:
            parameter.grad = gradient
        for module, flag in training:
            module.training = flag
