"""(IA)³: rows or columns of a weight times learned numbers; the change needs the base model.

Source:
    Liu et al., Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper (2022), §3.3.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import partial

from torch import Tensor

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.registry import Joined, factors, method
from spectrain.checkpoint.stored import Stored
from spectrain.core import InputError

_FACTOR = re.compile(r"(?P<base>.+)\.(?P<part>ia3_l)(?:\.[^.]+)?", re.ASCII | re.DOTALL)
_REASON = "an (IA)³ adapter, which multiplies the weight: compare it with the base model"


@method("IA3")
def join_ia3(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """The numbers of each module: m × 1 for outputs, 1 × n for inputs."""
    turned = config.settings.get("fan_in_fan_out") is True
    for base, own in factors(held, _FACTOR).items():
        stored = own["ia3_l"]
        yield Joined(
            f"{base}.weight", None, (stored.name,), partial(_times, stored, turned), _REASON
        )


def _times(stored: Stored, turned: bool, weight: Tensor) -> Tensor:
    numbers = stored.load()
    assert isinstance(numbers, Tensor)
    numbers = numbers.mT if turned and numbers.ndim == 2 else numbers
    if numbers.ndim != 2 or numbers.shape not in {(len(weight), 1), (1, weight.shape[1])}:
        raise InputError(
            f"{tuple(numbers.shape)} numbers do not fit", remedy="check the base model"
        )
    return weight.double() * numbers.double()
