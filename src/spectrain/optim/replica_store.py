"""Replicas for optimizers that look at them: gradients of the microbatches, kept by hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor
from torch.utils.hooks import RemovableHandle

from spectrain.noise import ReplicaBuffer


@runtime_checkable
class ReplicaSource(Protocol):
    """What hands an optimizer the replicas of its gradients.

    An optimizer asks for the replicas of each parameter during its step and clears the source
    afterwards. Ranks, per-example gradients or a second data stream can be handed over through it.
    """

    def replicas(self, parameter: Tensor) -> Sequence[Tensor]:
        """Independent replicas of the gradient since the last :meth:`clear`, shaped like it."""

    def clear(self) -> None:
        """Forget them: a step is over."""


class MicrobatchReplicas:
    """Every backward pass between two steps gives one replica, before it is added to ``.grad``.

    At most ``capacity`` copies of each gradient are held; more are merged in pairs.

    Args:
        parameters: those that require gradients are hooked.
        capacity: even, at least 4.

    Example:
        >>> import torch
        >>> w = torch.nn.Parameter(torch.ones(2))
        >>> source = MicrobatchReplicas([w])
        >>> for x in (1.0, 3.0):
        ...     (x * w).sum().backward()
        >>> [g.tolist() for g in source.replicas(w)]
        [[1.0, 1.0], [3.0, 3.0]]
    """

    def __init__(self, parameters: Iterable[Tensor], *, capacity: int = 8) -> None:
        self._capacity = capacity
        self._buffers: dict[int, ReplicaBuffer] = {}
        self._handles: list[RemovableHandle] = [
            parameter.register_hook(self._keep(id(parameter)))
            for parameter in parameters
            if parameter.requires_grad
        ]

    def replicas(self, parameter: Tensor) -> Sequence[Tensor]:
        """The microbatches' gradients, or means of some."""
        buffer = self._buffers.get(id(parameter))
        return [] if buffer is None else buffer.replicas()

    def clear(self) -> None:
        """Forget them."""
        self._buffers.clear()

    def remove(self) -> None:
        """Take the hooks away."""
        for handle in self._handles:
            handle.remove()

    def _keep(self, key: int) -> Callable[[Tensor], None]:
        def keep(gradient: Tensor) -> None:
            buffer = self._buffers.setdefault(key, ReplicaBuffer(capacity=self._capacity))
            buffer.add(gradient.to_dense() if gradient.is_sparse else gradient)

        return keep
