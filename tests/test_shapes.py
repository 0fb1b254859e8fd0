"""Wrong shapes are refused wherever a function states them, while tests run."""

from __future__ import annotations

import pytest
import torch

from spectrain.matrix.gram import roots


def test_a_wrong_shape_is_refused() -> None:
    with pytest.raises(Exception, match="epsilon"):
        roots(torch.zeros(3), torch.zeros(2, 2, 2))
