"""Dashboards: a few aggregated series out of many blocks; the run folder keeps everything."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from spectrain.core import Block, Record, Role, Source, SpectrumRecord

MEASURES = (
    "gradient/nuclear_rank",
    "gradient/frobenius_norm",
    "input/stable_rank",
    "update/operator_norm",
    "weight/stable_rank",
)
"""What is shown of every group of blocks."""

PEAK, PEAKS = "weight/logit_bound", 8
"""Shown as the maximum over the heads of each of at most so many bands of the depth."""

MOST = 40
"""Series at most; thousands of panels freeze a dashboard."""

BANDS = ("early", "middle", "late")
"""Thirds of the depth."""


class Dashboard:
    """A sink that shows means over blocks of one role and a third of the depth.

    Where that makes more than ``most`` series, the thirds are given up, then the roles, then the
    last measures. What the loop logs is shown as it is, a series each, and counts first; then the
    largest bound of attention logits in each of up to eight bands of the depth.

    Args:
        send: takes a step and its numbers by name.
        finish: called at the end.
        measures: ``source/measure`` to show.
        most: number of series.
    """

    def __init__(
        self,
        send: Callable[[int, Mapping[str, float]], None],
        finish: Callable[[], None] = lambda: None,
        *,
        measures: Sequence[str] = MEASURES,
        most: int = MOST,
    ) -> None:
        self._send, self._finish = send, finish
        self._measures, self._most = tuple(measures), most
        self._groups: dict[str, str] = {}
        self._bands: dict[str, str] = {}
        self._shown: frozenset[str] = frozenset()
        self._logged: set[str] = set()

    def begin(self, manifest: Mapping[str, Any]) -> None:
        """Learn the block table; called before the first record, and again when it has changed."""
        blocks = [Block.from_dict(entry) for entry in manifest["blocks"]]
        self._bands = _by_band(blocks) if self._most > PEAKS else {}
        reserved = self._most // 4 + len(set(self._bands.values()))
        for grouping in (
            _by_role_and_depth(blocks),
            _by_role(blocks),
            dict.fromkeys((block.name for block in blocks), "all"),
        ):
            self._groups = grouping
            number = max(len(set(grouping.values())), 1)
            if number * len(self._measures) <= self._most - reserved:
                break
        self._shown = frozenset(self._measures[: (self._most - reserved) // number])

    def write(self, records: Sequence[Record]) -> None:
        """Send the means and maxima of the records' steps."""
        values: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for record in records:
            name = self._series(record)
            if name is not None and record.value is not None and math.isfinite(record.value):
                values[record.step][name].append(record.value)
        peaks = set(self._bands.values())
        for step in sorted(values):
            shown = {
                name: max(several) if name in peaks else sum(several) / len(several)
                for name, several in values[step].items()
            }
            self._send(step, shown)

    def write_spectra(self, spectra: Sequence[SpectrumRecord]) -> None:
        """Spectra have no place on a dashboard."""

    def flush(self) -> None:
        """Everything was sent when it came."""

    def close(self, summary: Mapping[str, Any]) -> None:
        """Finish."""
        self._finish()

    def _series(self, record: Record) -> str | None:
        if record.source is Source.TRAINING:
            if record.measure not in self._logged and len(self._logged) >= self._most // 4:
                return None
            self._logged.add(record.measure)
            return f"training/{record.measure}"
        series = f"{record.source}/{record.measure}"
        if series == PEAK:
            return self._bands.get(record.block or "")
        group = self._groups.get(record.block or "")
        return f"{series}/{group}" if group and series in self._shown else None


def _by_band(blocks: Iterable[Block]) -> dict[str, str]:
    """The series of each block that makes queries, by its layers."""
    depths = {b.name: b.depth for b in blocks if b.role is Role.ATTENTION_Q}
    layers = sorted({depth for depth in depths.values() if depth is not None})
    size = -(-len(layers) // PEAKS) or 1
    label: dict[int, str] = {}
    for start in range(0, len(layers), size):
        band = layers[start : start + size]
        place = str(band[0]) if len(band) == 1 else f"{band[0]}-{band[-1]}"
        label |= dict.fromkeys(band, f"weight/max_logit_bound/{place}")
    return {name: label[depth] for name, depth in depths.items() if depth is not None}


def _by_role_and_depth(blocks: Iterable[Block]) -> dict[str, str]:
    blocks = list(blocks)
    layers = 1 + max((block.depth for block in blocks if block.depth is not None), default=0)
    return {
        block.name: block.role.value
        if block.depth is None or layers < len(BANDS)
        else f"{block.role.value}/{BANDS[block.depth * len(BANDS) // layers]}"
        for block in blocks
    }


def _by_role(blocks: Iterable[Block]) -> dict[str, str]:
    return {block.name: block.role.value for block in blocks}
