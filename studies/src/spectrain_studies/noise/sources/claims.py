"""Claims on sources of noise: which of them makes it multiplicative."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrain_studies.frame import Above, AllOf, Measured, Results, near, planted
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.sources.experiment import ATTRIBUTED, SOURCES
from spectrain_studies.noise.statistics import over_seeds
from spectrain_studies.noise.study import DOCUMENT, MODEL, STUDY


def _world(coupling: float) -> Any:
    shape, names = (len(SOURCES), 6), ("coupling", "zeta_emp", "rho", "score")
    levels: dict[str, Any] = dict.fromkeys(names, np.full(shape, 0.5))
    levels["coupling"] = np.full(shape, coupling)
    return near(verdict=np.full(shape, "undecided"), **levels)


for _place, _source in enumerate(SOURCES):

    @STUDY.claim(
        f"source-{_source}",
        source=f"{DOCUMENT}, {MODEL}",
        statement=f"{_source.capitalize()} alone makes multiplicative noise",
        statistic="score of signal-proportional against isotropic noise, mean over matrices; "
        "coupling κ, median over matrices",
        criterion=AllOf({"score": Above(0), "coupling": Above(0.5)}),
        needs=(ATTRIBUTED,),
        planted=planted(ATTRIBUTED, _world(0.9), _world(0.1)),
    )
    def attributed(config: Config, found: Results, place: int = _place) -> dict[str, Measured]:
        def of(name: str) -> list[np.ndarray]:
            return [np.asarray(r[name], dtype=float)[place] for r in found]

        verdicts = np.concatenate([np.asarray(r["verdict"])[place] for r in found])
        told: dict[str, Any] = {
            name: float(np.nanmedian(of(name))) for name in ("coupling", "zeta_emp", "rho")
        }
        told["isotropic verdicts"] = int((verdicts == "isotropic additive").sum())
        told["proportional verdicts"] = int((verdicts == "signal-proportional").sum())
        scores = [float(np.nanmean(x)) for x in of("score")]
        couplings = [float(np.nanmedian(x)) for x in of("coupling")]
        return {
            "score": Measured(over_seeds(scores), details=told),
            "coupling": Measured(over_seeds(couplings)),
        }
