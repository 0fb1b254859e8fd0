"""Noise of a model's gradients, block by block, from replicas that leave the model as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from typing import Any

import torch
from torch import Tensor, nn

from spectrain.core import Block, InputError, Record, Role, Skipped, Source
from spectrain.monitor.progress import bar
from spectrain.network import find_blocks
from spectrain.noise import (
    NOT_FINITE,
    Deviations,
    DeviationStream,
    DirectionalNoise,
    DirectionStream,
    Moments,
    ReplicaGradients,
    ScalarNoise,
    Triples,
    directional_records,
    scalar_measures,
    scalar_records,
    top_triples,
)

BatchSize = int | Callable[[Any], int]
"""Examples in a batch, or what counts them."""


@dataclass(frozen=True, slots=True)
class BlockNoise:
    """The noise of one block.

    Attributes:
        block: which.
        measures: every scalar of :data:`~spectrain.noise.NOISE_MEASURES`.
        scalar: signal and noise with intervals.
        directional: singular directions; ``None`` where there are none.
        reason: why there are none.
    """

    block: Block
    measures: Mapping[str, float]
    scalar: ScalarNoise
    directional: DirectionalNoise | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class NoiseMeasurement:
    """The noise of a network's gradients.

    Attributes:
        blocks: in the order of the network.
        roles: blocks of one role, taken as one gradient.
        total: all blocks, taken as one gradient.
        replicas: number of replicas.
        dropout: whether dropout was on.
        unit: what a noise scale counts, ``"examples"`` or ``"batches"``.
        skipped: parameters that are not blocks.
    """

    blocks: tuple[BlockNoise, ...]
    roles: Mapping[Role, ScalarNoise]
    total: ScalarNoise
    replicas: int
    dropout: bool
    unit: str
    skipped: tuple[Skipped, ...]

    def records(self, step: int) -> list[Record]:
        """One row a number, under :attr:`~spectrain.core.Source.NOISE`; the total has no block."""
        rows = scalar_records(step, None, self.total)
        for one in self.blocks:
            name = one.block.name
            rows += scalar_records(step, name, one.scalar, one.measures)
            if one.directional is None:
                rows.append(Record(step, name, Source.NOISE, "zeta_emp", None, reason=one.reason))
            else:
                rows += directional_records(step, name, one.directional)
        return rows


def measure_noise(
    model: nn.Module,
    loss_fn: Callable[[nn.Module, Any], Tensor],
    batches: Iterable[Any],
    *,
    replicas: int | None = None,
    k: int = 8,
    dropout: bool = False,
    batch_size: BatchSize | None = None,
    reference: Iterable[Any] = (),
    level: float = 0.9,
    generator: torch.Generator | None = None,
    progress: bool = True,
) -> NoiseMeasurement:
    """Measure the noise of the gradients of all blocks on several batches.

    Each batch gives one replica. Two passes are made over them: the first for the means, the second
    for deviations and singular directions; memory is that of a few gradients and of the leading
    singular vectors of all replicas. Model, buffers, gradients, random states and optimizer are
    left as they were.

    Args:
        model: not wrapped for distributed training.
        loss_fn: (model, batch) ↦ mean loss over the batch's examples.
        batches: independent batches; the first ``replicas`` are used.
        replicas: number R; as many as there are batches if not given.
        k: number of singular directions.
        dropout: whether dropout is on; with it off, sampling is the only source of noise.
        batch_size: examples in a batch; makes noise scales count examples instead of batches.
        reference: batches, other than those of the replicas, whose mean gradient takes the place of
            the truth when directions are compared; without them each replica is compared with the
            mean of the others, and whether the noise is multiplicative is not determined.
        level: nominal coverage of all intervals.
        generator: seeds dropout and the random starts of the singular vectors.
        progress: show a bar on standard error, if that is a terminal.

    Raises:
        InputError: no batch, no block, or a loss that is not a scalar.

    Source:
        McCandlish et al. 2018 (noise scale); “Multiplicative noise model for minibatch gradients”.

    Example:
        >>> import torch
        >>> data = torch.randn(6, 32, 16, generator=torch.Generator().manual_seed(0))
        >>> model = torch.nn.Linear(16, 8)
        >>> measured = measure_noise(model, lambda m, x: m(x).square().mean(), data, batch_size=32)
        >>> measured.blocks[0].block.name, measured.replicas, measured.unit
        ('weight', 6, 'examples')
    """
    network = find_blocks(model)
    if not network.blocks:
        raise InputError("the model has no block", remedy="pass a model with trainable matrices")
    named = dict(model.named_parameters())
    make = partial(
        ReplicaGradients,
        model,
        loss_fn,
        dropout=dropout,
        parameters={block.parameter: named[block.parameter] for block in network.blocks},
        generator=generator,
    )
    gradients = make(batches, replicas=replicas)
    weights = _weights(gradients.batches, batch_size)
    large = make(held) if (held := list(reference)) else None
    with bar("replicas", 2 * len(gradients) + len(held), shown=progress) as advance:
        summaries = _first_pass(network.blocks, gradients, weights, advance)
        measures = {name: scalar_measures(summary) for name, summary in summaries.items()}
        truths = {} if large is None else _truths(network.blocks, large, batch_size, k, advance)
        second = _SecondPass(network.blocks, summaries, k, truths)
        for replica, weight in zip(gradients, weights, strict=True):
            second.update(replica, weight)
            advance()
    deviations = {name: stream.result() for name, stream in second.deviations.items()}
    roles = dict.fromkeys(block.role for block in network.blocks)
    return NoiseMeasurement(
        blocks=tuple(
            BlockNoise(
                block,
                measures[block.name],
                ScalarNoise.of(deviations[block.name], level=level),
                *second.directional(block, level),
            )
            for block in network.blocks
        ),
        roles={
            role: _whole([deviations[b.name] for b in network.blocks if b.role is role], level)
            for role in roles
        },
        total=_whole(list(deviations.values()), level),
        replicas=len(gradients),
        dropout=dropout,
        unit="batches" if batch_size is None else "examples",
        skipped=network.skipped,
    )


def _first_pass(
    blocks: Sequence[Block],
    gradients: ReplicaGradients,
    weights: Sequence[float],
    advance: Callable[[], None],
) -> dict[str, Moments]:
    summaries: dict[str, Moments] = {}
    for replica, weight in zip(gradients, weights, strict=True):
        for block in blocks:
            matrix = block.view.of(replica[block.parameter])
            one = Moments.of(matrix, weight=weight, entrywise=True)
            known = summaries.get(block.name)
            summaries[block.name] = one if known is None else known.merge(one)
        advance()
    return summaries


def _truths(
    blocks: Sequence[Block],
    gradients: ReplicaGradients,
    batch_size: BatchSize | None,
    k: int,
    advance: Callable[[], None],
) -> dict[str, Triples | None]:
    """The leading triples of every matrix's mean gradient; ``None`` where that is zero."""
    weights = _weights(gradients.batches, batch_size)
    means = _first_pass(blocks, gradients, weights, advance)
    triples: dict[str, Triples | None] = {}
    for block in blocks:
        mean = means[block.name].mean
        if block.view.diagonal or not bool(mean.any()):
            triples[block.name] = None
            continue
        dtype = torch.promote_types(gradients.parameters[block.parameter].dtype, torch.float32)
        triples[block.name] = top_triples(mean.to(dtype), min(k, *block.shape))
    return triples


