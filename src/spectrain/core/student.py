"""Student's t: how wide an interval is that rests on few repetitions."""

from __future__ import annotations

from spectrain.core.errors import InputError


def t_quantile(level: float, degrees: int) -> float:
    """Half width, in standard errors, of a two-sided interval at small samples.

    Args:
        level: coverage, between 0 and 1.
        degrees: degrees of freedom, at least 1.

    Raises:
        InputError: ``level`` or ``degrees`` is out of range.

    Source:
        Student 1908.

    Example:
        >>> round(t_quantile(0.9, 7), 3)
        1.895
    """
    if not 0 < level < 1 or degrees < 1:
        raise InputError(
            f"no t quantile at level {level} with {degrees} degrees of freedom",
            remedy="take 0 < level < 1 and at least two replicas",
        )
    from scipy.special import stdtrit

    return float(stdtrit(degrees, (1 + level) / 2))
