"""Experiment 3: what becomes of learning when the rank is changed on purpose."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from spectrain_studies.frame import Judgement, Results, above, below, combined
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.learning import (
    ADAM_UPDATES,
    AS_PRINTED,
    DYNAMICS,
    MOMENTUM_UPDATES,
)
from spectrain_studies.rank.reinflation import REINFLATION
from spectrain_studies.rank.statistics import (
    final_loss,
    joined,
    learning_details,
    paired,
    per_model,
)
from spectrain_studies.rank.study import STUDY

PLACE = "Experiment 3, hypothesis predictions"
LOSS = (
    "final held-out loss in nats, each arm at its own best step size of one sweep, paired over "
    "seeds"
)
ABOVE = "95 % t interval over seeds above 0 on every model"
BELOW = "95 % t interval over seeds below 0 on every model"


def hurts(runs: Results, arm: str, base: str) -> Judgement:
    """Claim "the arm ends at a higher loss than the base"."""

    def judge(model: str) -> Judgement:
        estimate, told = paired(final_loss(runs, model, arm), final_loss(runs, model, base))
        return above(estimate, 0.0, details={**told, **learning_details(runs, model, arm, base)})

    return per_model(runs, judge)


def helps(runs: Results, arm: str, base: str) -> Judgement:
    """Claim "the arm ends at a lower loss than the base"."""

    def judge(model: str) -> Judgement:
        estimate, told = paired(final_loss(runs, model, arm), final_loss(runs, model, base))
        return below(estimate, 0.0, details={**told, **learning_details(runs, model, arm, base)})

    return per_model(runs, judge)


def helps_less(runs: Results, arm: str, than: str, base: str) -> Judgement:
    """Claim "the arm ends below the base, and above another"."""

    def judge(model: str) -> Judgement:
        loss = final_loss(runs, model, arm)
        helped, _ = paired(loss, final_loss(runs, model, base))
        behind, told = paired(loss, final_loss(runs, model, than))
        return combined(
            {
                f"below {base}": below(helped, 0.0),
                f"above {than}": above(behind, 0.0, details=told),
            }
        )

    return per_model(runs, judge)


@STUDY.claim(
    "printed-low-rank-hurts",
    source=PLACE,
    statement="Projecting Adam's gradients to their 10 largest singular values hurts learning.",
    statistic=f"gradient projected minus full, Adam on all matrices: {LOSS}",
    criterion=ABOVE,
    needs=(AS_PRINTED,),
)
def printed_low_rank_hurts(config: RankConfig, runs: Results) -> Judgement:
    """As printed; see adam-reinflates-rank for what it tests."""
    return hurts(runs, "printed-top10", "printed-full")


@STUDY.claim(
    "printed-orthonormal-helps",
    source=PLACE,
    statement="Orthonormalizing Adam's gradients helps learning.",
    statistic=f"gradient orthonormalized minus full, Adam on all matrices: {LOSS}",
    criterion=BELOW,
    needs=(AS_PRINTED,),
)
def printed_orthonormal_helps(config: RankConfig, runs: Results) -> Judgement:
    """As printed."""
    return helps(runs, "printed-orthonormal", "printed-full")


@STUDY.claim(
    "printed-equalized-helps-less",
    source=PLACE,
    statement="Equalizing Adam's gradients helps, but less than orthonormalizing them.",
    statistic=f"equalized minus full and minus orthonormalized, Adam on all matrices: {LOSS}",
    criterion="first 95 % interval below 0, second above 0, on every model",
    needs=(AS_PRINTED,),
)
def printed_equalized_helps_less(config: RankConfig, runs: Results) -> Judgement:
    """As printed: Adam sees the two only through the time-varying scale."""
    return helps_less(runs, "printed-equal", "printed-orthonormal", "printed-full")


@STUDY.claim(
    "adam-reinflates-rank",
    source="Experiment 3, the printed optimizer, checked here",
    statement="Adam keeps the rank of the gradient that it is given: a gradient of rank 5 or 10 "
    "makes an update of that rank.",
    statistic="effective rank of Adam's first update over the gradient's rank, 256 × 256 Gaussian "
    "gradient projected to rank 5 and 10, the smaller ratio",
    criterion="below 1.1",
    needs=(REINFLATION,),
)
def adam_reinflates_rank(config: RankConfig, runs: Results) -> Judgement:
    """The assumption under which the printed experiment would test what it says."""
    result = runs.only()
    ranks = np.array(result.case.ranks)
    ratio = np.asarray(result["first"]) / ranks
    told = {
        f"rank {rank}": {
            "first update": float(result["first"][number]),
            "update after 20 steps": float(result["last"][number]),
            "projected update": float(result["on_update"][number]),
        }
        for number, rank in enumerate(ranks.tolist())
    }
    return below(float(ratio[ranks > 1].min()), 1.1, seeds=1, details=told)


@STUDY.claim(
    "adam-sees-scale",
    source="Experiment 3, orthonormal against equalized, checked here",
    statement="Adam tells an orthonormal gradient from a multiple of it.",
    statistic="relative distance of weights after 20 Adam steps on P and on 100·P",
    criterion="above 10⁻³",
    needs=(REINFLATION,),
)
def adam_sees_scale(config: RankConfig, runs: Results) -> Judgement:
    """If not, “equalization helps less” cannot be tested under Adam."""
    return above(float(runs.only()["scale"]), 1e-3, seeds=1)


@STUDY.claim(
    "low-rank-update-hurts",
    source=f"{PLACE}, on what reaches the weights",
    statement="Projecting AdamW's updates to a sixteenth of full rank hurts learning.",
    statistic=f"update projected minus full, AdamW on hidden matrices: {LOSS}",
    criterion=ABOVE,
    needs=(ADAM_UPDATES, DYNAMICS),
)
def low_rank_update_hurts(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """The document's question, put so that Adam cannot answer for the projection."""
    return hurts(joined(runs, main), "adamw-few", "adamw")


