"""Experiment 5: what minibatches agree on, before and after orthonormalizing."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from spectrain.matrix import polar
from spectrain.noise import moments
from spectrain.noise.snr import snr_unbiased, snr_whole_tensor
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.data import draw
from spectrain_studies.rank.probing import PROBE_STEP, ProbeCase, gradients, probe, probe_cases
from spectrain_studies.rank.stack import Stack


def run_coherence(case: ProbeCase) -> Outcome:
    """Gradients of many minibatches at the same weights, first and last stage.

    Returns:
        Arrays over matrices (stages × blocks × seeds): ``stage``, ``block``, ``seed``,
        ``snr_raw``, ``snr_sign`` (unbiased ‖E g‖²/tr C of gradients and of their polar factors),
        ``printed_raw``, ``printed_sign`` (‖ḡ‖/‖s‖), ``halves_raw``, ``halves_sign`` (cosine between
        the mean of one half of the minibatches and that of the other, and between the polar factors
        of these means).
    """
    rows: list[dict[str, np.ndarray]] = []
    probe(case, lambda stack, step: rows.extend(_looked(stack, step, case)))
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _looked(stack: Stack, step: int, case: ProbeCase) -> list[dict[str, np.ndarray]]:
    kept: dict[str, list[Tensor]] = {name: [] for name in stack.hidden}
    for number in range(case.probing.minibatches):
        batch = draw(stack.task, stack.seeds, PROBE_STEP * (step + 1) + number)
        for name, gradient in gradients(stack, batch).items():
            kept[name].append(gradient.flatten(2))
    rows = []
    for block, name in enumerate(stack.hidden):
        replicas = torch.stack(kept[name])
        signs = polar(replicas).factor
        per_seed = [
            _statistics(replicas[:, copy], signs[:, copy]) for copy in range(len(stack.seeds))
        ]
        rows.append(
            {
                "stage": np.full(len(stack.seeds), step),
                "block": np.full(len(stack.seeds), block),
                "seed": np.array(stack.seeds),
                **{key: np.array([one[key] for one in per_seed]) for key in per_seed[0]},
            }
        )
    return rows


def _statistics(replicas: Tensor, signs: Tensor) -> dict[str, float]:
    half = len(replicas) // 2
    means = torch.stack([replicas[:half].mean(0), replicas[half:].mean(0)]).double()
    found: dict[str, float] = {
        "halves_raw": _cosine(*means),
        "halves_sign": _cosine(*polar(means).factor),
    }
    for label, group in (("raw", replicas), ("sign", signs)):
        summary = moments(group)
        found[f"snr_{label}"] = snr_unbiased(summary).item()
        found[f"printed_{label}"] = snr_whole_tensor(summary).item()
    return found


def _cosine(a: Tensor, b: Tensor) -> float:
    return float((a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-300))


def cases(config: RankConfig, *, arm: str) -> list[ProbeCase]:
    """The models at the first and the last stage."""
    ends = (config.probing.stages[0], config.probing.stages[-1])
    return [
        replace(case, probing=replace(case.probing, stages=ends))
        for case in probe_cases(config, arm=arm)
    ]


COHERENCE = Experiment("coherence", run_coherence, partial(cases, arm="adamw"))
