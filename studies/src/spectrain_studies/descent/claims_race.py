"""Does the margin predict where Muon helps? Table 2's question, and plans against usual routing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from spectrain.noise import Estimate
from spectrain.noise.estimate import jackknife
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.race import ARMS, GATED_ARMS
from spectrain_studies.descent.race_statistics import (
    rank_correlation,
    reliability,
    share_of_gain,
)
from spectrain_studies.descent.study import STUDY
from spectrain_studies.descent.transformer_courses import MARGINS
from spectrain_studies.frame import (
    Experiment,
    Judgement,
    Result,
    Results,
    Verdict,
    above,
    undecided,
)
from spectrain_studies.frame.statistics import LEVEL, Array, over_seeds, told

SOURCE = "§1.4 (our question: does the margin predict where Muon helps?)"
ABOVE = "95 % interval (Bonett & Wright) above 0; undecided where a best rate is a grid's end"
TABLE = "Table 2, after Wang et al. 2025"


def margins(found: Results) -> dict[str, float]:
    """Mean ln nr/st of every block over records and seeds."""
    logs = np.log(found.stack("nuclear_rank") / found.stack("stable_rank")).mean((0, 1))
    return dict(zip(map(str, found[0]["names"]), logs.tolist(), strict=True))


def realised(found: Results) -> dict[str, float]:
    """Mean ln Δ_spectral/Δ_euclidean of every block over seeds, halfway through training."""
    with np.errstate(divide="ignore"):  # a step that gained nothing
        logs = np.log(found.stack("realised")).mean(0)
    return dict(zip(map(str, found[0]["names"]), logs.tolist(), strict=True))


def gains(arms: Results) -> dict[str, dict[str, Array]]:
    """Gains in held-out loss by block, seed by seed: Muon over AdamW, SpecGD over GD."""
    base = arms.where(arm="adamw").only()["losses"]
    names = [r.case.block for r in arms.where(arm="muon")]

    def of(arm: str, block: str) -> Array:
        return np.asarray(arms.where(arm=arm, block=block).only()["losses"])

    return {
        "muon": {name: base - of("muon", name) for name in names},
        "clean": {name: of("gd", name) - of("specgd", name) for name in names},
    }


def tuned(judgement: Judgement, *results: Result, rate: float | None = None) -> Judgement:
    """The judgement; undecided where a best rate is a grid's end, or AdamW's is another."""
    ends = [
        f"{r.case.arm}{f' of {r.case.block}' if r.case.block else ''}"
        for r in results
        if not r["inner"]
    ]
    notes = [f"the best rate is an end of those tried: {', '.join(ends)}"] if ends else []
    base = [r for r in results if r.case.arm == "adamw"]
    if rate is not None and base and not np.isclose(base[0]["rates"][1], rate):
        best = base[0]["rates"][1]
        notes.append(f"AdamW is best at {best:g}, and beside single blocks it has {rate:g}")
    if not notes:
        return judgement
    return replace(judgement, verdict=Verdict.UNDECIDED, note="; ".join(notes))


def _chosen(arms: Results, *names: str) -> list[Result]:
    return [r for r in arms if r.case.arm in names]


def _correlated(
    x: Mapping[str, float], y: Mapping[str, Array], details: Mapping[str, Any] | None = None
) -> Judgement:
    names = list(y)
    matrix = np.stack([y[name] for name in names])
    if not np.isfinite(matrix).all():
        return undecided("a training diverged at its best rate")
    estimate = rank_correlation(np.array([x[name] for name in names]), matrix.mean(1))
    given = {
        "reliability of the gains": reliability(matrix),
        "gain by block, nats": {n: float(y[n].mean()) for n in names},
        "standard error of a gain": float(
            np.sqrt(np.mean(np.var(matrix, axis=1, ddof=1) / matrix.shape[1]))
        ),
        **(details or {}),
    }
    return above(estimate, 0.0, seeds=matrix.shape[1], details=given)


@STUDY.claim(
    "margin-predicts-muon",
    source=SOURCE,
    statement="Muon on one block, AdamW elsewhere, gains more where nr/st is larger",
    statistic="Spearman's ρ over blocks of ln nr/st (under AdamW, mean over steps and seeds) with "
    "the gain in held-out loss over AdamW on all blocks, each at its tuned rate",
    criterion=ABOVE,
    needs=[MARGINS, ARMS],
)
def margin_predicts(config: Config, found: Results, arms: Results) -> Judgement:
    judged = _correlated(margins(found), gains(arms)["muon"], {"ln nr/st": margins(found)})
    return tuned(judged, *_chosen(arms, "adamw", "muon"), rate=config.transformer.race.adamw_rate)


@STUDY.claim(
    "margin-predicts-clean",
    source=SOURCE,
    statement="The same with the steps that the theory speaks of: SpecGD against gradient descent "
    "on one block, AdamW elsewhere",
    statistic="Spearman's ρ over blocks of ln nr/st with the gain of SpecGD over gradient descent",
    criterion=ABOVE,
    needs=[MARGINS, ARMS],
)
def margin_predicts_clean(config: Config, found: Results, arms: Results) -> Judgement:
    judged = _correlated(margins(found), gains(arms)["clean"])
    return tuned(judged, *_chosen(arms, "gd", "specgd"))


@STUDY.claim(
    "realised-predicts-clean",
    source=SOURCE,
    statement="What one step gains on its own batch predicts where SpecGD beats gradient descent",
    statistic="Spearman's ρ over blocks of ln Δ_spectral/Δ_euclidean, halfway through training and "
    "each at its best length, with the gain of SpecGD over gradient descent",
    criterion=ABOVE,
    needs=[MARGINS, ARMS],
)
def realised_predicts(config: Config, found: Results, arms: Results) -> Judgement:
    own = realised(found)
    agreement = rank_correlation(
        np.array([margins(found)[name] for name in own]), np.array(list(own.values()))
    )
    details = {"ln of the ratio": own, "its ρ with the margin": told(agreement)}
    judged = _correlated(own, gains(arms)["clean"], details)
    return tuned(judged, *_chosen(arms, "gd", "specgd"))


@STUDY.claim(
    "clean-predicts-muon",
    source=SOURCE,
    statement="Where SpecGD beats gradient descent, Muon beats AdamW",
    statistic="Spearman's ρ over blocks of the two gains",
    criterion=ABOVE,
    needs=[ARMS],
)
def clean_predicts(config: Config, arms: Results) -> Judgement:
    found = gains(arms)
    means = {name: float(values.mean()) for name, values in found["clean"].items()}
    judged = _correlated(means, found["muon"])
    chosen = _chosen(arms, "adamw", "muon", "gd", "specgd")
    return tuned(judged, *chosen, rate=config.transformer.race.adamw_rate)


def _difference(
    name: str, statement: str, worse: str, better: str, arms_of: Experiment[Config] = ARMS
) -> None:
    @STUDY.claim(
        name,
        source=SOURCE,
        statement=statement,
        statistic=f"held-out loss of {worse} − that of {better}, nats, paired by seed, tuned rates",
        criterion="above 0; undecided where a best rate is a grid's end",
        needs=[arms_of],
    )
    def judge(config: Config, arms: Results) -> Judgement:
        results = {arm: arms.where(arm=arm).only() for arm in (worse, better)}
        losses = {arm: np.asarray(r["losses"]) for arm, r in results.items()}
        details: dict[str, Any] = {arm: float(values.mean()) for arm, values in losses.items()}
        details["rates of Muon and AdamW"] = {arm: r["rates"] for arm, r in results.items()}
        details["spectral blocks"] = [str(block) for block in results[better]["spectral"]]
        if not np.isfinite([*losses.values()]).all():
            return undecided("a training diverged at its best rate", details=details)
        judged = above(over_seeds(losses[worse] - losses[better]), 0.0, details=details)
        return tuned(judged, *results.values())


PLAN = "The optimizer built from advice, with open blocks as usual,"
DECIDED = "The optimizer built from advice, spectral only where it is sure,"

_difference(
    "usual-beats-adamw",
    "Muon on all matrices inside the blocks beats AdamW on everything",
    *("adamw", "usual"),
)
_difference("plan-beats-adamw", f"{PLAN} beats AdamW on everything", "adamw", "plan")
_difference("plan-beats-usual", f"{PLAN} beats the usual routing", "usual", "plan")
_difference(
    "plan-beats-usual-gated",
    f"{PLAN} beats the usual routing on a SwiGLU GPT",
    *("usual", "plan"),
    GATED_ARMS,
)
_difference("decided-beats-adamw", f"{DECIDED} beats AdamW on everything", "adamw", "decided")
_difference("decided-beats-usual", f"{DECIDED} beats the usual routing", "usual", "decided")


def _share(arms: Results) -> tuple[float, Array]:
    losses = {arm: np.asarray(arms.where(arm=arm).only()["losses"]) for arm in SETS}
    return share_of_gain(losses["adamw"] - losses["out"], losses["adamw"] - losses["usual"])


SETS = ("adamw", "out", "usual")


def _captured(estimate: Callable[[Results, Results], Estimate], limit: float) -> Any:
    def judge(config: Config, arms: Results, gated: Results) -> Judgement:
        details = {"relu2": _share(arms)[0], "swiglu": _share(gated)[0]}
        for name, results in (("relu2", arms), ("swiglu", gated)):
            details |= {
                f"{name} {arm}": float(results.where(arm=arm).only()["losses"].mean())
                for arm in SETS
            }
        judged = above(estimate(arms, gated), limit, details=details)
        return tuned(judged, *_chosen(arms, *SETS), *_chosen(gated, *SETS))

    return judge


def _relu2(arms: Results, gated: Results) -> Estimate:
    value, without = _share(arms)
    return jackknife(value, torch.from_numpy(without), level=LEVEL)


def _contrast(arms: Results, gated: Results) -> Estimate:
    (one, first), (other, second) = _share(arms), _share(gated)
    return jackknife(one - other, torch.from_numpy(first - second), level=LEVEL)


STUDY.claim(
    "table2-out-captures-most",
    source=TABLE,
    statement="On a ReLU² GPT Muon on mlp.out alone captures most of what Muon on all matrices "
    "gains (62 % there)",
    statistic="gain over AdamW of Muon on mlp.out / that of Muon on all matrices, tuned rates, "
    "jackknife over seeds",
    criterion="above ½; undecided where a best rate is a grid's end",
    needs=[ARMS, GATED_ARMS],
)(_captured(_relu2, 0.5))

STUDY.claim(
    "table2-less-when-gated",
    source=TABLE,
    statement="On a SwiGLU GPT it captures less (27 % there)",
    statistic="that share on ReLU² − that on SwiGLU, jackknife over seeds",
    criterion="above 0; undecided where a best rate is a grid's end",
    needs=[ARMS, GATED_ARMS],
)(_captured(_contrast, 0.0))
