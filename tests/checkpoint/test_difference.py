from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.checkpoint import compare_checkpoints, open_checkpoint
from spectrain.checkpoint.difference import kept_rank, leading_directions, overlap
from spectrain.core import InputError
from spectrain.matrix import diagonal_spectrum
from support.sample_checkpoints import save_safetensors


def values(folder: Path, before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> object:
    a = open_checkpoint(save_safetensors(folder / "a.safetensors", before))
    b = open_checkpoint(save_safetensors(folder / "step-5.safetensors", after))
    inspection = compare_checkpoints(a, b, folder / "run", share=0.9)
    frame = inspection.run.metrics(source="update")
    assert set(frame["step"]) <= {5}
    table = {(r["block"], r["measure"]): r["value"] for r in frame.iter_rows(named=True)}
    return table, inspection


def test_a_change_of_low_rank_is_found(tmp_path: Path, generator: torch.Generator) -> None:
    w0 = torch.randn(40, 30, generator=generator)
    left, right = torch.randn(40, 3, generator=generator), torch.randn(3, 30, generator=generator)
    change = left @ right
    table, _ = values(tmp_path, {"w": w0, "v": w0.clone()}, {"w": w0 + change, "v": w0.clone()})
    assert table["w", "lora_rank"] <= 3
    expected = np.linalg.norm(change.numpy()) / np.linalg.norm(w0.numpy())
    assert table["w", "relative_change"] == pytest.approx(expected, rel=1e-6)
    assert table["v", "relative_change"] == table["v", "lora_rank"] == 0.0
    assert table["v", "left_overlap"] == 1.0


def test_overlap_against_numpy(tmp_path: Path, generator: torch.Generator) -> None:
    w0 = torch.randn(25, 60, generator=generator).double()
    w1 = w0 + 0.3 * torch.randn(25, 60, generator=generator).double()
    table, _ = values(tmp_path, {"w": w0}, {"w": w1})
    (u0, _, v0), (u1, _, v1) = (np.linalg.svd(w.numpy()) for w in (w0, w1))
    left = np.square(u0[:, :10].T @ u1[:, :10]).sum() / 10
    right = np.square(v0[:10] @ v1[:10].T).sum() / 10
    assert table["w", "left_overlap"] == pytest.approx(left, abs=1e-10)
    assert table["w", "right_overlap"] == pytest.approx(right, abs=1e-10)


@pytest.mark.parametrize("shape", [(8, 20), (20, 8), (6, 6)])
def test_leading_directions_are_singular_vectors(
    shape: tuple[int, int], generator: torch.Generator
) -> None:
    matrix = torch.randn(shape, generator=generator).double()
    u, v = leading_directions(matrix, 3)
    top = torch.linalg.svdvals(matrix)[:3]
    assert torch.allclose(torch.linalg.svdvals(u.mT @ matrix @ v), top, atol=1e-12)
    assert overlap(u, u) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("sigma", "share", "rank"),
    [([3.0, 1.0, 1.0], 0.5, 1), ([1.0, 1.0], 0.5, 1), ([1.0, 1.0], 1.0, 2), ([0.0, 0.0], 0.9, 0)],
)
def test_kept_rank(sigma: list[float], share: float, rank: int) -> None:
    assert kept_rank(diagonal_spectrum(torch.tensor(sigma)), share) == rank


def test_what_has_no_partner_is_told(tmp_path: Path) -> None:
    one = {"w": torch.eye(4), "old": torch.eye(4), "grew": torch.ones(4, 4)}
    other = {"w": 2 * torch.eye(4), "new": torch.eye(4), "grew": torch.ones(5, 4)}
    _, inspection = values(tmp_path, one, other)
    reasons = {skip.parameter: skip.reason for skip in inspection.incomplete}
    assert reasons["old"] == "only in 'a.safetensors'"
    assert reasons["new"] == "only in 'step-5.safetensors'"
    assert reasons["grew"] == "its shape was (4, 4) and is (5, 4)"


def test_nothing_in_common_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no block in common"):
        values(tmp_path, {"a": torch.eye(3)}, {"b": torch.eye(3)})


def test_what_is_not_finite_or_zero_has_reasons(tmp_path: Path) -> None:
    before = {"nan": torch.eye(3), "zero": torch.zeros(3, 3), "gain.weight": torch.ones(3)}
    after = {"nan": torch.eye(3) / 0, "zero": torch.eye(3), "gain.weight": torch.ones(3) * 2}
    table, inspection = values(tmp_path, before, after)
    assert [skip.parameter for skip in inspection.incomplete] == ["nan"]
    assert table["zero", "relative_change"] is None
    assert table["zero", "left_overlap"] is None
    assert table["nan", "lora_rank"] is None


@pytest.mark.parametrize("share", [0.0, 1.5, -1.0, float("nan")])
def test_a_share_out_of_range_is_refused(share: float, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(save_safetensors(tmp_path / "m.safetensors"))
    with pytest.raises(InputError, match="share"):
        compare_checkpoints(checkpoint, checkpoint, tmp_path / "run", share=share)
