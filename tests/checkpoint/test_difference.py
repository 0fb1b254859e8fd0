from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from spectrain.checkpoint import Inspection, compare_changes, compare_checkpoints, open_checkpoint
from spectrain.checkpoint.differences import INTERFERENCE
from spectrain.checkpoint.differences.directions import (
    kept_rank,
    leading_directions,
    overlap,
    signal_rank,
)
from spectrain.core import InputError
from spectrain.matrix import diagonal_spectrum, spectrum
from support.sample_checkpoints import save_safetensors


def values(
    folder: Path, before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]
) -> tuple[dict[tuple[str, str], float], Inspection]:
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


@pytest.mark.parametrize("noise", [0.0, 5e-4, 3e-3, 8e-3])
def test_the_signal_rank_is_that_of_the_signal_at_every_level_of_noise(
    noise: float, tmp_path: Path, generator: torch.Generator
) -> None:
    before, after = {}, {}
    for index, shape in enumerate(((128, 128), (128, 256), (256, 128))):
        u, v = (torch.linalg.qr(torch.randn(s, 8, generator=generator)).Q for s in shape)
        w = 0.05 * torch.randn(shape, generator=generator)
        change = (u * torch.linspace(1, 0.6, 8)) @ v.T
        change = change + noise * torch.randn(shape, generator=generator)
        before[f"layers.{index}.w.weight"], after[f"layers.{index}.w.weight"] = w, w + change
    table, _ = values(tmp_path, before, after)
    assert {table[name, "signal_rank"] for name in before} == {8.0}


def test_white_noise_alone_has_no_signal(generator: torch.Generator) -> None:
    ranks = [signal_rank(spectrum(torch.randn(96, 64, generator=generator))) for _ in range(100)]
    # The level is 1 %; more than six of a hundred have a probability of 5e-4.
    assert sum(rank != 0 for rank in ranks) <= 6


def test_a_fused_module_has_the_rank_of_the_whole(
    tmp_path: Path, generator: torch.Generator
) -> None:
    width = 32
    before = {
        "h.0.attn.c_attn.weight": torch.randn(width, 3 * width, generator=generator),
        "h.0.attn.c_proj.weight": torch.randn(width, width, generator=generator),
    }
    change = torch.zeros(width, 3 * width)
    ins = torch.linalg.qr(torch.randn(width, 9, generator=generator)).Q
    for third in range(3):
        outs = torch.linalg.qr(torch.randn(width, 3, generator=generator)).Q
        part = slice(third * width, (third + 1) * width)
        change[:, part] = ins[:, 3 * third : 3 * third + 3] @ outs.T
    after = before | {"h.0.attn.c_attn.weight": before["h.0.attn.c_attn.weight"] + change}
    a = open_checkpoint(save_safetensors(tmp_path / "a.safetensors", before))
    b = open_checkpoint(save_safetensors(tmp_path / "b.safetensors", after))
    run = compare_checkpoints(a, b, tmp_path / "run", share=0.999).run
    rows = run.metrics(source="update").filter(pl.col("block").str.contains("c_attn"))
    table = rows.group_by("measure").agg(pl.col("value").unique()).rows()
    found = dict(table)
    assert found["lora_rank"] == [3.0]
    assert found["module_rank"] == [9.0]


WRAPPED = ("module.", "_orig_mod.", "base_model.model.", "model.", "module._orig_mod.")


@pytest.mark.parametrize("prefix", WRAPPED)
@pytest.mark.parametrize("first", [True, False])
def test_wrappers_do_not_hide_namesakes(prefix: str, first: bool, tmp_path: Path) -> None:
    plain = {"h.0.w.weight": torch.eye(4), "h.1.w.weight": torch.ones(4, 4)}
    wrapped = {prefix + name: 2 * weight for name, weight in plain.items()}
    pair = (wrapped, plain) if first else (plain, wrapped)
    table, inspection = values(tmp_path, *pair)
    changes = [value for (_, measure), value in table.items() if measure == "relative_change"]
    assert changes == pytest.approx([0.5, 0.5] if first else [1.0, 1.0])
    assert not inspection.incomplete


def test_a_renamed_model_is_compared_by_shape_with_consent(tmp_path: Path) -> None:
    before = {"a.weight": torch.eye(4), "b.weight": torch.ones(4, 4), "c.weight": torch.ones(3, 4)}
    after = {
        "x.weight": torch.eye(4),
        "y.weight": 2 * torch.ones(4, 4),
        "z.weight": torch.ones(3, 4),
    }
    one = open_checkpoint(save_safetensors(tmp_path / "a.safetensors", before))
    two = open_checkpoint(save_safetensors(tmp_path / "b.safetensors", after))
    with pytest.raises(InputError, match="--by-shape"):
        compare_checkpoints(one, two, tmp_path / "run")
    run = compare_checkpoints(one, two, tmp_path / "run", by_shape=True).run
    rows = run.metrics(source="update", measure="relative_change")
    assert dict(rows.select("block", "value").rows()) == pytest.approx(
        {"a.weight": 0.0, "b.weight": 1.0, "c.weight": 0.0}
    )
    save_safetensors(tmp_path / "b.safetensors", after | {"v.weight": torch.eye(4)})
    with pytest.raises(InputError, match="do not tell which is which"):
        compare_checkpoints(
            one, open_checkpoint(tmp_path / "b.safetensors"), tmp_path / "r", by_shape=True
        )


