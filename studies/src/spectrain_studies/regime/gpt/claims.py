"""The two regimes on the GPT: matrices at their noise twin's norm, multipliers off it."""

from __future__ import annotations

from math import log

import numpy as np

from spectrain_studies.frame import Above, Below, Found, Measured, Result, Results, Within
from spectrain_studies.frame.statistics import as_details, over_seeds
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.gpt.experiment import GPT_SEARCHES, NORMS
from spectrain_studies.regime.statistics import unless_short
from spectrain_studies.regime.study import STUDY


def _late_ratio(result: Result) -> np.ndarray:
    """Norm over noise twin's, mean over the last third of the records: one number a block."""
    late = slice(-len(result["norms"]) // 3, None)
    return np.asarray((result["norms"][late] / result["twins"][late]).mean(0))


def _by_role(results: Results) -> dict[str, float]:
    roles: dict[str, list[float]] = {}
    for result in results:
        for role, ratio in zip(result["roles"], _late_ratio(result), strict=True):
            roles.setdefault(str(role), []).append(float(ratio))
    return {role: float(np.exp(np.mean(np.log(ratios)))) for role, ratios in roles.items()}


def _passed(results: Results) -> float:
    """Relaxation times of the matrix that had fewest."""
    return float(min(r["relaxations"][~r["multiplier"]].min() for r in results))


def _claims_of(optimizer: str, name: str) -> None:
    @STUDY.claim(
        f"gpt-{optimizer}-matrices-at-twin",
        source="Abstract, §1 (language models)",
        statement=f"The GPT's matrices sit at the norm of their noise twins ({name})",
        statistic="median over matrices of late norm over noise twin's, mean over seeds",
        criterion=Within(0.9, 1.1),
        needs=[NORMS],
    )
    def matrices(config: Config, norms: Results) -> Found:
        chosen = norms.where(optimizer=optimizer)
        medians = [np.median(_late_ratio(r)[~r["multiplier"]]) for r in chosen]
        spread = np.concatenate([_late_ratio(r)[~r["multiplier"]] for r in chosen])
        details = {
            "ratio by role": _by_role(chosen),
            "share of matrices within 0.9 and 1.1": float(np.mean((spread > 0.9) & (spread < 1.1))),
            "relaxation times": _passed(chosen),
            "held-out loss": as_details(over_seeds([r["validation"] for r in chosen])),
        }
        return unless_short(Measured(over_seeds(medians), details=details), _passed(chosen))

    @STUDY.claim(
        f"gpt-{optimizer}-multipliers-leave-twin",
        source="Abstract, §1 (language models)",
        statement=f"The GPT's multipliers leave the path of their noise twins (matrices: {name})",
        statistic="median over multipliers of |ln(late norm over that of a noise twin of the same "
        "initial norm)|, mean over seeds",
        criterion=Above(round(log(1.1), 3)),
        needs=[NORMS],
    )
    def multipliers(config: Config, norms: Results) -> Found:
        chosen = norms.where(optimizer=optimizer)
        away = [np.median(np.abs(np.log(_late_ratio(r)[r["multiplier"]]))) for r in chosen]
        found = Measured(over_seeds(away), details={"ratio by role": _by_role(chosen)})
        return unless_short(found, _passed(chosen))


for _optimizer, _name in (("adamw", "AdamW"), ("muon", "Muon")):
    _claims_of(_optimizer, _name)


@STUDY.claim(
    "s5-separate-tuning-helps-gpt",
    source="§5",
    statement="Separate learning rates and decays for matrices and multipliers are better than "
    "shared ones at equal numbers of trials, on the GPT",
    statistic="held-out loss of the best separate trial − that of the best shared one on fresh "
    "seeds, over searches",
    criterion=Below(0, "nats"),
    needs=[GPT_SEARCHES],
)
def separate_helps_gpt(config: Config, searches: Results) -> Measured:
    tested = np.stack([r["tested"] for r in searches]).mean(2)
    best = {
        side: np.exp(np.log([r[side] for r in searches]).mean(0)).tolist()
        for side in ("shared", "separate")
    }
    told_ = {"chosen (η, η of multipliers, λ, λ of multipliers), geometric means": best}
    return Measured(over_seeds(tested[:, 1] - tested[:, 0]), details=told_)
