"""Muon with its choices open: against torch's Muon, and part by part against the definition."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from spectrain.core import InputError
from spectrain.matrix import orthogonalized
from spectrain.optim import SpectralMomentum


def stepped(optimizer_of, shape: tuple[int, ...], steps: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    weight = nn.Parameter(torch.randn(shape, generator=generator))
    optimizer = optimizer_of([weight])
    for _ in range(steps):
        weight.grad = torch.randn(shape, generator=generator)
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(24, 8), (8, 24), (16, 16)])
@pytest.mark.parametrize("adjust", ["original", "match_rms_adamw"])
@pytest.mark.parametrize("nesterov", [True, False])
def test_whole_and_orthogonal_it_is_muon(
    shape: tuple[int, int], adjust: str, nesterov: bool
) -> None:
    settings: dict[str, Any] = {"lr": 0.1, "weight_decay": 0.2, "nesterov": nesterov}
    settings["adjust_lr_fn"] = adjust
    ours = stepped(lambda p: SpectralMomentum(p, **settings), shape)
    torchs = stepped(lambda p: torch.optim.Muon(p, **settings), shape)
    # torch multiplies in bfloat16: its relative rounding is 2⁻⁸ a product; 0.011 measured
    assert torch.linalg.matrix_norm(ours - torchs) < 0.03 * torch.linalg.matrix_norm(ours)


def direction(matrix: Tensor, exponent: float) -> Tensor:
    """U Σᵖ Vᵀ scaled to the norm of U Vᵀ, by a full SVD in float64."""
    u, values, vh = torch.linalg.svd(matrix.double(), full_matrices=False)
    powers = values**exponent
    return (u * powers * len(values) ** 0.5 / powers.norm()) @ vh


@pytest.mark.parametrize("exponent", [0.25, 0.5, 1.0])
@pytest.mark.parametrize("cut", [1, 3])
def test_exponent_and_cut(exponent: float, cut: int, generator: torch.Generator) -> None:
    weight = nn.Parameter(torch.zeros(12, 5))
    gradient = torch.randn(12, 5, generator=generator)
    weight.grad = gradient.clone()
    SpectralMomentum(
        [weight], lr=0.1, weight_decay=0.0, exponent=exponent, cut=cut, nesterov=False
    ).step()
    rows = 12 // cut
    parts = [direction(part, exponent) for part in gradient.split(rows)]
    expected = -0.1 * max(1.0, rows / 5) ** 0.5 * torch.cat(parts)
    torch.testing.assert_close(weight.detach().double(), expected, rtol=1e-5, atol=1e-6)  # 2e-7


def test_even_rows(generator: torch.Generator) -> None:
    """Each row over the root of its running mean square, at the Frobenius norm of before."""
    weight = nn.Parameter(torch.zeros(6, 4))
    optimizer = SpectralMomentum(
        [weight], lr=0.1, weight_decay=0.0, momentum=0.0, nesterov=False, rows_beta=0.9
    )
    squares = None
    for _ in range(3):
        before = weight.detach().clone()
        weight.grad = torch.randn(6, 4, generator=generator)
        plain = orthogonalized(weight.grad).double()
        mean = plain.square().mean(1, keepdim=True)
        squares = mean if squares is None else 0.9 * squares + 0.1 * mean
        rows = plain / squares.sqrt()
        expected = -0.1 * (6 / 4) ** 0.5 * rows * plain.norm() / rows.norm()
        optimizer.step()
        taken = (weight.detach() - before).double()
        torch.testing.assert_close(taken, expected, rtol=1e-5, atol=1e-6)  # 3e-7 measured


def test_parts_are_stepped_as_if_they_were_parameters(generator: torch.Generator) -> None:
    gradient = torch.randn(6, 4, 5, generator=generator)
    whole = nn.Parameter(torch.zeros(6, 4, 5))
    apart = [nn.Parameter(torch.zeros(4, 5)) for _ in range(6)]
    whole.grad = gradient.clone()
    for one, part in zip(apart, gradient, strict=True):
        one.grad = part.clone()
    SpectralMomentum([whole], lr=0.1, cut=6).step()
    SpectralMomentum(apart, lr=0.1).step()
    torch.testing.assert_close(whole.detach(), torch.stack([p.detach() for p in apart]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": -1.0}, "lr is -1.0; pass a number from 0"),
        ({"exponent": 1.5}, "exponent is 1.5; pass a number from 0 to 1"),
        ({"adjust_lr_fn": "longer"}, "'longer'; choose among original, match_rms_adamw"),
        ({"cut": 5}, r"shape \(4, 3\) has no 5 parts"),
    ],
)
def test_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        SpectralMomentum([nn.Parameter(torch.zeros(4, 3))], **settings)


def test_vectors_are_refused() -> None:
    with pytest.raises(InputError, match="that are matrices; give vectors to AdamW"):
        SpectralMomentum([nn.Parameter(torch.zeros(4))])


def test_closure_and_state(generator: torch.Generator) -> None:
    weight = nn.Parameter(torch.randn(4, 3, generator=generator))
    optimizer = SpectralMomentum([weight], lr=0.1)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = weight.square().sum()
        loss.backward()
        return loss

    before = weight.detach().square().sum()
    assert optimizer.step(closure) == before
    again = SpectralMomentum([weight], lr=0.5)
    again.load_state_dict(optimizer.state_dict())
    assert again.param_groups[0]["lr"] == 0.1
    assert torch.equal(
        again.state[weight]["momentum_buffer"], optimizer.state[weight]["momentum_buffer"]
    )
