"""What feeds a weight that is used more than once: all its inputs, or a reason why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import spectrain


def stable_rank(*inputs: Tensor) -> float:
    values = torch.linalg.svdvals(torch.cat(inputs).double())
    return float(values.square().sum() / values[0] ** 2)


class Net(nn.Module):
    """Two modules of one weight, or one module called twice; another reads the same first input."""

    def __init__(self, *, twins: bool, beside: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.middle = nn.Linear(12, 12, bias=False), nn.Linear(12, 12)
        self.second = nn.Linear(12, 12, bias=False) if twins else self.first
        self.second.weight = self.first.weight
        self.beside = nn.Linear(12, 12) if beside else None

    def forward(self, x: Tensor) -> Tensor:
        h = 3 * torch.relu(self.middle(self.first(x)))
        self.inputs = [x.detach(), h.detach()]
        out: Tensor = self.second(h)
        return out if self.beside is None else out + self.beside(x)


def record(folder: Path, model: Net) -> dict[str, tuple[float | None, str | None]]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    with spectrain.watch(model, optimizer, folder / "run", every=1, measures=["input/*"]):
        model(torch.randn(40, 12)).square().mean().backward()
        optimizer.step()
    rows = spectrain.open_run(folder / "run").metrics("input", "stable_rank")
    return {
        block: (v, why) for block, v, why in rows.select("block", "value", "reason").iter_rows()
    }


@pytest.mark.parametrize("twins", [True, False])
@pytest.mark.parametrize("beside", [True, False])
def test_all_uses_are_counted(tmp_path: Path, twins: bool, beside: bool) -> None:
    model = Net(twins=twins, beside=beside)
    found = record(tmp_path, model)
    assert found["first.weight"][0] == pytest.approx(stable_rank(*model.inputs), rel=1e-4)


@pytest.mark.parametrize("twins", [True, False])
def test_who_read_the_first_input_alone_is_not_given_the_others(
    tmp_path: Path, twins: bool
) -> None:
    """It shares its moments with the module that read on: its own are lost, and it says so."""
    model = Net(twins=twins, beside=True)
    value, reason = record(tmp_path, model)["beside.weight"]
    own = stable_rank(model.inputs[0])
    assert value == pytest.approx(own, rel=1e-4) or (value is None and reason)
