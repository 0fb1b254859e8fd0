"""The documentation page of the benchmarks, from their stored results."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

HEAD = """# Benchmarks

`make bench` runs them, stores each result with its environment under `benchmarks/results` and
writes this page; `make bench-check` runs them again and tells which ratios got worse by more than a
quarter. Both sides of a ratio were timed in one process, in turns, by processor time unless the
column says clock. Medians over the rounds, with the least and the most.
"""

Result = Mapping[str, Any]


def render(results: Path) -> str:
    """The page."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        path = results / f"{name}.json"
        if path.exists():
            parts.append(section(json.loads(path.read_text("utf-8"))))
    every = [results / f"monitor_every_step_{width}.json" for width in (64, 128, 256)]
    found = [json.loads(path.read_text("utf-8")) for path in every if path.exists()]
    if found:
        parts.append(_every_step(found))
    for path in sorted(results.glob("inspect_weightwatcher*.md")):
        parts.append(
            path.read_text("utf-8").replace(
                "### ", f"## Inspect beside WeightWatcher ({path.stem[22:].replace('_', ', ')}): "
            )
        )
    return "\n".join(parts)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _where(result: Result) -> str:
    about = result["environment"]
    threads = "one thread" if about["threads"] == 1 else f"{about['threads']} threads"
    return (
        f"{about['cores']} {about['machine']} cores, {threads}, Python {about['python']}, "
        f"torch {about['torch']}.\n"
    )


def _ratios(rows: Mapping[str, Mapping[str, float]], head: str) -> str:
    def line(name: str, row: Mapping[str, float]) -> list[str]:
        spread = f"{row['least']:.2f}–{row['most']:.2f}" if "least" in row else ""
        clock = f"{row['clock']:.2f}" if "clock" in row else ""
        return [name, f"{row['median']:.2f}", spread, clock]

    return table(
        (head, "median", "least–most", "clock"), [line(name, row) for name, row in rows.items()]
    )


def _gradients(result: Result) -> str:
    seconds = result["seconds"]
    shares = [
        [shape, row["exact"], f"{row['exact over floor']:.2f}", row["estimated at 1 %"]]
        for shape, row in result["methods"].items()
    ]
    return "\n".join(
        [
            "## All gradients of GPT-2 small's shapes\n",
            "Fifty matrices, embeddings included. The floor is the Gram product and LAPACK's "
            "eigenvalues of it, on a matrix that is at hand in the precision; “exact” adds reading "
            "float32, scaling, error bounds and all measures.\n",
            table(("way", "seconds"), [[n, f"{s:.2f}"] for n, s in seconds.items()]),
            _ratios(result["times_faster"], "times faster"),
            _ratios(result["over_floor"], "cost over the floor"),
            table(("shape", "exact by", "over the floor", "at 1 % by"), shares),
            _where(result),
        ]
    )


def _sketch(result: Result) -> str:
    rows = [
        [
            name,
            f"{row['ratio_exact']:.1f}",
            f"{row['products']:.0f}",
            f"{100 * row['nuclear_norm_rms_error']:.2f} %",
            f"{100 * row['effective_rank_rms_error']:.2f} %",
            f"{100 * max(row['nuclear_norm_half_width'], row['effective_rank_half_width']):.2f} %",
        ]
        for name, row in result["results"].items()
    ]
    return "\n".join(
        [
            "## Sketched spectra\n",
            f"Square float32 matrices, wanted half width of the 95 % intervals "
            f"{100 * result['rtol']:.0f} %; {result['pairs']} matrices each.\n",
            table(
                (
                    "matrix",
                    "times faster than exact",
                    "products",
                    "rms error of ‖·‖_*",
                    "of the effective rank",
                    "half width",
                ),
                rows,
            ),
            _where(result),
        ]
    )


