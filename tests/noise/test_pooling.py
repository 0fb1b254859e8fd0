"""Directions and kinds over several samples; the cost of a batch."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import chi2

from spectrain.core import InputError
from spectrain.noise import batch_cost, pooled_count, pooled_kind
from spectrain.noise.comparison import Verdict


def test_one_sample_is_itself() -> None:
    assert pooled_count([[0.03, 0.5, 0.04]]) == 2
    assert pooled_count([[0.06, 1.0]]) == 0
    assert pooled_count([]) == 0


def test_is_fishers_method() -> None:
    """Eight samples at .3: p = P(χ²(16) > 19.3) = .26; at 1/8, .001."""
    for p, told in ((0.3, 0), (1 / 8, 1)):
        statistic = -2 * 8 * torch.tensor(p).log().item()
        assert (chi2.sf(statistic, 16) <= 0.05) == bool(told)
        assert pooled_count([[p, 1.0]] * 8) == told


@pytest.mark.parametrize("patterns", [4, 8, 32])
def test_level_over_samples(patterns: int, generator: torch.Generator) -> None:
    """Discrete p-values of no signal, 20 samples each; measured .02, .02, .04."""
    ranks = torch.randint(patterns, (400, 20), generator=generator) + 1
    called = sum(pooled_count([[p] for p in run]) for run in (ranks / patterns).tolist())
    assert called <= 34  # P(35 or more at .05) = .001


def test_a_kind_needs_most_samples() -> None:
    iso: Verdict = "isotropic additive"
    prop: Verdict = "signal-proportional"
    none: Verdict = "undecided"
    assert pooled_kind([iso] * 3 + [none] * 2) == (iso, 3)
    assert pooled_kind([iso] + [none] * 19) == (none, 0)
    assert pooled_kind([iso, prop]) == (none, 0)
    assert pooled_kind([]) == (none, 0)


def test_cost_of_a_batch() -> None:
    for batch in (1.0, 30.0, 1000.0):
        cost = batch_cost(batch, 30.0)
        assert (cost.steps - 1) * (cost.examples - 1) == pytest.approx(1)
    assert batch_cost(30.0, 30.0) == (2.0, 2.0)
    with pytest.raises(InputError, match="positive"):
        batch_cost(0, 1)