class _SecondPass:
    """Deviations of all blocks, and directions of those that are matrices with a gradient."""

    def __init__(
        self,
        blocks: Sequence[Block],
        summaries: Mapping[str, Moments],
        k: int,
        truths: Mapping[str, Triples | None],
    ) -> None:
        self.blocks = blocks
        self.deviations = {name: DeviationStream(s.mean) for name, s in summaries.items()}
        self.directions: dict[str, DirectionStream] = {}
        self.reasons: dict[str, str] = {}
        for block in blocks:
            summary = summaries[block.name]
            if block.view.diagonal:
                self.reasons[block.name] = "a vector has no singular directions"
            elif not bool(summary.scatter.isfinite()):
                self.reasons[block.name] = NOT_FINITE
            elif not bool(summary.mean.any()):
                self.reasons[block.name] = "zero gradient"
            elif summary.count < 2:
                self.reasons[block.name] = "fewer than 2 replicas"
            elif truths and truths[block.name] is None:
                self.reasons[block.name] = "zero gradient on the reference"
            else:
                self.directions[block.name] = DirectionStream(
                    summary, k=min(k, *block.shape), reference=truths.get(block.name)
                )

    def update(self, replica: Mapping[str, Tensor], weight: float) -> None:
        for block in self.blocks:
            matrix = block.view.of(replica[block.parameter])
            self.deviations[block.name].update(matrix, weight=weight)
            if block.name in self.directions:
                self.directions[block.name].update(matrix, weight=weight)

    def directional(self, block: Block, level: float) -> tuple[DirectionalNoise | None, str | None]:
        stream = self.directions.get(block.name)
        if stream is None:
            return None, self.reasons[block.name]
        return DirectionalNoise.of(stream.result(), block.shape, level=level), None


def _whole(parts: list[Deviations], level: float) -> ScalarNoise:
    return ScalarNoise.of(reduce(add, parts), level=level)


def _weights(batches: Sequence[Any], batch_size: BatchSize | None) -> list[float]:
    if batch_size is None:
        return [1.0] * len(batches)
    return [float(batch_size(b) if callable(batch_size) else batch_size) for b in batches]
