"""What of a model lies in this process, and how its spectra are measured: here all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from spectrain.core import Block, Record, Source
from spectrain.core.torch_private import foreach_norms
from spectrain.monitor.activations import ActivationStore
from spectrain.monitor.guard import Guard
from spectrain.monitor.measuring import Measured, measure_blocks

Parts = Mapping[Block, Tensor | None]
"""For each block the part of (something shaped like) its parameter that is here, if there is."""


class Holdings:
    """A model that lies whole in one process; its subclass is spread over several.

    Attributes:
        rank: whose records these are.
        data_parallel: number of processes that see different data.
        sketches: whether leading directions may stand for a wide activation; they do not add up
            over processes.
        refused: blocks that cannot be read, with the reason.
    """

    rank = 0
    data_parallel = 1
    sketches = True
    refused: Mapping[Block, str] = {}

    def local(self, tensor: Tensor) -> Tensor:
        """The part of a parameter, or of what is shaped like it, that is here."""
        return tensor.detach()

    def gradient(self, parameter: nn.Parameter) -> Tensor | None:
        """The local part of the gradient, dense."""
        gradient = parameter.grad
        if gradient is None:
            return None
        return gradient.to_dense() if gradient.is_sparse else gradient

    def reads(self, blocks: Iterable[Block]) -> list[Block]:
        """Those of the blocks whose spectra this process helps to measure."""
        return list(blocks)

    def partial(self, parameter: nn.Parameter) -> bool:
        """Whether the gradient is laid out otherwise than its parameter, as a sum to be taken."""
        return False

    def owner(self, block: Block) -> int:
        """Rank of the process that finishes and records the block."""
        return self.rank

    def owns(self, block: Block) -> bool:
        """Whether this process records the block."""
        return True

    def whole(self, block: Block) -> bool:
        """Whether the block's parameter lies here in full."""
        return True

    def measure(self, parts: Parts, source: Source, names: Sequence[str]) -> list[Measured]:
        """Spectra and measures of the blocks that this process records."""
        matrices = {block: block.view.of(part) for block, part in parts.items() if part is not None}
        return measure_blocks(matrices, source, names)

    def follows(self, block: Block) -> bool:
        """Whether this process takes part in the products with a block's matrix."""
        return True

    def gram_products(self, parts: Parts, frames: Mapping[Block, Tensor]) -> dict[Block, Tensor]:
        """WᵀW V of each block that is followed here and its columns V, in their precision."""
        return {
            block: gram_product(block.view.of(part), frames[block])
            for block, part in parts.items()
            if part is not None
        }

    def gathered(self, parts: Parts, at: Mapping[Block, int]) -> dict[Block, Tensor]:
        """Whole matrices, each in the process that ``at`` names: those of this one."""
        return {block: block.view.of(part) for block, part in parts.items() if part is not None}

    def holders(self, here: Mapping[Block, bool]) -> dict[Block, int]:
        """Rank of the process that has something of a block, of those of which one has it."""
        return {block: self.rank for block, has in here.items() if has}

    def sums(self, numbers: Mapping[Block, Tensor], size: int) -> dict[Block, Tensor]:
        """``size`` numbers a part, summed over each block's parts, of the blocks recorded here."""
        return dict(numbers)

    def norms(self, squares: Mapping[Block, Tensor]) -> dict[Block, Tensor]:
        """Frobenius norms from the local sums of squares, of the blocks recorded here."""
        return {block: one.reshape(()).sqrt() for block, one in self.sums(squares, 1).items()}

    def seen(self, activation: Tensor) -> tuple[Tensor, bool]:
        """An activation as a plain tensor, and whether it counts in this process."""
        return activation, True

    def merged(self, store: ActivationStore, failed: bool) -> ActivationStore:
        """The moments over all processes of the feeds that are recorded here."""
        store.unseen = set(store.feeds) - store.moments.keys() - store.inseparable
        return store

    def part_of_matrix(self, block: Block, part: Tensor) -> Tensor:
        """The entries of the block's matrix that lie here."""
        return block.view.of(part)

    def agree(self, guard: Guard, probes: Sequence[str]) -> None:
        """Switch a probe off in all processes if it is off in one."""

    def slowest(self, values: Sequence[float]) -> list[float]:
        """Entrywise maximum over the processes."""
        return list(values)

    def records(self, step: int) -> list[Record]:
        """What the sample of this step cost in traffic."""
        return []

    def summary(self) -> dict[str, object]:
        """For the attempt's summary."""
        return {}


def square_sum(matrix: Tensor) -> Tensor:
    """‖A‖_F² in float64."""
    norm = torch.linalg.vector_norm(matrix, dtype=torch.promote_types(matrix.dtype, torch.float32))
    return norm.double().square()


def square_sums(matrices: Sequence[Tensor]) -> list[Tensor]:
    """:func:`square_sum` of each, by as few calls as there are precisions."""
    groups: dict[tuple[torch.dtype, torch.device], list[int]] = defaultdict(list)
    for index, matrix in enumerate(matrices):
        groups[matrix.dtype, matrix.device].append(index)
    squares = [torch.empty(0)] * len(matrices)
    for (dtype, _), group in groups.items():
        precise = torch.promote_types(dtype, torch.float32)
        norms = foreach_norms([matrices[index] for index in group], dtype=precise)
        for index, square in zip(group, torch.stack(list(norms)).double().square(), strict=True):
            squares[index] = square
    return squares


def gram_product(matrix: Tensor, columns: Tensor) -> Tensor:
    """WᵀW V, in the precision of V.

    As (VᵀWᵀ)W: with the few vectors as rows, one after the other in memory, a product takes a tenth
    of the time on a CPU.
    """
    work = matrix.to(columns.dtype)
    return (columns.mT.contiguous() @ work.mT @ work).mT
