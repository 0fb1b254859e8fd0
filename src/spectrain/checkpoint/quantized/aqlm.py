"""AQLM: sums of code words, one of each codebook, times a scale by rows.

w[o, i] = s[o] · Σ_c codebook_c[code[o, i, c]], for groups of outputs and inputs.

Source:
    Egiazarian et al., Extreme Compression of Large Language Models via Additive Quantization
    (2024).
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from spectrain.checkpoint.quantized.registry import Claim, Held, decoded, decoder


def decode_aqlm(codes: Tensor, codebooks: Tensor, scales: Tensor) -> Float[Tensor, "m n"]:
    """The matrix out of its code words.

    Args:
        codes: (outputs/a) × (inputs/b) × codebooks, signed.
        codebooks: codebooks × size × a × b.
        scales: (outputs/a) × 1 × 1 × 1.
    """
    count, size, high, wide = codebooks.shape
    index = codes.long() % size
    words = torch.stack([codebooks[c].float()[index[..., c]] for c in range(count)]).sum(0)
    words = words * scales.float()
    rows, columns = index.shape[:2]
    return words.permute(0, 2, 1, 3).reshape(rows * high, columns * wide)


@decoder("AQLM")
def find_aqlm(held: Held) -> Iterator[Claim]:
    """``codes`` with ``codebooks`` and ``scales``."""
    for path, own in held.modules("codes"):
        codes, books, scales = (own.get(key) for key in ("codes", "codebooks", "scales"))
        if codes is None or books is None or scales is None:
            continue
        parts = (codes.name, books.name, scales.name)
        name = f"{path}.weight".lstrip(".")
        fits = len(codes.shape) == 3 and len(books.shape) == 4
        if not fits or codes.shape[2] != books.shape[0] or "int" not in codes.dtype:
            yield Claim(None, parts, "codes of AQLM in an unknown layout", name)
            continue
        shape = (codes.shape[0] * books.shape[2], codes.shape[1] * books.shape[3])
        tensors = {"codes": codes, "codebooks": books, "scales": scales}
        yield Claim(decoded(name, shape, tensors, decode_aqlm, "decoded from AQLM"), parts)
