"""What is odd about the blocks of a checkpoint: values far from those of their own role."""

from __future__ import annotations

import polars as pl

FAR = 5.0
"""Robust standard deviations from the median of a role beyond which a value is far."""

FEWEST = 6
"""Fewest blocks of a role among which one may be called odd."""

SIZES = ("operator_norm", "stable_rank", "effective_rank")
"""Measures that are compared, by their logarithms."""

_MAD_TO_SIGMA = 1.4826
_LEAST_SPREAD = 0.05  # of the logarithm: closer than 5 % is not odd however equal the others are


def odd_blocks(blocks: pl.DataFrame) -> pl.DataFrame:
    """Blocks whose size or rank lies far from the median of their role, with the measure.

    A heuristic: |ln x − median| > 5 · max(1.4826·MAD, 0.05), within a step and a role of at least
    six blocks.

    Args:
        blocks: a row a block, as :func:`~spectrain.checkpoint.summary.blocks_frame` gives it.

    Returns:
        A frame of step, block, measure, value, and typical, which is the median of the role.

    Example:
        >>> frame = pl.DataFrame({"step": 0, "block": list("abcdefg"), "role": "conv",
        ...     "operator_norm": [1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 50.0],
        ...     "stable_rank": 2.0, "effective_rank": 3.0})
        >>> odd_blocks(frame).rows()
        [(0, 'g', 'operator_norm', 50.0, 1.0)]
    """
    value = pl.col("value")
    log, group = value.log(), ["step", "role", "measure"]
    deviation = (log - log.median().over(group)).abs()
    spread = (_MAD_TO_SIGMA * deviation.median().over(group)).clip(lower_bound=_LEAST_SPREAD)
    return (
        blocks.unpivot(SIZES, index=["step", "block", "role"], variable_name="measure")
        .filter(value > 0)
        .with_columns(typical=value.median().over(group), far=deviation / spread)
        .filter(pl.len().over(group) >= FEWEST, pl.col("far") > FAR)
        .sort("step", "far", descending=[False, True])
        .select("step", "block", "measure", "value", "typical")
    )
