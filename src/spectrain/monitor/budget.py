"""What a run may have spent on watching: more at first, paid back within the hour."""

from __future__ import annotations

START, START_SECONDS, PAID_SECONDS = 5.0, 600.0, 3600.0
"""In its first ten minutes a run may spend five times its share; within the hour that is paid
back."""


def earned(seconds: float) -> float:
    """Seconds of training that count towards the budget: 5t at first, t from one hour on.

    Between ten minutes and the hour it goes on straight, so that sampling never ceases.

    Example:
        >>> earned(60.0), earned(600.0), earned(3600.0), earned(7200.0)
        (300.0, 3000.0, 3600.0, 7200.0)
    """
    start = START * START_SECONDS
    slope = (PAID_SECONDS - start) / (PAID_SECONDS - START_SECONDS)
    later = start + slope * (seconds - START_SECONDS)
    return max(seconds, min(START * seconds, later))


def training_for(needed: float) -> float:
    """The inverse of :func:`earned`.

    Example:
        >>> training_for(300.0), training_for(earned(1800.0)), training_for(7200.0)
        (60.0, 1800.0, 7200.0)
    """
    start = START * START_SECONDS
    slope = (PAID_SECONDS - start) / (PAID_SECONDS - START_SECONDS)
    if needed <= start:
        return needed / START
    return min(START_SECONDS + (needed - start) / slope, max(needed, PAID_SECONDS))
