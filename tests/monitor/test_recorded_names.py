"""Every name that anything records is declared, with unit and formula."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

import spectrain
from spectrain.checkpoint import compare_checkpoints, inspect_checkpoints, open_checkpoint
from spectrain.checkpoint.weightwatcher import weightwatcher_records
from spectrain.core import QUANTITIES, Record, Source
from spectrain.monitor import measure_bulk, measure_noise, measure_steps
from spectrain.records import open_run

LOGGED = {"training/mine"}
"""What a loop logs under a name of its own is the loop's to explain."""


def undeclared(rows: Iterable[tuple[str, str]]) -> set[str]:
    return {f"{source}/{measure}" for source, measure in rows} - set(QUANTITIES) - LOGGED


def of_run(folder: Path) -> set[str]:
    return undeclared(open_run(folder).metrics().select("source", "measure").unique().iter_rows())


def of_records(records: Iterable[Record]) -> set[str]:
    return undeclared((str(record.source), record.measure) for record in records)


def loss_fn(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return (model(x) - x.flip(1)).square().mean()


def test_a_declared_quantity_has_unit_formula_and_source() -> None:
    assert all(q.unit and q.formula and q.citation for q in QUANTITIES.values())


def test_names_of_a_watched_run(tmp_path: Path) -> None:
    """Accumulation, Muon beside AdamW, fused projections, and a step that is not finite."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)
    model = nn.TransformerEncoder(layer, 1, enable_nested_tensor=False)
    matrices = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim != 2]
    optimizers = [
        torch.optim.Muon(matrices, lr=0.01),
        torch.optim.AdamW(others, lr=0.01, weight_decay=0.1),
    ]
    run = spectrain.watch(model, optimizers, tmp_path / "run", every=1)
    for _ in range(3):
        for _ in range(4):
            model(torch.randn(2, 5, 16)).square().mean().backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        run.log(loss=1.0, batch_size=8, mine=2.0)
    run.close()
    frame = open_run(tmp_path / "run").metrics()
    assert {"echo", "persistent_energy", "nuclear_rank_fused", "intended_scale"} <= set(
        frame["measure"]
    )
    assert of_run(tmp_path / "run") == set()


def test_names_of_measurements(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(24, 24), nn.Tanh(), nn.Linear(24, 24))
    batches = [torch.randn(8, 24) for _ in range(4)]
    found: list[Any] = [
        measure_noise(model, loss_fn, batches),
        measure_steps(model, loss_fn, batches[0], progress=False),
        measure_bulk(model, loss_fn, batches, finetune=lambda model: None),
    ]
    assert of_records(row for one in found for row in one.records(0)) == set()


def test_names_of_checkpoints(tmp_path: Path) -> None:
    torch.manual_seed(0)
    for name in ("before", "after"):
        save_file({"layer.weight": torch.randn(24, 16)}, tmp_path / f"{name}.safetensors")
    before, after = (open_checkpoint(tmp_path / f"{n}.safetensors") for n in ("before", "after"))
    compare_checkpoints(before, after, tmp_path / "difference")
    inspect_checkpoints([before], tmp_path / "inspection")
    assert of_run(tmp_path / "difference") | of_run(tmp_path / "inspection") == set()
    rows = weightwatcher_records(torch.randn(60, 40), "w", 0)
    assert of_records(rows) == set()
    assert all(row.source is Source.WEIGHT for row in rows)
