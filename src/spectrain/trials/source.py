"""What a trial is given: a model, its loss, batches that can be had again, and held-out batches."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from spectrain.core import InputError
from spectrain.trials.copying import copied

Loss = Callable[[nn.Module, Any], Tensor]
"""(model, batch) ↦ mean loss over the batch's examples."""


class Batches:
    """Training batches by step, each the same however often it is asked for.

    Args:
        given: a function of the step, a sequence or whatever can be iterated over again, such as a
            data loader (taken in turn; what was drawn is kept in memory), or an iterator.

    Example:
        >>> batches = Batches(iter([10, 11, 12]))
        >>> batches[2], batches[0]
        (12, 10)
    """

    def __init__(self, given: Callable[[int], Any] | Iterable[Any]) -> None:
        self._call = given if callable(given) and not isinstance(given, Iterable) else None
        self._drawn: list[Any] = []
        self._rest: Iterator[Any] = iter(())
        self._wraps = self._call is None and not isinstance(given, Iterator)
        if isinstance(given, Sequence | Tensor):
            self._drawn = list(given)
        elif self._call is None:
            self._rest = iter(given)  # type: ignore[arg-type]

    @property
    def computed(self) -> bool:
        """Whether batches come from a function, which may give others when it is asked again."""
        return self._call is not None

    def __getitem__(self, step: int) -> Any:
        """The batch of a step.

        Raises:
            InputError: the source ends before.
        """
        if self._call is not None:
            return self._call(step)
        while len(self._drawn) <= step:
            try:
                self._drawn.append(next(self._rest))
            except StopIteration:
                if self._wraps and self._drawn:
                    return self._drawn[step % len(self._drawn)]
                raise InputError(
                    f"the batches end after {len(self._drawn)}, and the trial asks for {step + 1}",
                    remedy="pass a function of the step, a list, or an iterator that goes on",
                ) from None
        return self._drawn[step]


@dataclass(slots=True)
class Source:
    """Model, loss and data of a trial.

    Attributes:
        make: makes the model in the state that the trial starts from.
        loss: (model, batch) ↦ mean loss.
        batches: training batches by step.
        held_out: batches that losses are compared on.
        seed: of dropout, step by step.
    """

    make: Callable[[], nn.Module]
    loss: Loss
    batches: Batches
    held_out: Sequence[Any]
    seed: int = 0

    @classmethod
    def of(
        cls,
        model: nn.Module | Callable[[], nn.Module],
        loss: Loss,
        batches: Callable[[int], Any] | Iterable[Any],
        held_out: Iterable[Any],
        *,
        seed: int = 0,
    ) -> Source:
        """From what a user has at hand; a module is copied and never touched.

        Raises:
            InputError: the module cannot be copied, nothing is held out, or the loss differs from
                call to call on the same batch.
        """
        held = list(held_out)
        if not held:
            raise InputError("nothing is held out", remedy="pass some batches as held_out")
        make = model if not isinstance(model, nn.Module) else _copier(model)
        source = cls(make, loss, Batches(batches), held, seed)
        source._check()
        return source

    def evaluate(self, model: nn.Module) -> list[float]:
        """Loss of every held-out batch, in evaluation mode and without gradients."""
        modes = {module: module.training for module in model.modules()}
        model.eval()
        with torch.no_grad(), self.drawn_alike(model, -1):
            losses = [float(self.loss(model, batch)) for batch in self.held_out]
        for module, mode in modes.items():
            module.training = mode
        return losses

    @contextmanager
    def drawn_alike(self, model: nn.Module, step: int) -> Iterator[None]:
        """Random numbers that depend on the step alone; the caller's state is left as it was."""
        devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
        with torch.random.fork_rng(devices=[device.index for device in devices]):
            torch.manual_seed((self.seed * 1_000_003 + step) % (1 << 31))
            yield

    def _check(self) -> None:
        model = self.make()
        with torch.no_grad(), self.drawn_alike(model, -1):
            one = self.loss(model, self.held_out[0])
        if not isinstance(one, Tensor) or one.numel() != 1:
            shape = tuple(one.shape) if isinstance(one, Tensor) else type(one).__name__
            raise InputError(
                f"the loss is no single number but {shape}", remedy="return the mean over the batch"
            )
        model = self.make()
        self._alike(
            "held-out batch", lambda: self.evaluate(model)[0], "the loss", "model and batch"
        )
        if self.batches.computed:
            self._alike("step", lambda: self._first(model), "batches(0)", "the step")

    def _first(self, model: nn.Module) -> float:
        model.eval()
        with torch.no_grad(), self.drawn_alike(model, 0):
            return float(self.loss(model, self.batches[0]))

    def _alike(self, where: str, loss: Callable[[], float], what: str, of: str) -> None:
        first, again = loss(), loss()
        if first != again and (first == first or again == again):
            raise InputError(
                f"the loss of the same {where} is {first:.6g} and then {again:.6g}",
                remedy=f"make {what} a function of {of} alone (no state, no sampling)",
            )


def _copier(model: nn.Module) -> Callable[[], nn.Module]:
    try:
        kept = copied(model)
    except Exception as error:
        raise InputError(
            f"the model cannot be copied: {type(error).__name__}: {error}",
            remedy="pass a function that makes it",
        ) from error
    return partial(copy.deepcopy, kept)
