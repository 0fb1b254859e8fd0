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
