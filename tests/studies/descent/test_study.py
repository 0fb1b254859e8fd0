"""The study at a tiny scale, and its parts against theory."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.core import Step
from spectrain.descent import LeastSquares
from spectrain_studies import load_study
from spectrain_studies.descent.config import QUICK, Config
from spectrain_studies.descent.config_dynamics import Dial, Features, Kernel, Network, Ranks, Spiked
from spectrain_studies.descent.random_features.experiment import FeaturesCase, descend, run_features
from spectrain_studies.descent.sparse_network.experiment import (
    BatchCase,
    NetworkCase,
    draw_network,
    draw_weights,
    forward,
    norms_squared,
    run_batch,
    run_network,
)
from spectrain_studies.frame import Verdict, execute
from support.tiny_theory import TINY_THEORY
from support.tiny_transformer import TINY_TRANSFORMER

SMALL = Features(
    width=12, inputs=6, samples=48, steps=20, gated_steps=20, restart_every=5, muon_steps=3, seeds=1
)


def tiny() -> Config:
    """Every part of the study in seconds."""
    small = Network(inputs=8, width=8, samples=24, steps=12, spectral_steps=10, every=4, early=(1,))
    dynamics = replace(
        QUICK.dynamics,
        features=Features(
            width=8,
            inputs=4,
            samples=16,
            steps=30,
            gated_steps=20,
            restart_every=10,
            muon_steps=3,
            seeds=2,
        ),
        sparse=small,
        batch_sizes=(16, 32, 64),
        batch_seeds=2,
        gated=small,
        gated_large=small,
        ranks=Ranks(widths=(8, 16), steps=8, dense=2, sparse=3, seeds=2, identity_steps=5),
        spiked=Spiked(dimensions=(16, 32), seeds=2),
        kernel=Kernel(dimensions=(10, 20), seeds=2, samples=1000),
        dial=Dial(size=8, heights=(0.0, 0.1), steps=5, columns=(8, 16), seeds=2),
    )
    return replace(QUICK, dynamics=dynamics, theory=TINY_THEORY, transformer=TINY_TRANSFORMER)


def test_every_claim_is_judged_and_every_figure_drawn(tmp_path: Path) -> None:
    study = load_study("descent")
    result = execute(study, "quick", tmp_path, config=tiny())
    assert not result.problems
    judged = {claim.id: judgement for claim, judgement in result.claims}
    assert set(judged) == set(study.claims)
    broken = {name: j.note for name, j in judged.items() if j.note.startswith("could not be")}
    assert broken == {}
    assert len(result.figures) == 2 * len(study.figures)


SECTIONS = {
    *("1", "1.1", "1.2", "1.2.1", "1.2.2", "1.3", "2", "2.1", "2.2", "2.2.1", "2.2.2", "2.2.3"),
    *("3", "3.1", "3.1.1", "3.1.2", "3.1.3", "3.1.4", "3.2", "3.2.1", "3.2.2", "3.2.3", "3.2.4"),
    *("4", "4.1", "4.2", "4.2.1", "4.3", "4.4", "4.5"),
}
"""Of the document."""


def test_claims_cite_sections_and_figures_that_exist() -> None:
    for claim in load_study("descent").claims.values():
        assert set(re.findall(r"§([\d.]*\d)", claim.source)) <= SECTIONS, claim.id
        figures = re.findall(r"Figures? (\d+)(?:(?:, \d+)* and (\d+))?", claim.source)
        numbers = {int(number) for pair in figures for number in pair if number}
        assert numbers <= set(range(1, 19)), claim.id


REPRODUCED = (
    "fig1-start",
    "fig3-values",
    "fig15-values",
    "fig16-phi",
    "identity-realizable",
    "identity-teacher",
    "two-sided-interval",
    "dial-interval",
    "theorem-3-2-lower",
    "lemma-3-1",
)
"""Claims that are theorems or values of the document's own runs."""


@pytest.mark.slow
def test_what_is_exact_is_reproduced(tmp_path: Path) -> None:
    result = execute(load_study("descent"), "quick", tmp_path, claims=REPRODUCED)
    assert not result.problems
    verdicts = {claim.id.split("/")[1]: judgement.verdict for claim, judgement in result.claims}
    assert verdicts == dict.fromkeys(REPRODUCED, Verdict.HOLDS)


def test_restarts_leave_the_course_of_gradient_descent_where_they_start() -> None:
    found = run_features(FeaturesCase("relu", SMALL, seed=0))
    peak = int(np.argmax(found["gd_nuclear_rank"]))
    assert found["restart_steps"].tolist() == [peak, 5, 10, 15]
    for start, course in zip(found["restart_steps"], found["restart_loss"], strict=True):
        assert np.isnan(course[:start]).all()
        assert course[start] == found["gd_loss"][start]
        assert np.isfinite(course[start:]).all()
    assert found["muon_steps"].tolist() == [0, min(peak, 16), 16]
    assert found["muon_loss"][:, 0] == pytest.approx(found["gd_loss"][found["muon_steps"]])
    assert (found["muon_loss"][:, -1] < found["muon_loss"][:, 0]).all()


@pytest.mark.parametrize("method", list(Step))
def test_a_course_takes_the_steps_of_the_problem(method: Step, generator: torch.Generator) -> None:
    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    problem = LeastSquares(draw(5, 12), draw(4, 12))
    start = draw(4, 5)
    course = descend(problem, start, 3, method, keep=(1, 2))
    step = problem.euclidean_step if method == Step.EUCLIDEAN else problem.spectral_step
    once = step(start)
    assert torch.allclose(course.kept[1], once)
    assert torch.allclose(course.kept[2], step(once))
    gains = course.euclidean_gains if method == Step.EUCLIDEAN else course.spectral_gains
    assert torch.allclose(gains[:2], course.losses[:2] - course.losses[1:])


def test_the_network_starts_where_the_document_s_does() -> None:
    setup = Network()
    inputs, weights = draw_network(setup, "relu2", torch.Generator().manual_seed(setup.seed))
    feeding, prediction = forward(inputs, weights, "relu2")
    loss = (prediction - inputs[:3].prod(0)).square().mean().item()
    ranks = [frobenius / largest for largest, frobenius in map(norms_squared, feeding)]
    assert loss == pytest.approx(0.74827, abs=5e-6)
    assert ranks == pytest.approx([56.66, 5.818, 3.830, 2.928], rel=1e-3)


def test_batches_of_figure_17_follow_the_weights_one_after_another() -> None:
    case = BatchCase(Network(inputs=8, width=8), "swiglu", (16, 32), seed=42)
    found = run_batch(case)["stable_ranks"]
    generator = torch.Generator().manual_seed(42)
    weights = draw_weights(case.setup, "swiglu", generator)
    for row, samples in zip(found, case.batches, strict=True):
        batch = torch.randn(samples, 8, generator=generator, dtype=torch.float64).mT
        feeding, _ = forward(batch, weights, "swiglu")
        expected = [frobenius / top for top, frobenius in map(norms_squared, feeding[1:])]
        assert row == pytest.approx(expected)


def test_a_network_that_diverges_leaves_its_course() -> None:
    setup = Network(inputs=8, width=8, samples=24, steps=60, every=4, rate=50.0)
    found = run_network(NetworkCase(setup, "relu2", spectral=False))
    assert len(found["loss"]) == 61
    assert np.isinf(found["loss"][-1])
    assert not np.isnan(found["loss"]).any()
    assert np.isfinite(found["stable_ranks"]).all()
