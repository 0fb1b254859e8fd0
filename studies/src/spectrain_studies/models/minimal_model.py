"""The minimal two-regime model L(W, γ) = ‖γ ∘ (Wx) − y‖²/2N under AdamW, as one tensor program.

All runs of a sweep and all seeds advance together. A mini-batch enters only through its moments
X = Σxxᵀ/B and Y = Σyxᵀ/B: with R = γ ∘ (WX) − Y the gradients are ∂W = γ ∘ R and ∂γ = (R ∘ W)1. So
the arms of a sweep share the moments of their seed, and those of a smaller batch are part of those
of a larger one: differences between arms are not differences of luck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import sqrt

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain_studies.models.update_rules import AdamW, apply_

CHUNK_BYTES = 1 << 25
"""Mini-batches are gathered for as many steps at once as fit into this."""

BLOCK = 256
"""Steps whose indices are drawn at once, so that a stream of batches does not depend on chunks."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Data of the model: y = W*x + σξ, x ~ N(0, I), W* ~ N(0, 1/d), one draw a seed.

    Attributes:
        dimension: d.
        samples: N.
        label_noise: σ; without it the loss has a fit at which all noise ends.
    """

    dimension: int = 10
    samples: int = 4096
    label_noise: float = 0.1

    def draw(self, seed: int) -> tuple[Float[Tensor, "n two_d"], Float[Tensor, "d d1"]]:
        """Rows (x, y) of a seed's data, and its initial parameters W0 ~ N(0, 1/d), γ0 = 1.

        Returns:
            N × 2d data and d × (d + 1) parameters (W, γ).

        Example:
            >>> data, start = Problem(dimension=3, samples=5).draw(seed=0)
            >>> data.shape, start.shape
            (torch.Size([5, 6]), torch.Size([3, 4]))
        """
        d, generator = self.dimension, torch.Generator().manual_seed(seed)
        target, start = torch.randn(2, d, d, generator=generator, dtype=torch.float64) / sqrt(d)
        x = torch.randn(self.samples, d, generator=generator, dtype=torch.float64)
        noise = torch.randn(self.samples, d, generator=generator, dtype=torch.float64)
        y = x @ target.mT + self.label_noise * noise
        return torch.cat([x, y], 1), torch.cat([start, torch.ones(d, 1, dtype=start.dtype)], 1)


@dataclass(frozen=True, slots=True)
class Arm:
    """Settings of one run; the multiplier's are the matrix's where they are not given."""

    batch_size: int = 16
    learning_rate: float = 0.01
    weight_decay: float = 0.01
    multiplier_learning_rate: float | None = None
    multiplier_weight_decay: float | None = None

    @property
    def rates(self) -> tuple[float, float]:
        """Learning rates of W and of γ."""
        other = self.multiplier_learning_rate
        return self.learning_rate, self.learning_rate if other is None else other

    @property
    def decays(self) -> tuple[float, float]:
        """Weight decays of W and of γ."""
        other = self.multiplier_weight_decay
        return self.weight_decay, self.weight_decay if other is None else other


@dataclass(frozen=True, slots=True)
class Course:
    """Parameters of every arm and seed at the recorded steps.

    Attributes:
        steps: optimizer steps done at each record.
        parameters: (W, γ) side by side.
    """

    steps: tuple[int, ...]
    parameters: Float[Tensor, "records arms seeds d d1"]

    @property
    def weights(self) -> Float[Tensor, "records arms seeds d d"]:
        """W."""
        return self.parameters[..., :-1]

    @property
    def multipliers(self) -> Float[Tensor, "records arms seeds d"]:
        """γ."""
        return self.parameters[..., -1]


def run_minimal_model(
    problem: Problem,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    *,
    steps: int,
    records: Sequence[int],
    largest: int | None = None,
    betas: tuple[float, float] = (0.9, 0.999),
) -> Course:
    """Train every arm with every seed at once.

    Args:
        problem: what the data are.
        arms: settings of the sweep.
        seeds: of data, initial weights and batches.
        steps: optimizer steps.
        records: numbers of steps after which parameters are kept; 0 keeps the initial ones.
        largest: batch size of which each arm's batch is the first part; the arms' largest if not
            given. Runs with one value of it see the same batches.
        betas: of AdamW.

    Raises:
        InputError: there are no arms or seeds, or a batch is larger than ``largest``.

    Example:
        >>> course = run_minimal_model(
        ...     Problem(dimension=4, samples=64), [Arm(), Arm(batch_size=4)], range(3),
        ...     steps=20, records=[0, 20],
        ... )
        >>> course.weights.shape
        torch.Size([2, 2, 3, 4, 4])
    """
    sizes = sorted({arm.batch_size for arm in arms})
    largest = largest or (sizes[-1] if sizes else 0)
    if not arms or not seeds or sizes[-1] > largest:
        raise InputError(
            f"{len(arms)} arms, {len(seeds)} seeds and batches up to {largest}",
            remedy="pass at least one arm and seed, and no batch above the largest",
        )
    drawn = [problem.draw(seed) for seed in seeds]
    data = torch.stack([rows for rows, _ in drawn])
    parameters = torch.stack([start for _, start in drawn]).repeat(len(arms), 1, 1, 1)
    rates = _columns([arm.rates for arm in arms], problem.dimension)
    decays = _columns([arm.decays for arm in arms], problem.dimension)
    wanted, kept, rule = set(records), {}, AdamW(*betas)
    if 0 in wanted:
        kept[0] = parameters.clone()
    stream = _gradients(data, seeds, [arm.batch_size for arm in arms], largest)
    for step, gradient_at in enumerate(islice(stream, steps), start=1):
        update = rule.update(gradient_at(parameters))
        apply_(parameters, update, learning_rate=rates, weight_decay=decays)
        if step in wanted:
            kept[step] = parameters.clone()
    return Course(tuple(sorted(kept)), torch.stack([kept[step] for step in sorted(kept)]))


def gradient(
    parameters: Float[Tensor, "*runs d d1"], moments: Float[Tensor, "*less two_d d"]
) -> Float[Tensor, "*runs d d1"]:
    """Gradient of the loss over a batch that is given by its moments.

    Args:
        parameters: (W, γ).
        moments: X above Y.

    Example:
        >>> parameters = torch.tensor([[2.0, 1.0]])  # W = 2, γ = 1
        >>> gradient(parameters, torch.tensor([[1.0], [3.0]]))  # (Wγ − 3)(γ, W)
        tensor([[-1., -2.]])
    """
    d = parameters.shape[-2]
    weight, gamma = parameters[..., :-1], parameters[..., -1:]
    residual = torch.addcmul(-moments[..., d:, :], gamma, weight @ moments[..., :d, :])
    return torch.cat([gamma * residual, (residual * weight).sum(-1, keepdim=True)], -1)


def batch_gradient(
    parameters: Float[Tensor, "*runs d d1"], batch: Float[Tensor, "*less b two_d"]
) -> Float[Tensor, "*runs d d1"]:
    """The same from the rows (x, y) of the batch: cheaper where these are fewer than d/2.

    Example:
        >>> parameters = torch.tensor([[2.0, 1.0]])
        >>> batch_gradient(parameters, torch.tensor([[1.0, 3.0]]))
        tensor([[-1., -2.]])
    """
    d = parameters.shape[-2]
    x, y = batch[..., :d], batch[..., d:]
    weight, gamma = parameters[..., :-1], parameters[..., -1:]
    residual = (x @ weight.mT * gamma.mT - y).mT @ x / batch.shape[-2]
    return torch.cat([gamma * residual, (residual * weight).sum(-1, keepdim=True)], -1)


def batch_moments(
    batches: Float[Tensor, "*steps b two_d"], sizes: Sequence[int]
) -> Float[Tensor, "sizes *steps two_d d"]:
    """Moments (X above Y) of the first rows of batches, as many as each size; sizes ascend.

    Example:
        >>> batch_moments(torch.tensor([[1.0, 3.0], [3.0, 1.0]]), [1, 2])
        tensor([[[1.],
                 [3.]],
        <BLANKLINE>
                [[5.],
                 [3.]]])
    """
    d, begin = batches.shape[-1] // 2, 0
    total, found = batches.new_zeros(()), []
    for size in sizes:
        piece = batches[..., begin:size, :]
        total, begin = total + piece.mT @ piece[..., :d], size
        found.append(total / size)
    return torch.stack(found)


Evaluate = Callable[[Tensor], Tensor]


def _gradients(
    data: Tensor, seeds: Sequence[int], batch_sizes: Sequence[int], largest: int
) -> Iterator[Evaluate]:
    """For each step the gradient as a function of the parameters, by the cheaper of two ways."""
    sizes, d = sorted(set(batch_sizes)), data.shape[-1] // 2
    where = [sizes.index(size) for size in batch_sizes]
    for batches in _batches(data, seeds, largest):
        if len(sizes) == 1 and 2 * sizes[0] < d:
            yield from (partial(batch_gradient, batch=b[:, : sizes[0]]) for b in batches)
            continue
        for moments in batch_moments(batches, sizes).unbind(1):
            own = moments[0] if len(sizes) == 1 else moments[where]
            yield partial(gradient, moments=own)


def _batches(data: Tensor, seeds: Sequence[int], largest: int) -> Iterator[Tensor]:
    """Rows (steps × seeds × largest × 2d) of as many steps as fit into memory together."""
    count, n, width = data.shape
    rows, offsets = data.flatten(0, 1), n * torch.arange(count)[:, None, None]
    chunk = max(1, min(BLOCK, CHUNK_BYTES // (8 * count * largest * width)))
    for indices in zip(*(batch_indices(seed, n, largest) for seed in seeds), strict=True):
        for part in (torch.stack(indices) + offsets).split(chunk, dim=1):
            chosen = part.transpose(0, 1)
            yield rows[chosen.flatten()].reshape(*chosen.shape, width)


def batch_indices(
    seed: int, samples: int, largest: int
) -> Iterator[Int64[Tensor, "block largest"]]:
    """The endless stream of batches of a seed, drawn with replacement, 256 steps at a time.

    Example:
        >>> next(batch_indices(0, samples=10, largest=4)).shape
        torch.Size([256, 4])
    """
    generator = torch.Generator().manual_seed((seed + 1) * 1_000_003)
    while True:
        yield torch.randint(samples, (BLOCK, largest), generator=generator)


def _columns(pairs: Sequence[tuple[float, float]], d: int) -> Float[Tensor, "arms 1 1 d1"]:
    """One value for the columns of W and another for that of γ."""
    values = torch.tensor(pairs, dtype=torch.float64)
    return torch.cat([values[:, :1].expand(-1, d), values[:, 1:]], 1)[:, None, None, :]
