"""spectrain inspect beside WeightWatcher 0.7: time, memory and agreement on the same weights.

    python benchmarks/inspect_weightwatcher.py model.safetensors \
        --weightwatcher-python ~/venv/bin/python

Both sides run in processes of their own, one after the other and in turns, with the same number of
threads. Time is that of the analysis, without imports and without reading or decoding weights, by
the clock and as processor time, which suffers less from what else the machine does; memory is the
peak of the whole process. WeightWatcher may live in another environment.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

LEAST = 8
"""WeightWatcher leaves out matrices with fewer singular values."""

DECODED = 4
"""So many matrices are in memory at a time on our side."""

EXACT = (
    "norm",
    "spectral_norm",
    "log_norm",
    "log_spectral_norm",
    "stable_rank",
    "matrix_rank",
    "entropy",
    "D",
    "xmin",
    "alpha_weighted",
    "log_alpha_norm",
    "num_pl_spikes",
    "rank_loss",
)
FITTED = ("sigma_mp", "mp_softrank", "bulk_max", "bulk_min", "W_scale", "num_spikes")
RANDOM = ("rand_sigma_mp", "rand_mp_softrank", "rand_num_spikes", "max_rand_eval", "ww_softrank")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--weightwatcher-python", default=sys.executable)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--mode", choices=["default", "full", "both"], default="both")
    parser.add_argument("--out", type=Path, help="write NAME.json and NAME.md")
    parser.add_argument("--child", choices=["spectrain", "weightwatcher"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        side = {"spectrain": run_spectrain, "weightwatcher": run_weightwatcher}[options.child]
        print(json.dumps(side(options.model, full=options.mode == "full")))
        return
    modes = ["default", "full"] if options.mode == "both" else [options.mode]
    result = {"model": options.model.name, "environment": _environment(options.threads)}
    result |= {mode: compare(options, mode) for mode in modes}
    text = markdown(result, modes)
    if options.out:
        options.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(text)
    print(text)


def compare(options: argparse.Namespace, mode: str) -> dict[str, Any]:
    """Run both sides in turns."""
    ours: list[dict[str, Any]] = []
    theirs: list[dict[str, Any]] = []
    for index in range(options.rounds):
        turn = [(ours, "spectrain", sys.executable)]
        turn.append((theirs, "weightwatcher", options.weightwatcher_python))
        for results, side, python in turn if index % 2 == 0 else turn[::-1]:
            results.append(_child(options, python, side, mode))
    return {
        "rounds": options.rounds,
        "matrices": len(theirs[0]["columns"]),
        "seconds": {
            "spectrain": [run["seconds"] for run in ours],
            "weightwatcher": [run["seconds"] for run in theirs],
        },
        "processor_seconds": {
            "spectrain": [run["processor_seconds"] for run in ours],
            "weightwatcher": [run["processor_seconds"] for run in theirs],
        },
        "times_faster": ratios(ours, theirs, "seconds"),
        "times_less_processor": ratios(ours, theirs, "processor_seconds"),
        "peak_mb": {
            "spectrain": max(run["peak_mb"] for run in ours),
            "weightwatcher": max(run["peak_mb"] for run in theirs),
            "spectrain, imports alone": max(run["imports_mb"] for run in ours),
            "weightwatcher, imports alone": max(run["imports_mb"] for run in theirs),
        },
        "agreement": agreement(ours[0]["columns"], theirs[0]["columns"]),
    }


def ratios(ours: list[Any], theirs: list[Any], key: str) -> dict[str, float]:
    """Their time over ours, round by round."""
    found = [there[key] / here[key] for here, there in zip(ours, theirs, strict=True)]
    return {"median": median(found), "least": min(found), "most": max(found)}


def agreement(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """Largest relative difference of each column; α in units of its own standard error."""
    worst: dict[str, float] = {}
    alpha = 0.0
    for name, row in theirs.items():
        for column in (*EXACT, *FITTED, *RANDOM):
            if row.get(column) is not None:
                there, here = row[column], ours[name].get(column)
                gap = math.inf if here is None else abs(here - there) / max(abs(there), 1e-12)
                worst[column] = max(worst.get(column, 0.0), gap if here != there else 0.0)
        alpha = max(alpha, abs(ours[name]["alpha"] - row["alpha"]) / row["sigma"])
    return {"alpha_in_standard_errors": alpha, "largest_relative_difference": worst}


def markdown(result: dict[str, Any], modes: list[str]) -> str:
    """The result as a table."""
    where = ", ".join(f"{key} {value}" for key, value in result["environment"].items())
    lines = [
        f"### {result['model']}",
        "",
        where,
        "",
        "| columns | matrices | spectrain | WeightWatcher | times faster (least–most) "
        "| by processor time | peak memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for mode in modes:
        one = result[mode]
        faster, seconds, peak = one["times_faster"], one["seconds"], one["peak_mb"]
        lines.append(
            f"| {mode} | {one['matrices']} | {median(seconds['spectrain']):.2f} s | "
            f"{median(seconds['weightwatcher']):.2f} s | {faster['median']:.1f} "
            f"({faster['least']:.1f}–{faster['most']:.1f}) | "
            f"{one['times_less_processor']['median']:.1f} | "
            f"{peak['spectrain']:.0f} against {peak['weightwatcher']:.0f} MB |"
        )
    for mode in modes:
        found = result[mode]["agreement"]
        exact = max(found["largest_relative_difference"].get(name, 0.0) for name in EXACT)
        lines += [
            "",
            f"{mode}: α differs by at most {found['alpha_in_standard_errors']:.1e} of its standard "
            f"error, norms, ranks, entropy and the tail's start by at most {exact:.1e}",
        ]
    return "\n".join(lines) + "\n"


def _child(options: argparse.Namespace, python: str, side: str, mode: str) -> dict[str, Any]:
    threads = str(options.threads)
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    command = [python, __file__, str(options.model), "--child", side, "--mode", mode]
    done = subprocess.run(
        command, env=os.environ | dict.fromkeys(names, threads), capture_output=True, text=True
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_spectrain(model: Path, *, full: bool) -> dict[str, Any]:
    """The columns by spectrain: a few matrices are decoded, then analysed by one worker a core."""
    from concurrent.futures import ThreadPoolExecutor
    from functools import partial

    import torch

    from spectrain.checkpoint import open_checkpoint
    from spectrain.checkpoint.weightwatcher import PREFIX, weightwatcher_records

    workers = torch.get_num_threads()
    torch.set_num_threads(1)
    imports, seconds, processor, columns = _peak_mb(), 0.0, 0.0, {}
    tensors = [
        tensor
        for tensor in open_checkpoint(model).tensors
        if len(tensor.shape) == 2 and min(tensor.shape) >= LEAST and "int" not in tensor.dtype
    ]
    analyse = partial(weightwatcher_records, fits=full)
    with ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        for first in range(0, len(tensors), DECODED):
            some = tensors[first : first + DECODED]
            names, weights = [tensor.name for tensor in some], [tensor.load() for tensor in some]
            start, start_processor = perf_counter(), process_time()
            found = list(pool.map(analyse, weights, names, [0] * len(some)))
            seconds += perf_counter() - start
            processor += process_time() - start_processor
            for name, records in zip(names, found, strict=True):
                columns[name] = {r.measure.removeprefix(PREFIX): r.value for r in records}
    return _outcome(imports, seconds, processor, columns)


def run_weightwatcher(model: Path, *, full: bool) -> dict[str, Any]:
    """The columns by WeightWatcher, which wants a model."""
    import logging

    import numpy as np
    import torch
    import weightwatcher

    logging.getLogger("weightwatcher").setLevel(logging.ERROR)
    imports = _peak_mb()
    root = torch.nn.Module()
    for number, (name, weight) in enumerate(_matrices(model)):
        linear = torch.nn.Linear(1, 1, bias=False)
        linear.weight = torch.nn.Parameter(weight)
        root.add_module(f"{number}:{name.replace('.', '/')}", linear)
    np.random.seed(0)
    watcher = weightwatcher.WeightWatcher(model=root)
    start, start_processor = perf_counter(), process_time()
    details = watcher.analyze(**({"mp_fit": True, "randomize": True} if full else {}))
    seconds, processor = perf_counter() - start, process_time() - start_processor
    numbers = details.select_dtypes("number")
    names = [name.partition(":")[2].replace("/", ".") for name in details["longname"]]
    rows = zip(names, numbers.to_dict("records"), strict=True)
    columns = {n: {k: _finite(v) for k, v in row.items()} for n, row in rows}
    return _outcome(imports, seconds, processor, columns)


def _matrices(model: Path) -> Iterator[tuple[str, Any]]:
    import numpy as np
    import torch

    if model.suffix == ".gguf":
        import gguf

        for tensor in gguf.GGUFReader(model).tensors:
            shape = tuple(int(side) for side in reversed(tensor.shape))
            if len(shape) == 2 and min(shape) >= LEAST:
                dense = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
                yield tensor.name, torch.from_numpy(np.ascontiguousarray(dense)).reshape(shape)
        return
    from safetensors.torch import load_file

    for name, weight in load_file(model).items():
        if weight.ndim == 2 and min(weight.shape) >= LEAST and weight.is_floating_point():
            yield name, weight


def _outcome(
    imports: float, seconds: float, processor: float, columns: dict[str, Any]
) -> dict[str, Any]:
    return {
        "seconds": seconds,
        "processor_seconds": processor,
        "imports_mb": imports,
        "peak_mb": _peak_mb(),
        "columns": columns,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _environment(threads: int) -> dict[str, Any]:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from benchmarks.environment import environment

    return environment() | {"threads": threads}


if __name__ == "__main__":
    main()
