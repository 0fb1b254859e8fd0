"""Snapshots: all that arms need to start from one and the same point of a training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from spectrain.trials.source import Source

AVERAGES = ("momentum_buffer", "exp_avg")
"""Names under which Muon and Adam keep the average of the gradients."""

REBUILT = 4
"""Passes without a step out of which a missing second moment is estimated."""

State = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A point of a training.

    Attributes:
        step: optimizer steps done.
        first: number of the batch that comes next.
        tensors: parameters and buffers by name, even those that no state_dict holds.
        states: the optimizer's tensors by parameter.
    """

    step: int
    first: int
    tensors: Mapping[str, Tensor]
    states: Mapping[str, State]

    @classmethod
    def take(
        cls,
        step: int,
        model: nn.Module,
        optimizers: Iterable[Optimizer],
        *,
        first: int | None = None,
    ) -> Snapshot:
        """Copy what a model and its optimizers hold.

        Args:
            step: optimizer steps done.
            model: the model.
            optimizers: their states are matched to parameters by identity.
            first: number of the batch that comes next; ``step`` if not given.
        """
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        states = {
            names[id(parameter)]: {
                key: value.detach().clone() if isinstance(value, Tensor) else torch.tensor(value)
                for key, value in state.items()
                if isinstance(value, Tensor | int | float)
            }
            for optimizer in optimizers
            for parameter, state in optimizer.state.items()
            if id(parameter) in names
        }
        tensors = {name: tensor.detach().clone() for name, tensor in _tensors(model)}
        return cls(step, step if first is None else first, tensors, states)

    def restore(self, model: nn.Module) -> None:
        """Put the tensors into a model of the same kind."""
        with torch.no_grad():
            for name, tensor in _tensors(model):
                tensor.copy_(self.tensors[name])

    def carry(
        self, model: nn.Module, optimizers: Iterable[Optimizer], source: Source, first: int
    ) -> int:
        """Give optimizers their past where the snapshot has it, and rebuild what it lacks.

        The average of the gradients is Muon's and Adam's alike. A second moment that is missing is
        estimated out of the squares of :data:`REBUILT` gradients at the snapshot, without a step;
        it is no smaller than the square of the average, so that an entry whose gradient was zero in
        all of them does not jump.

        Returns:
            The forward and backward passes that this took.
        """
        names = {id(parameter): name for name, parameter in model.named_parameters()}
        lacking: list[tuple[AdamW, nn.Parameter, Tensor]] = []
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    past = self.states.get(names[id(parameter)], {})
                    average = next((past[key] for key in AVERAGES if key in past), None)
                    if average is None:
                        continue
                    if not isinstance(optimizer, AdamW):
                        optimizer.state[parameter] = {"momentum_buffer": average.clone()}
                    elif "exp_avg_sq" in past:
                        optimizer.state[parameter] = {
                            "step": past["step"].clone(),
                            "exp_avg": average.clone(),
                            "exp_avg_sq": past["exp_avg_sq"].clone(),
                        }
                    else:
                        lacking.append((optimizer, parameter, average))
        if not lacking:
            return 0
        squares = {id(parameter): torch.zeros_like(parameter) for _, parameter, _ in lacking}
        for number in range(REBUILT):
            model.zero_grad(set_to_none=True)
            with source.drawn_alike(model, first + number):
                source.loss(model, source.batches[first + number]).backward()
            for _, parameter, _ in lacking:
                if parameter.grad is not None:
                    squares[id(parameter)].addcmul_(parameter.grad, parameter.grad)
        model.zero_grad(set_to_none=True)
        for optimizer, parameter, average in lacking:
            optimizer.state[parameter] = {
                "step": torch.tensor(1e4),  # averages that need no correction
                "exp_avg": average.clone(),
                "exp_avg_sq": torch.maximum(squares[id(parameter)] / REBUILT, average.square()),
            }
        return REBUILT


def _tensors(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [*model.named_parameters(), *((f"buffer:{n}", b) for n, b in model.named_buffers())]
