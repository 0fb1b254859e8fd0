"""Other coordinates: what orthogonal, scalar, diagonal and general changes of basis leave alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrain.noise import directions, multiplicative, plateaus
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config
from spectrain_studies.noise.simulated.experiment import signal_of

CHANGES = ("orthogonal", "scalar", "diagonal", "general")
SPREAD = 0.7
"""Standard deviation of the logarithm of the stretches in diagonal and general changes."""


@dataclass(frozen=True)
class Changed:
    """Replicas seen in other coordinates."""

    change: str
    replicas: int
    left: float
    seed: int


def change_cases(config: Config) -> Sequence[Changed]:
    s = config.simulations
    return [Changed(c, s.replicas, s.left, seed) for c in CHANGES for seed in range(s.seeds)]


def run_changed(case: Changed) -> Outcome:
    """Echo plateau and overlaps before and after G ↦ S G Tᵀ, and how gradients really change."""
    generator = torch.Generator().manual_seed(case.seed)
    values = 0.75 ** torch.arange(6, dtype=torch.float64)
    g = signal_of(values, 30, 40)
    stack = multiplicative(
        g, replicas=case.replicas, generator=generator, left=case.left, right=case.left
    )
    s, t = _change(case.change, 30, generator), _change(case.change, 40, generator)
    before, after = (directions(x, k=6) for x in (stack, s @ stack @ t.mT))
    old, new = plateaus(before), plateaus(after)
    a = case.left * torch.randn(30, 30, generator=generator, dtype=torch.float64)
    b = case.left * torch.randn(40, 40, generator=generator, dtype=torch.float64)
    one_a, one_b = torch.eye(30, dtype=torch.float64), torch.eye(40, dtype=torch.float64)
    moved = s @ (one_a + a) @ g @ (one_b + b) @ t.mT
    inner = torch.linalg.inv(t).mT @ b @ t.mT
    kept = (one_a + s @ a @ torch.linalg.inv(s)) @ (s @ g @ t.mT) @ (one_b + inner)
    return {
        "plateau": abs((new.zeta_emp.value or 0.0) - (old.zeta_emp.value or 0.0)),
        "overlaps": (after.left - before.left).mean(0).abs().max().item(),
        "noise_form": ((moved - kept).norm() / moved.norm()).item(),
        **_gradients(s, t, generator),
    }


def _change(kind: str, size: int, generator: torch.Generator) -> Tensor:
    square = torch.randn(size, size, generator=generator, dtype=torch.float64)
    turn = torch.linalg.qr(square).Q
    if kind == "orthogonal":
        return turn
    if kind == "scalar":
        return 10.0 * torch.eye(size, dtype=torch.float64)
    stretch = (SPREAD * torch.randn(size, generator=generator, dtype=torch.float64)).exp()
    return stretch.diag() if kind == "diagonal" else turn @ stretch.diag()


def _gradients(s: Tensor, t: Tensor, generator: torch.Generator) -> dict[str, float]:
    """The weight's gradient in coordinates x' = Sx, y' = Ty, against S G Tᵀ and S G T⁻¹.

    y = Wᵀx and a loss that depends on y; in the new coordinates W' = S⁻ᵀ W Tᵀ.
    """
    m, n = s.shape[0], t.shape[0]
    w = torch.randn(m, n, generator=generator, dtype=torch.float64)
    x = torch.randn(m, 50, generator=generator, dtype=torch.float64)
    weight = w.requires_grad_()
    (weight.mT @ x).tanh().square().sum().backward()
    moved = (torch.linalg.inv(s).mT @ w.detach() @ t.mT).requires_grad_()
    (torch.linalg.inv(t) @ (moved.mT @ (s @ x))).tanh().square().sum().backward()
    g, new = weight.grad, moved.grad
    assert g is not None
    assert new is not None
    return {
        "as_printed": ((new - s @ g @ t.mT).norm() / new.norm()).item(),
        "contragredient": ((new - s @ g @ torch.linalg.inv(t)).norm() / new.norm()).item(),
    }


CHANGED: Experiment[Config] = Experiment("coordinates", run_changed, change_cases)
