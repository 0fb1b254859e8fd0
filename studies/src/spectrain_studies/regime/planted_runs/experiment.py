"""Whether the finding tells a matrix of pure noise from one of pure signal in watched runs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import torch

from spectrain.answers import regime
from spectrain.monitor import watch
from spectrain.records import open_run
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.models.planted import Planted
from spectrain_studies.regime.config import Config

RATE, DECAY = 0.02, 0.25
CHUNK = 10


@dataclass(frozen=True)
class PlantedCase:
    """Ten runs."""

    first: int
    runs: int
    steps: int


def run_planted(case: PlantedCase) -> Outcome:
    """Verdict and norm over the twin's, of both matrices, for every seed."""
    rows = [_finding(case.first + number, case.steps) for number in range(case.runs)]
    return {
        f"{kind}_{name}": [str(row[f"{kind}.weight"][name]) for row in rows]
        for kind in ("noise", "signal")
        for name in ("verdict", "ratio")
    }


def _finding(seed: int, steps: int) -> dict[str, dict[str, object]]:
    model = Planted(16, generator=torch.Generator().manual_seed(seed))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        with watch(model, optimizer, path, every=10, measures=["*/frobenius_norm"]):
            for _ in range(steps):
                loss = model()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
        return {row["block"]: dict(row) for row in regime(open_run(path)).rows}


def _cases(config: Config) -> list[PlantedCase]:
    setup = config.planted
    return [
        PlantedCase(first, min(CHUNK, setup.seeds - first), setup.steps)
        for first in range(0, setup.seeds, CHUNK)
    ]


PLANTED: Experiment[Config] = Experiment("planted", run_planted, _cases)
