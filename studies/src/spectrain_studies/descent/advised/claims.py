"""Whether the set-up that is advised before anything was tried is worth it."""

from __future__ import annotations

import numpy as np

from spectrain_studies.descent.advised.experiment import WHOLE, WholeCase
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.planted import planted
from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import Above, Found, Measured, OnEvery, Results
from spectrain_studies.frame.measured import unsettle
from spectrain_studies.frame.statistics import Array, over_seeds

SOURCE = "§1.2.2 (our question: what is to be advised before anything was tried?)"
HARM = 0.003
"""Share of the loss by which a set-up may stay behind without being called worse."""
FEWEST = 3
"""Networks on which a gain is asked for."""
TUNED = (
    "each set-up at its best factor on all rates, chosen on two seeds and judged on ten others, "
    "with the same initial weights and batches"
)


def gains(found: Results, over: str) -> dict[str, Array]:
    """Loss of the advised set-up below another's, as shares of the latter, by network and seed.

    A network on which the two are the same has none.
    """
    by_case = {(r.case.workload, r.case.setup): r["end"] for r in found}
    told = {
        workload: 1 - end / by_case[workload, over]
        for (workload, setup), end in by_case.items()
        if setup == "advised"
    }
    return {workload: gain for workload, gain in told.items() if np.any(gain)}


def _at_the_end(found: Results, over: str) -> dict[str, str]:
    """Networks for which a best rate lies at the end of its sweep, and whose."""
    ends: dict[str, list[str]] = {}
    for result in found:
        last = len(result.case.sizes.rates) - 1
        if result.case.setup in ("advised", over) and int(result["best"]) in (0, last):
            ends.setdefault(result.case.workload, []).append(result.case.setup)
    return {workload: " and ".join(setups) for workload, setups in ends.items()}


def _by_network(found: Results, over: str) -> dict[str, Found]:
    ends = _at_the_end(found, over)
    parts: dict[str, Found] = {}
    for workload, gain in gains(found, over).items():
        part: Found = Measured(over_seeds(gain))
        if workload in ends:
            part = unsettle(part, f"the best rate of {ends[workload]} ends its sweep")
        parts[workload] = part
    return parts


def _made(case: WholeCase, factor: float, *, advised: float) -> dict[str, Array]:
    sizes = case.sizes
    loss = {"usual": 1.0, "advised": 1 - advised, "AdamW": 1.0}[case.setup]
    jitter = 1e-4 * np.linspace(-1, 1, sizes.seeds)
    return {
        "tuning": np.full((len(sizes.rates), sizes.tuning), loss),
        "best": np.array(1),
        "end": loss * (1 + 1e-5 * (factor - 1))
        + (jitter if case.setup == "advised" else 0 * jitter),
    }


WORLDS = planted(
    [WHOLE],
    lambda case, factor: _made(case, factor, advised=0.02),
    lambda case, factor: _made(case, factor, advised=-0.02),
)


def _state_harm(over: str, words: str) -> None:
    @STUDY.claim(
        f"advised-not-behind-{over.lower()}",
        source=SOURCE,
        statement=f"The advised set-up is behind {words} on none of the networks",
        statistic=f"held-out loss at the end below that of {words}, as a share of it; {TUNED}",
        criterion=OnEvery("network", Above(-HARM)),
        needs=[WHOLE],
        planted=WORLDS,
    )
    def not_behind(config: Config, found: Results) -> dict[str, Found]:
        return _by_network(found, over)


_state_harm("usual", "the usual routing")
_state_harm("AdamW", "AdamW alone")


@STUDY.claim(
    "advised-gains-on-three",
    source=SOURCE,
    statement="The advised set-up gains over the usual routing on three networks at least",
    statistic="networks on which the interval of the gain over the usual routing lies above 0, at "
    f"the level of one in twenty for all of them together; {TUNED}",
    criterion=Above(FEWEST - 0.5, "networks"),
    needs=[WHOLE],
    planted=WORLDS,
)
def gains_on_three(config: Config, found: Results) -> Measured:
    """Networks whose best rates end their sweeps do not count."""
    given = gains(found, "usual")
    ends = _at_the_end(found, "usual")
    level = 1 - 0.05 / max(len(given), 1)
    above = [
        workload
        for workload, gain in given.items()
        if workload not in ends and (over_seeds(gain, level=level).low or 0.0) > 0
    ]
    return Measured(float(len(above)), details={"networks": len(given), "gained": above})


@STUDY.claim(
    "advised-gains-on-the-whole",
    source=SOURCE,
    statement="Over networks of many kinds the advised set-up gains over the usual routing",
    statistic=f"mean gain over the networks as a share of the loss, {TUNED}; the interval is over "
    "networks",
    criterion=Above(0),
    needs=[WHOLE],
    planted=WORLDS,
)
def gains_on_the_whole(config: Config, found: Results) -> Measured:
    """Each network counts once."""
    means = {workload: float(np.mean(gain)) for workload, gain in gains(found, "usual").items()}
    return Measured(over_seeds(list(means.values())), details=means)
