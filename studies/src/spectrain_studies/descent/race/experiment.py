"""The race on the GPT: Muon on one block at a time, on chosen sets, and the theory's own steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from torch.optim import Muon, Optimizer

from spectrain.answers import descent
from spectrain.answers.descent.row import Verdict
from spectrain.core import Block, Plan, Role, Step, usual_step
from spectrain.monitor import watch
from spectrain.optim import SpecGD, build
from spectrain.records import open_run
from spectrain.training.gpt import GPT
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_transformer import Race
from spectrain_studies.descent.gpt.model import (
    BETAS,
    adamw,
    held_out,
    make_gpt,
    matrices,
    train,
)
from spectrain_studies.descent.race.search import Search, search_rate
from spectrain_studies.frame import Experiment, Outcome

SINGLE = ("muon", "gd", "specgd")
"""Optimizers of a single block, AdamW on all others."""

SETS = ("adamw", "out", "usual", "plan", "decided")
"""AdamW on all; Muon on the MLP's outputs, on all matrices inside the blocks, by advice with what
it leaves open as usual, or only where advice decides for it."""

TUNING = 1000
"""First of the seeds that rates are tuned on."""


@dataclass(frozen=True)
class ArmCase:
    """One arm of the race: a single block's optimizer, or a set of blocks on Muon."""

    race: Race
    arm: str
    block: str | None = None


def run_arm(case: ArmCase) -> Outcome:
    """Tune the arm's rates on seeds of their own, then train it on fresh ones."""
    r = case.race
    plan = _plan(case) if case.arm in SETS else None
    start = (getattr(r, f"{case.arm}_rate") if case.arm in SINGLE else r.muon_rate, r.adamw_rate)
    make = _maker(case, plan)

    def tuned(rates: tuple[float, float], axis: int) -> Search:
        def loss(rate: float) -> float:
            tried = (rate, rates[1]) if axis == 0 else (rates[0], rate)
            seeds = range(TUNING, TUNING + r.tuning_seeds)
            return float(np.mean([_train(r, seed, make, tried) for seed in seeds]))

        return search_rate(loss, rates[axis], factor=r.factor, moves=r.moves)

    axes = [1] if case.arm == "adamw" else [0, 1] if case.arm in SETS else [0]
    if plan is not None and not plan:
        axes = [1]
    searches, rates = [], start
    for axis in axes:
        searches.append(tuned(rates, axis))
        best = searches[-1].best
        rates = (best, rates[1]) if axis == 0 else (rates[0], best)
    return {
        "rates": rates,
        "inner": all(search.inner for search in searches),
        **{
            f"tried_{('own', 'adamw')[axis]}": np.array([found.rates, found.losses])
            for axis, found in zip(axes, searches, strict=True)
        },
        "losses": np.array([_train(r, seed, make, rates) for seed in range(r.seeds)]),
        "spectral": [] if plan is None else list(plan),
    }


Maker = Callable[[GPT, tuple[float, float]], Sequence[Optimizer]]


def _maker(case: ArmCase, plan: Plan | None) -> Maker:
    def single(model: GPT, rates: tuple[float, float]) -> Sequence[Optimizer]:
        named = dict(model.named_parameters())
        chosen = named.pop(str(case.block))
        kinds: dict[str, Callable[[], Optimizer]] = {
            "muon": lambda: Muon([chosen], lr=rates[0], weight_decay=0.0),
            "gd": lambda: SpecGD([chosen], lr=rates[0], step=Step.EUCLIDEAN),
            "specgd": lambda: SpecGD([chosen], lr=rates[0]),
        }
        return [kinds[case.arm](), adamw(named.values(), rates[1])]

    def planned(model: GPT, rates: tuple[float, float]) -> Sequence[Optimizer]:
        assert plan is not None
        built = build(
            model, plan, muon_lr=rates[0], adamw_lr=rates[1], weight_decay=0.0, betas=BETAS
        )
        return built.optimizers

    return single if case.arm in SINGLE else planned


def _train(race: Race, seed: int, make: Maker, rates: tuple[float, float]) -> float:
    model = make_gpt(race.network, seed)
    train(model, make(model, rates), race.network, race.steps, seed)
    return held_out(model)


def _plan(case: ArmCase) -> Plan:
    """The blocks that the arm gives to Muon."""
    if case.arm in ("plan", "decided"):
        return advised(case.race, usual=case.arm == "plan")
    blocks = matrices(make_gpt(case.race.network, 0))
    wanted: dict[str, Callable[[Block], bool]] = {
        "adamw": lambda block: False,
        "out": lambda block: block.role is Role.MLP_OUT,
        "usual": lambda block: block.name.startswith("blocks."),
    }
    return Plan({b.name: Step.SPECTRAL for b in blocks if wanted[case.arm](b)})


def advised(race: Race, *, usual: bool) -> Plan:
    """The spectral blocks where the criterion routes, out of a watched training under AdamW.

    Args:
        race: the network and its training.
        usual: whether blocks that it leaves open take their usual step, or else the Euclidean one.
    """
    model = make_gpt(race.network, TUNING)
    optimizer = adamw(model.parameters(), race.adamw_rate)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        every = max(1, race.steps // 24)
        with watch(model, optimizer, path, every=every) as run:

            def log(loss: float) -> None:
                run.log(loss=loss, batch_size=race.network.batch)

            train(model, [optimizer], race.network, race.steps, TUNING, after_step=log)
        rows = descent(open_run(path)).rows
    otherwise = {
        row.block: usual_step(row.role) if usual else Step.EUCLIDEAN
        for row in rows
        if row.verdict is not Verdict.EUCLIDEAN
    }
    spectral = {row.block for row in rows if row.verdict is Verdict.SPECTRAL}
    steps = {name: Step.SPECTRAL if name in spectral else step for name, step in otherwise.items()}
    return Plan({name: step for name, step in steps.items() if step is Step.SPECTRAL})


def _cases(config: Config) -> list[ArmCase]:
    race = config.transformer.race
    names = [block.name for block in matrices(make_gpt(race.network, 0))]
    return [ArmCase(race, arm) for arm in SETS] + [
        ArmCase(race, arm, name) for name in names for arm in SINGLE
    ]


def _gated_cases(config: Config) -> list[ArmCase]:
    race = config.transformer.race
    race = replace(race, network=replace(race.network, activation="swiglu"))
    return [ArmCase(race, arm) for arm in SETS[:4]]


ARMS: Experiment[Config] = Experiment("race", run_arm, _cases)
GATED_ARMS: Experiment[Config] = Experiment("race-swiglu", run_arm, _gated_cases)
