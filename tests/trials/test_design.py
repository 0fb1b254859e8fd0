"""Designs: orthogonal, balanced, with the base as first row."""

from __future__ import annotations

import numpy as np
import pytest

from spectrain.core import InputError
from spectrain.trials.design import screening


@pytest.mark.parametrize("changes", range(1, 32))
def test_screening(changes: int) -> None:
    design = screening(changes)
    arms = len(design)
    assert changes < arms <= max(2, changes + 4 + changes // 4)
    assert not design[0].any()
    signs = 2 * design.astype(int) - 1
    assert (signs.T @ signs == arms * np.eye(changes)).all()
    assert (signs.sum(axis=0) == 0).all()


@pytest.mark.parametrize("changes", [0, 32])
def test_out_of_range(changes: int) -> None:
    with pytest.raises(InputError, match=f"{changes} changes; screen 1 to 31"):
        screening(changes)


@pytest.mark.parametrize("changes", [2, 3, 4, 7, 8, 15, 16])
def test_half_as_many_changes_are_clear_of_interactions(changes: int) -> None:
    """Where twice as many arms are there: of three changes no column is the product of two."""
    design = screening(changes)
    if 2 * changes > len(design):
        return
    signs = 1 - 2 * design.astype(int)
    for i in range(changes):
        for j in range(i):
            assert not (signs.T @ (signs[:, i] * signs[:, j])).any()
