"""Claims of Experiment 3, as printed and on what reaches the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain_studies.frame import (
    Above,
    AllOf,
    Below,
    Criterion,
    Experiment,
    Measured,
    Negative,
    OnEvery,
    Positive,
    Results,
)
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.interventions.experiment import REINFLATION
from spectrain_studies.rank.learning import ADAM_UPDATES, AS_PRINTED, DYNAMICS, MOMENTUM_UPDATES
from spectrain_studies.rank.planted import planted_losses
from spectrain_studies.rank.statistics import EQUAL_LOSS, LOSS, joined, loss_difference
from spectrain_studies.rank.study import STUDY

PREDICTED = "Experiment 3, hypothesis predictions"
REACHING = f"{PREDICTED}, on what reaches the weights"
IN_ADAMS_PLACE = f"{PREDICTED}, with momentum in Adam's place"
MORE, LESS = Positive(EQUAL_LOSS, "nats"), Negative(EQUAL_LOSS, "nats")
HURTS, HELPS = OnEvery("model", MORE), OnEvery("model", LESS)

Needs = tuple[Experiment[RankConfig], ...]


def claim_of_loss(
    name: str,
    arm: str,
    base: str,
    criterion: Criterion,
    *,
    source: str,
    statement: str,
    what: str,
    needs: Needs,
) -> None:
    """A claim on the loss of an arm minus that of its base."""

    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=f"{what}: {LOSS}",
        criterion=criterion,
        needs=needs,
        planted=planted_losses(criterion, arm, base),
    )
    def difference(config: RankConfig, *groups: Results) -> dict[str, Measured]:
        return loss_difference(joined(*groups), arm, base)


def claim_of_less(
    name: str,
    arm: str,
    than: str,
    base: str,
    *,
    source: str,
    statement: str,
    what: str,
    needs: Needs,
) -> None:
    """The claim that an arm helps, but less than another does."""
    helped, behind = f"minus {base}", f"minus {than}"

    @STUDY.claim(
        name,
        source=source,
        statement=statement,
        statistic=f"{what}: {LOSS}",
        criterion=OnEvery("model", AllOf({helped: LESS, behind: MORE})),
        needs=needs,
    )
    def differences(config: RankConfig, *groups: Results) -> dict[str, Any]:
        runs = joined(*groups)
        below, above = loss_difference(runs, arm, base), loss_difference(runs, arm, than)
        return {model: {helped: below[model], behind: above[model]} for model in below}


claim_of_loss(
    "printed-low-rank-hurts",
    "printed-top10",
    "printed-full",
    HURTS,
    source=PREDICTED,
    statement="Projecting Adam's gradients to their 10 largest singular values hurts learning.",
    what="gradient projected minus full, Adam on all matrices",
    needs=(AS_PRINTED,),
)
claim_of_loss(
    "printed-orthonormal-helps",
    "printed-orthonormal",
    "printed-full",
    HELPS,
    source=PREDICTED,
    statement="Orthonormalizing Adam's gradients helps learning.",
    what="gradient orthonormalized minus full, Adam on all matrices",
    needs=(AS_PRINTED,),
)
claim_of_less(
    "printed-equalized-helps-less",
    "printed-equal",
    "printed-orthonormal",
    "printed-full",
    source=PREDICTED,
    statement="Equalizing Adam's gradients helps, but less than orthonormalizing them.",
    what="equalized minus full and minus orthonormalized, Adam on all matrices",
    needs=(AS_PRINTED,),
)
claim_of_loss(
    "low-rank-update-hurts",
    "adamw-few",
    "adamw",
    HURTS,
    source=REACHING,
    statement="Projecting AdamW's updates to a sixteenth of full rank hurts learning.",
    what="update projected minus full, AdamW on hidden matrices",
    needs=(ADAM_UPDATES, DYNAMICS),
)
claim_of_loss(
    "rank-10-update-hurts",
    "adamw-top10",
    "adamw",
    HURTS,
    source=REACHING,
    statement="Projecting AdamW's updates to their 10 largest singular values hurts learning.",
    what="update projected minus full, AdamW on hidden matrices",
    needs=(ADAM_UPDATES, DYNAMICS),
)
claim_of_loss(
    "orthonormal-update-helps",
    "adamw-orthonormal",
    "adamw",
    HELPS,
    source=REACHING,
    statement="Orthonormalizing AdamW's updates helps learning.",
    what="update orthonormalized minus full, AdamW on hidden matrices",
    needs=(ADAM_UPDATES, DYNAMICS),
)
claim_of_less(
    "equalized-update-helps-less",
    "adamw-equal-nuclear",
    "adamw-orthonormal",
    "adamw",
    source=REACHING,
    statement="Equalizing AdamW's updates (at equal nuclear norm, as printed) helps, but less than "
    "orthonormalizing them.",
    what="equalized minus full and minus orthonormalized, AdamW on hidden matrices",
    needs=(ADAM_UPDATES, DYNAMICS),
)
claim_of_loss(
    "low-rank-momentum-hurts",
    "few",
    "sgd",
    HURTS,
    source=IN_ADAMS_PLACE,
    statement="Projecting momentum updates to a sixteenth of full rank hurts learning.",
    what="update projected minus full, SGD with momentum on hidden matrices",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
claim_of_loss(
    "orthonormal-momentum-helps",
    "muon",
    "sgd",
    HELPS,
    source=IN_ADAMS_PLACE,
    statement="Orthonormalizing momentum updates (Muon) helps learning.",
    what="Muon minus SGD with momentum, hidden matrices",
    needs=(DYNAMICS,),
)
claim_of_less(
    "equalized-momentum-helps-less",
    "equal-nuclear",
    "exact",
    "sgd",
    source=IN_ADAMS_PLACE,
    statement="Equalizing momentum updates at equal nuclear norm helps, but less than exactly "
    "orthonormalizing them.",
    what="equalized minus plain and minus orthonormalized, SGD with momentum",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
claim_of_loss(
    "muon-beats-adamw",
    "muon",
    "adamw",
    HELPS,
    source="Research goal (“that orthonormalizing improves learning”)",
    statement="Muon learns better than AdamW.",
    what="Muon minus AdamW, hidden matrices",
    needs=(DYNAMICS,),
)


@STUDY.claim(
    "adam-reinflates-rank",
    source="Experiment 3, the printed optimizer, checked here",
    statement="Adam keeps the rank of the gradient that it is given: a gradient of rank 5 or 10 "
    "makes an update of that rank.",
    statistic="effective rank of Adam's first update over the gradient's rank, 256 × 256 Gaussian "
    "gradient projected to rank 5 and 10, the smaller ratio",
    criterion=Below(1.1),
    needs=(REINFLATION,),
)
def adam_reinflates_rank(config: RankConfig, runs: Results) -> Measured:
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
    return Measured(float(ratio[ranks > 1].min()), seeds=1, details=told)


@STUDY.claim(
    "adam-sees-scale",
    source="Experiment 3, orthonormal against equalized, checked here",
    statement="Adam tells an orthonormal gradient from a multiple of it.",
    statistic="relative distance of weights after 20 Adam steps on P and on 100·P",
    criterion=Above(1e-3),
    needs=(REINFLATION,),
)
def adam_sees_scale(config: RankConfig, runs: Results) -> Measured:
    """If not, “equalization helps less” cannot be tested under Adam."""
    return Measured(float(runs.only()["scale"]), seeds=1)
