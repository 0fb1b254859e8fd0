"""Signal directions: which singular directions of the mean gradient are more than chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError
from spectrain.noise.triples import Triples

FLIPS = 32
"""Patterns of signs, that of the data among them: the smallest p-value is one over their number."""

FOLDS = 4
"""Parts of the replicas; each is projected on directions of the others."""

BASIS = 24
"""Dimensions a side in which the patterns are worked through."""

SIGNAL_LEVEL = 0.05
"""Level at which a direction is called signal: how often at least one is where there is none."""

ROUNDING = 1e-6
"""Singular values below this share of the largest are rounding and have no direction."""

FEWEST = 6
"""Replicas from which one sample can reach :data:`SIGNAL_LEVEL`: 2^(R−1) patterns ≥ 1/level."""


@dataclass(frozen=True, slots=True)
class SignalTest:
    """The test of the k leading directions of the mean of R replicas.

    Attributes:
        directions: the leading triples of the mean of what was tested.
        statistic: t_i = x̄_i√R/sd(x_i), x_ri = u_iᵀG_r v_i with u_i, v_i from the other folds.
        p: share of the sign patterns whose largest statistic is no smaller than t_i.
    """

    directions: Triples
    statistic: Float[Tensor, " k"]
    p: Float[Tensor, " k"]

    def count(self, level: float = SIGNAL_LEVEL) -> int:
        """Number of signal directions at this level."""
        return int((self.p <= level).sum())


def signal_test(
    replicas: Sequence[Triples],
    *,
    k: int,
    weights: Sequence[float] | None = None,
    generator: torch.Generator | None = None,
) -> SignalTest:
    """Which of the k leading directions of the mean would remain if the replicas had other signs.

    Where E G_r = 0 and the noise is symmetric, G_r and −G_r are equally likely, each on its own:
    the data under every pattern of signs ε_r G_r are one draw from the same law. A statistic is
    compared with its maximum over directions under :data:`FLIPS` patterns, so a block without
    signal gets a signal direction with a probability of at most the level, whatever the spectrum,
    the tails, the scales or the rank of its noise. The statistic is Student's of projections on
    directions that other replicas chose, which large noise of changing sign does not drive up.

    The replicas enter by their leading triples, in the :data:`BASIS` leading eigenvectors of
    ΣG_rG_rᵀ and ΣG_rᵀG_r, none of which depends on a sign. With fewer than :data:`FEWEST` replicas
    p cannot fall to 5 %: pool the p-values of several samples.

    Args:
        replicas: the leading triples of each.
        k: number of directions.
        weights: number of draws that each replica averages; 1 if none are given.
        generator: chooses the patterns; the same ones each time if not given.

    Raises:
        InputError: there are fewer than 2 replicas, or a replica has fewer than k triples.

    Source:
        Pesarin 2001, §1.9 (conditional inference by signs); Westfall & Young 1993, §2.3 (largest
        statistic).

    Example:
        >>> import torch
        >>> from spectrain.noise import top_triples
        >>> g = torch.randn(8, 20, 20, generator=torch.Generator().manual_seed(1))
        >>> signal_test([top_triples(x, 6) for x in g], k=2).count()  # 1 in a run of 32 of them
        0
        >>> g[:, 0, 0] += 30
        >>> signal_test([top_triples(x, 6) for x in g], k=2).count()
        1
    """
    if len(replicas) < 2 or min(one.k for one in replicas) < k:
        raise InputError(
            f"{len(replicas)} replicas for {k} directions",
            remedy="pass at least 2 replicas of k triples or more",
        )
    left, right, cores = _compressed(replicas)
    k = min(k, *cores.shape[1:])
    weight = cores.new_tensor(weights or [1.0] * len(replicas))
    signs = _patterns(len(replicas), generator).to(cores)
    mean = _top(torch.einsum("fr,rpq->fpq", signs * weight, cores), k)
    statistic = _statistics(cores, signs, weight, mean, min(FOLDS, len(replicas)))
    observed = statistic[0]
    largest = statistic.max(1, keepdim=True).values
    p = (largest >= observed * (1 - 1e-9)).double().mean(0)
    u, v = mean[0][0], mean[1][0]
    values = torch.einsum("pk,rpq,qk,r->k", u, cores, v, weight / weight.sum())
    tested = Triples(left @ u, values, right @ v, torch.zeros_like(values))
    return SignalTest(tested, observed, p)


def _compressed(replicas: Sequence[Triples]) -> tuple[Tensor, Tensor, Float[Tensor, "r p q"]]:
    """Bases of both sides, and the replicas' leading parts in them."""
    lefts = torch.stack([one.left for one in replicas]).double()
    rights = torch.stack([one.right for one in replicas]).double()
    values = torch.stack([one.values for one in replicas]).double().unsqueeze(1)
    left, right = (_leading((x * values).transpose(0, 1).flatten(1)) for x in (lefts, rights))
    return left, right, (left.mT @ lefts * values) @ (rights.mT @ right)


