"""What a sample costs at the shapes of GPT-2 small, in operations, against a training step."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_a_reading_is_less_than_a_five_hundredth_of_the_steps_it_stands_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Seen: 0.037 % of steps of 8,192 tokens; and what is stored is what comes out."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import stability_cost

    found = stability_cost.result()
    assert 1e-5 < found["share"]["registered"] < 0.002
    assert min(found["reading_operations"].values()) > 0
    parameters = 124e6  # of GPT-2 small, the embedding among them
    assert 6 * parameters * found["tokens"] == pytest.approx(found["step_operations"], rel=0.15)
    kept = ROOT / "benchmarks" / "results" / "stability_cost.json"
    stored = json.loads(kept.read_text("utf-8"))
    assert stored["share"] == pytest.approx(found["share"], rel=0.01)
    sys.modules.pop("benchmarks.stability_cost", None)
