"""Measured steps: against a naive transcription, and without a trace."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from spectrain.answers import descent
from spectrain.core import InputError, Source
from spectrain.descent import LeastSquares
from spectrain.monitor import measure_steps, watch
from spectrain.records import RunWriter, open_run


def squared(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
    return 0.5 * (model(batch[0]) - batch[1]).square().sum(-1).mean()


def batch(generator: torch.Generator) -> tuple[Tensor, Tensor]:
    x = torch.randn(40, 8, generator=generator, dtype=torch.float64).relu()
    return x, torch.randn(40, 6, generator=generator, dtype=torch.float64)


def test_both_steps_gain_at_least_what_the_natural_lengths_gain(generator: torch.Generator) -> None:
    x, y = batch(generator)
    model = nn.Linear(8, 6, bias=False).double()
    problem = LeastSquares(x.mT, y.mT)
    weight = model.weight.detach()
    now = problem.loss(weight).item()
    (one,) = measure_steps(model, squared, (x, y)).blocks
    for found, natural in (
        (one.realised.euclidean, problem.euclidean_step(weight)),
        (one.realised.spectral, problem.spectral_step(weight)),
    ):
        gain = now - problem.loss(natural).item()
        assert 0.96 * gain <= found  # √2 between trial lengths keeps 97 % of a parabola's maximum


class Parts(nn.Module):
    """A fused projection, a norm with a gain, a table, batch statistics and dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(9, 8)
        self.attention = nn.MultiheadAttention(8, 2, dropout=0.5, batch_first=True)
        self.batch_norm = nn.BatchNorm1d(8)
        self.norm = nn.RMSNorm(8)
        self.head = nn.Linear(8, 9)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(self.norm(self.batch_norm(x.flatten(0, 1))))


def entropy(model: nn.Module, tokens: Tensor) -> Tensor:
    return nn.functional.cross_entropy(model(tokens), tokens.flatten())


@pytest.mark.parametrize("dropout", [False, True])
def test_nothing_is_left_changed(dropout: bool) -> None:
    torch.manual_seed(0)
    model = Parts()
    tokens = torch.arange(18).reshape(3, 6) % 9
    optimizer = torch.optim.AdamW(model.parameters())
    entropy(model, tokens).backward()
    optimizer.step()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    moments = [value.clone() for s in optimizer.state.values() for value in s.values()]
    gradients = [p.grad.clone() for p in model.parameters()]
    random, training = torch.get_rng_state(), [m.training for m in model.modules()]
    found = measure_steps(model, entropy, tokens, dropout=dropout)
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())
    after = [value for s in optimizer.state.values() for value in s.values()]
    assert all(torch.equal(a, b) for a, b in zip(moments, after, strict=True))
    for p, g in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(p.grad, g, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), random)
    assert [m.training for m in model.modules()] == training
    steps = {one.block.name: one.realised for one in found.blocks}
    assert {"attention.in_proj_weight[q]", "norm.weight", "embedding.weight"} <= steps.keys()
    assert all(step.euclidean > 0 for step in steps.values())


def test_the_weights_return_after_an_error() -> None:
    model = nn.Linear(4, 3)
    before = model.weight.detach().clone()
    calls = iter(range(6))

    def failing(m: nn.Module, x: Tensor) -> Tensor:
        if next(calls, None) is None:
            raise RuntimeError("out of memory")
        return m(x).square().mean()

    with pytest.raises(RuntimeError, match="out of memory"):
        measure_steps(model, failing, torch.ones(2, 4))
    assert torch.equal(model.weight, before)


def test_the_finding_reads_the_records(tmp_path) -> None:
    torch.manual_seed(0)
    model = Parts()
    found = measure_steps(model, entropy, torch.arange(18).reshape(3, 6) % 9)
    blocks = [one.block.to_dict() for one in found.blocks]
    writer = RunWriter(tmp_path / "run", manifest={"blocks": blocks})
    rows = found.records(7)
    assert {row.source for row in rows} == {Source.REALISED}
    writer.write(rows)
    writer.close({})
    for one, row in zip(found.blocks, descent(open_run(tmp_path / "run")).rows, strict=True):
        assert row["measured"] == pytest.approx(one.realised.ratio)
        assert row["measured_step"] == 7


def test_zero_gradients_have_a_reason_and_no_block_is_an_error() -> None:
    model = nn.Linear(3, 2)
    found = measure_steps(model, lambda m, x: (m(x) * 0).sum(), torch.ones(1, 3))
    assert [(one.realised, one.reason) for one in found.blocks] == [(None, "zero gradient")]
    assert {row.reason for row in found.records(0)[1:]} == {"zero gradient"}
    with pytest.raises(InputError, match=r"no block matches nothing\*"):
        measure_steps(model, squared, None, include=["nothing*"])


def test_measurements_join_the_run_of_a_finished_training(tmp_path) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8, bias=False), nn.ReLU(), nn.Linear(8, 3, bias=False))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    x, y = torch.randn(30, 6), torch.randn(30, 3)
    with watch(model, optimizer, tmp_path / "run", every=1, strict=True) as watched:
        for _ in range(10):
            optimizer.zero_grad()
            loss = squared(model, (x, y))
            loss.backward()
            optimizer.step()
            watched.log(loss=loss, batch_size=30)
    before = descent(open_run(tmp_path / "run"))
    found = measure_steps(model, squared, (x, y))
    run = open_run(tmp_path / "run")
    writer = RunWriter(run.path, manifest=run.manifest, start_step=watched.step, resume=True)
    writer.write(found.records(watched.step))
    writer.close(run.summary)
    after = descent(open_run(tmp_path / "run"))
    for one, old, row in zip(found.blocks, before.rows, after.rows, strict=True):
        assert row["measured"] == pytest.approx(one.realised.ratio)
        assert (row["ratio"], row["samples"]) == (old["ratio"], old["samples"])
    assert any(line.startswith("Measured on a batch") for line in after.advice)
