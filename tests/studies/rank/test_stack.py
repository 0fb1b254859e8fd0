"""Copies trained together are the runs that they would be alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy

from spectrain.matrix import newton_schulz
from spectrain_studies.rank.arms import ARMS
from spectrain_studies.rank.config import Interventions
from spectrain_studies.rank.data import draw
from spectrain_studies.rank.stack import Stack, make_model
from spectrain_studies.rank.train import rates_of_sizes, train

SETTINGS = Interventions()


KINDS = ["gpt", "mlp", "conv", "gated", "mixer", "teacher", "lstm", "ngram"]


@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_a_stack_are_those_of_its_copies(tasks, kind) -> None:
    """Measured: 2e-7."""
    stack = Stack(tasks[kind], [3, 4])
    batch = draw(tasks[kind], stack.seeds, step=0)
    together = stack.losses(batch)
    for number, seed in enumerate(stack.seeds):
        logits = make_model(tasks[kind], seed)(batch[0][number])
        alone = cross_entropy(logits.flatten(0, -2), batch[1][number].flatten())
        assert together[number].item() == pytest.approx(alone.item(), rel=1e-5)


@pytest.mark.parametrize("arm", ["muon", "adamw", "few", "printed-equal", "fisher"])
def test_a_copy_learns_the_same_in_company(tasks, arm) -> None:
    """Measured: 2e-6 of the loss."""
    both, one = Stack(tasks["mlp"], [0, 1]), Stack(tasks["mlp"], [1])
    rates = torch.tensor([0.5, 0.01]) if ARMS[arm].base == "momentum" else torch.tensor([1.0, 1e-3])
    together = train(both, ARMS[arm], SETTINGS, rates, steps=4, samples=[3])
    alone = train(one, ARMS[arm], SETTINGS, rates[1:], steps=4, samples=[3])
    assert torch.allclose(together.held_out[-1][1:], alone.held_out[-1], rtol=1e-3)


def test_muons_first_step_is_its_definition(tasks) -> None:
    """−η√max(1, m/n)·NS5(g): momentum has not begun. Measured: 4e-6 of the step."""
    stack, rate = Stack(tasks["mlp"], [5, 6]), 0.02
    start = stack.clone()
    train(stack, ARMS["muon"], SETTINGS, torch.tensor([rate, 2 * rate]), steps=1)
    for number, seed in enumerate(stack.seeds):
        model = make_model(tasks["mlp"], seed)
        x, y = draw(tasks["mlp"], [seed], step=0)
        cross_entropy(model(x[0]), y[0]).backward()
        for layer, name in zip(model.get_submodule("hidden").children(), stack.hidden, strict=True):
            gradient = layer.get_parameter("weight").grad
            assert gradient is not None
            factor = newton_schulz(gradient).factor
            wanted = -rate * (number + 1) * max(1, 12 / factor.shape[1]) ** 0.5 * factor
            moved = stack.parameters[name].detach()[number] - start[name][number]
            assert (moved - wanted).norm() <= 1e-3 * wanted.norm()


@pytest.mark.parametrize("arm", ["sgd", "muon", "adamw", "printed-full", "rows"])
def test_sizes_are_those_of_the_first_step(tasks, arm) -> None:
    """Measured: 4e-5, by rounding of the weights."""
    stack = Stack(tasks["mlp"], [0, 1])
    before = stack.clone()
    sizes = torch.tensor([1e-3, 1e-2])
    rates = rates_of_sizes(stack, ARMS[arm], SETTINGS, sizes)
    assert all(torch.equal(before[name], p) for name, p in stack.parameters.items())
    train(stack, ARMS[arm], SETTINGS, rates, steps=1)
    names = stack.matrices if ARMS[arm].matrices == "all" else stack.hidden
    moved = [(stack.parameters[n].detach() - before[n]).flatten(1) for n in names]
    found = torch.cat(moved, dim=1).square().mean(1).sqrt()
    assert torch.allclose(found, sizes, rtol=1e-3)


def test_a_copy_that_diverges_stands_still_and_the_others_go_on(tasks) -> None:
    stack = Stack(tasks["mlp"], [0, 0])
    trace = train(stack, ARMS["sgd"], SETTINGS, torch.tensor([1e6, 1e-2]), steps=6, samples=[0, 5])
    assert trace.held_out[-1][0] == torch.inf
    assert trace.held_out[-1][1] < trace.held_out[0][1]
    assert all(p.isfinite().all() for p in stack.parameters.values())


@pytest.mark.parametrize("arm", ARMS)
def test_every_arm_learns_or_says_that_it_does_not(tasks, arm) -> None:
    stack = Stack(tasks["mlp"], [0])
    rates = rates_of_sizes(stack, ARMS[arm], SETTINGS, torch.tensor([3e-3]))
    trace = train(stack, ARMS[arm], SETTINGS, rates, steps=8, samples=[0, 7])
    assert trace.held_out[-1].isfinite().all()
    assert {len(values) for values in trace.spectra.values()} == {2}


def test_spectra_are_those_of_the_update(tasks) -> None:
    """One step of few: every hidden update has rank 1 of 12. Measured: 3e-6."""
    stack = Stack(tasks["mlp"], [0])
    trace = train(stack, ARMS["few"], SETTINGS, torch.tensor([0.1]), steps=1, samples=[0])
    for number, name in enumerate(stack.matrices):
        values = trace.spectra["update"][0][number, 0]
        if name in stack.hidden:
            assert values[1] <= 1e-4 * values[0]
