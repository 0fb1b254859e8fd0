"""Small whole numbers out of the words that they are packed in."""

from __future__ import annotations

import torch
from jaxtyping import Integer, UInt8
from torch import Tensor


def unpack(words: Integer[Tensor, "*rows n"], bits: int) -> Integer[Tensor, "*rows m"]:
    """Numbers of so many bits out of a little-endian stream along the last dimension.

    Args:
        words: of any width; their bits, the lowest first, are the stream.
        bits: of one number, 1 to 8.

    Example:
        >>> unpack(torch.tensor([[0x21, 0x43]], dtype=torch.uint8), 4)
        tensor([[1, 2, 3, 4]], dtype=torch.uint8)
    """
    octets = words.contiguous().view(torch.uint8)
    if bits == 8:
        return octets
    if 8 % bits == 0:
        shifts = torch.arange(0, 8, bits, dtype=torch.uint8)
        parts = (octets[..., None] >> shifts) & ((1 << bits) - 1)
        return parts.flatten(-2)
    # Eight numbers take as many whole octets as they have bits.
    groups = octets.unflatten(-1, (-1, bits)).long()
    whole = (groups << (8 * torch.arange(bits))).sum(-1, keepdim=True)
    parts = (whole >> (bits * torch.arange(8))) & ((1 << bits) - 1)
    return parts.to(torch.uint8).flatten(-2)


def nibbles(octets: UInt8[Tensor, "*rows n"], *, high_first: bool) -> UInt8[Tensor, "*rows m"]:
    """Two numbers an octet, in the order of the format.

    Example:
        >>> nibbles(torch.tensor([0x21], dtype=torch.uint8), high_first=True)
        tensor([2, 1], dtype=torch.uint8)
    """
    pair = (octets >> 4, octets & 15) if high_first else (octets & 15, octets >> 4)
    return torch.stack(pair, -1).flatten(-2)