def _growth(result: Result) -> str:
    rows = [
        [
            width,
            f"{row['product']:.2g}",
            f"{row['exact']:.2g}",
            f"{row['estimated at 2 %']:.2g}",
            row["method"],
        ]
        for width, row in result["widths"].items()
    ]
    blocks = [
        [count, f"{row['one call']:.3f}", f"{row['svdvals loop']:.3f}"]
        for count, row in result["blocks"].items()
    ]
    return "\n".join(
        [
            "## Growth with width and with the number of blocks\n",
            "Processor seconds on square Gaussian matrices; “product” is A Aᵀ in float64.\n",
            "![cost against width](images/growth.png)\n",
            table(("width", "product", "exact", "estimated at 2 %", "by"), rows),
            table(("blocks of 256²", "one call", "loop of svdvals, float32"), blocks),
            _where(result),
        ]
    )


def _overhead(result: Result) -> str:
    return "\n".join(
        [
            "## What watching costs at default settings\n",
            "The demo's training, watched and unwatched in turn, step by step; sampled steps and "
            "writing count in full.\n",
            _steps([result]),
            _where(result),
        ]
    )


def _every_step(results: list[Result]) -> str:
    return "\n".join(
        [
            "## What watching every step costs, everything on\n",
            "Batches of 32 windows of 128 tokens.\n",
            _steps(results),
            _where(results[0]),
        ]
    )


def _steps(results: list[Result]) -> str:
    def interval(result: Result, name: str) -> str:
        key = "interval_95" if name == "ratio" else f"{name.removesuffix('ratio')}interval_95"
        low, high = result[key]
        return f"{result[name]:.4f} ({low:.4f}–{high:.4f})"

    return table(
        ("width", "pairs", "sampled", "processor time on/off", "clock", "clock, stratified"),
        [
            [
                str(one["width"]),
                str(one["pairs"]),
                str(one["sampled_steps"]),
                interval(one, "processor_ratio"),
                interval(one, "ratio"),
                interval(one, "stratified_ratio"),
            ]
            for one in results
        ],
    )


def _modes(result: Result) -> str:
    def line(mode: str, row: Mapping[str, Any]) -> list[str]:
        low, high = row["interval_95"]
        least, most = row["stratified_interval_95"]
        return [
            *(mode, str(row["processes"]), f"{row['step_ms']:.1f}", str(row["samples"])),
            f"{row['ratio']:.4f} ({low:.4f}–{high:.4f})",
            f"{row['stratified_ratio']:.4f} ({least:.4f}–{most:.4f})",
        ]

    head = ("mode", "processes", "step, ms", "sampled", "clock on/off", "stratified")
    return "\n".join(
        [
            "## What watching costs in each mode of training\n",
            f"A transformer of two layers at default settings, {result['pairs']} pairs, clock of "
            "rank 0.\n",
            table(head, [line(mode, row) for mode, row in result["modes"].items()]),
            _where(result),
        ]
    )


def _cadence(result: Result) -> str:
    def counts(row: Mapping[str, Any], name: str) -> str:
        least = [one[name][0] for one in row["rounds"]]
        return f"{min(least)}" if min(least) == max(least) else f"{min(least)}–{max(least)}"

    def answered(row: Mapping[str, Any]) -> str:
        last = row["rounds"][-1]["answers"]
        return ", ".join(name for name, sign in last.items() if sign != "not enough data")

    def line(row: Mapping[str, Any]) -> list[str]:
        ratio, low, high = row["processor_ratio"]
        off, on = (row["most_memory"][side] for side in ("off", "on"))
        return [
            row["what"],
            *(str(row["steps"]), f"{row['step_ms']:.1f}", str(row["rounds"][0]["horizon"])),
            *(counts(row, name) for name in ("gradient_spectra", "gradient_norms")),
            f"{ratio:.3f} ({low:.3f}–{high:.3f})",
            *(f"{row['longest_step']:.1f}", f"{row['first_step']:.1f}", f"{on / off:.2f}"),
            answered(row),
        ]

    head = (
        *("recipe", "steps", "step, ms", "counted in", "spectra", "norms"),
        *("processor time on/off", "longest step", "first step", "memory on/off", "answered"),
    )
    return "\n".join(
        [
            "## What a run at default settings gets to see\n",
            "`spectrain.watch(model, optimizer)` in a loop written by hand. Spectra and norms are "
            "the samples of the least sampled gradient within the steps of “counted in”; the "
            "longest and the first step are told in median unwatched ones; memory is the most "
            "that a process held.\n",
            table(head, [line(row) for row in result["recipes"].values()]),
            _where(result),
        ]
    )


