"""Runs whose truth is known, written by the real recorder, and what an answer makes of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from scipy.stats import binomtest
from torch import Tensor, nn

from spectrain import watch
from spectrain.answers import QUESTIONS
from spectrain.answers.finding import Finding
from spectrain.records import open_run

Found = Finding[Any, Any]
Says = Mapping[str, Callable[[Found], bool]]
Make = Callable[[Path, torch.Generator], None]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of run.

    Attributes:
        question: which answer is asked.
        name: what the runs are.
        make: writes one run into a folder.
        false: what would be false of such a run, and whether a finding says it.
        true: what was planted in it, and whether a finding says it.
        limit: largest share of runs of which something false may be said.
        power: least share of which something true must be said.
    """

    question: str
    name: str
    make: Make
    false: Says = field(default_factory=dict)
    true: Says = field(default_factory=dict)
    limit: float = 0.05
    power: float = 0.8


CASES: list[Case] = []
"""Every case, by question in the order of registration."""


def count(case: Case, runs: int) -> dict[str, int]:
    """In how many of so many runs each thing is said; run r is drawn from seed r."""
    says = {**case.false, **case.true}
    told = dict.fromkeys(says, 0)
    for seed in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "run"
            case.make(path, torch.Generator().manual_seed(seed))
            found = QUESTIONS[case.question].answer(open_run(path))
        for name, heard in says.items():
            told[name] += heard(found)
    return told


def interval(told: int, runs: int) -> tuple[float, float]:
    """The exact 95 % interval of a share (Clopper & Pearson 1934)."""
    found = binomtest(told, runs).proportion_ci(0.95, "exact")
    return float(found.low), float(found.high)


class Planted(nn.Module):
    """Matrices whose gradients are what is planted: the loss is Σ⟨W, G⟩."""

    def __init__(self, generator: torch.Generator, **shapes: tuple[int, int]) -> None:
        super().__init__()
        for name, (rows, columns) in shapes.items():
            layer = nn.Linear(columns, rows, bias=False)
            with torch.no_grad():
                layer.weight.copy_(0.1 * torch.randn(rows, columns, generator=generator))
            self.add_module(name, layer)

    def forward(self, gradients: Mapping[str, Tensor]) -> Tensor:
        losses = [
            (self.get_submodule(name).weight * g).sum()  # type: ignore[operator]
            for name, g in gradients.items()
        ]
        return torch.stack(losses).sum()


def record(
    path: Path,
    generator: torch.Generator,
    steps: Iterator[list[Tensor]],
    *,
    shape: tuple[int, int],
) -> None:
    """A watched training of one matrix, each step of so many microbatches of one example each."""
    model = Planted(generator, matrix=shape)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-6)
    with watch(model, optimizer, path, every=1, strict=True) as run:
        for microbatches in steps:
            optimizer.zero_grad()
            for gradient in microbatches:
                torch.autograd.backward(model({"matrix": gradient / len(microbatches)}))
            run.log(batch_size=len(microbatches))
            optimizer.step()
