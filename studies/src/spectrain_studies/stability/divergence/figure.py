"""How early divergences are announced, score by score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from spectrain_studies.frame import Results
from spectrain_studies.stability.config import Config
from spectrain_studies.stability.divergence.alarms import alarm, diverged, healthy, lead
from spectrain_studies.stability.divergence.claims import WHO, chosen, rule_of
from spectrain_studies.stability.divergence.experiment import DIVERGENCE, SCORES
from spectrain_studies.stability.study import STUDY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@STUDY.figure(
    "lead-times",
    caption="Share of the divergences of the set-ups of the test that each score had announced so "
    "long before the loss showed them (left), and of the healthy runs of these set-ups in which it "
    "gave an alarm (right). Thresholds were chosen on the other set-ups.",
    needs=[DIVERGENCE],
)
def lead_times(config: Config, runs: Results) -> Figure:
    """One line, and one bar, a score."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    designs = {which: rule_of(config, runs, which) for which in WHO}
    rules = designs | {score: chosen(runs, [score]) for score in SCORES}
    steps = config.divergence.steps
    at = np.linspace(-0.2, 0.5, 141)
    false = []
    for name, rule in rules.items():
        leads = np.array([lead(each, rule) / steps for each in diverged(runs, test=True)])
        style = "-" if name in designs else "--"
        left.plot(at, [(leads >= x).mean() if len(leads) else 0 for x in at], style, label=name)
        alarms = [alarm(each, rule) is not None for each in healthy(runs, test=True)]
        false.append(np.mean(alarms) if alarms else 0.0)
    left.axvline(config.divergence.lead, color="0.6", linewidth=1)
    left.set(xlabel="lead over the length of the run", ylabel="share announced", ylim=(0, 1))
    left.legend(fontsize=7)
    right.barh(list(rules), false)
    right.axvline(0.05, color="0.6", linewidth=1)
    right.set(xlabel="healthy runs with an alarm", xlim=(0, 1))
    return figure
