"""Every method of adaptation against its definition, and against PEFT's own merge."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from spectrain.checkpoint import Checkpoint, compare_checkpoints, open_checkpoint
from spectrain.checkpoint.adapters import METHODS
from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.oft import rotations
from spectrain.checkpoint.adapters.thin import dense
from spectrain.checkpoint.stored import Stored
from support.adapter_cases import ALONE, CASES, M, r
from support.sample_checkpoints import save_safetensors


def opened(folder: Path, tensors: dict[str, Tensor], config: dict[str, Any]) -> Checkpoint:
    save_safetensors(folder / "adapter_model.safetensors", tensors)
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return open_checkpoint(folder)


def changes(checkpoint: Checkpoint) -> dict[str, Tensor]:
    return {stored.name: whole(stored) for stored in checkpoint.tensors}


def whole(stored: Stored) -> Tensor:
    return dense(stored.load()).reshape(stored.shape)


@pytest.mark.parametrize("kind", CASES)
def test_a_method_against_its_definition(kind: str, tmp_path: Path) -> None:
    tensors, config, wanted = CASES[kind]()
    checkpoint = opened(tmp_path, tensors, config)
    found = changes(checkpoint)
    assert found.keys() == wanted.keys()
    for name, change in wanted.items():
        # float32 products against float64 ones: measured at most 2e-7 of the largest number.
        close = (found[name] - change).abs().max()
        assert close <= 2e-6 * change.abs().max()
    assert not checkpoint.missing
    assert {skip.parameter for skip in checkpoint.skipped} == tensors.keys()


@pytest.mark.parametrize("kind", ALONE)
def test_what_cannot_be_told_is_missing_and_no_factor_is_a_weight(
    kind: str, tmp_path: Path
) -> None:
    checkpoint = opened(tmp_path, ALONE[kind], {"peft_type": kind})
    assert not checkpoint.tensors
    assert checkpoint.missing


def test_every_method_is_tested() -> None:
    said = " ".join([*CASES, *ALONE])
    assert all(name in said for name in METHODS if name != "unknown")


def test_dora_is_told_and_measured_onto_the_base(tmp_path: Path) -> None:
    a, b, m = r(3, 10, seed=1), r(8, 3, seed=2), r(8, seed=3).abs() + 1
    pair = {f"{M}.lora_A.weight": a, f"{M}.lora_B.weight": b}
    config = {"lora_alpha": 6, "use_dora": True}
    checkpoint = opened(tmp_path, pair | {f"{M}.lora_magnitude_vector": m}, config)
    (stored,) = checkpoint.tensors
    assert "DoRA" in (stored.note or "")
    weight = r(8, 10, seed=4)
    whole = weight + 2 * b @ a
    wanted = m[:, None] * whole / whole.norm(dim=1, keepdim=True)
    found = checkpoint.onto[stored.name](weight)
    assert (found - wanted).abs().max() < 1e-5


def test_whole_weights_of_an_adapter_are_told(tmp_path: Path) -> None:
    tensors, config, _ = CASES["LoRA of PEFT"]()
    tensors["base_model.model.score.weight"] = torch.ones(2, 8)
    checkpoint = opened(tmp_path, tensors, config)
    assert any("1 tensors are whole weights" in note for note in checkpoint.notes)
    assert "base_model.model.score.weight" in {stored.name for stored in checkpoint.tensors}


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a*)*b", "x" * 2000])
def test_a_costly_pattern_is_refused(pattern: str, tmp_path: Path) -> None:
    tensors, config, _ = CASES["LoRA of PEFT"]()
    with pytest.raises(ValueError, match="costly"):
        opened(tmp_path, tensors, config | {"alpha_pattern": {pattern: 3}})


def test_the_first_pattern_that_matches_counts() -> None:
    config = AdapterConfig(alpha=1, alphas={r".*\.0\..*": 2, "q_proj": 3, "[": 4})
    assert config.factor("base_model.model.layers.0.q_proj", 1) == 2
    assert config.factor("base_model.model.layers.1.q_proj", 1) == 3
    assert config.factor("base_model.model.layers.1.v_proj", 1) == 1


def test_rotations_are_orthogonal() -> None:
    blocks = rotations(r(3, 6, seed=1), None)
    assert torch.allclose(blocks @ blocks.mT, torch.eye(4).double().expand(3, 4, 4), atol=1e-12)


class Model(torch.nn.Module):
    """Linear layers of several shapes, a convolution and a stack of experts."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.config = {"model_type": "custom"}
        self.layers = torch.nn.ModuleList(
            torch.nn.ModuleDict(
                {"q_proj": torch.nn.Linear(16, 16), "v_proj": torch.nn.Linear(16, 16)}
            )
            for _ in range(2)
        )
        self.score = torch.nn.Linear(16, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + layer["v_proj"](layer["q_proj"](x))
        return self.score(x)


def peft_configs() -> dict[str, Callable[[Any], Any]]:
    both: dict[str, Any] = {"target_modules": ["q_proj", "v_proj"]}
    return {
        "LoRA": lambda peft: peft.LoraConfig(r=4, lora_alpha=8, **both),
        "rsLoRA": lambda peft: peft.LoraConfig(r=4, lora_alpha=8, use_rslora=True, **both),
        "patterns": lambda peft: peft.LoraConfig(
            r=4,
            lora_alpha=8,
            rank_pattern={"0.q_proj": 2},
            alpha_pattern={r"layers\.\d+\.v_proj": 32},
            **both,
        ),
        "modules to save": lambda peft: peft.LoraConfig(
            r=4, lora_alpha=8, modules_to_save=["score"], **both
        ),
        "DoRA": lambda peft: peft.LoraConfig(r=4, lora_alpha=8, use_dora=True, **both),
        "AdaLoRA": lambda peft: peft.AdaLoraConfig(
            init_r=4, target_r=2, lora_alpha=8, total_step=10, **both
        ),
        "LoHa": lambda peft: peft.LoHaConfig(r=3, alpha=6, **both),
        "LoKr": lambda peft: peft.LoKrConfig(r=2, alpha=6, **both),
        "VeRA": lambda peft: peft.VeraConfig(r=4, **both),
        "OFT": lambda peft: peft.OFTConfig(r=0, oft_block_size=4, **both),
        "OFT by Cayley": lambda peft: peft.OFTConfig(
            r=0, oft_block_size=4, use_cayley_neumann=False, **both
        ),
        "IA3": lambda peft: peft.IA3Config(feedforward_modules=["v_proj"], **both),
    }


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", peft_configs())
def test_a_method_against_pefts_own_merge(kind: str, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    base = Model()
    before = {name: weight.clone() for name, weight in base.state_dict().items()}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(base, peft_configs()[kind](peft))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.requires_grad and "ranknum" not in name:
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    model.save_pretrained(tmp_path)
    merged = model.merge_and_unload().state_dict()
    checkpoint = open_checkpoint(tmp_path)
    found = {stored.name.removeprefix("base_model.model."): stored for stored in checkpoint.tensors}
    compared = 0
    for name, weight in before.items():
        if not name.startswith("layers.") or not name.endswith(".weight"):
            continue
        change = (merged[name] - weight).double()
        told = f"base_model.model.{name}"
        onto = checkpoint.onto.get(told)
        mine = onto(weight) - weight if onto else whole(found[name])
        assert float(change.norm()) > 0
        # PEFT merges in float32: measured at most 3e-7 of the norm of the weight.
        assert float((mine - change).norm()) < 1e-6 * float(weight.norm() + change.norm())
        compared += 1
    assert compared == 4
    if kind == "modules to save":
        assert torch.equal(whole(found["score.weight"]).float(), merged["score.weight"])


def test_constrained_rotations_are_missing(tmp_path: Path) -> None:
    checkpoint = opened(tmp_path, ALONE["OFT"], {"peft_type": "OFT", "coft": True})
    assert not checkpoint.onto
    assert "constrained" in checkpoint.missing[0].reason


@pytest.mark.parametrize("told", ["pissa", "pissa_niter_4", "olora", "corda"])
def test_factors_that_began_in_the_base_are_no_change(told: str, tmp_path: Path) -> None:
    tensors, config, _ = CASES["LoRA of PEFT"]()
    checkpoint = opened(tmp_path, tensors, config | {"init_lora_weights": told})
    assert not checkpoint.tensors
    assert "part of the base" in checkpoint.missing[0].reason


class Turned(torch.nn.Module):
    """An embedding and a layer that is stored as inputs × outputs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        from transformers.pytorch_utils import Conv1D

        self.config = {"model_type": "custom"}
        self.emb = torch.nn.Embedding(20, 16)
        self.c_fc = Conv1D(24, 16)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.c_fc(self.emb(x))
        return found


TURNED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "LoRA": ("c_fc", lambda peft: peft.LoraConfig(r=4, lora_alpha=8, target_modules=["c_fc"])),
    "DoRA": (
        "c_fc",
        lambda peft: peft.LoraConfig(r=4, lora_alpha=8, target_modules=["c_fc"], use_dora=True),
    ),
    "DoRA of an embedding": (
        "emb",
        lambda peft: peft.LoraConfig(r=4, lora_alpha=8, target_modules=["emb"], use_dora=True),
    ),
    "IA3": (
        "c_fc",
        lambda peft: peft.IA3Config(
            target_modules=["c_fc"], feedforward_modules=[], fan_in_fan_out=True
        ),
    ),
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", TURNED)
def test_weights_that_are_stored_the_other_way_round(kind: str, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    pytest.importorskip("transformers")
    base, (module, config) = Turned(), TURNED[kind]
    name = f"{module}.weight"
    before = base.state_dict()[name].clone()
    save_safetensors(tmp_path / "base.safetensors", {name: before})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = peft.get_peft_model(base, config(peft))
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.1 * torch.randn(weight.shape, generator=generator))
    model.save_pretrained(tmp_path / "adapter")
    change = (model.merge_and_unload().state_dict()[name] - before).double()
    found = compare_checkpoints(
        open_checkpoint(tmp_path / "base.safetensors"),
        open_checkpoint(tmp_path / "adapter"),
        tmp_path / "run",
    )
    (norm,) = found.run.metrics(measure="frobenius_norm")["value"].to_list()
    # PEFT merges in float32: measured at most 3e-7 of the norm of the weight.
    assert abs(norm - float(change.norm())) < 1e-6 * float(before.norm() + change.norm())
