"""Train what is planted under watch, ask, and count what is said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from scipy.stats import binomtest
from torch.optim import Optimizer

from spectrain.answers import QUESTIONS
from spectrain.answers.course import Gradients, PlantedRun, Script
from spectrain.monitor import watch
from spectrain.records import Run, open_run

LEVEL = 0.95
"""Coverage of the intervals."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often a claim was made of one kind of run.

    Attributes:
        question: short name.
        name: of the kind of run.
        claim: what was counted.
        true: whether it is true of these runs.
        runs: how many.
        said: in how many the claim was made.
    """

    question: str
    name: str
    claim: str
    true: bool
    runs: int
    said: int

    @property
    def share(self) -> float:
        """Of the runs."""
        return self.said / self.runs

    @property
    def interval(self) -> tuple[float, float]:
        """Of the share, 95 %, after Clopper and Pearson."""
        bounds = binomtest(self.said, self.runs).proportion_ci(LEVEL)
        return float(bounds.low), float(bounds.high)


class Planted(torch.nn.Module):
    """Linear layers by name whose gradients are what is planted.

    The loss is Σ ⟨W, G⟩ with W as the layer maps the unit vectors.
    """

    def __init__(self, shapes: dict[str, tuple[int, int]], generator: torch.Generator) -> None:
        super().__init__()
        for name, (rows, columns) in shapes.items():
            layer = torch.nn.Linear(columns, rows, bias=False)
            torch.nn.init.normal_(layer.weight, std=0.1, generator=generator)
            self.add_module(name, layer)

    def forward(self, gradients: Gradients) -> torch.Tensor:
        """⟨W, G⟩, summed over the blocks."""
        parts = [
            (self.get_submodule(name)(torch.eye(g.shape[1])) * g.mT).sum()
            for name, g in gradients.items()
        ]
        return torch.stack(parts).sum()


def planted_of(question: str) -> tuple[PlantedRun, ...]:
    """What the question's folder plants; nothing where it has no file ``calibration``."""
    home = QUESTIONS[question].answer
    package = getattr(home, "func", home).__module__.rpartition(".")[0]
    try:
        module = import_module(f"{package}.calibration")
    except ModuleNotFoundError as error:
        if error.name != f"{package}.calibration":
            raise
        return ()
    return tuple(module.PLANTED)


def train(planted: PlantedRun, seed: int, folder: Path) -> Run:
    """One drawn training of that kind, watched at every step."""
    generator = torch.Generator().manual_seed(seed)
    script: Script = planted.draw(generator)
    model = Planted(dict(planted.shapes), generator)
    made = planted.optimizer(model.parameters())
    optimizers = [made] if isinstance(made, Optimizer) else made
    with watch(
        model,
        optimizers,
        folder,
        every=planted.every,
        measures=planted.measures,
        replicas="microbatches",
    ) as run:
        for step in range(planted.steps):
            for _ in range(planted.microbatches):
                loss = model(script.gradients(step)) / planted.microbatches
                loss.backward()
            for optimizer in optimizers:
                optimizer.step()
            model.zero_grad()
            run.log(batch_size=planted.microbatches)
            if script.losses:
                run.log(loss=script.losses[step])
    return open_run(folder)


def rates(question: str, kind: Sequence[PlantedRun], runs: int, *, seed: int = 0) -> Iterator[Rate]:
    """Count every claim of one kind of run; what several claims are made of is trained once.

    Args:
        question: short name.
        kind: runs of one name, which differ in their claim.
        runs: where the claim is false; a quarter of that where it is true.
        seed: of the first run; the others follow.
    """
    counts = [max(runs // 4, 1) if planted.true else runs for planted in kind]
    said = [0] * len(kind)
    for number in range(max(counts)):
        with TemporaryDirectory() as folder:
            run = train(kind[0], seed + number, Path(folder) / "run")
            finding = QUESTIONS[question].answer(run)
        for place, planted in enumerate(kind):
            said[place] += number < counts[place] and planted.said(finding)
    for planted, count, times in zip(kind, counts, said, strict=True):
        yield Rate(question, planted.name, planted.claim, planted.true, count, times)


def calibrate(question: str, runs: int, *, seed: int = 0, only: str = "*") -> Iterator[Rate]:
    """Every kind of run that the question plants; a quarter of the runs where the claim is true.

    ``only`` is a pattern of their names.
    """
    kinds: dict[str, list[PlantedRun]] = {}
    for planted in planted_of(question):
        if not fnmatchcase(planted.name, only):
            continue
        kinds.setdefault(planted.name, []).append(planted)
    for kind in kinds.values():
        yield from rates(question, kind, runs, seed=seed)
