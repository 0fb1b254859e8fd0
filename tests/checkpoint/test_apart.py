"""What lies beside a model, told from its parts by names alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from spectrain.checkpoint import open_checkpoint
from spectrain.checkpoint.twins import find_twins
from support.sample_checkpoints import save_safetensors

W, V = {"w": (2, 3)}, {"v": (2, 3)}


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        ({"student": W, "teacher": W}, {"teacher": "student"}),
        ({"student": W, "teacher": V}, {}),
        ({"student": W, "teacher": {"w": (3, 2)}}, {}),
        ({"encoder_q": W, "encoder_k": W}, {"encoder_k": "encoder_q"}),
        ({"to_q": W, "to_k": W, "to_v": W}, {}),
        ({"encoder": W, "momentum_encoder": W}, {"momentum_encoder": "encoder"}),
        ({"base_encoder": W, "momentum_encoder": W}, {"momentum_encoder": "base_encoder"}),
        ({"policy": W, "policy_old": W}, {"policy_old": "policy"}),
        ({"actor": W, "critic": W, "critic_target": W}, {"critic_target": "critic"}),
        ({"actor": W, "critic_target": W}, {}),
        ({"encoder": W, "decoder": W}, {}),
    ],
)
def test_twins(parts: dict[str, dict[str, object]], wanted: dict[str, str]) -> None:
    assert find_twins(parts) == wanted  # type: ignore[arg-type]


def names(folder: Path, *held: str) -> list[str]:
    path = save_safetensors(folder / "model.safetensors", {name: torch.ones(2, 2) for name in held})
    return [item.name for item in open_checkpoint(path).tensors]


def test_averages_and_optimizers_under_names_with_dots(tmp_path: Path) -> None:
    beside = "ema_model.h.0.w", "model.optimizer.state.0.exp_avg", "optimizer.state.1.exp_avg_sq"
    assert names(tmp_path, "model.h.0.w", *beside) == ["model.h.0.w"]


def test_averages_alone_are_the_model(tmp_path: Path) -> None:
    held = "ema.h.0.w", "ema.h.1.w"
    assert names(tmp_path, *held) == list(held)


def test_parts_of_models_stay(tmp_path: Path) -> None:
    """Names of training programs inside a model are those of its modules."""
    held = ["callbacks.w", "h.0.ema.w", "h.0.optim_head.w", "opt_model.h.w", "scaler.w"]
    assert sorted(names(tmp_path, *held)) == held