@STUDY.claim(
    "rank-10-update-hurts",
    source=f"{PLACE}, on what reaches the weights",
    statement="Projecting AdamW's updates to their 10 largest singular values hurts learning.",
    statistic=f"update projected minus full, AdamW on hidden matrices: {LOSS}",
    criterion=ABOVE,
    needs=(ADAM_UPDATES, DYNAMICS),
)
def rank_10_update_hurts(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """The document's number, which is much in small matrices."""
    return hurts(joined(runs, main), "adamw-top10", "adamw")


@STUDY.claim(
    "orthonormal-update-helps",
    source=f"{PLACE}, on what reaches the weights",
    statement="Orthonormalizing AdamW's updates helps learning.",
    statistic=f"update orthonormalized minus full, AdamW on hidden matrices: {LOSS}",
    criterion=BELOW,
    needs=(ADAM_UPDATES, DYNAMICS),
)
def orthonormal_update_helps(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Muon's step on Adam's direction."""
    return helps(joined(runs, main), "adamw-orthonormal", "adamw")


@STUDY.claim(
    "equalized-update-helps-less",
    source=f"{PLACE}, on what reaches the weights",
    statement="Equalizing AdamW's updates (at equal nuclear norm, as printed) helps, but less than "
    "orthonormalizing them.",
    statistic=f"equalized minus full and minus orthonormalized, AdamW on hidden matrices: {LOSS}",
    criterion="first 95 % interval below 0, second above 0, on every model",
    needs=(ADAM_UPDATES, DYNAMICS),
)
def equalized_update_helps_less(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Here the two differ by a scale that varies with time and matrix."""
    return helps_less(joined(runs, main), "adamw-equal-nuclear", "adamw-orthonormal", "adamw")


@STUDY.claim(
    "low-rank-momentum-hurts",
    source=f"{PLACE}, with momentum in Adam's place",
    statement="Projecting momentum updates to a sixteenth of full rank hurts learning.",
    statistic=f"update projected minus full, SGD with momentum on hidden matrices: {LOSS}",
    criterion=ABOVE,
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def low_rank_momentum_hurts(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """Without Adam's division between gradient and weights."""
    return hurts(joined(runs, main), "few", "sgd")


@STUDY.claim(
    "orthonormal-momentum-helps",
    source=f"{PLACE}, with momentum in Adam's place",
    statement="Orthonormalizing momentum updates (Muon) helps learning.",
    statistic=f"Muon minus SGD with momentum, hidden matrices: {LOSS}",
    criterion=BELOW,
    needs=(DYNAMICS,),
)
def orthonormal_momentum_helps(config: RankConfig, main: Results) -> Judgement:
    """Muon against what it is made of."""
    return helps(main, "muon", "sgd")


@STUDY.claim(
    "equalized-momentum-helps-less",
    source=f"{PLACE}, with momentum in Adam's place",
    statement="Equalizing momentum updates at equal nuclear norm helps, but less than exactly "
    "orthonormalizing them.",
    statistic=f"equalized minus plain and minus orthonormalized, SGD with momentum: {LOSS}",
    criterion="first 95 % interval below 0, second above 0, on every model",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def equalized_momentum_helps_less(config: RankConfig, runs: Results, main: Results) -> Judgement:
    """The two share directions and a flat spectrum, and differ in scale alone."""
    return helps_less(joined(runs, main), "equal-nuclear", "exact", "sgd")


@STUDY.claim(
    "muon-beats-adamw",
    source="Research goal (“that orthonormalizing improves learning”)",
    statement="Muon learns better than AdamW.",
    statistic=f"Muon minus AdamW, hidden matrices: {LOSS}",
    criterion=BELOW,
    needs=(DYNAMICS,),
)
def muon_beats_adamw(config: RankConfig, main: Results) -> Judgement:
    """What is to be explained."""
    return helps(main, "muon", "adamw")


def flatness_trend(runs: Results, model: str, arms: Sequence[tuple[float, str]]) -> np.ndarray:
    """Slope of the final loss in the power p of σᵖ, one value a seed."""
    powers = np.array([power for power, _ in arms])
    losses = np.stack([final_loss(runs, model, arm) for _, arm in arms])
    return np.polyfit(powers, losses, 1)[0]
