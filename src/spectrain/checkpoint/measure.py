"""From stored tensors to the records of their blocks.

Nothing that a file holds makes these functions raise: what cannot be read or computed becomes a row
with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from spectrain.checkpoint.sketched import estimates, sketched, standard_error
from spectrain.checkpoint.stored import Product, Stored
from spectrain.core import (
    QUANTITIES,
    Block,
    InputError,
    Record,
    Source,
    SpectrumRecord,
    View,
    quantities_of,
)
from spectrain.matrix import (
    ENTRY_MEASURES,
    MEASURES,
    UNRESOLVED,
    Sketch,
    Spectrum,
    SpectrumStatus,
    diagonal_spectrum,
    spectrum,
)
from spectrain.matrix.backends import Method

SKETCH = "sketch/float32"
"""Method of what is estimated."""

NO_VALUES = "needs the singular values themselves, which --exact computes"

QUANTITIES.add(quantities_of(MEASURES, Source.WEIGHT, Source.UPDATE))
QUANTITIES.add(quantities_of(ENTRY_MEASURES, Source.WEIGHT, Source.UPDATE))

Extra = Callable[[Tensor, str, int, Spectrum | None], list[Record]]
"""Further records of a dense stored tensor.

Takes the tensor, its name, the step, and its spectrum where that of a block is its own.
"""


@dataclass(frozen=True, slots=True)
class Measured:
    """What one stored tensor gave."""

    records: list[Record] = field(default_factory=list)
    spectra: list[SpectrumRecord] = field(default_factory=list)

    def add_spectrum(
        self, s: Spectrum, block: str, source: Source, step: int, note: str | None = None
    ) -> None:
        """Take a spectrum and all its measures; ``note`` qualifies them."""
        reason = s.reasons[0]
        for name, measure in MEASURES.items():
            value = measure(s).item()
            missing = value != value
            why = reason or (UNRESOLVED if missing else note)
            value = None if missing else value
            self.records.append(Record(step, block, source, name, value, reason=why))
        bound = s.error.amax().item() if s.error.numel() else 0.0
        self.spectra.append(
            SpectrumRecord(
                step,
                block,
                source,
                s.values.numpy(force=True),
                s.method,
                bound,
                reason=reason or note,
            )
        )

    def add_entries(
        self,
        matrix: Tensor,
        s: Spectrum,
        block: str,
        source: Source,
        step: int,
        note: str | None = None,
    ) -> None:
        """Take which entries of a matrix are zero, if any; qualified as its spectrum ``s`` is."""
        entries = (
            matrix.double() if matrix.element_size() == 1 else matrix
        )  # float8 has no comparisons
        finite = int(s.status) != SpectrumStatus.NOT_FINITE
        reason = s.reasons[0] or note
        for name, measure in ENTRY_MEASURES.items():
            value = measure(entries).item() if finite else None
            if value != 0:
                self.records.append(Record(step, block, source, name, value, reason=reason))

    def add_sketch(
        self, sketch: Sketch, block: str, source: Source, step: int, note: str | None = None
    ) -> None:
        """Take the estimates of a sketch, with standard errors; ``note`` qualifies them."""
        method = f"estimated from {sketch.products} products with vectors"
        note = f"{method}; {note}" if note else method
        not_given = f"{NO_VALUES}: {method}"
        for name, estimate in estimates(sketch).items():
            if estimate is None:
                record = Record(step, block, source, name, None, reason=not_given)
            else:
                error = standard_error(estimate)
                record = Record(step, block, source, name, estimate.value, error, reason=note)
            self.records.append(record)
        empty = torch.empty(0).numpy()
        self.spectra.append(SpectrumRecord(step, block, source, empty, SKETCH, reason=not_given))

    def add_failure(self, error: BaseException, block: str, source: Source, step: int) -> None:
        """Take the reason why there is no spectrum."""
        text = str(error).strip().partition("\n")[0][:200]
        reason = str(error) if isinstance(error, InputError) else f"{type(error).__name__}: {text}"
        for name in MEASURES:
            self.records.append(Record(step, block, source, name, None, reason=reason))
        empty = torch.empty(0).numpy()
        self.spectra.append(SpectrumRecord(step, block, source, empty, "none", reason=reason))


def measure_stored(
    stored: Stored,
    blocks: Sequence[Block],
    step: int,
    *,
    method: Method = "auto",
    sketch_from: int | None = None,
    extra: Extra | None = None,
) -> Measured:
    """Read a tensor and measure the blocks that it holds.

    Args:
        stored: the tensor.
        blocks: the blocks whose parameter it is.
        step: of the checkpoint.
        method: back end of :func:`~spectrain.matrix.spectrum`.
        sketch_from: matrices whose shorter side has at least this many entries are estimated where
            a sketch is worth it; none if not given.
        extra: further records of each dense tensor.

    Example:
        >>> from spectrain.core import Role
        >>> stored = Stored("w", (2, 2), "float32", lambda: torch.eye(2))
        >>> measured = measure_stored(stored, [Block("w", Role.OTHER, None, (2, 2), "w")], step=0)
        >>> [round(r.value, 9) for r in measured.records if r.measure == "stable_rank"]
        [2.0]
    """
    result = Measured()
    try:
        whole = stored.load()
    except Exception as error:  # whatever one matrix does, the others are to be measured
        for block in blocks:
            result.add_failure(error, block.name, Source.WEIGHT, step)
        return result
    own: Spectrum | None = None
    for block in blocks:
        try:
            if estimated := _sketch_of(whole, block, sketch_from):
                result.add_sketch(estimated, block.name, Source.WEIGHT, step, stored.note)
                continue
            s = block_spectrum(whole, block, method)
        except Exception as error:
            result.add_failure(error, block.name, Source.WEIGHT, step)
        else:
            result.add_spectrum(s, block.name, Source.WEIGHT, step, stored.note)
            if isinstance(whole, Tensor) and not block.view.diagonal:
                matrix = block.view.of(whole)
                result.add_entries(matrix, s, block.name, Source.WEIGHT, step, stored.note)
            if block.view in {View(), View(transpose=True)} and len(stored.shape) == 2:
                own = s
    if extra and isinstance(whole, Tensor):
        try:
            result.records.extend(extra(whole, stored.name, step, own))
        except Exception as error:
            result.add_failure(error, stored.name, Source.WEIGHT, step)
    return result


def _sketch_of(whole: Tensor | Product, block: Block, sketch_from: int | None) -> Sketch | None:
    large = sketch_from is not None and min(block.shape) >= sketch_from
    if not large or isinstance(whole, Product) or block.view.diagonal:
        return None
    return sketched(block.view.of(whole))


def block_spectrum(whole: Tensor | Product, block: Block, method: Method = "auto") -> Spectrum:
    """The spectrum of the matrix that a block reads out of its parameter.

    The matrix is laid out row by row, as the monitor's batches are: a product of transposed ones
    rounds differently.
    """
    if isinstance(whole, Product):
        return whole.seen_through(block.view).spectrum()
    matrix = block.view.of(whole).contiguous()
    return diagonal_spectrum(matrix) if block.view.diagonal else spectrum(matrix, method=method)
