"""1,000 Gaussian RBMs as one tensor program against the same runs one after another.

    python -m benchmarks.rbm_ensemble --out benchmarks/results/rbm_ensemble

The document's machine (ten sites, μ² = 9, |B| = 16, three Gibbs sweeps) is trained by the same
function both ways, in turns within one process and on one thread. One after another is measured on
some of the runs and scaled to all of them. That both ways have the same law is tested on levels
after equal training: two-sample Kolmogorov-Smirnov tests of all ten.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any

import torch
from scipy.stats import false_discovery_control, ks_2samp

from benchmarks.environment import environment
from spectrain_studies.models.rbm import (
    LatticeField,
    RBMRuns,
    ScalarRBM,
    Target,
    start_runs,
    train_rbm,
)

FIELD, MACHINE, BATCH, RATE = LatticeField(), ScalarRBM(9.0), 16, 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--alone", type=int, default=100, help="runs of each round done singly")
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--out", type=Path, help="write NAME.json and NAME.md")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rounds, batched_levels, single_levels = [], [], []
    for number in range(options.rounds):
        generator = torch.Generator().manual_seed(number)
        start = _start(options.runs, generator)
        wall, processor = perf_counter(), process_time()
        batched_levels.append(_train(start, options.updates, generator).levels)
        batched = perf_counter() - wall, process_time() - processor
        wall, processor = perf_counter(), process_time()
        for run in range(options.alone):
            only = RBMRuns(start.weights[run : run + 1], start.chains[run : run + 1])
            single_levels.append(_train(only, options.updates, generator).levels)
        scale = options.runs / options.alone
        singly = scale * (perf_counter() - wall), scale * (process_time() - processor)
        rounds.append({"clock": singly[0] / batched[0], "processor": singly[1] / batched[1]})
    together, alone = torch.cat(batched_levels), torch.cat(single_levels)
    p_values = [ks_2samp(together[:, i], alone[:, i]).pvalue for i in range(FIELD.sites)]
    result = {
        "runs": options.runs,
        "updates": options.updates,
        "rounds": options.rounds,
        "environment": environment(),
        "times_faster": {
            key: {
                "median": median(one[key] for one in rounds),
                "least": min(one[key] for one in rounds),
                "most": max(one[key] for one in rounds),
            }
            for key in ("clock", "processor")
        },
        "same_law": {
            "samples": [len(together), len(alone)],
            "least_p_value": float(min(p_values)),
            "least_q_value": float(false_discovery_control(p_values).min()),
        },
    }
    text = markdown(result)
    if options.out:
        options.out.with_suffix(".json").write_text(json.dumps(result, indent=1) + "\n")
        options.out.with_suffix(".md").write_text(text)
    print(text)


def _start(runs: int, generator: torch.Generator) -> RBMRuns:
    weights = MACHINE.start_at(FIELD.kernel, FIELD.sites, count=runs, generator=generator)
    return start_runs(weights, BATCH, machine=MACHINE, generator=generator)


def _train(runs: RBMRuns, updates: int, generator: torch.Generator) -> RBMRuns:
    target = Target(FIELD.correlator)
    return train_rbm(MACHINE, target, runs, rate=RATE, updates=updates, generator=generator)


def markdown(result: dict[str, Any]) -> str:
    """The result as a table."""
    where = ", ".join(f"{key} {value}" for key, value in result["environment"].items())
    lines = [
        f"### {result['runs']:,} Gaussian RBMs, {result['updates']} updates",
        "",
        where,
        "",
        "| time | batched is faster (median) | least | most |",
        "|---|---|---|---|",
    ]
    for key, ratio in result["times_faster"].items():
        lines.append(
            f"| by {key} | {ratio['median']:.1f} | {ratio['least']:.1f} | {ratio['most']:.1f} |"
        )
    law = result["same_law"]
    lines += [
        "",
        f"Same law: least of ten Kolmogorov-Smirnov p-values {law['least_p_value']:.3f} "
        f"(q = {law['least_q_value']:.2f}), {law['samples'][0]:,} against "
        f"{law['samples'][1]:,} runs.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
