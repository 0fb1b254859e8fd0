"""Whether the order of a step's backward passes matters: a few entries of each, step after step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spectrain.core import QUANTITIES, Quantity, Record, Source
from spectrain.noise import Exchangeability

ENTRIES = 64
"""Number of entries of each parameter's gradient that are looked at, always the same ones."""

SEED = 0
"""Seed of their choice, and of the orders that are tried."""

EVIDENCE, ATTAINABLE = "order_evidence", "order_evidence_attainable"
"""Measures of the rows that give the evidence of the test, and the most it could have reached."""

ORDER_QUANTITIES = QUANTITIES.add(
    Quantity(Source.NOISE, measure, "nat", formula, "Grünwald, de Heide & Koolen 2024, §2")
    for measure, formula in (
        (EVIDENCE, "ln of the evidence that the order of a step's backward passes matters"),
        (ATTAINABLE, "ln of the evidence that perfectly ordered passes would have given"),
    )
)
"""What the test records."""

ORDERED = "their order within the step predicts the gradients: several losses, not replicas of one"
"""Reason for which there is no noise."""


class Order:
    """The entries of a step's gradients, in the order in which they came.

    Args:
        names: of the parameters to look at.
        parameters: by name.
    """

    def __init__(self, names: Iterable[str], parameters: Mapping[str, nn.Parameter]) -> None:
        generator = torch.Generator().manual_seed(SEED)
        self._entries = {
            name: torch.randint(parameters[name].numel(), (ENTRIES,), generator=generator).to(
                parameters[name].device
            )
            for name in names
            if parameters[name].numel()
        }
        self._seen: dict[str, list[Tensor]] = defaultdict(list)
        self._test = Exchangeability(generator)

    @property
    def refused(self) -> bool:
        """Whether it is settled that the passes are not replicas."""
        return self._test.refused

    def see(self, name: str, gradient: Tensor) -> None:
        """Take the entries of one pass."""
        if name in self._entries:
            flat = gradient.reshape(-1)
            self._seen[name].append(flat.index_select(0, self._entries[name]).float())

    def forget(self) -> None:
        """Begin a step anew."""
        self._seen.clear()

    def step(self, replicas: int) -> OrderedStep:
        """What was seen of the parameters that had a gradient in every pass."""
        complete = [torch.stack(seen) for seen in self._seen.values() if len(seen) == replicas]
        return OrderedStep(self._test, complete)


@dataclass(frozen=True, slots=True)
class OrderedStep:
    """One step's entries (replicas × entries a parameter) on their devices, and the test."""

    test: Exchangeability
    entries: Sequence[Tensor]

    def rows(self, step: int, count: int) -> list[Record]:
        """How far the test came with this step."""
        parts = []
        for part in self.entries:
            centred = part.double().cpu()
            centred = centred - centred.mean(0)
            scale = centred.norm()
            if scale.isfinite() and scale:
                parts.append(centred / scale)  # a parameter with large gradients counts once
        if parts:
            self.test.update(torch.cat(parts, 1))
        values = ((EVIDENCE, self.test.highest), (ATTAINABLE, self.test.attainable))
        return [
            Record(step, None, Source.NOISE, name, value, None, count) for name, value in values
        ]
