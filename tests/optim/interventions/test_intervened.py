"""An optimizer with interventions: any optimizer, gradient or update, at every n-th step."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from spectrain.core import InputError
from spectrain.matrix import diagonal_spectrum, effective_rank
from spectrain.optim import Intervened
from spectrain.optim.interventions import (
    AddNoise,
    Flatten,
    KeepTop,
    Orthonormalize,
    Scale,
)

IDENTITY = Flatten(1.0)


def weight(*shape: int, seed: int = 0, scale: float = 0.1) -> nn.Parameter:
    generator = torch.Generator().manual_seed(seed)
    return nn.Parameter(scale * torch.randn(shape, generator=generator))


def gradients(shape: tuple[int, ...], count: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(11)
    return [torch.randn(shape, generator=generator) for _ in range(count)]


def run(optimizer: torch.optim.Optimizer, parameter: Tensor, given: list[Tensor]) -> Tensor:
    for gradient in given:
        parameter.grad = gradient.clone()
        optimizer.step()
    return parameter.detach()


@pytest.mark.parametrize("shape", [(8, 5), (5, 8)])
def test_momentum_with_orthonormal_updates_is_torch_muon(shape: tuple[int, int]) -> None:
    """Measured: 0.8 % and 1.0 % of the distance moved; both iterate in bfloat16 (u = 0.4 %)."""
    given, first, second = gradients(shape, 12), weight(*shape), weight(*shape)
    start = first.detach().clone()
    muon = torch.optim.Muon([first], lr=0.02, momentum=0.95, weight_decay=0.1)
    scale = max(1.0, shape[0] / shape[1]) ** 0.5
    ours = Intervened(
        torch.optim.SGD([second], lr=0.02, momentum=0.95, nesterov=True),
        update=Orthonormalize(dtype=torch.bfloat16),
    )
    for gradient in given:
        first.grad, second.grad = gradient.clone(), gradient.clone()
        muon.step()
        before = second.detach().clone()
        ours.step()
        second.data = before * (1 - 0.02 * 0.1) + scale * (second.detach() - before)
    moved = (first.detach() - start).norm()
    assert (first.detach() - second.detach()).norm() <= 0.02 * moved


@pytest.mark.parametrize(
    "make",
    [
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.2),
        lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.2),
        lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.2),
        lambda p: torch.optim.Muon(p, lr=0.01, weight_decay=0.2),
        lambda p: torch.optim.RMSprop(p, lr=0.01),
        lambda p: torch.optim.Adagrad(p, lr=0.01),
    ],
)
def test_the_identity_changes_nothing_for_any_optimizer(make) -> None:
    """Measured: 2e-6 of the distance moved; the update is a difference of float32 weights."""
    given, first, second = gradients((6, 4), 10), weight(6, 4), weight(6, 4)
    start = first.detach().clone()
    plain = run(make([first]), first, given)
    wrapped = Intervened(make([second]), gradient=IDENTITY, update=IDENTITY)
    ours = run(wrapped, second, given)
    assert (plain - ours).norm() <= 1e-4 * (plain - start).norm()


def test_decoupled_decay_is_no_part_of_what_is_transformed() -> None:
    """With a zero update only the decay is left. Measured: 2e-8."""
    w = weight(4, 3)
    start = w.detach().clone()
    inner = torch.optim.AdamW([w], lr=0.1, weight_decay=0.5)
    run(Intervened(inner, update=Scale(0.0)), w, gradients((4, 3), 3))
    assert torch.allclose(w.detach(), start * 0.95**3, atol=1e-7)


def test_adam_raises_the_rank_of_a_projected_gradient_and_a_projected_update_stays() -> None:
    """A gradient of rank 5 of 64: Adam's first update has effective rank 38."""
    given = gradients((64, 64), 1)

    def update_rank(**intervention) -> float:
        w = weight(64, 64)
        start = w.detach().clone()
        after = run(Intervened(torch.optim.Adam([w], lr=0.01), **intervention), w, given)
        return effective_rank(diagonal_spectrum(torch.linalg.svdvals(after - start))).item()

    assert update_rank(gradient=KeepTop(5)) > 30  # 38.0
    assert update_rank(update=KeepTop(5)) < 5.1  # 4.99


def test_adam_is_blind_to_the_gradients_scale() -> None:
    """Measured: 3e-7; epsilon is all that sees it."""
    given = gradients((8, 8), 30)
    ends = []
    for scale in (1.0, 100.0):
        w = weight(8, 8)
        inner = torch.optim.Adam([w], lr=0.01, eps=1e-12)
        ends.append(run(Intervened(inner, gradient=Scale(scale)), w, given))
    small, large = ends
    assert torch.allclose(small, large, atol=1e-5)


def test_every_third_step() -> None:
    w = weight(3, 3)
    given = gradients((3, 3), 6)
    optimizer = Intervened(torch.optim.SGD([w], lr=0.1), gradient=Scale(0.0), every=3)
    start = w.detach().clone()
    run(optimizer, w, given)
    kept = [g for number, g in enumerate(given) if number % 3]
    assert torch.allclose(w.detach(), start - 0.1 * sum(kept), atol=1e-6)


