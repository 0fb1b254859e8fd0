"""``import spectrain`` is cheap, needs nothing optional, and still offers every public name."""

from __future__ import annotations

import statistics
import subprocess
import sys

import pytest

import spectrain

REPEATS = 5
HEAVY = [
    "gguf",
    "joblib",
    "matplotlib",
    "numpy",
    "pandas",
    "plotly",
    "polars",
    "rich",
    "safetensors",
    "scipy",
    "torch",
    "tyro",
]


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.strip()


def test_import_costs_less_than_150_ms_beyond_torch() -> None:
    code = (
        "import time, torch; start = time.perf_counter(); "
        "import spectrain; print(time.perf_counter() - start)"
    )
    seconds = statistics.median(float(run(code)) for _ in range(REPEATS))
    assert seconds < 0.150  # measured 0.5 ms


def test_import_brings_in_no_library() -> None:
    loaded = run(f"import sys, spectrain; print(*[n for n in {HEAVY} if n in sys.modules])")
    assert loaded == ""


def test_version_is_that_of_the_distribution() -> None:
    assert spectrain.__version__.count(".") == 2


@pytest.mark.parametrize("name", sorted(spectrain.HOMES))
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(spectrain, name) is not None
    assert name in dir(spectrain)
    assert name in spectrain.__all__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'spectrain' has no attribute 'wach'"):
        spectrain.wach  # noqa: B018


def test_listing_a_checkpoint_imports_no_answer() -> None:
    """Only what opens a file is imported, and torch, which reads it."""
    code = (
        "import sys; from spectrain.checkpoint import open_checkpoint, listing; "
        "print(*[n for n in ('polars', 'spectrain.answers', 'spectrain.rmt') if n in sys.modules])"
    )
    assert run(code) == ""
