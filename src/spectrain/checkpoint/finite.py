"""Numbers that are not finite outside the blocks: in biases, scales, gains and buffers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor

from spectrain.checkpoint.content import Content
from spectrain.core import Skipped

_MASKS = frozenset({"masked_bias", "mask", "attn_mask", "attention_mask", "causal_mask"})
"""Buffers in which -Inf has a meaning."""


def not_finite(contents: Sequence[Content]) -> Iterator[Skipped]:
    """Tensors without a block that hold NaN or Inf, and those that cannot be read.

    A network with a NaN in a bias gives NaN, however sound its matrices are.
    """
    for content in contents:
        for stored in content.vectors:
            if stored.name.rpartition(".")[2] in _MASKS:
                continue
            try:
                whole = stored.load()
                assert isinstance(whole, Tensor)
                bad = int((~whole.float().isfinite()).sum())
            except Exception as error:  # of a damaged file
                yield Skipped(stored.name, str(error))
                continue
            if bad:
                yield Skipped(stored.name, f"holds NaN or Inf in {bad} of {whole.numel()} numbers")
