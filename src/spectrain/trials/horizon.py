"""From a branch to the end of a run: how much of an effect remains, and how certain that is."""

from __future__ import annotations

from math import hypot, isfinite, log

from spectrain.trials.effects import Effect, effect_of

BLIND, TELLING = 1 / 8, 1 / 2
"""Lengths of a branch as shares of the run: at the first its effect said nothing about the end, at
the second most; between them nothing was measured, and a line is drawn."""

KEPT = 1.0
"""Share of the effect of a branch of half the run that whole trainings show."""

SCATTER_BLIND, SCATTER = 0.11, 0.05
"""Standard deviation of what they show beside it, as a share of the loss, at both lengths."""


def predicted_share(length: float) -> float:
    """How far a branch of this share of the run predicts its end: from 0, not at all, to 1.

    Example:
        >>> predicted_share(0.02), predicted_share(0.25), predicted_share(0.5)
        (0.0, 0.5, 1.0)
    """
    if length <= BLIND:
        return 0.0
    return min(1.0, log(length / BLIND) / log(TELLING / BLIND))


def carried(effect: Effect, loss: float, *, length: float, level: float) -> Effect:
    """The effect that is expected at the end of the run.

    The effect of a branch is shrunk to the share of it that whole trainings showed, and its error
    widened by what they scattered about that share: an effect that is sure on a branch is sure for
    a run only where it exceeds that scatter, and never where the branch is shorter than an eighth
    of the run. Measured on networks of eight kinds; see the claims on trials in the study of
    descent.

    Args:
        effect: on branches.
        loss: of the base on the held-out batches.
        length: of a branch as a share of the run.
        level: coverage of the interval.

    Example:
        >>> from spectrain.trials.effects import effect_of
        >>> large = effect_of(-0.30, 0.001, 3)
        >>> [carried(large, 2.0, length=r, level=0.95).gains for r in (0.02, 0.5)]
        [False, True]
    """
    if not isfinite(effect.error):
        return effect
    known = predicted_share(length)
    kept = KEPT * known
    scatter = SCATTER_BLIND + known * (SCATTER - SCATTER_BLIND)
    error = hypot(kept * effect.error, scatter * abs(loss))
    # Welch and Satterthwaite: the scatter is known well, the branch's own error by few windows.
    own = (kept * effect.error / error) ** 4 / effect.degrees if error else 0.0
    degrees = min(1000, int(1 / own)) if own > 0 else 1000
    return effect_of(kept * effect.value, error, max(degrees, effect.degrees), level=level)