def _leading(columns: Float[Tensor, "m c"]) -> Float[Tensor, "m p"]:
    """At most :data:`BASIS` leading left singular vectors."""
    return torch.linalg.svd(columns, full_matrices=False).U[:, :BASIS]


def _patterns(count: int, generator: torch.Generator | None) -> Float[Tensor, "flips r"]:
    """Different patterns of signs, the first all +1; one and its opposite count as the same."""
    free = min(count - 1, 60)
    if 2**free <= FLIPS:
        chosen = torch.arange(2**free)
    else:
        source = generator or torch.Generator().manual_seed(0)
        drawn: dict[int, None] = {0: None}
        while len(drawn) < FLIPS:
            drawn[int(torch.randint(2**free, (), generator=source, device=source.device))] = None
        chosen = torch.tensor(list(drawn))
    bits = chosen.unsqueeze(1) >> torch.arange(free) & 1
    signs = torch.ones(len(chosen), count)
    signs[:, 1 : free + 1] -= 2 * bits
    return signs


def _top(matrices: Float[Tensor, "*b p q"], k: int) -> tuple[Tensor, Tensor]:
    """Leading left and right singular vectors; small matrices, so by the Gram matrix."""
    right = torch.linalg.eigh(matrices.mT @ matrices).eigenvectors.flip(-1)[..., :k]
    left = matrices @ right
    norm = torch.linalg.vector_norm(left, dim=-2, keepdim=True)
    kept = norm > ROUNDING * norm.amax(-1, keepdim=True)
    return torch.where(kept, left / norm, 0.0), torch.where(kept, right, 0.0)


def _statistics(
    cores: Float[Tensor, "r p q"],
    signs: Float[Tensor, "f r"],
    weight: Float[Tensor, " r"],
    mean: tuple[Tensor, Tensor],
    folds: int,
) -> Float[Tensor, "f k"]:
    """Student's t of the held-out projections, for every pattern and direction of its mean."""
    count = len(cores)
    fold = torch.arange(count, device=cores.device) % folds
    others = fold != torch.arange(folds, device=cores.device).unsqueeze(1)
    kept = (signs * weight).unsqueeze(1) * others
    left, right = _top(torch.einsum("fjr,rpq->fjpq", kept, cores), mean[0].shape[-1] + FOLDS)
    similar = (mean[0].mT.unsqueeze(1) @ left) * (mean[1].mT.unsqueeze(1) @ right)
    same = similar.abs().argmax(-1).unsqueeze(-2)
    left = left.take_along_dim(same, -1)[:, fold]
    right = right.take_along_dim(same, -1)[:, fold]
    projected = torch.einsum("frpk,rpq,frqk->frk", left, cores, right) * signs.unsqueeze(-1)
    average, spread = projected.mean(1), projected.std(1) / count**0.5
    least = ROUNDING * projected.abs().amax((1, 2)).unsqueeze(1).clamp(min=1e-300)
    there = torch.linalg.vector_norm(mean[0], dim=-2) > 0
    return torch.where(there, average, 0.0) / spread.maximum(least)