def test_only_the_parameters_that_were_named() -> None:
    first, second = weight(3, 3), weight(3, 3, seed=1)
    optimizer = torch.optim.SGD([first, second], lr=0.1)
    intervened = Intervened(optimizer, gradient=Scale(0.0), only=[first])
    before = first.detach().clone(), second.detach().clone()
    first.grad, second.grad = torch.ones(3, 3), torch.ones(3, 3)
    intervened.step()
    assert torch.equal(first, before[0])
    assert not torch.equal(second, before[1])


def test_vectors_pass_and_kernels_are_matrices() -> None:
    kernel, bias = weight(4, 3, 2, 2), weight(4)
    for parameter in (kernel, bias):
        parameter.grad = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2))
    plain = bias.grad.clone()
    start = kernel.detach().clone()
    optimizer = Intervened(
        torch.optim.SGD([kernel, bias], lr=1.0), gradient=Orthonormalize("exact")
    )
    optimizer.step()
    step = (start - kernel.detach()).flatten(1)
    assert torch.allclose(step @ step.mT, torch.eye(4), atol=1e-5)
    assert bias.grad is not None
    assert torch.equal(bias.grad, plain)


def test_a_stack_of_copies_is_as_many_runs() -> None:
    """Measured: 1e-7."""
    given = gradients((3, 6, 4), 5)
    stack = weight(3, 6, 4)
    singles = [nn.Parameter(part.clone()) for part in stack.detach()]

    def optimizer(p: nn.Parameter, *, stacked: bool) -> Intervened:
        inner = torch.optim.SGD([p], lr=0.1, momentum=0.9)
        return Intervened(inner, update=KeepTop(2), stacked=stacked)

    together = run(optimizer(stack, stacked=True), stack, given)
    for number, single in enumerate(singles):
        alone = run(optimizer(single, stacked=False), single, [g[number] for g in given])
        assert torch.allclose(together[number], alone, atol=1e-5)


def test_a_closure_is_transformed_after_every_evaluation() -> None:
    """LBFGS evaluates several times a step; rank-one gradients keep its updates in their span."""
    target = torch.randn(4, 4, generator=torch.Generator().manual_seed(3))
    w = weight(4, 4)
    inner = torch.optim.LBFGS([w], lr=0.5, max_iter=4)
    calls = []

    def closure() -> Tensor:
        inner.zero_grad()
        loss = (w - target).square().sum()
        loss.backward()
        calls.append(w.grad)
        return loss

    start = w.detach().clone()
    Intervened(inner, gradient=KeepTop(4), update=KeepTop(1)).step(closure)
    assert len(calls) > 1
    assert torch.linalg.matrix_rank(w.detach() - start, rtol=1e-4) == 1


def test_schedulers_turn_the_rate_of_both() -> None:
    w = weight(2, 2)
    optimizer = Intervened(torch.optim.SGD([w], lr=1.0), update=IDENTITY)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, step_size=1, gamma=0.5)
    w.grad = torch.ones(2, 2)
    optimizer.step()
    scheduler.step()
    assert optimizer.inner.param_groups[0]["lr"] == 0.5


def test_random_interventions_resume_where_they_were() -> None:
    given = gradients((4, 4), 6)

    def make(parameter: nn.Parameter, seed: int) -> Intervened:
        noise = AddNoise(1.0, torch.Generator().manual_seed(seed))
        return Intervened(torch.optim.SGD([parameter], lr=0.1, momentum=0.9), gradient=noise)

    whole = weight(4, 4)
    run(make(whole, 0), whole, given)
    part = weight(4, 4)
    first = make(part, 0)
    run(first, part, given[:3])
    second = make(part, 99)
    second.load_state_dict(first.state_dict())
    run(second, part, given[3:])
    assert torch.equal(whole, part)


class UnknownDecay(torch.optim.Optimizer):
    """An optimizer that has weight decay and does not say how it acts."""

    def __init__(self, params) -> None:
        super().__init__(params, {"lr": 0.1, "weight_decay": 0.1})


@pytest.mark.parametrize(
    "make",
    [
        lambda w: Intervened(torch.optim.SGD([w], lr=0.1)),
        lambda w: Intervened(torch.optim.SGD([w], lr=0.1), gradient=IDENTITY, every=0),
        lambda w: Intervened(torch.optim.SGD([w], lr=0.1), gradient=IDENTITY, only=[weight(1, 1)]),
        lambda w: Intervened(UnknownDecay([w]), update=IDENTITY),
        lambda w: Intervened(torch.optim.SGD([w], lr=0.1), update=IDENTITY).add_param_group(
            {"params": [weight(1, 1)]}
        ),
    ],
)
def test_misuse_is_named(make) -> None:
    with pytest.raises(InputError):
        make(weight(2, 2))
