"""The GPT's part of the study: ranks against their definitions, the search, the race's arms."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from spectrain.core import InputError
from spectrain.sweeps.outcome import read_outcome, write_outcome
from spectrain_studies.descent.config import QUICK
from spectrain_studies.descent.config_transformer import GPTSizes
from spectrain_studies.descent.gpt.experiment import CourseCase, run_course, spectra
from spectrain_studies.descent.gpt.model import make_gpt, matrices, train, windows
from spectrain_studies.descent.race.claims import gains, untuned
from spectrain_studies.descent.race.experiment import ArmCase, run_arm
from spectrain_studies.descent.race.search import search_rate
from spectrain_studies.descent.race.statistics import (
    reliability,
    share_of_gain,
)
from spectrain_studies.frame import Above, Measured, Result, Results, Verdict
from spectrain_studies.frame.statistics import rank_correlation

SIZES = GPTSizes(layers=2, heads=2, width=8, context=8, batch=2, value_embeddings=1)
RACE = replace(QUICK.transformer.race, network=SIZES, steps=10, records=3, moves=0)


def stable(matrix: torch.Tensor) -> float:
    return (
        matrix.double().square().sum() / torch.linalg.matrix_norm(matrix.double(), 2) ** 2
    ).item()


@pytest.mark.parametrize("activation", ["relu2", "swiglu"])
def test_ranks_are_their_definitions(activation: str) -> None:
    network = replace(SIZES, activation=activation)
    model = make_gpt(network, 0)
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():  # nothing starts at zero
        torch.nn.init.normal_(parameter, std=0.5, generator=generator)
    batch = windows(network, 0, 0)
    kept: dict[str, torch.Tensor] = {}
    mlp = model.blocks[1].mlp
    mlp.expand.register_forward_hook(lambda module, given, out: kept.update(fed=given[0], up=out))
    if mlp.gate is not None:
        mlp.gate.register_forward_hook(lambda module, given, out: kept.update(gate=out))
    mlp.contract.register_forward_hook(lambda module, given, out: kept.update(after=given[0]))
    model.loss(*batch).backward()
    blocks = matrices(model)
    found = spectra(model, blocks, batch)
    place = {block.name: index for index, block in enumerate(blocks)}
    expand = place["blocks.1.mlp.expand.weight"]
    before = kept["up"] if mlp.gate is None else kept["gate"]
    assert found["stable_rank"][expand] == pytest.approx(
        stable(kept["fed"].flatten(0, 1)), rel=1e-5
    )
    assert found["after"][1] == pytest.approx(stable(kept["after"].flatten(0, 1)), rel=1e-5)
    assert found["before"][1] == pytest.approx(stable(before.flatten(0, 1)), rel=1e-5)
    gradient = mlp.expand.weight.grad.double()
    nuclear = torch.linalg.matrix_norm(gradient, "nuc") ** 2 / gradient.square().sum()
    assert found["nuclear_rank"][expand] == pytest.approx(nuclear.item(), rel=1e-5)
    share = batch[0].flatten().bincount().max().item() / batch[0].numel()
    assert found["stable_rank"][place["embedding.weight"]] == pytest.approx(1 / share)


def test_looking_does_not_change_the_training() -> None:
    case = CourseCase(SIZES, 8, 3, None, 0.01, realised=True, seed=0)
    found = run_course(case)
    model = make_gpt(SIZES, 0)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=0.01, betas=(0.9, 0.95), weight_decay=0.0, fused=True
    )
    assert train(model, [optimizer], SIZES, 8, 0) == found["losses"].tolist()
    assert found["steps"].tolist() == [2, 4, 7]
    assert np.isfinite(found["realised"]).all()
    assert (found["nuclear_rank"] >= 1 - 1e-9).all()


def test_a_search_goes_on_until_the_best_is_inside_and_says_where_it_could_not() -> None:
    assert search_rate(lambda rate: abs(rate - 81), 1.0, factor=3.0, moves=6).best == 81
    short = search_rate(lambda rate: -rate, 1.0, factor=3.0, moves=2)
    assert (short.best, short.inner, len(short.rates)) == (27.0, False, 5)
    diverging = search_rate(
        lambda rate: float("nan") if rate > 1 else -rate, 1.0, factor=2.0, moves=0
    )
    assert (diverging.best, diverging.inner) == (1.0, True)


def test_arms_differ_from_adamw_in_their_block_alone() -> None:
    block = "blocks.0.mlp.contract.weight"
    arms = [
        ArmCase(RACE, "adamw"),
        *(ArmCase(RACE, arm, block) for arm in ("muon", "gd", "specgd")),
    ]
    results = Results(tuple(Result(case, dict(run_arm(case))) for case in arms))
    found = gains(results)
    assert set(found["muon"]) == set(found["clean"]) == {block}
    base = results.where(arm="adamw").only()["losses"]
    assert np.allclose(found["muon"][block], base - results.where(arm="muon").only()["losses"])
    rates = {r.case.arm: r["rates"] for r in results}
    assert all(rates[arm][1] == RACE.adamw_rate for arm in ("muon", "gd", "specgd"))


def test_a_plan_of_its_own_is_trained_with() -> None:
    found = run_arm(ArmCase(RACE, "plan"))
    assert np.isfinite(found["losses"]).all()
    assert set(found["spectral"]) <= {block.name for block in matrices(make_gpt(SIZES, 0))}


def test_outcomes_of_searches_of_unequal_length_are_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    losses = {0.01: 1.0, 0.03: 0.5, 0.09: 0.2, 0.27: 0.4}  # of Muon's rate; AdamW's changes little
    monkeypatch.setattr(
        "spectrain_studies.descent.race.experiment._train",
        lambda race, seed, make, rates: losses[round(rates[0], 3)] + abs(rates[1] - 0.01),
    )
    found = run_arm(ArmCase(replace(RACE, moves=2), "usual"))
    write_outcome(tmp_path / "outcome.npz", found)
    again = read_outcome(tmp_path / "outcome.npz")
    assert (again["tried_own"].shape, again["tried_adamw"].shape) == ((2, 4), (2, 3))
    assert again["rates"] == pytest.approx((0.09, 0.01))
    assert again["inner"]


def test_a_rate_at_the_end_of_its_grid_decides_nothing() -> None:
    result = Result(ArmCase(RACE, "muon", "w"), {"inner": False, "rates": (0.1, 0.01)})
    why = untuned(result)
    assert "muon of w" in why
    assert Above(0).judge(Measured(1.0, unsettled=why)).verdict is Verdict.UNDECIDED
    other = Result(ArmCase(RACE, "adamw"), {"inner": True, "rates": (0.1, 0.03)})
    assert "AdamW is best at 0.03" in untuned(other, rate=0.01)
    assert untuned(other, rate=0.03) == ""


def test_statistics_of_the_race() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(14.0)
    exact = rank_correlation(x, np.exp(x))
    assert exact.value == 1.0
    covered = sum(rank_correlation(x, rng.standard_normal(14)).covers(0.0) for _ in range(400))
    assert 0.9 <= covered / 400 <= 0.99  # nominally 0.95; measured 0.95
    assert rank_correlation(x[:3], x[:3]).value is None
    means, noise = rng.standard_normal((4000, 1)), rng.standard_normal((4000, 5)) * 5**0.5
    assert reliability(means + noise) == pytest.approx(0.5, abs=0.05)  # ρ of 1/(1 + 1)
    value, without = share_of_gain(np.array([1.0, 3.0]), np.array([2.0, 6.0]))
    assert value == 0.5
    assert without.tolist() == [0.5, 0.5]


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="value embeddings"):
        make_gpt(replace(SIZES, value_embeddings=2), 0)
