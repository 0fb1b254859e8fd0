"""The document's four questions, each answered by the data that separate the answers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectrain_studies.frame import Above, Differs, Measured, OnEvery, Results
from spectrain_studies.frame.statistics import over_seeds, paired
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.interventions.claims import HELPS, HURTS, claim_of_loss
from spectrain_studies.rank.learning import DYNAMICS, MOMENTUM_UPDATES
from spectrain_studies.rank.statistics import (
    EQUAL_LOSS,
    LOSS,
    change,
    final_loss,
    joined,
    loss_difference,
    on_models,
    rank_course,
    result_of,
    with_arms,
)
from spectrain_studies.rank.study import STUDY

CRITERIA = "Success criteria"
MOVES = OnEvery("model", Differs(equal=float(np.log(1.02))))
POWERS = {1.0: "sgd", 0.75: "flat-0.75", 0.5: "flat-0.5", 0.25: "flat-0.25", 0.0: "equal-frobenius"}
"""Arms of updates σᵖ at equal Frobenius norm, by p."""


@STUDY.claim(
    "answer-1-rank-changes",
    source=f"{CRITERIA}, question 1",
    statement="The effective rank of the gradients changes during training (falls or rises).",
    statistic="ln late over early effective rank of the raw gradient, median hidden matrix, AdamW, "
    "mean over seeds; the same under Muon and SGD in the details",
    criterion=MOVES,
    needs=(DYNAMICS,),
)
def rank_changes(config: RankConfig, runs: Results) -> dict[str, Measured]:
    """The sign says how."""

    def on(model: str) -> Measured:
        moved = {
            arm: change(rank_course(result_of(runs, model, arm), "gradient"))
            for arm in ("adamw", "muon", "sgd")
        }
        told = {arm: float(values.mean()) for arm, values in moved.items()}
        return Measured(over_seeds(moved["adamw"]), details=told)

    return on_models(runs, on)


@STUDY.claim(
    "answer-2-adam-and-muon-differ",
    source=f"{CRITERIA}, question 2",
    statement="The rank dynamics of Adam and Muon differ.",
    statistic="ln late over early effective rank of the raw gradient, median hidden matrix, Muon "
    "minus AdamW, paired over seeds; momentum and update in the details",
    criterion=MOVES,
    needs=(DYNAMICS,),
)
def adam_and_muon_differ(config: RankConfig, runs: Results) -> dict[str, Measured]:
    """The same quantity for both: the raw gradient."""

    def on(model: str) -> Measured:
        moved = {
            source: paired(
                *(change(rank_course(result_of(runs, model, a), source)) for a in ("muon", "adamw"))
            )
            for source in ("gradient", "momentum", "update")
        }
        told = {f"{source}: difference": _value(found) for source, found in moved.items()}
        return replace(moved["gradient"], details={**moved["gradient"].details, **told})

    return on_models(runs, on)


@STUDY.claim(
    "answer-3-rank-matters",
    source=f"{CRITERIA}, question 3",
    statement="Manipulating the rank of what reaches the weights affects learning.",
    statistic=f"momentum updates projected to a sixteenth of full rank minus full: {LOSS}",
    criterion=OnEvery("model", Differs(equal=EQUAL_LOSS, unit="nats")),
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def rank_matters(config: RankConfig, *groups: Results) -> dict[str, Measured]:
    """Either sign would be an effect."""
    both = joined(*groups)
    few, ten = loss_difference(both, "few", "sgd"), loss_difference(both, "top10", "sgd")
    return {
        model: replace(
            found, details={**found.details, "10 largest kept: difference": _value(ten[model])}
        )
        for model, found in few.items()
    }


claim_of_loss(
    "answer-4-direction",
    "turned",
    "sgd",
    HURTS,
    source=f"{CRITERIA}, question 4, direction preservation",
    statement="Direction preservation matters: the same spectrum in random directions hurts.",
    what="momentum updates in random directions minus plain",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
claim_of_loss(
    "answer-4-rank-inflation",
    "noisy",
    "sgd",
    HELPS,
    source=f"{CRITERIA}, question 4, rank inflation",
    statement="Rank inflation helps by itself: full rank from noise of equal power lowers the "
    "loss.",
    what="momentum updates with noise added minus plain",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)


@STUDY.claim(
    "answer-4-equalization",
    source=f"{CRITERIA}, question 4, spectral equalization",
    statement="Spectral equalization helps: the flatter the spectrum at equal Frobenius norm, the "
    "lower the loss.",
    statistic="slope of the final held-out loss in p, for updates σᵖ with p = 1, 0.75, 0.5, 0.25, "
    "0 at equal Frobenius norm, each at its best step size; mean over seeds",
    criterion=OnEvery("model", Above(0, "nats")),
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
def equalization(config: RankConfig, *groups: Results) -> dict[str, Measured]:
    """P = 1 is SGD with momentum, p = 0 has the directions of Muon at SGD's step length."""
    both = joined(*groups)

    def on(model: str) -> Measured:
        losses = np.stack([final_loss(both, model, arm) for arm in POWERS.values()])
        trend = np.polyfit([*POWERS], losses, 1)[0]
        told = {"share of Muon's gain at p = 0": _share_of_gain(both, model, "equal-frobenius")}
        return with_arms(Measured(over_seeds(trend), details=told), both, model, *POWERS.values())

    return on_models(both, on)


claim_of_loss(
    "answer-4-equalization-without-rank",
    "equal-top",
    "sgd",
    HELPS,
    source=f"{CRITERIA}, question 4, equalization apart from rank",
    statement="Equalizing the largest quarter of the singular values and dropping the rest does "
    "better than plain momentum: equalization needs no high rank.",
    what="largest quarter of σ made 1, the rest 0, minus plain",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)
claim_of_loss(
    "answer-4-small-directions",
    "exact",
    "equal-top",
    HELPS,
    source=f"{CRITERIA}, question 4, rank apart from equalization",
    statement="The other three quarters of the directions matter once all are equal: full "
    "orthonormalization does better than that of the largest quarter.",
    what="exactly orthonormalized minus largest quarter made 1",
    needs=(MOMENTUM_UPDATES,),
)
claim_of_loss(
    "answer-4-scale-per-step",
    "exact",
    "equal-frobenius",
    HELPS,
    source=f"{CRITERIA}, question 4 (a fourth aspect: the step's length)",
    statement="A fixed step length matters: exact orthonormalization does better than the same "
    "directions and flat spectrum at the gradient's own Frobenius norm.",
    what="exactly orthonormalized minus equalized at equal Frobenius norm",
    needs=(MOMENTUM_UPDATES,),
)
claim_of_loss(
    "answer-4-spectrum-of-the-moment",
    "swapped",
    "sgd",
    HURTS,
    source=f"{CRITERIA}, question 4 (spectrum swapped)",
    statement="The spectrum of the moment matters: an earlier step's spectrum hurts.",
    what="momentum updates with an earlier step's spectrum minus plain",
    needs=(MOMENTUM_UPDATES, DYNAMICS),
)


def _value(found: Measured) -> float | None:
    return found.value if isinstance(found.value, float) else found.value.value


def _share_of_gain(runs: Results, model: str, arm: str) -> float:
    """Of what Muon gains over SGD with momentum, the share that the arm gains."""
    sgd, muon, own = (final_loss(runs, model, a).mean() for a in ("sgd", "muon", arm))
    return float((sgd - own) / (sgd - muon)) if sgd != muon else float("nan")
