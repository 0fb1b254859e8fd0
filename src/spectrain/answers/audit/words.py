"""The audit of updates in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from statistics import median
from typing import Any

from spectrain.answers.audit.row import ENOUGH, RESIDUAL, AuditRow, Verdict
from spectrain.answers.finding import Sign
from spectrain.answers.phrases import among, join, missing_data, plural

Rows = Sequence[AuditRow]


def brief(rows: Rows) -> dict[str, Any]:
    """Sign, sentence and action."""
    judged = _judged(rows)
    wrong = [row for row in judged if row.verdict is not Verdict.ORTHOGONAL]
    if wrong:
        return {
            "sign": Sign.ACT,
            "sentence": _shape(rows),
            "action": next(advice(rows)),
        }
    if judged or not any(row.spectral for row in rows):
        clipping = next(_clipping(rows), "")
        return {"sign": Sign.GOOD, "sentence": f"{_shape(rows)} {clipping}".strip(), "action": ""}
    return {
        "sign": Sign.NOT_ENOUGH_DATA,
        "sentence": _shape(rows),
        "action": f"Watch {ENOUGH} sampled steps or more, with measures=None (the default).",
    }


def _judged(rows: Rows) -> list[AuditRow]:
    return [row for row in rows if row.verdict not in (Verdict.UNKNOWN, Verdict.NOT_MEANT)]


def statement(rows: Rows) -> str:
    """What the spectral optimizers did, and what clipping did."""
    return " ".join([_shape(rows), *_clipping(rows)])


def _shape(rows: Rows) -> str:
    judged = _judged(rows)
    if not judged:
        if any(row.spectral for row in rows):
            return missing_data([row for row in rows if row.spectral])
        return "No optimizer of this run promises orthogonal updates."
    count = Counter(_outcome(row) for row in judged)
    parts = [f"{count[text]:,} {text}" for text in _OUTCOMES if count[text]]
    return f"Of {plural(len(judged), 'orthogonalized update')}, {join(parts)}."


_OUTCOMES = (
    "orthogonal and as long as intended",
    "orthogonal (length not judged)",
    "not orthogonal",
    "orthogonal but shorter than intended",
)


def _outcome(row: AuditRow) -> str:
    as_intended, unknown, skewed, shrunk = _OUTCOMES
    match row.verdict:
        case Verdict.ORTHOGONAL:
            return unknown if row.rms_ratio is None else as_intended
        case Verdict.SHRUNK:
            return shrunk
        case _:
            return skewed


def _clipping(rows: Rows) -> Iterator[str]:
    known = [row for row in rows if row.clipping is not None]
    if not known:
        return
    share = median(row.clipped_share for row in known if row.clipped_share is not None)
    if share == 0:
        yield "Gradients reached the optimizer as long as the backward pass left them."
    else:
        factor = median(row.clipping for row in known if row.clipping is not None)
        usual = f" (median factor {factor:.2g})" if share >= 0.5 else ""
        yield f"Gradients were scaled down before {share:.0%} of the sampled steps{usual}."


def confidence(judged: Rows) -> str:
    """What the numbers are."""
    if not judged:
        return ""
    return (
        "Medians over the sampled steps. An update is called not orthogonal where ‖UᵀU − I‖_F/√r "
        "exceeds 0.5 at its own best scale, shrunk where its RMS is below 0.8 of the intended."
    )


def advice(rows: Rows) -> Iterator[str]:
    """What to look into."""
    spectral = [row for row in rows if row.spectral]
    whole = [row for row in spectral if row.verdict is Verdict.NOT_ORTHOGONAL]
    parts = [row for row in spectral if row.part and (row.residual or 0.0) > RESIDUAL]
    if whole:
        missing = [row.below_half for row in whole if row.below_half is not None]
        more = f" In the median {median(missing):.0%} of" if missing else " Part of"
        yield (
            f"Not orthogonal: {among(whole, spectral)}.{more} their singular values stay below "
            "half the intended scale: five Newton-Schulz steps lift no direction that is below "
            "about 10⁻³ of the norm. Take more steps or Polar Express, or give the block to AdamW."
        )
    if parts:
        yield (
            f"Orthogonalized as parts of a fused matrix: {among(parts, spectral)}. The whole may "
            "be orthogonal while its parts are not; split the parameter to orthogonalize each."
        )
    if shrunk := [row for row in spectral if row.verdict == Verdict.SHRUNK]:
        ratio = median(row.rms_ratio for row in shrunk if row.rms_ratio is not None)
        yield (
            f"Shrunk: {among(shrunk, spectral)}, at {ratio:.2g} of the intended RMS. Look for "
            "clipping or scaling of updates after the optimizer, and for weights in low precision."
        )
    varied = [row for row in spectral if (row.clipping_spread or 0.0) > 0.1]
    if varied:
        yield (
            "An orthogonal step does not feel a constant factor on the gradient; here clipping "
            "varied between steps, which reweighs the momentum. Consider no clipping on: "
            f"{among(varied, spectral)}."
        )


def limits(rows: Rows) -> Iterator[str]:
    """What the audit cannot see."""
    if any(row.clipping is not None for row in rows):
        yield (
            "The factor compares the gradient at the optimizer with that of the backward pass; "
            "with a gradient scaler it holds the scale too."
        )
    unsure = [row for row in _judged(rows) if row.rms_ratio is None]
    if unsure:
        yield f"Length not judged in {plural(len(unsure), 'block')}: the intended one is not known."
