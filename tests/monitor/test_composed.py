"""Composed matrices in a watched run, against the matrices multiplied out in float64."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import spectrain
from spectrain.core import Source
from spectrain.matrix import product_spectrum


class Adapted(nn.Module):
    """A frozen linear layer with low-rank factors, as peft builds it."""

    def __init__(self) -> None:
        super().__init__()
        self.base_layer = nn.Linear(6, 5).requires_grad_(False)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(6, 2, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(2, 5, bias=False)})
        self.scaling = {"default": 2.0}

    def forward(self, x: Tensor) -> Tensor:
        low = self.lora_B["default"](self.lora_A["default"](x))
        return self.base_layer(x) + self.scaling["default"] * low


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 6, 2))
        self.query = Adapted()

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.query(self.conv(x).mean(-1))
        return found

    def matrices(self) -> dict[str, Tensor]:
        """The composed matrices in float64."""
        a, b = (self.query.get_parameter(f"lora_{s}.default.weight").double() for s in "AB")
        g, v = (
            self.conv.get_parameter(f"parametrizations.weight.original{i}").double()
            for i in range(2)
        )
        normed = g * v / v.flatten(1).norm(dim=1)[:, None, None]
        return {"query.weight": (2 * b @ a).detach(), "conv.weight": normed.flatten(1).detach()}


def test_spectra_of_composed_matrices_and_of_their_change(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    courses = [model.matrices()]
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1):
        for _ in range(2):
            optimizer.zero_grad()
            model(torch.randn(4, 3, 7)).square().sum().backward()
            optimizer.step()
            courses.append(model.matrices())
    run = spectrain.open_run(tmp_path / "run")
    assert {"query.weight", "conv.weight"} <= {block.name for block in run.blocks}
    for source, matrices in {
        Source.WEIGHT: courses[1:],
        Source.UPDATE: [
            {name: after[name] - before[name] for name in after}
            for before, after in pairwise(courses)
        ],
    }.items():
        frame = run.metrics(source=source, measure="stable_rank")
        for name in courses[0]:
            found = dict(frame.filter(block=name).select("step", "value").iter_rows())
            assert set(found) == {0, 1}
            for step, value in found.items():
                sigma = torch.linalg.svdvals(matrices[step][name])
                expected = (sigma.square().sum() / sigma[0].square()).item()
                # measured relative error below 1e-6: the update of float32 weights
                assert value == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # peft's
def test_dora_is_what_peft_merges(tmp_path: Path) -> None:
    """Embedding, convolution and linear layer; what is recorded is of the merged weights."""
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    base = nn.ModuleDict(
        {"table": nn.Embedding(20, 8), "conv": nn.Conv1d(8, 12, 3), "last": nn.Linear(12, 9)}
    )
    old = {name: value.clone() for name, value in base.state_dict().items()}
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=[*base], use_dora=True)
    model = peft.inject_adapter_in_model(config, base)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0.05)
    with spectrain.watch(model, optimizer, tmp_path / "run", every=1, strict=True) as run:
        for _ in range(3):
            optimizer.zero_grad()
            run.begin()
            hidden = model["conv"](model["table"](torch.randint(20, (4, 7))).mT)
            model["last"](hidden.mT).square().mean().backward()
            optimizer.step()
    frame = spectrain.open_run(tmp_path / "run").metrics("weight", "frobenius_norm")
    for name in base:
        layer = model[name]
        layer.merge()
        change = (layer.base_layer.weight - old[f"{name}.weight"]).norm().item()
        found = frame.filter(block=f"{name}.weight", step=2)["value"].item()
        assert found == pytest.approx(change, rel=1e-6)  # 2e-8


def test_product_spectrum_is_that_of_the_product(generator: torch.Generator) -> None:
    left = torch.randn(3, 7, 2, generator=generator, dtype=torch.float64)
    right = torch.randn(3, 2, 5, generator=generator, dtype=torch.float64)
    found = product_spectrum(left, right)
    assert found.values.shape == (3, 5)
    # measured error 4e-15
    assert torch.allclose(found.values, torch.linalg.svdvals(left @ right), atol=1e-13)
    assert product_spectrum(left * torch.nan, right).values.isnan().all()