def adapter(folder: Path, generator: torch.Generator, *, dora: bool) -> dict[str, torch.Tensor]:
    a = torch.randn(2, 20, generator=generator)
    b = torch.randn(12, 2, generator=generator)
    module = "base_model.model.layers.0.q_proj"
    tensors = {f"{module}.lora_A.weight": a, f"{module}.lora_B.weight": b}
    if dora:
        tensors[f"{module}.lora_magnitude_vector"] = torch.rand(12, generator=generator) + 1
    folder.mkdir()
    save_safetensors(folder / "adapter_model.safetensors", tensors)
    (folder / "adapter_config.json").write_text(json.dumps({"lora_alpha": 6}))
    return tensors


@pytest.mark.parametrize("dora", [False, True])
def test_an_adapter_is_measured_against_its_base(
    dora: bool, tmp_path: Path, generator: torch.Generator
) -> None:
    base = {
        "layers.0.q_proj.weight": torch.randn(12, 20, generator=generator),
        "layers.0.k_proj.weight": torch.randn(12, 20, generator=generator),
    }
    a, b, *m = adapter(tmp_path / "tuned", generator, dora=dora).values()
    w = base["layers.0.q_proj.weight"]
    change = 3 * b @ a
    if dora:
        whole = w + change
        change = m[0][:, None] * whole / whole.norm(dim=1, keepdim=True) - w
    one = open_checkpoint(save_safetensors(tmp_path / "base.safetensors", base))
    inspection = compare_checkpoints(one, open_checkpoint(tmp_path / "tuned"), tmp_path / "run")
    rows = inspection.run.metrics(source="update", measure="relative_change")
    ((name, found),) = rows.select("block", "value").rows()
    assert name == "layers.0.q_proj.weight"
    assert found == pytest.approx(float(change.norm() / w.norm()), rel=1e-5)
    assert not inspection.incomplete
    with pytest.raises(InputError, match="base model first"):
        compare_checkpoints(open_checkpoint(tmp_path / "tuned"), one, tmp_path / "r")


def test_two_changes_of_one_base_meet(tmp_path: Path, generator: torch.Generator) -> None:
    w = torch.randn(30, 20, generator=generator).double()
    a = torch.outer(torch.eye(30)[0], torch.eye(20)[0]).double()
    far = torch.outer(torch.eye(30)[1], torch.eye(20)[1]).double()
    plan = {"same": 2 * a, "against": -a, "apart": far, "unmoved": 0 * a}
    names = {kind: f"layers.{index}.w" for index, kind in enumerate(plan)}
    files = {
        "base": dict.fromkeys(names.values(), w),
        "one": dict.fromkeys(names.values(), w + a),
        "two": {names[kind]: w + change for kind, change in plan.items()},
    }
    base, one, two = (
        open_checkpoint(
            save_safetensors(
                tmp_path / f"{file}.safetensors", {n: t.clone() for n, t in tensors.items()}
            )
        )
        for file, tensors in files.items()
    )
    inspection = compare_changes(base, one, two, tmp_path / "run")
    frame = inspection.run.metrics(source="update")
    table = {(r["block"], r["measure"]): r["value"] for r in frame.iter_rows(named=True)}
    found = {
        kind: [table[name, measure] for measure in INTERFERENCE] for kind, name in names.items()
    }
    assert found["same"] == pytest.approx([1.0, 2.0, 0.0, 1.0, 1.0], abs=1e-9)
    assert found["against"] == pytest.approx([-1.0, 1.0, 1.0, 1.0, 1.0], abs=1e-9)
    assert found["apart"][0] == pytest.approx(0.0, abs=1e-9)
    assert found["apart"][3:] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert found["unmoved"][0] is None
    assert table[names["against"], "frobenius_norm"] == pytest.approx(0.0, abs=1e-12)


def test_kohyas_names_are_those_of_the_base(tmp_path: Path) -> None:
    base = {f"down.{i}.attn_1.to_q.weight": torch.randn(6, 5) for i in range(2)}
    save_safetensors(tmp_path / "base.safetensors", base)
    factors = {
        f"lora_unet_down_1_attn_1_to_q.{name}": tensor
        for name, tensor in {
            "lora_down.weight": torch.ones(2, 5),
            "lora_up.weight": torch.ones(6, 2),
            "alpha": torch.tensor(2.0),
        }.items()
    }
    save_safetensors(tmp_path / "adapter.safetensors", factors)
    found = compare_checkpoints(
        open_checkpoint(tmp_path / "base.safetensors"),
        open_checkpoint(tmp_path / "adapter.safetensors"),
        tmp_path / "run",
    )
    (row,) = found.run.metrics(measure="frobenius_norm").to_dicts()
    assert row["block"] == "down.1.attn_1.to_q.weight"
    assert row["value"] == pytest.approx(2 * 30**0.5)
