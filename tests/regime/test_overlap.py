"""Inner products by chunks against those of the whole, whatever the layout."""

from __future__ import annotations

import pytest
import torch

from spectrain.regime import measures


@pytest.mark.parametrize("shape", [(7,), (64, 5), (5, 64), (3, 4, 16)])
@pytest.mark.parametrize("transposed", [False, True])
def test_chunks_add_up(
    shape: tuple[int, ...], transposed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(shape, generator=generator) for _ in range(2))
    if transposed:
        one, other = one.movedim(0, -1), other.movedim(0, -1)
    monkeypatch.setattr(measures, "CHUNK", 6)
    a, b = one.double(), other.double()
    expected = torch.stack([(a * b).sum(), (a * a).sum(), (b * b).sum()])
    found = measures.overlap(one, other)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)  # seen: 6e-14


def test_squares_below_the_range_of_float32_count() -> None:
    tiny = torch.full((4,), 1e-30)
    assert measures.overlap(tiny, tiny).tolist() == pytest.approx([4e-60] * 3)
