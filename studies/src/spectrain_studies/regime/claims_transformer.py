"""The two regimes on the GPT: matrices at their noise twin's norm, multipliers off it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectrain_studies.frame import (
    Judgement,
    Result,
    Results,
    Verdict,
    above,
    below,
    within,
)
from spectrain_studies.frame.statistics import over_seeds, told
from spectrain_studies.regime.config import Config
from spectrain_studies.regime.study import ENOUGH, STUDY
from spectrain_studies.regime.transformer import GPT_SEARCHES, NORMS


def _late_ratio(result: Result) -> np.ndarray:
    """Norm over noise twin's, mean over the last third of the records: one number a block."""
    late = slice(-len(result["norms"]) // 3, None)
    return (result["norms"][late] / result["twins"][late]).mean(0)


def _by_role(results: Results) -> dict[str, float]:
    roles: dict[str, list[float]] = {}
    for result in results:
        for role, ratio in zip(result["roles"], _late_ratio(result), strict=True):
            roles.setdefault(str(role), []).append(float(ratio))
    return {role: float(np.exp(np.mean(np.log(ratios)))) for role, ratios in roles.items()}


def _settled(found: Judgement, results: Results) -> Judgement:
    """The judgement, undecided where the matrices had too little time."""
    passed = min(r["relaxations"][~r["multiplier"]].min() for r in results)
    if passed >= ENOUGH:
        return found
    note = f"{passed:.1f} relaxation times are too few for an equilibrium."
    return replace(found, verdict=Verdict.UNDECIDED, note=note)


def _matrices(optimizer: str, name: str) -> None:
    @STUDY.claim(
        f"gpt-{optimizer}-matrices-at-twin",
        source="Abstract, §1 (language models)",
        statement=f"The GPT's matrices sit at the norm of their noise twins ({name})",
        statistic="median over matrices of late norm over noise twin's, mean over seeds",
        criterion="within 0.9 and 1.1",
        needs=[NORMS],
    )
    def matrices(config: Config, norms: Results) -> Judgement:
        chosen = norms.where(optimizer=optimizer)
        medians = [np.median(_late_ratio(r)[~r["multiplier"]]) for r in chosen]
        spread = np.concatenate([_late_ratio(r)[~r["multiplier"]] for r in chosen])
        found = within(
            over_seeds(medians),
            0.9,
            1.1,
            details={
                "ratio by role": _by_role(chosen),
                "share of matrices within 0.9 and 1.1": float(
                    np.mean((spread > 0.9) & (spread < 1.1))
                ),
                "relaxation times": float(
                    np.min([r["relaxations"][~r["multiplier"]] for r in chosen])
                ),
                "held-out loss": told(over_seeds([r["validation"] for r in chosen])),
            },
        )
        return _settled(found, chosen)

    @STUDY.claim(
        f"gpt-{optimizer}-multipliers-leave-twin",
        source="Abstract, §1 (language models)",
        statement=f"The GPT's multipliers leave the path of their noise twins (matrices: {name})",
        statistic="median over multipliers of |ln(late norm over that of a noise twin of the same "
        "initial norm)|, mean over seeds",
        criterion="above ln 1.1",
        needs=[NORMS],
    )
    def multipliers(config: Config, norms: Results) -> Judgement:
        chosen = norms.where(optimizer=optimizer)
        away = [np.median(np.abs(np.log(_late_ratio(r)[r["multiplier"]]))) for r in chosen]
        found = above(
            over_seeds(away), float(np.log(1.1)), details={"ratio by role": _by_role(chosen)}
        )
        return _settled(found, chosen)


for _optimizer, _name in (("adamw", "AdamW"), ("muon", "Muon")):
    _matrices(_optimizer, _name)


@STUDY.claim(
    "s5-separate-tuning-helps-gpt",
    source="§5",
    statement="Separate learning rates and decays for matrices and multipliers are better than "
    "shared ones at equal numbers of trials, on the GPT",
    statistic="held-out loss of the best separate trial − that of the best shared one on fresh "
    "seeds, nats, over searches",
    criterion="below 0",
    needs=[GPT_SEARCHES],
)
def separate_helps_gpt(config: Config, searches: Results) -> Judgement:
    tested = np.stack([r["tested"] for r in searches]).mean(2)
    best = {
        side: np.exp(np.log([r[side] for r in searches]).mean(0)).tolist()
        for side in ("shared", "separate")
    }
    return below(
        over_seeds(tested[:, 1] - tested[:, 0]),
        0.0,
        details={"chosen (η, η of multipliers, λ, λ of multipliers), geometric means": best},
    )
