"""The networks against plain transcriptions, and what each may see."""

from __future__ import annotations

import pytest
import torch

from spectrain_studies.rank.architectures import (
    BEHIND,
    PATCH,
    SIDE,
    Gated,
    Mixer,
    Ngram,
    Recurrent,
    drawn,
)
from spectrain_studies.rank.data import draw, held_out, taught


def of_seed(model: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    return drawn(model, torch.Generator().manual_seed(seed), gain=1.0)


def test_the_recurrence_is_torchs_lstm() -> None:
    """Its gates have the same order; its first bias adds the 1 of the forget gate."""
    ours = of_seed(Recurrent(2, 6, 11))
    theirs = torch.nn.LSTM(6, 6, num_layers=2, batch_first=True)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.zero_()
        for layer in range(2):
            getattr(theirs, f"weight_ih_l{layer}").copy_(ours.inputs[layer].weight)
            getattr(theirs, f"weight_hh_l{layer}").copy_(ours.states[layer].weight)
            getattr(theirs, f"bias_ih_l{layer}")[6:12] = 1.0
        x = torch.randint(11, (3, 7), generator=torch.Generator().manual_seed(1))
        wanted = ours.head(theirs(ours.embedding(x))[0])
        assert torch.allclose(ours(x), wanted, atol=1e-5)


@pytest.mark.parametrize(("model", "reach"), [(Recurrent(1, 6, 9), 99), (Ngram(1, 6, 9), BEHIND)])
def test_a_character_moves_what_comes_after_it_within_reach(
    model: torch.nn.Module, reach: int
) -> None:
    of_seed(model)
    x = torch.zeros(1, 10, dtype=torch.long)
    changed = x.clone()
    changed[0, 3] = 5
    moved = (model(x) - model(changed)).abs().sum(-1)[0] > 0
    assert moved.tolist() == [3 <= place < 3 + reach for place in range(10)]


def test_the_mixer_sees_patches_whole() -> None:
    """With nothing mixed across patches their order does not matter, that of pixels does."""
    model = of_seed(Mixer(1, 6))
    torch.nn.init.zeros_(model.across[0].weight)
    x = torch.randn(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    patches = x.reshape(SIDE // PATCH, PATCH, SIDE // PATCH, PATCH).transpose(1, 2).reshape(-1, 4)
    shuffled = patches[torch.randperm(len(patches), generator=torch.Generator().manual_seed(3))]
    back = shuffled.reshape(SIDE // PATCH, SIDE // PATCH, PATCH, PATCH).transpose(1, 2)
    same = model(back.reshape(1, 1, SIDE, SIDE))
    assert torch.allclose(model(x), same, atol=1e-5)  # 4e-7
    assert not torch.allclose(model(x), model(x.mT.flip(-1)), atol=1e-3)


def test_a_gate_of_zero_adds_nothing() -> None:
    model, x = of_seed(Gated(1, 6)), torch.randn(2, 1, SIDE, SIDE)
    before = model(x)
    torch.nn.init.zeros_(model.gates[0].weight)
    after = model(x)
    torch.nn.init.zeros_(model.ups[0].weight)
    assert not torch.allclose(before, after)
    assert torch.equal(after, model(x))


def test_the_teacher_labels_alike_whenever_it_is_asked(tasks) -> None:
    x, y = taught("teacher", 400, torch.Generator().manual_seed(0))
    assert x.shape == (400, 1, SIDE, SIDE)
    assert len(y.unique()) == 10
    again = taught("teacher", 400, torch.Generator().manual_seed(0))
    assert torch.equal(x, again[0])
    assert torch.equal(y, again[1])
    deviation = x.flatten(1).std(0)
    assert deviation[0] / deviation[99] == pytest.approx(10, rel=0.15)


def rows_of(kind: str) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = taught(kind, 2000, torch.Generator().manual_seed(0))
    return x.flatten(1), y


def test_tables_are_labelled_by_their_rule() -> None:
    x, y = rows_of("tree")
    assert torch.equal(y, ((x[:, :3] > 0).long() * torch.tensor([1, 2, 4])).sum(1))
    x, y = rows_of("vote")
    assert torch.equal(y, (x[:, :9] > 0).sum(1))
    x, y = rows_of("decile")
    assert (y[x[:, 0].argsort()].diff() >= 0).all()
    assert y.bincount().min() > 150


def test_tables_have_the_columns_that_are_described() -> None:
    x, _ = rows_of("rare")
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert x.mean(0)[[0, 8]].tolist() == pytest.approx([1 / 2, 1 / 10], abs=0.04)
    x, y = rows_of("pairs")
    assert torch.equal(x.unflatten(1, (2, -1)).sum(2), torch.ones(len(x), 2))
    same = x @ x.mT == 2.0  # both categories are the same
    assert torch.equal(y[:, None].eq(y)[same], torch.ones(int(same.sum()), dtype=torch.bool))
    x, y = rows_of("scales")
    plain, labels = rows_of("teacher")
    units = (x / plain).mean(0)
    assert torch.allclose(x, plain * units, atol=1e-4)
    assert torch.equal(y, labels)
    assert 0.1 < units.min() < 0.3 < 3.0 < units.max() < 10.0


@pytest.mark.parametrize("kind", ["mlp", "teacher", "lstm"])
def test_more_that_is_held_out_begins_with_the_usual(tasks, kind: str) -> None:
    x, y = held_out(tasks[kind])
    more, labels = held_out(tasks[kind], times=2)
    assert len(more) == 2 * len(x) == 2 * len(y)
    if kind == "mlp":
        assert torch.equal(labels[: len(y)], y)
    assert len(draw(tasks[kind], [0, 1], 0)[0]) == 2
