"""The finding on records whose norms, updates and schedules are made up."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrain.answers import regime
from spectrain.answers.regime import Memory, RegimeRow
from spectrain.core import Block, Record, Role, Source
from spectrain.records import Run, RunWriter, open_run
from spectrain.regime import NoiseUpdate, adamw_noise, expected_squared_norms
from support.synthetic_run import make_block

SHAPE = (40, 50)
N = 2000
RATE, DECAY = 0.02, 0.25  # a relaxation time is 100 steps


def written(
    path: Path,
    norms: np.ndarray,
    *,
    rates: np.ndarray | float = RATE,
    energy: float | np.ndarray | None = None,
    persistent: float = 0.0,
    optimizer: str = "AdamW",
    settings: dict[str, object] | None = None,
    decay: float = DECAY,
    role: Role = Role.MLP_IN,
    beside: tuple[Block, ...] = (),
    logged: bool = False,
    coupled: bool = False,
) -> Run:
    """A run whose block ``w`` has these norms at every step, recorded at every tenth."""
    block = make_block("w", role, 0, SHAPE)
    blocks = [block, *beside]
    told = {"betas": [0.9, 0.95], "weight_decay": decay, "lr": RATE} | (settings or {})
    entry = {
        "name": "group 0.0",
        "optimizer": optimizer,
        "parameters": [each.parameter for each in blocks],
        "settings": told,
    }
    manifest = {
        "blocks": [each.to_dict() for each in blocks],
        "groups": [entry],
    }
    writer = RunWriter(path, manifest=manifest)
    steps = len(norms)
    rates = np.broadcast_to(np.asarray(rates, dtype=np.float64), steps)
    energies = None if energy is None else np.broadcast_to(np.asarray(energy, float), steps)
    rng = np.random.default_rng(0)
    for step in range(0, steps, 10):
        rows = [
            Record(step, "w", Source.WEIGHT, "frobenius_norm", float(norms[step])),
            Record(step, "group 0.0", Source.OPTIMIZER, "learning_rate", float(rates[step])),
            Record(step, "group 0.0", Source.OPTIMIZER, "weight_decay", decay),
            Record(step, "group 0.0", Source.OPTIMIZER, "beta1", 0.9),
            Record(step, "group 0.0", Source.OPTIMIZER, "beta2", 0.95),
            Record(
                step,
                "w",
                Source.GRADIENT,
                "persistent_energy",
                persistent + 0.01 * rng.standard_normal(),
            ),
        ]
        if "momentum" in told:
            momentum = float(str(told["momentum"]))
            rows.append(Record(step, "group 0.0", Source.OPTIMIZER, "momentum", momentum))
        if logged:
            rows += [
                Record(step, None, Source.TRAINING, "tokens", 1024.0),
                Record(step, None, Source.TRAINING, "epoch", step / 50),
            ]
        if energies is not None:
            source = Source.UPDATE if coupled else Source.DIRECTION
            length = math.sqrt(energies[step]) * rates[step]
            rows.append(Record(step, "w", source, "frobenius_norm", length))
        writer.write(rows)
    writer.close({})
    return open_run(path)


def path_of(
    steps: int,
    *,
    rates: np.ndarray | float = RATE,
    decay: float = DECAY,
    update: NoiseUpdate | None = None,
    initial: float = 0.0,
) -> np.ndarray:
    """Norms of the noise twin at every step."""
    rates = np.broadcast_to(np.asarray(rates, dtype=np.float64), steps)
    update = update or adamw_noise(N, beta1=0.9)
    return np.sqrt(
        np.append(
            initial,
            expected_squared_norms(
                update, initial=initial, learning_rates=rates[1:], weight_decay=decay
            ),
        )
    )


def row_of(run: Run) -> RegimeRow:
    return next(row for row in regime(run).rows if row.block == "w")


def said(run: Run) -> str:
    found = regime(run)
    return " ".join([found.sentence, found.action, found.statement, *found.advice, *found.limits])


def test_noise_settles(tmp_path: Path) -> None:
    run = written(tmp_path / "run", path_of(700), energy=adamw_noise(N).energy)
    row = row_of(run)
    assert (row.verdict, row.measured) == ("equilibrium", True)
    assert row.ratio == pytest.approx(1, abs=0.01)
    assert "follows √(η/λ)" in said(run)
    json.dumps(regime(run).to_dict(), allow_nan=False)


def test_below_its_twin_no_signal_is_spoken_of(tmp_path: Path) -> None:
    run = written(tmp_path / "run", 0.3 * path_of(700), energy=adamw_noise(N).energy)
    assert row_of(run).verdict == "below its twin"
    assert "1 held below" in regime(run).sentence
    assert "signal" not in said(run)


def test_above_its_twin_is_signal(tmp_path: Path) -> None:
    run = written(tmp_path / "run", 2 * path_of(700), energy=adamw_noise(N).energy)
    assert row_of(run).verdict == "signal-driven"


def test_persistent_gradients_are_signal(tmp_path: Path) -> None:
    run = written(tmp_path / "run", path_of(700), energy=adamw_noise(N).energy, persistent=0.9)
    assert row_of(run).verdict == "signal-driven"


@pytest.mark.parametrize("short", [0.55, 0.01])
def test_the_measured_energy_decides(tmp_path: Path, short: float) -> None:
    """As under amsgrad, beside a large ε, or where gradients are rare."""
    update = NoiseUpdate(adamw_noise(N).energy * short, adamw_noise(N).terms)
    run = written(tmp_path / "run", path_of(700, update=update), energy=update.energy)
    assert row_of(run).verdict == "equilibrium"
    unmeasured = written(tmp_path / "theory", path_of(700, update=update))
    assert row_of(unmeasured).measured is False
    assert row_of(unmeasured).verdict == ("undecided" if short > 0.5 else "below its twin")


def test_updates_that_scatter_widen_the_tolerance(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    energies = adamw_noise(N).energy * rng.exponential(size=900)
    run = written(tmp_path / "run", path_of(900), energy=energies)
    row = row_of(run)
    assert row.verdict == "equilibrium"
    assert row.tolerance is not None
    assert row.tolerance > 0.3


def test_after_a_step_of_the_rate_words_follow_the_path(tmp_path: Path) -> None:
    rates = np.where(np.arange(700) < 350, RATE, RATE / 10)
    run = written(
        tmp_path / "run", path_of(700, rates=rates), rates=rates, energy=adamw_noise(N).energy
    )
    row = row_of(run)
    assert row.verdict == "behind its schedule"
    assert row.norm is not None
    assert row.equilibrium is not None
    assert row.norm > 2 * row.equilibrium
    words = said(run)
    assert "at the norm that noise" not in words
    assert "follows √(η/λ)" not in words
    assert f"at {row.norm / row.equilibrium:.3g} times that of the last rate" in words


def test_after_a_cosine_times_are_those_of_the_run(tmp_path: Path) -> None:
    rates = RATE * 0.5 * (1 + np.cos(np.pi * np.arange(1001) / 1000))
    run = written(
        tmp_path / "run",
        path_of(1001, rates=rates),
        rates=rates,
        energy=adamw_noise(N).energy,
        beside=(make_block("norm", Role.NORM, 0, (8, 8)),),
    )
    row = row_of(run)
    assert row.verdict == "behind its schedule"
    assert row.relaxation_steps == pytest.approx(200, rel=0.02)  # the mean rate is half the peak
    assert row.normalised is True
    (memory,) = [group for group in regime(run).groups if isinstance(group, Memory)]
    assert memory.steps == pytest.approx(400, rel=0.02)
    assert memory.peak_steps == pytest.approx(200)
    assert memory.share == pytest.approx(0.4, rel=0.02)
    assert "arXiv:2506.02285" in said(run)


def test_slow_schedules_are_followed_to_their_norm(tmp_path: Path) -> None:
    rates = np.linspace(RATE, 0.8 * RATE, 3001)
    run = written(
        tmp_path / "run", path_of(3001, rates=rates), rates=rates, energy=adamw_noise(N).energy
    )
    assert row_of(run).verdict == "equilibrium"


def test_first_weights_that_are_not_forgotten(tmp_path: Path) -> None:
    start = 60.0
    run = written(tmp_path / "run", path_of(150, initial=start), energy=adamw_noise(N).energy)
    assert row_of(run).verdict == "approaching"
    assert "Still remembering" in said(run)


def test_a_shared_scale_settles_later(tmp_path: Path) -> None:
    """The product of a weight and its multiplier relaxes fast, their ratio only slowly."""
    multiplier = make_block("w_multiplier", Role.MULTIPLIER, 0, (40, 40))
    beside = (replace(multiplier, parameter="w"),)
    energy = adamw_noise(N).energy
    early = written(tmp_path / "early", path_of(900), energy=energy, beside=beside)
    assert row_of(early).verdict == "approaching"
    assert "of 16 relaxation times" in str(row_of(early).reason)
    late = written(tmp_path / "late", path_of(1700), energy=energy, beside=beside)
    assert row_of(late).verdict == "equilibrium"


def test_coupled_decay_is_judged(tmp_path: Path) -> None:
    """W settles at ηNσ²/(2λ(1−μ)), from a large start whose decay is in the recorded updates."""
    mu, decay = 0.9, 0.05
    acting = decay / (1 - mu)
    update = NoiseUpdate(N / (1 - mu**2), ((1.0, mu),))
    norms = path_of(1500, decay=acting, update=update, initial=4e4)
    kept = 4e4 * (1 - RATE * acting) ** (2 * np.arange(1500))
    run = written(
        tmp_path / "run",
        norms,
        energy=update.energy + acting**2 * kept,
        optimizer="SGD",
        settings={"momentum": mu, "betas": None, "weight_decay": decay},
        decay=decay,
        coupled=True,
    )
    row = row_of(run)
    assert row.verdict == "equilibrium"
    assert row.equilibrium == pytest.approx(math.sqrt(RATE * N / (2 * decay * (1 - mu))), rel=0.02)


def test_timescales_in_every_unit(tmp_path: Path) -> None:
    run = written(
        tmp_path / "run",
        path_of(501),
        energy=adamw_noise(N).energy,
        logged=True,
    )
    (memory,) = [group for group in regime(run).groups if isinstance(group, Memory)]
    assert memory.steps == pytest.approx(200)
    assert memory.epochs == pytest.approx(4)
    assert memory.tokens == pytest.approx(204_800)
    assert memory.guideline is None
    assert "average 200 steps, 0.399 of the recorded run, 4 epochs and 2.05e+05 tokens" in said(run)


@pytest.mark.parametrize(
    ("decay", "guideline", "wanted"), [(0.005, "long", 0.1), (25.0, "short", 1)]
)
def test_the_decay_that_the_guideline_asks_for(
    tmp_path: Path, decay: float, guideline: str, wanted: float
) -> None:
    run = written(
        tmp_path / "run", path_of(501, decay=decay), energy=adamw_noise(N).energy, decay=decay
    )
    (memory,) = [group for group in regime(run).groups if isinstance(group, Memory)]
    assert memory.guideline == guideline
    assert memory.wanted == pytest.approx(wanted, rel=0.01)  # 1/(501 · 0.02), and ten times that
    found = regime(run)
    assert str(found.sign) == "watch"  # a guideline is no measurement
    assert "Weights of group 0.0 average " in found.sentence
    assert f"λ = {memory.wanted:.2g} instead of {decay:.2g}" in found.action


def test_where_too_little_time_passed_the_action_says_how_long_to_train(tmp_path: Path) -> None:
    """Of 1/(2ηλ) = 1,000 steps a half must pass, and 301 did."""
    run = written(
        tmp_path / "run", path_of(301, decay=0.025), energy=adamw_noise(N).energy, decay=0.025
    )
    found = regime(run)
    assert str(found.sign) == "not enough data"
    assert found.sentence == "Of 1 block: 1 undecided."
    told = "To tell, train 500 steps at this decay: a relaxation takes 1,000 steps."
    assert found.action == told


def test_without_decay_nothing_is_open(tmp_path: Path) -> None:
    run = written(
        tmp_path / "run", path_of(301, decay=0.0), energy=adamw_noise(N).energy, decay=0.0
    )
    found = regime(run)
    assert str(found.sign) == "good"
    assert found.sentence == "Of 1 block: 1 without weight decay that could set it."
    assert found.action == "Nothing to change."


def test_what_no_rule_knows_needs_a_rule_and_no_records(tmp_path: Path) -> None:
    found = regime(written(tmp_path / "run", path_of(301), energy=1.0, optimizer="Novel"))
    assert str(found.sign) == "not enough data"
    assert "what Novel makes of noise is not known" in found.sentence
    assert found.action.startswith("Register a rule")


def test_nothing_recorded(tmp_path: Path) -> None:
    run = written(tmp_path / "run", path_of(30), energy=1.0)
    found = regime(run)
    assert str(found.sign) == "not enough data"
    assert "3 recorded weights, 5 are needed" in found.sentence
    assert "Record norms" in found.action
