"""Does the margin predict where Muon helps? Table 2's question, and plans against usual routing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from spectrain.noise import Estimate
from spectrain.noise.estimate import jackknife
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.gpt.experiment import MARGINS
from spectrain_studies.descent.planted import planted
from spectrain_studies.descent.race.experiment import ARMS, GATED_ARMS
from spectrain_studies.descent.race.planted import correlated, routed
from spectrain_studies.descent.race.statistics import reliability, share_of_gain
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Above, Experiment, Measured, Result, Results
from spectrain_studies.frame.statistics import LEVEL, Array, over_seeds, rank_correlation

SOURCE = "§1.2.1 (our question: does the margin predict where Muon helps?)"
TABLE = "§1.2.2, Table 2, after Wang et al. 2025"


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


def untuned(*results: Result, rate: float | None = None) -> str:
    """Why nothing follows: a best rate is a grid's end, or AdamW's is another than ``rate``."""
    ends = [
        f"{r.case.arm}{f' of {r.case.block}' if r.case.block else ''}"
        for r in results
        if not r["inner"]
    ]
    notes = [f"The best rate is an end of those tried: {', '.join(ends)}"] if ends else []
    base = [r for r in results if r.case.arm == "adamw"]
    if rate is not None and base and not np.isclose(base[0]["rates"][1], rate):
        best = base[0]["rates"][1]
        notes.append(f"AdamW is best at {best:g}, and beside single blocks it has {rate:g}")
    return "; ".join(notes)


def _chosen(arms: Results, *names: str) -> list[Result]:
    return [r for r in arms if r.case.arm in names]


def _correlated(
    x: Mapping[str, float], y: Mapping[str, Array], unsettled: str, **details: Any
) -> Measured:
    matrix = np.stack([*y.values()])
    estimate = rank_correlation(np.array([x[name] for name in y]), matrix.mean(1))
    errors = np.var(matrix, axis=1, ddof=1) / matrix.shape[1]
    told = {
        "reliability of the gains": reliability(matrix),
        "gain by block, nats": {name: float(values.mean()) for name, values in y.items()},
        "standard error of a gain": float(np.sqrt(np.mean(errors))),
        **details,
    }
    return Measured(estimate, matrix.shape[1], details=told, unsettled=unsettled)


@STUDY.claim(
    "margin-predicts-muon",
    source=SOURCE,
    statement="Muon on one block, AdamW elsewhere, gains more where nr/st is larger",
    statistic="Spearman's ρ over blocks of ln nr/st (under AdamW, mean over steps and seeds) with "
    "the gain in held-out loss over AdamW on all blocks, each at its tuned rate",
    criterion=Above(0),
    needs=[MARGINS, ARMS],
    planted=correlated(MARGINS, ARMS),
)
def margin_predicts(config: Config, found: Results, arms: Results) -> Measured:
    x, rate = margins(found), config.transformer.race.adamw_rate
    why = untuned(*_chosen(arms, "adamw", "muon"), rate=rate)
    return _correlated(x, gains(arms)["muon"], why, **{"ln nr/st": x})


@STUDY.claim(
    "margin-predicts-clean",
    source=SOURCE,
    statement="The same with the steps that the theory speaks of: SpecGD against gradient descent "
    "on one block, AdamW elsewhere",
    statistic="Spearman's ρ over blocks of ln nr/st with the gain of SpecGD over gradient descent",
    criterion=Above(0),
    needs=[MARGINS, ARMS],
    planted=correlated(MARGINS, ARMS),
)
def margin_predicts_clean(config: Config, found: Results, arms: Results) -> Measured:
    return _correlated(margins(found), gains(arms)["clean"], untuned(*_chosen(arms, *CLEAN)))


CLEAN = ("gd", "specgd")


@STUDY.claim(
    "margin-predicts-one-step",
    source=SOURCE,
    statement="What one step gains on its own batch is more where nr/st is larger",
    statistic="Spearman's ρ over blocks of ln nr/st with ln Δ_spectral/Δ_euclidean, halfway "
    "through training and each at its best length",
    criterion=Above(0),
    needs=[MARGINS],
    planted=correlated(MARGINS),
)
def margin_predicts_one_step(config: Config, found: Results) -> Measured:
    x, y = margins(found), realised(found)
    estimate = rank_correlation(np.array([x[name] for name in y]), np.array([*y.values()]))
    return Measured(estimate, len(found), details={"ln nr/st": x, "ln of the ratio": y})


@STUDY.claim(
    "realised-predicts-clean",
    source=SOURCE,
    statement="What one step gains on its own batch predicts where SpecGD beats gradient descent",
    statistic="Spearman's ρ over blocks of ln Δ_spectral/Δ_euclidean, halfway through training and "
    "each at its best length, with the gain of SpecGD over gradient descent",
    criterion=Above(0),
    needs=[MARGINS, ARMS],
    planted=correlated(MARGINS, ARMS),
)
def realised_predicts(config: Config, found: Results, arms: Results) -> Measured:
    return _correlated(realised(found), gains(arms)["clean"], untuned(*_chosen(arms, *CLEAN)))


@STUDY.claim(
    "clean-predicts-muon",
    source=SOURCE,
    statement="Where SpecGD beats gradient descent, Muon beats AdamW",
    statistic="Spearman's ρ over blocks of the two gains",
    criterion=Above(0),
    needs=[ARMS],
    planted=correlated(ARMS),
)
def clean_predicts(config: Config, arms: Results) -> Measured:
    found, rate = gains(arms), config.transformer.race.adamw_rate
    means = {name: float(values.mean()) for name, values in found["clean"].items()}
    why = untuned(*_chosen(arms, "adamw", "muon", *CLEAN), rate=rate)
    return _correlated(means, found["muon"], why)


def _difference(
    name: str, statement: str, worse: str, better: str, arms_of: Experiment[Config] = ARMS
) -> None:
    @STUDY.claim(
        name,
        source=SOURCE,
        statement=statement,
        statistic=f"held-out loss of {worse} − that of {better}, paired by seed, tuned rates",
        criterion=Above(0, "nats"),
        needs=[arms_of],
        planted=planted([arms_of], routed(0.1), routed(-0.1)),
    )
    def judge(config: Config, arms: Results) -> Measured:
        results = {arm: arms.where(arm=arm).only() for arm in (worse, better)}
        losses = {arm: np.asarray(r["losses"]) for arm, r in results.items()}
        details: dict[str, Any] = {arm: float(values.mean()) for arm, values in losses.items()}
        details["rates of Muon and AdamW"] = {arm: r["rates"] for arm, r in results.items()}
        details["spectral blocks"] = [str(block) for block in results[better]["spectral"]]
        estimate = over_seeds(losses[worse] - losses[better])
        return Measured(estimate, details=details, unsettled=untuned(*results.values()))


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

SETS = ("adamw", "out", "usual")


def _share(arms: Results) -> tuple[float, Array]:
    losses = {arm: np.asarray(arms.where(arm=arm).only()["losses"]) for arm in SETS}
    return share_of_gain(losses["adamw"] - losses["out"], losses["adamw"] - losses["usual"])


def _relu2(arms: Results, gated: Results) -> Estimate:
    value, without = _share(arms)
    return jackknife(value, torch.from_numpy(without), level=LEVEL)


def _contrast(arms: Results, gated: Results) -> Estimate:
    (one, first), (other, second) = _share(arms), _share(gated)
    return jackknife(one - other, torch.from_numpy(first - second), level=LEVEL)


def _claim_of_share(
    name: str,
    statement: str,
    statistic: str,
    limit: float,
    estimate: Callable[[Results, Results], Estimate],
) -> None:
    @STUDY.claim(
        name,
        source=TABLE,
        statement=statement,
        statistic=f"{statistic}, jackknife over seeds",
        criterion=Above(limit),
        needs=[ARMS, GATED_ARMS],
        planted=planted([ARMS, GATED_ARMS], routed(0.1, gated=0.3), routed(0.1, plain=0.3)),
    )
    def judge(config: Config, arms: Results, gated: Results) -> Measured:
        groups = {"relu2": arms, "swiglu": gated}
        details = {name: _share(results)[0] for name, results in groups.items()}
        for name, results in groups.items():
            for r in _chosen(results, *SETS):
                details[f"{name} {r.case.arm}"] = float(np.mean(r["losses"]))
        why = untuned(*_chosen(arms, *SETS), *_chosen(gated, *SETS))
        return Measured(estimate(arms, gated), details=details, unsettled=why)


_claim_of_share(
    "table2-out-captures-most",
    "On a ReLU² GPT Muon on mlp.out alone captures most of what Muon on all matrices gains (62 % "
    "there)",
    "gain over AdamW of Muon on mlp.out / that of Muon on all matrices, tuned rates",
    *(0.5, _relu2),
)
_claim_of_share(
    "table2-less-when-gated",
    "On a SwiGLU GPT it captures less (27 % there)",
    "that share on ReLU² − that on SwiGLU",
    *(0.0, _contrast),
)
