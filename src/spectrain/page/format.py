"""Numbers for readers."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

MISSING = "–"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 3) -> str:
    """A number with the given significant digits; powers of ten where it is very large or small.

    Example:
        >>> number(1234.5), number(0.012345), number(3.2e-7), number(None)
        ('1,234', '0.0123', '3.20×10⁻⁷', '–')
    """
    if value is None or not isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    exponent = int(f"{value:e}".partition("e")[2])
    if -4 <= exponent < 7:
        return f"{value:,.{max(digits - 1 - exponent, 0)}f}"
    return f"{value / 10.0**exponent:.{digits - 1}f}×10{str(exponent).translate(_SUPERSCRIPTS)}"


def label(measure: str) -> str:
    """A measure's name for readers.

    Example:
        >>> label("validation_loss"), label("nuclear_rank")
        ('held-out loss', 'nuclear rank')
    """
    return {"validation_loss": "held-out loss"}.get(measure, measure.replace("_", " "))


def percent(share: float | None) -> str:
    """A share in per cent.

    Example:
        >>> percent(0.423), percent(0.0097)
        ('42 %', '0.97 %')
    """
    if share is None:
        return MISSING
    return f"{100 * share:.0f} %" if abs(share) >= 0.0995 else f"{number(100 * share, 2)} %"


def shape(sides: Sequence[int]) -> str:
    """Outputs × inputs."""
    return " × ".join(f"{side:,}" for side in sides)


def rounded(value: float | None) -> float | None:
    """Four significant digits, for data that is drawn; ``None`` where there is no number."""
    if value is None or not isfinite(value):
        return None
    short = float(f"{value:.4g}")
    return short if isfinite(short) else value


def size(count: float) -> str:
    """Bytes in a unit that fits.

    Example:
        >>> size(3_400_000)
        '3.4 MB'
    """
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} GB"


def duration(seconds: float | None) -> str:
    """Seconds, minutes or hours.

    Example:
        >>> duration(81.4), duration(3700), duration(0.79)
        ('1 min 21 s', '1 h 1 min', '0.79 s')
    """
    if seconds is None:
        return MISSING
    if seconds < 60:
        return f"{number(seconds, 2 if seconds < 10 else 3)} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, left = divmod(minutes, 60)
    return f"{hours} h {left} min" if hours else f"{minutes} min {rest} s"
