from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.checkpoint import Product, open_checkpoint
from spectrain.core import InputError, View
from support.sample_checkpoints import save_safetensors

MODULE = "base_model.model.layers.0.self_attn.q_proj"


def adapter(folder: Path, config: object = None, **more: torch.Tensor) -> Path:
    folder.mkdir()
    g = torch.Generator().manual_seed(0)
    tensors = {
        f"{MODULE}.lora_A.weight": torch.randn(4, 20, generator=g),
        f"{MODULE}.lora_B.weight": torch.randn(12, 4, generator=g),
        **more,
    }
    save_safetensors(folder / "adapter_model.safetensors", tensors)
    if config is not None:
        (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize(
    ("config", "factor"),
    [
        ({"lora_alpha": 8}, 2.0),
        ({"lora_alpha": 8, "use_rslora": True}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"q_proj": 16}}, 4.0),
        ({"lora_alpha": 8, "alpha_pattern": {"proj": 16}}, 2.0),
        (None, 1.0),
    ],
)
def test_the_product_is_scaled(config: object, factor: float, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a", config)
    checkpoint = open_checkpoint(folder)
    (stored,) = checkpoint.tensors
    assert (stored.name, stored.shape) == (f"{MODULE}.weight", (12, 20))
    product = stored.load()
    assert isinstance(product, Product)
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn(4, 20, generator=g).double(), torch.randn(12, 4, generator=g).double()
    expected = np.linalg.svd((factor * b @ a).numpy(), compute_uv=False)
    # Largest difference measured 3e-14 for values up to 60.
    assert np.abs(product.spectrum().values.numpy() - expected).max() < 1e-12
    assert len(checkpoint.skipped) == 2
    assert ("unknown" in (stored.note or "")) == (config is None)


def test_embeddings_are_stored_the_other_way_round(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    tensors = {"wte.lora_embedding_A": torch.ones(2, 50), "wte.lora_embedding_B": torch.ones(8, 2)}
    save_safetensors(folder / "adapter_model.safetensors", tensors)
    (stored,) = open_checkpoint(folder).tensors
    assert stored.shape == (50, 8)
    assert stored.load().shape == (50, 8)


def test_kohya_keeps_alpha_beside(tmp_path: Path) -> None:
    down, up = torch.ones(2, 6), torch.ones(5, 2)
    tensors = {
        "unet_q.lora_down.weight": down,
        "unet_q.lora_up.weight": up,
        "unet_q.alpha": torch.tensor(1.0),
    }
    (stored,) = open_checkpoint(save_safetensors(tmp_path / "m.safetensors", tensors)).tensors
    product = stored.load()
    assert isinstance(product, Product)
    assert torch.equal(product.left @ product.right, (0.5 * up @ down).double())


def test_a_single_factor_is_missing(tmp_path: Path) -> None:
    tensors = {f"{MODULE}.lora_A.weight": torch.ones(4, 20), "w.weight": torch.ones(3, 3)}
    checkpoint = open_checkpoint(save_safetensors(tmp_path / "m.safetensors", tensors))
    assert [tensor.name for tensor in checkpoint.tensors] == ["w.weight"]
    assert [skip.parameter for skip in checkpoint.missing] == [f"{MODULE}.lora_A.weight"]


@pytest.mark.parametrize("config", ["{", "[]", '{"lora_alpha": "x"}', '{"alpha_pattern": 3}'])
def test_a_damaged_config_is_refused(config: str, tmp_path: Path) -> None:
    folder = adapter(tmp_path / "a")
    (folder / "adapter_config.json").write_text(config)
    with pytest.raises(InputError, match="adapter_config"):
        open_checkpoint(folder)


def test_a_view_of_a_product_is_the_product_of_views(generator: torch.Generator) -> None:
    left = torch.randn(6, 2, generator=generator)
    right = torch.randn(2, 9, generator=generator)
    view = View(transpose=True, rows=((0, 3),), columns=((2, 5),))
    seen = Product(left, right).seen_through(view)
    assert torch.allclose(seen.left @ seen.right, view.of(left @ right), atol=1e-6)


def test_a_difference_of_products(generator: torch.Generator) -> None:
    products = [
        Product(
            torch.randn(6, 2, generator=generator).double(),
            torch.randn(2, 9, generator=generator).double(),
        )
        for _ in range(2)
    ]
    dense = products[0].left @ products[0].right - products[1].left @ products[1].right
    found = products[0].minus(products[1]).spectrum().values
    assert torch.allclose(found, torch.linalg.svdvals(dense), atol=1e-12)


def test_a_product_that_is_not_finite() -> None:
    s = Product(torch.full((3, 1), torch.inf), torch.ones(1, 4)).spectrum()
    assert s.reasons == ["matrix holds NaN or Inf"]
    assert s.values.isnan().all()
    assert s.shape == (3, 4)
