"""An optimizer with interventions on what goes into it and on what comes out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import InputError
from spectrain.optim.interventions.transformation import Memory, Transformation
from spectrain.optim.rules import resolve


class Intervened(Optimizer):
    """Any torch optimizer, its gradients or its updates transformed.

    On the *gradient* G: the optimizer is given T(G) instead, and so are its averages. On the
    *update*: with D = ((1 − ηλ)W − W₊)/η, the step that the optimizer took per unit of learning
    rate and without decoupled decay, the weights become (1 − ηλ)W − η·T(D). Only the second
    controls what reaches the weights: Adam divides entry by entry, which raises the rank of a
    low-rank gradient again and forgets its scale. After the step ``.grad`` is G again.

    Muon's direction is ``Intervened(SGD(params, lr, momentum=0.95, nesterov=True),
    update=Orthonormalize())``.

    A tensor of more than two dimensions is read as a matrix, first dimension × the rest, or with
    ``stacked`` as a stack of such tensors along its first dimension; vectors pass untouched. D is a
    difference of weights: it carries a relative rounding error of about u·‖W‖/(η‖D‖), u the
    round-off of the weights' dtype.

    Args:
        optimizer: takes the step; groups and state stay its own, and schedulers may use either.
        gradient: T on the gradients.
        update: T on the updates.
        every: intervene at every ``every``-th step, beginning with the first.
        only: the parameters that are transformed; all if none are given.
        stacked: the first dimension of every parameter counts independent copies.

    Raises:
        InputError: nothing is transformed, ``every`` is below 1, ``only`` holds a tensor that the
            optimizer does not have, or the optimizer does not say how its weights decay.

    Source:
        “Information Flow & Gradient Quality Hypothesis”, Experiment 3, whose optimizer is
        ``Intervened(Adam(...), gradient=...)``.

    Example:
        >>> from spectrain.optim.interventions import Orthonormalize
        >>> w = torch.nn.Parameter(torch.zeros(2, 2))
        >>> w.grad = torch.diag(torch.tensor([3.0, 0.5]))
        >>> Intervened(torch.optim.SGD([w], lr=0.1), update=Orthonormalize("exact")).step()
        >>> w.detach().diagonal()
        tensor([-0.1000, -0.1000])
    """

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        gradient: Transformation | None = None,
        update: Transformation | None = None,
        every: int = 1,
        only: Iterable[Tensor] | None = None,
        stacked: bool = False,
    ) -> None:
        if gradient is None and update is None:
            raise InputError("nothing to transform", remedy="pass gradient=… or update=…")
        if every < 1:
            raise InputError(f"every is {every}", remedy="pass a number of steps of at least 1")
        self.inner, self.gradient, self.update = optimizer, gradient, update
        self.every, self.steps = every, 0
        self._matrix_from = 3 if stacked else 2
        self._memory: dict[str, defaultdict[int, Memory]] = {
            "gradient": defaultdict(dict),
            "update": defaultdict(dict),
        }
        super().__init__(optimizer.param_groups, optimizer.defaults)
        self._follow()
        held = {id(p) for group in self.param_groups for p in group["params"]}
        chosen = held if only is None else {id(p) for p in only}
        if chosen - held:
            raise InputError(
                "a parameter to intervene on is not the optimizer's", remedy="pass its own tensors"
            )
        self._chosen = chosen
        if update is not None and any(
            resolve(optimizer, group).decay_factor() is None for group in self.param_groups
        ):
            raise InputError(
                f"{type(optimizer).__name__} does not say whether its weight decay is decoupled",
                remedy="set decoupled_weight_decay in its groups, or no weight decay",
            )

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; a closure is passed on, and its gradients transformed every time."""
        acts = self.steps % self.every == 0
        self.steps += 1
        if not acts:
            return self.inner.step(closure)
        given: dict[Tensor, Tensor] = {}

        def transforming() -> Any:
            _put_back(given)
            loss = closure() if closure is not None else None
            given.update(self._transform_gradients())
            return loss

        old = {p: p.detach().clone() for _, p in self._matrices()} if self.update else {}
        if closure is None:
            transforming()
        loss = self.inner.step(transforming if closure is not None else None)
        self._transform_updates(old)
        _put_back(given)
        return loss

    def state_dict(self) -> dict[str, Any]:
        """The optimizer's state, and the interventions' own under ``"interventions"``."""
        generators = {
            place: change.generator.get_state()
            for place, change in self._changes()
            if change.generator is not None
        }
        memory = {place: dict(kept) for place, kept in self._memory.items()}
        own = {"steps": self.steps, "memory": memory, "generators": generators}
        return {**self.inner.state_dict(), "interventions": own}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take up where :meth:`state_dict` left off."""
        own = state_dict["interventions"]
        rest = {name: value for name, value in state_dict.items() if name != "interventions"}
        self.inner.load_state_dict(rest)
        self._follow()
        self.steps = own["steps"]
        for place, kept in own["memory"].items():
            self._memory[place] = defaultdict(dict, kept)
        for place, change in self._changes():
            if change.generator is not None and place in own["generators"]:
                change.generator.set_state(own["generators"][place])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Refused once the optimizer is made: which parameters are transformed is settled then."""
        if hasattr(self, "_chosen"):
            raise InputError(
                "the parameters to intervene on are settled",
                remedy="add the group to the optimizer before it is intervened on",
            )
        super().add_param_group(param_group)

    def _follow(self) -> None:
        """Groups and state are the optimizer's own objects."""
        self.param_groups, self.state = self.inner.param_groups, self.inner.state

    def _changes(self) -> list[tuple[str, Transformation]]:
        both = (("gradient", self.gradient), ("update", self.update))
        return [(place, change) for place, change in both if change is not None]

    def _matrices(self) -> list[tuple[int, Tensor]]:
        """The tensors to transform, each with its number among all parameters."""
        every = [p for group in self.param_groups for p in group["params"]]
        return [
            (number, p)
            for number, p in enumerate(every)
            if id(p) in self._chosen and p.ndim >= self._matrix_from
        ]

    @torch.no_grad()
    def _transform_gradients(self) -> dict[Tensor, Tensor]:
        """Give every parameter its transformed gradient; the gradients that it had."""
        given: dict[Tensor, Tensor] = {}
        if self.gradient is None:
            return given
        for number, parameter in self._matrices():
            if parameter.grad is not None:
                given[parameter] = parameter.grad
                memory = self._memory["gradient"][number]
                parameter.grad = self._applied(self.gradient, parameter.grad, memory)
        return given

    @torch.no_grad()
    def _transform_updates(self, old: dict[Tensor, Tensor]) -> None:
        if self.update is None:
            return
        group_of = {id(p): group for group in self.param_groups for p in group["params"]}
        for number, parameter in self._matrices():
            group = group_of[id(parameter)]
            rate = float(group["lr"])
            if parameter.grad is None or rate == 0.0:
                continue
            factor = resolve(self.inner, group).decay_factor()
            assert factor is not None
            start = old[parameter].to(torch.promote_types(parameter.dtype, torch.float32)) * factor
            memory = self._memory["update"][number]
            direction = self._applied(self.update, (start - parameter) / rate, memory)
            parameter.copy_(start - rate * direction)

    def _applied(self, change: Transformation, tensor: Tensor, memory: Memory) -> Tensor:
        return change.apply(tensor.flatten(self._matrix_from - 1), memory).reshape(tensor.shape)


def _put_back(given: dict[Tensor, Tensor]) -> None:
    for parameter, gradient in given.items():
        parameter.grad = gradient
    given.clear()
