"""``python -m spectrain.calibration [QUESTION …]``: measure and store rates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from spectrain.answers import QUESTIONS
from spectrain.calibration.rates import calibrate
from spectrain.calibration.table import table, write


def run(
    questions: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
    *,
    only: str = "*",
    runs: int = 200,
    out: Path = Path("docs/calibration.json"),
    seed: int = 0,
) -> None:
    """Train what every question plants, count what it says, and store the rates.

    Args:
        questions: to calibrate; all if none is given.
        only: pattern of the names of the kinds of runs.
        runs: of each kind of which the claim is false; a quarter of that of the others.
        out: file of rates; those of other questions in it are kept.
        seed: of the first run; the others follow.
    """
    for question in questions or tuple(QUESTIONS):
        for rates in calibrate(question, runs, seed=seed, only=only):
            write([rates], out)
            print(table([rates]).splitlines()[-1], flush=True)


if __name__ == "__main__":
    tyro.cli(run)
