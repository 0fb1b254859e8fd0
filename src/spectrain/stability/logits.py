"""How large attention logits can get: the largest singular value of W_qᵀW_k, head by head."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def logit_bound(
    queries: Float[Tensor, "h d m"], keys: Float[Tensor, "g d n"]
) -> Float[Tensor, " h"]:
    """σ_max(W_qᵀW_k)/√d of each head: the largest logit that inputs of norm 1 can make.

    A logit is xᵀW_qᵀW_k y/√d, whose magnitude is at most bound·‖x‖·‖y‖. The product of m × n
    entries is never formed: with the d × d matrices S_q = W_qW_qᵀ and S_k = W_kW_kᵀ, σ_max² is the
    largest eigenvalue of S_q^½ S_k S_q^½. Rotary embeddings turn W_k against W_q by an orthogonal
    map that depends on the distance: this is the bound at distance 0. Biases are left out.

    Args:
        queries: W_q of every head, d features a head.
        keys: W_k of every group of heads; h/g successive heads share one.

    Returns:
        In float64, NaN where a weight is not finite. The products with the inputs' side are summed
        in the precision of the weights, at least float32.

    Source:
        Dehghani et al. 2023, arXiv:2302.05442, §2 (growing logits); spectral norm of the
        query-key product: Zhai et al. 2023, arXiv:2303.06296, §3.

    Example:
        >>> query = torch.tensor([[[3.0, 0.0], [0.0, 1.0]]])
        >>> key = torch.tensor([[[2.0, 0.0], [0.0, 5.0]]])
        >>> round((logit_bound(query, key) * 2**0.5).item(), 4)
        6.0
    """
    left, right = _gram(queries), _gram(keys)
    right = right.repeat_interleave(len(left) // len(right), 0)
    finite = (left.isfinite() & right.isfinite()).all(-1).all(-1)
    left, right = (torch.where(finite[:, None, None], gram, 0.0) for gram in (left, right))
    values, vectors = torch.linalg.eigh(left)
    root = vectors * values.clamp_min(0.0).sqrt().unsqueeze(-2)
    inside = root.mT @ right @ root
    largest = torch.linalg.eigvalsh((inside + inside.mT) / 2)[..., -1].clamp_min(0.0)
    return torch.where(finite, largest.sqrt() / queries.shape[1] ** 0.5, torch.nan)


def _gram(matrices: Float[Tensor, "h d n"]) -> Float[Tensor, "h d d"]:
    work = matrices.float() if matrices.dtype.itemsize < 4 else matrices
    return (work @ work.mT).double()
