"""Made-up worlds in a line: experiments whose outcomes have known levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from spectrain_studies.frame.experiment import Experiment, Results
from spectrain_studies.frame.study import Planted

World = Callable[[Any, torch.Generator], Mapping[str, Any]]
"""An outcome out of a case and a source of luck."""


def near(*, spread: float = 1e-3, **levels: Any) -> World:
    """Outcomes at these levels: numbers with a little luck, all else as it is.

    Args:
        spread: standard deviation of the luck.
        levels: by name of the outcome: a value, an array, or a function of the case.

    Example:
        >>> outcome = near(echo=0.9, verdict="additive")(None, torch.Generator().manual_seed(0))
        >>> round(float(outcome["echo"]), 1), outcome["verdict"]
        (0.9, 'additive')
    """

    def world(case: Any, generator: torch.Generator) -> Mapping[str, Any]:
        def at(level: Any) -> Any:
            value = level(case) if callable(level) else level
            array = np.asarray(value)
            if array.dtype.kind != "f":
                return value
            luck = torch.randn(array.shape, generator=generator, dtype=torch.float64)
            return array + spread * luck.numpy()

        return {name: at(level) for name, level in levels.items()}

    return world


def planted(
    needs: Experiment[Any] | Sequence[Experiment[Any]], true: World, false: World
) -> Planted:
    """Worlds of a claim.

    Args:
        needs: the experiment or experiments that it reads; their cases are taken.
        true: outcomes in which the claim must hold.
        false: outcomes in which it must fail.
    """
    experiments = [needs] if isinstance(needs, Experiment) else needs

    def of(world: World) -> Callable[[Any, torch.Generator], list[Results]]:
        def made(config: Any, generator: torch.Generator) -> list[Results]:
            def outcome(case: Any) -> dict[str, Any]:
                return dict(world(case, generator))

            return [Results.made(need.cases(config), outcome) for need in experiments]

        return made

    return Planted(of(true), of(false))
