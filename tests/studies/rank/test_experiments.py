"""The experiments at tiny size against what theory says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectrain_studies.rank.coherence.experiment import COHERENCE, run_coherence
from spectrain_studies.rank.data import draw
from spectrain_studies.rank.interventions.experiment import ReinflationCase, run_reinflation
from spectrain_studies.rank.layers.experiment import LAYERS, run_layers
from spectrain_studies.rank.learning import DYNAMICS, best_size, run_arm
from spectrain_studies.rank.newton_schulz.experiment import (
    ORTHONORMALIZING,
    exact,
    iterated,
    realised,
    run_orthonormalizing,
)
from spectrain_studies.rank.stack import Stack


def test_the_exact_angle_follows_from_the_nuclear_rank() -> None:
    """Measured: 2e-6 degrees; also where directions are missing."""
    generator = torch.Generator().manual_seed(0)
    g = torch.randn(3, 8, 6, generator=generator)
    g[1, :, 3:] = 0.0
    found = exact(g)
    assert found["full"].tolist() == [6, 3, 6]
    assert found["angle_exact"] == pytest.approx(found["angle_identity"], abs=1e-3)
    assert found["loss_exact"] == pytest.approx(found["loss_identity"], abs=1e-5)


def test_an_orthonormal_gradient_is_not_turned() -> None:
    q = torch.linalg.qr(torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(1))).Q
    assert exact(q)["angle_exact"] == pytest.approx(0.0, abs=0.05)
    in_float32 = iterated(q, (5,))["angle"][:, :, 0]
    assert in_float32 == pytest.approx(0.0, abs=1e-2)  # 9e-5


def test_newton_schulz_tables_have_the_known_range() -> None:
    """256 × 64 Gaussian: five quintic steps leave σ between 0.68 and 1.13."""
    g = torch.randn(1, 256, 64, generator=torch.Generator().manual_seed(0))
    found = iterated(g, (5,))
    assert 0.6 < found["smallest"][0, 0, 0, 0] < 0.75
    assert 1.1 < found["largest"][0, 0, 0, 0] < 1.2


def test_the_line_search_finds_the_decrease_and_puts_nothing_back(tasks) -> None:
    """Gains are those of losses evaluated directly, at the best of the trial lengths."""
    stack = Stack(tasks["mlp"], [0, 1])
    from spectrain_studies.rank.data import draw
    from spectrain_studies.rank.probing import gradients

    batch = draw(stack.task, stack.seeds, 7)
    name = stack.hidden[0]
    g = gradients(stack, batch)[name]
    before = stack.clone()
    found = realised(stack, batch, name, g, lengths=6)
    assert all(torch.equal(before[key], p) for key, p in stack.parameters.items())
    weights = {key: p.detach().double() for key, p in stack.parameters.items()}
    norm = g[0].double().norm()
    scale = weights[name][0].norm() * 2.0**-9
    x, y = batch[0].double(), batch[1]
    start = stack.losses((x, y), parameters=weights)[0]
    losses = []
    for power in range(6):
        moved = weights[name].clone()
        moved[0] -= g[0].double() / norm * scale * 2.0**power
        losses.append(stack.losses((x, y), parameters={**weights, name: moved})[0])
    assert found["gain_euclidean"][0] == pytest.approx((start - min(losses)).item(), rel=1e-6)
    assert found["slope_euclidean"][0] == pytest.approx(norm.item(), rel=1e-6)


def test_adam_reinflates_and_is_blind_to_scale() -> None:
    """The figures that the document's optimizer gives at 256 × 256, here at 64."""
    found = run_reinflation(ReinflationCase(side=64, ranks=(1, 5), steps=5))
    assert found["first"][0] == pytest.approx(1.0, abs=1e-3)
    assert found["first"][1] > 30  # 38
    assert found["on_update"] == pytest.approx([1.0, 5.0], abs=0.05)
    assert found["scale"] < 1e-6  # 1e-11


def test_an_arm_is_tuned_on_other_seeds_than_it_is_judged_on(tiny) -> None:
    found = run_arm(DYNAMICS.cases(tiny)[0])
    assert found["sweep"].shape == (2, 1)
    assert found["held_out"].shape == (6, 2)
    assert found["size"] in tiny.training.sizes
    matrices = len(found["names"])
    assert found["spectra_update"].shape[:3] == (6, matrices, 2)
    assert found["first_order"].shape == (6, matrices, 2)


def test_outcomes_depend_on_the_case_alone(tiny) -> None:
    case = DYNAMICS.cases(tiny)[1]
    first, again = run_arm(case), run_arm(case)
    assert all(
        np.array_equal(first[name], again[name], equal_nan=True)
        for name in ("held_out", "train", "sweep", "spectra_update")
    )


def test_the_best_size_is_the_vertex_or_an_end() -> None:
    assert best_size([1.0, 2.0, 4.0], np.array([3.0, 2.0, 3.0])) == pytest.approx(2.0)
    assert best_size([1.0, 2.0, 4.0], np.array([1.0, 2.0, 3.0])) == 1.0
    assert best_size([1.0, 2.0, 4.0], np.array([3.0, 2.0, np.inf])) == 2.0
    assert best_size([0.0, 2.0, 4.0], np.array([3.0, 2.0, 4.0])) == 2.0
    assert best_size([0.0, 2.0, 4.0], np.array([1.0, 2.0, 4.0])) == 0.0


def test_resetting_a_block_that_did_not_learn_costs_nothing(tiny) -> None:
    """At step size 0 nothing moves: both contributions vanish."""
    case = LAYERS.cases(tiny)[0]
    still = replace(case.probing, size=0.0)
    found = run_layers(replace(case, probing=still, task=replace(case.task, auxiliary=0.0)))
    assert np.abs(found["reset"]).max() < 1e-6
    assert not found["first_order"].any()
    assert set(found["depths"].tolist()) == {-1, 0, 1, 2}


def test_coherence_of_repeated_minibatches_is_perfect(tiny, monkeypatch) -> None:
    """With one and the same minibatch there is no noise: the cosine of halves is 1."""
    from spectrain_studies.rank.coherence import experiment as coherence

    drawn = draw
    monkeypatch.setattr(coherence, "draw", lambda task, seeds, step: drawn(task, seeds, 0))
    found = run_coherence(COHERENCE.cases(tiny)[1])
    assert found["halves_raw"] == pytest.approx(1.0)
    assert found["halves_sign"] == pytest.approx(1.0, abs=1e-3)
    assert (found["printed_raw"] > 1e3).all()


def test_orthonormalizing_covers_every_stage_block_and_seed(tiny) -> None:
    found = run_orthonormalizing(ORTHONORMALIZING.cases(tiny)[2])
    assert found["angle"].shape == (2 * 2 * 2, 3, 2, 2)
    assert np.isfinite(found["stable_rank_input"]).all()
    assert (found["gain_euclidean"] >= 0).all()