def _stability(result: Result) -> str:
    shares, between = result["share"], result["steps_between"]
    rows = [
        [name, f"{result['reading_operations'][name]:.3g}", str(between["registered"]), percent]
        for name, share in result["share_by_measure"].items()
        for percent in [f"{100 * share:.3f} %"]
    ]
    own = f"{100 * shares['propagating']:.3f} %"
    rows.append(
        [
            "propagating, where it is asked for",
            f"{result['reading_operations']['propagating']:.3g}",
            str(between["propagating"]),
            own,
        ]
    )
    return (
        "## What the question of stability costs\n\n"
        "Operations of one reading of every block of GPT-2 small against those of the steps "
        f"between two readings, of {result['tokens']:,} tokens and "
        f"{result['step_operations']:.3g} operations each, counted. What every run reads takes "
        f"{100 * shares['registered']:.3f} % of the training, of "
        f"{100 * result['limit']:.1f} % that it may; with larger batches less, in proportion. "
        f"Logits that are seen are {result['entries_of_scores']:.3g} entries that are "
        "compared once a reading.\n\n"
        + table(["reading", "operations", "steps between, at least", "share"], rows)
        + "\n"
        + _where(result)
    )


def _plain(title: str) -> Callable[[Result], str]:
    def section(result: Result) -> str:
        rows = _ratios(result["times_faster"], "times faster")
        return f"## {title}\n\n{rows}\n{_where(result)}"

    return section


def _ensemble(result: Result) -> str:
    row = {
        "median": result["ratio"],
        "least": min(result["ratios"]),
        "most": max(result["ratios"]),
    }
    rows = _ratios({f"{result['runs']} runs, {result['steps']} steps": row}, "times faster")
    return f"## An ensemble of minimal models against a loop\n\n{rows}\n{_where(result)}"


def _polar(result: Result) -> str:
    rows = [
        [
            name,
            f"{row['nuclear_rank_share']:.2f}",
            f"{row['least']:.3f}–{row['most']:.3f}",
            f"{row['corrected_least']:.3f}–{row['corrected_most']:.3f}",
        ]
        for name, row in result["ratio"].items()
    ]
    return "\n".join(
        [
            "## The nuclear norm from Muon's own factor\n",
            "Muon has computed F ≈ UVᵀ, and ⟨G, F⟩ would be ‖G‖_* if F were exact. After five "
            f"quintic iterations in bfloat16, on {result['size']}² matrices:\n",
            table(("matrix", "nr/side", "⟨G, F⟩/‖G‖_*", "over √(‖F‖_F²/side)"), rows),
            "The factor depends on the spectrum that is to be measured, and neither form comes "
            "with a bound: spectrain does not use it. A sketch has an interval.\n",
            _where(result),
        ]
    )


SECTIONS: dict[str, Callable[[Result], str]] = {
    "gradients": _gradients,
    "sketch": _sketch,
    "growth": _growth,
    "monitor_overhead": _overhead,
    "modes_overhead": _modes,
    "cadence": _cadence,
    "stability_cost": _stability,
    "replica_alignment": _plain("Alignment of 16 replicas of 768×3072 against full SVDs"),
    "rbm_ensemble": _plain("An ensemble of Gaussian RBMs against a loop"),
    "minimal_model_ensemble": _ensemble,
    "polar_nuclear_norm": _polar,
}
