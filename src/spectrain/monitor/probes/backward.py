"""Norms of the gradients as the backward pass left them: before clipping."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.hooks import RemovableHandle

from spectrain.core import Block, Quantity, Source
from spectrain.core.torch_private import at_end_of_backward, backward_pass, leaves
from spectrain.matrix import REASONS, SpectrumStatus
from spectrain.monitor.holdings import square_sum
from spectrain.monitor.plan import SamplePlan
from spectrain.monitor.probes.probe import Probe, Scene, register
from spectrain.monitor.sample import Sample
from spectrain.monitor.taps import compiled_names


@register
class BackwardProbe(Probe):
    """Frobenius norm of each block's gradient as the last backward pass left it.

    It is read when the pass is over: with several processes, after their gradients were averaged.
    Reentrant checkpointing runs passes within the pass. The outermost is known from the model's
    output, which it reaches first; where that has no tensor, a pass reads what it and those that
    began after it have touched, so that the outermost, which ends last, has the last word.
    """

    name = "backward"
    records = (
        Quantity(
            Source.BACKWARD,
            "frobenius_norm",
            unit="unit of G, times the loss scale",
            formula="‖s·G‖_F, s the loss scale of mixed precision, before clipping",
            scaled=True,
        ),
    )

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene)
        self._model, self._guard, self._holdings = scene.model, scene.guard, scene.holdings
        self._blocks: dict[str, list[Block]] = defaultdict(list)
        for block in scene.holdings.reads(scene.blocks):
            self._blocks[block.parameter].append(block)
        self._parameters = scene.parameters
        self._squares: dict[Block, Tensor] = {}
        self._touched: dict[str, int] = {}
        self._awaited = False
        self._handles: list[RemovableHandle] = []
        self._compiled = "" in compiled_names(scene.model)

    def begin(self, plan: SamplePlan) -> None:
        self._reset()
        if not self._compiled:
            self._handles.append(self._model.register_forward_hook(self._watch_output))
        for name, parameter in self._parameters.items():
            if parameter.requires_grad and not is_lazy(parameter):
                hook = self._hook(name)
                self._handles.append(parameter.register_post_accumulate_grad_hook(hook))

    def _watch_output(self, module: nn.Module, args: Any, output: Any) -> None:
        if self.name in self._guard.disabled:
            return
        with self._guard(self.name):
            for tensor in leaves(output):
                if isinstance(tensor, Tensor) and tensor.requires_grad:
                    tensor.register_hook(lambda _: self._await_end())

    def _hook(self, name: str) -> Any:
        def touched(parameter: Tensor) -> None:
            self._await_end()
            self._touched[name] = backward_pass()

        return touched

    def _await_end(self) -> None:
        """Have the gradients read at the end of the running pass, or of one that it is part of."""
        if self._awaited or self.name in self._guard.disabled or not self._handles:
            return
        with self._guard(self.name):
            number = backward_pass()
            after_backward(lambda: self._read(number))
            self._awaited = True

    def _read(self, number: int) -> None:
        self._awaited = False
        if self.name in self._guard.disabled or not self._handles:
            return
        with self._guard(self.name):
            for name in sorted(n for n, last in self._touched.items() if last >= number):
                gradient = self._holdings.gradient(self._parameters[name])
                if gradient is not None:
                    for block in self._blocks.get(name, ()):
                        part = self._holdings.part_of_matrix(block, gradient)
                        self._squares[block] = square_sum(part)

    def _reset(self) -> None:
        self._squares, self._touched, self._awaited = {}, {}, False

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def detach(self, sample: Sample) -> None:
        self.close()
        squares = self._squares
        self._reset()
        for block, norm in self._holdings.norms(squares).items():
            sample.number(
                block,
                Source.BACKWARD,
                "frobenius_norm",
                norm,
                of_batch=True,
                zero=REASONS[SpectrumStatus.ZERO],
            )


def after_backward(call: Callable[[], None]) -> None:
    """Call once the running backward pass is over, and with it what DDP and FSDP2 do at its end.

    They queue callbacks of their own during the pass; one that is queued by a callback comes last.
    """
    at_end_of_backward(lambda: at_end_of_backward(call))
