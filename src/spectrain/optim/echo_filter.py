"""The echo-filtered update: each singular direction as long as its replicas confirm it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import InputError
from spectrain.noise import Triples, align, pooled_echo, reverb
from spectrain.optim.replica_store import MicrobatchReplicas, ReplicaSource

FEWEST = 3
"""Replicas that an echo needs; with fewer, all echoes are taken as 1."""


class EchoFilter(Optimizer):
    """Momentum whose singular values are replaced by the estimated echoes of their directions.

    With M = UΣVᵀ the (Nesterov) momentum of the mean gradient, W ← (1 − ηλ)W − η√max(1, m/n) U
    diag(ζ) Vᵀ, where ζ_i is the pooled echo of the replicas' directions that belong to u_i, v_i.
    Muon is ζ = 1, and so is this with fewer than 3 replicas: noise shortens what Muon raises to
    full length. A vector takes the sign step: it is the diagonal of a matrix, and the direction of
    an entry is a bare sign, which always echoes. Tensors of more dimensions are flattened to
    matrices (first dimension × the rest).

    Args:
        params: parameters or groups; a group may set ``lr``, ``momentum``, ``nesterov`` and
            ``weight_decay`` of its own.
        lr: η.
        momentum: β of M ← βM + G.
        nesterov: use G + βM instead of M.
        weight_decay: λ, decoupled.
        replicas: where the replicas come from; the microbatches of the parameters themselves if
            not given.

    Raises:
        InputError: ``lr``, ``momentum`` or ``weight_decay`` is out of range.

    Source:
        “Multiplicative noise model for minibatch gradients” (echo); Jordan et al. 2024 (Muon).

    Example:
        >>> import torch
        >>> w = torch.nn.Parameter(torch.zeros(30, 30))
        >>> optimizer = EchoFilter([w], lr=1.0, momentum=0.0)
        >>> generator, signal = torch.Generator().manual_seed(0), torch.zeros(30, 30)
        >>> signal[0, 0] = 60.0                       # one direction above the noise
        >>> for _ in range(4):
        ...     (w * (signal + torch.randn(30, 30, generator=generator))).sum().backward()
        >>> optimizer.step()
        >>> step = torch.linalg.svdvals(w.detach())
        >>> bool(step[0] > 0.9), bool(step[1:].median() < 0.5)
        (True, True)
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        *,
        momentum: float = 0.95,
        nesterov: bool = True,
        weight_decay: float = 0.0,
        replicas: ReplicaSource | None = None,
    ) -> None:
        settings = {
            "lr": lr,
            "momentum": momentum,
            "nesterov": nesterov,
            "weight_decay": weight_decay,
        }
        super().__init__(params, settings)
        own = (p for group in self.param_groups for p in group["params"])
        self.replicas = replicas or MicrobatchReplicas(own)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group, after checking its settings."""
        settings = {**self.defaults, **param_group}
        for name, most in (("lr", float("inf")), ("weight_decay", float("inf")), ("momentum", 1)):
            if not 0 <= float(settings[name]) < most:
                raise InputError(f"{name} is {settings[name]}", remedy="pass a number in range")
        super().add_param_group(param_group)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step; a closure is evaluated first, and its loss returned."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, group)
        self.replicas.clear()
        return loss

    def _update(self, parameter: Tensor, group: dict[str, Any]) -> None:
        gradient, state = parameter.grad, self.state[parameter]
        assert gradient is not None
        dtype = torch.promote_types(gradient.dtype, torch.float32)
        gradient = gradient.to(dtype)
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(gradient)
        momentum = state["momentum"].mul_(group["momentum"]).add_(gradient)
        moved = gradient + group["momentum"] * momentum if group["nesterov"] else momentum
        direction = filtered(moved, self.replicas.replicas(parameter))
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(direction.to(parameter.dtype), alpha=-group["lr"])


def filtered(moved: Float[Tensor, "*shape"], replicas: Sequence[Tensor]) -> Float[Tensor, "*shape"]:
    """The direction of a step: polar factor of ``moved`` with echoes for singular values.

    Args:
        moved: momentum or gradient of a parameter.
        replicas: of its gradient.

    Example:
        >>> import torch
        >>> filtered(torch.diag(torch.tensor([3.0, 2.0])), [])   # no replica: Muon
        tensor([[1., 0.],
                [0., 1.]])
    """
    if moved.ndim < 2:
        return moved.sign()
    matrix = moved.flatten(1)
    basis = _triples(matrix)
    zeta = matrix_echoes(basis, [g.to(matrix.dtype).flatten(1) for g in replicas])
    length = max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
    direction = length * (basis.left * zeta) @ basis.right.mT
    return direction.reshape(moved.shape)


def matrix_echoes(basis: Triples, replicas: Sequence[Float[Tensor, "m n"]]) -> Float[Tensor, " k"]:
    """Pooled echo of the replicas' directions that belong to each direction of a basis.

    Ones with fewer than :data:`FEWEST` replicas; 0 where the basis itself has no direction.

    Example:
        >>> import torch
        >>> g = torch.diag(torch.tensor([3.0, 2.0]))
        >>> matrix_echoes(_triples(g), [g, g, g])
        tensor([1., 1.])
    """
    kept = (basis.values > 0).to(basis.values)
    if len(replicas) < FEWEST:
        return kept
    aligned = [align(_triples(g), basis).triples for g in replicas]
    z = reverb(torch.stack([a.left for a in aligned]), torch.stack([a.right for a in aligned]))
    return pooled_echo(z).clamp(max=1.0) * kept


def _triples(matrix: Float[Tensor, "m n"]) -> Triples:
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    values = torch.where(s > max(matrix.shape) * torch.finfo(s.dtype).eps * s[0], s, 0.0)
    return Triples(u, values, vh.mT, torch.zeros_like(values))
