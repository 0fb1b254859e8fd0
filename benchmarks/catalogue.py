"""All benchmarks: how each is called and which of its numbers are ratios to keep."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Ratios = dict[str, float]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: of its result.
        module: under ``benchmarks``.
        ratios: those of a result that must not get worse.
        options: of its command line.
        quick: the same for a short run.
        flag: the option that takes the result's path.
        falls: whether a ratio gets worse by falling (a speed) or by rising (a cost).
    """

    name: str
    module: str
    ratios: Callable[[Mapping[str, Any]], Ratios]
    options: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    flag: str = "--json"
    falls: bool = True

    def worse(self, new: float, old: float, tolerance: float) -> bool:
        """Whether ``new`` is worse than ``old`` by more than a share ``tolerance``.

        A cost of watching counts by what it exceeds 1.
        """
        if self.falls:
            return new < old / (1 + tolerance)
        return new - 1 > (old - 1) * (1 + tolerance)


def medians(key: str) -> Callable[[Mapping[str, Any]], Ratios]:
    """The medians of a result's table ``key``."""

    def read(result: Mapping[str, Any]) -> Ratios:
        return {name: float(row["median"]) for name, row in result[key].items()}

    return read


def _ensemble(result: Mapping[str, Any]) -> Ratios:
    return {"batched than loop": float(result["ratio"])}


def _polar(result: Mapping[str, Any]) -> Ratios:
    return {}


def _sketch(result: Mapping[str, Any]) -> Ratios:
    return {name: float(row["ratio_exact"]) for name, row in result["results"].items()}


def _overhead(result: Mapping[str, Any]) -> Ratios:
    return {"step time on over off": float(result["processor_ratio"])}


def _modes(result: Mapping[str, Any]) -> Ratios:
    return {f"step time in {mode}": float(row["ratio"]) for mode, row in result["modes"].items()}


def _cadence(result: Mapping[str, Any]) -> Ratios:
    return {name: float(row["processor_ratio"][0]) for name, row in result["recipes"].items()}


def _stability(result: Mapping[str, Any]) -> Ratios:
    return {f"{name} over unwatched": 1 + float(one) for name, one in result["share"].items()}


def _overhead_of(width: int) -> Benchmark:
    shape = ("--width", str(width), "--every", "1")
    return Benchmark(
        f"monitor_every_step_{width}",
        "monitor_overhead",
        _overhead,
        (*shape, "--pairs", "100"),
        (*shape, "--pairs", "30"),
        falls=False,
    )


CATALOGUE = (
    Benchmark("gradients", "gradients", medians("times_faster"), (), ("--rounds", "1")),
    Benchmark(
        "sketch",
        "sketch",
        _sketch,
        ("--rtol", "0.02", "--pairs", "5"),
        ("--rtol", "0.02", "--pairs", "2", "--sizes", "2048"),
    ),
    Benchmark(
        "growth",
        "growth",
        medians("times_faster"),
        ("--figure", "docs/images/growth.png"),
        ("--widths", "256", "1024", "2048", "--rounds", "1"),
    ),
    Benchmark(
        "monitor_overhead",
        "monitor_overhead",
        _overhead,
        ("--pairs", "5000"),
        ("--pairs", "200"),
        falls=False,
    ),
    *(_overhead_of(width) for width in (64, 128, 256)),
    Benchmark(
        "modes_overhead",
        "modes_overhead",
        _modes,
        ("--pairs", "1500"),
        ("--pairs", "200"),
        falls=False,
    ),
    Benchmark(
        "cadence",
        "cadence",
        _cadence,
        ("--rounds", "2"),
        ("--recipe", "mlp", "--steps", "500"),
        falls=False,
    ),
    Benchmark("stability_cost", "stability_cost", _stability, falls=False),
    Benchmark(
        "replica_alignment", "replica_alignment", medians("times_faster"), (), ("--rounds", "1")
    ),
    Benchmark(
        "rbm_ensemble",
        "rbm_ensemble",
        medians("times_faster"),
        (),
        ("--rounds", "2"),
        flag="--out",
    ),
    Benchmark(
        "minimal_model_ensemble",
        "minimal_model_ensemble",
        _ensemble,
        (),
        ("--rounds", "2"),
    ),
    Benchmark("polar_nuclear_norm", "polar_nuclear_norm", _polar),
)
"""In the order of the page. ``inspect_weightwatcher`` stands beside them: it needs a model and an
environment with WeightWatcher."""
