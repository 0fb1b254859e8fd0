"""A run folder like that of a small GPT, written by the real writer from made-up spectra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectrain.core import Block, Feed, Record, Role, Source, SpectrumRecord, View
from spectrain.matrix import MEASURES, diagonal_spectrum
from spectrain.records import Run, RunWriter, open_run

WIDTH, TOKENS, COLUMNS = 64, 65, 512
STEPS = (*range(8), *range(12, 1052, 20))
_LAYER = (
    ("attn.query.weight", Role.ATTENTION_Q, (WIDTH, WIDTH)),
    ("attn.key.weight", Role.ATTENTION_K, (WIDTH, WIDTH)),
    ("attn.value.weight", Role.ATTENTION_V, (WIDTH, WIDTH)),
    ("attn.output.weight", Role.ATTENTION_O, (WIDTH, WIDTH)),
    ("mlp.in.weight", Role.MLP_IN, (4 * WIDTH, WIDTH)),
    ("mlp.out.weight", Role.MLP_OUT, (WIDTH, 4 * WIDTH)),
    ("norm.weight", Role.NORM, (WIDTH, WIDTH)),
)
_GROUPS = {
    "group 0.0": {"learning_rate": 3e-4, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.95},
}


def make_block(name: str, role: Role, depth: int | None, shape: tuple[int, int]) -> Block:
    return Block(
        name,
        role,
        depth,
        shape,
        name,
        view=View(diagonal=role is Role.NORM),
        literal_input=Feed(name.rpartition(".")[0]),
    )


def gpt_blocks(layers: int = 4) -> list[Block]:
    inside = [
        make_block(f"layers.{depth}.{name}", role, depth, shape)
        for depth in range(layers)
        for name, role, shape in _LAYER
    ]
    return [
        make_block("embedding.weight", Role.EMBEDDING, None, (WIDTH, TOKENS)),
        *inside,
        make_block("head.weight", Role.HEAD, None, (TOKENS, WIDTH)),
    ]


def share_of_full(block: Block, progress: float) -> float:
    """How far the gradient's spectrum reaches: falling in deep layers, level in the others."""
    depth = block.depth or 0
    start = 0.55 - 0.05 * depth
    return float(start * (1 - 0.25 * depth * progress * (block.role is not Role.MLP_OUT)))


def stable_rank_of_input(block: Block, progress: float) -> float:
    if block.role is Role.EMBEDDING:
        return 60.0
    if block.role is Role.ATTENTION_V:
        return 4.0 + 18.0 * progress
    return {Role.NORM: 22.0, Role.MLP_IN: 6.5, Role.HEAD: 2.2}.get(block.role, 3.5)


@dataclass(frozen=True)
class Recipe:
    """What to write. Parts that are switched off make partial runs.

    Blocks named in ``skip`` stand in the manifest and have no records.
    """

    blocks: Sequence[Block] = field(default_factory=gpt_blocks)
    steps: Sequence[int] = STEPS
    loss: bool = True
    batch_size: bool = True
    activations: bool = True
    spectra: bool = True
    summary: bool = True
    share: Callable[[Block, float], float] = share_of_full
    stable_rank: Callable[[Block, float], float] = stable_rank_of_input
    noise: float = 0.05
    config: dict[str, object] = field(
        default_factory=lambda: {"optimizer": "adamw", "steps": 1052, "batch_size": 16}
    )
    skip: Sequence[str] = ()
    skipped: Sequence[tuple[str, str]] = (("head.bias", "one-dimensional"),)
    loss_names: Sequence[str] = ("loss",)
    seed: int = 0


def write_run(path: Path, recipe: Recipe | None = None) -> Run:
    """Write a run by the recipe and open it."""
    recipe = recipe or Recipe()
    writer = RunWriter(
        path,
        manifest={
            "config": recipe.config,
            "blocks": [block.to_dict() for block in recipe.blocks],
            "skipped": [{"parameter": name, "reason": why} for name, why in recipe.skipped],
            "seeds": {"torch": recipe.seed},
        },
    )
    generator = np.random.default_rng(recipe.seed)
    last = max(recipe.steps, default=1) or 1
    for step in recipe.steps:
        progress = float(np.log1p(step) / np.log1p(last))
        spectra = _spectra(recipe, step, progress, generator)
        writer.write([record for group in _by_length(spectra) for record in _measures(group)])
        if recipe.spectra:
            writer.write_spectra(spectra)
        if recipe.activations:
            writer.write(_inputs(recipe, step, progress, generator))
        writer.write(_settings(step))
    if recipe.loss:
        losses = 1.6 + 2.6 * np.exp(-np.arange(last + 1) / 150)
        losses += 0.05 * generator.standard_normal(last + 1)
        writer.write(
            [
                Record(s, None, Source.TRAINING, name, float(v))
                for name in recipe.loss_names
                for s, v in enumerate(losses)
            ]
        )
    if recipe.batch_size:
        writer.write([Record(0, None, Source.TRAINING, "batch_size", 16.0)])
    writer.close(_SUMMARY if recipe.summary else {})
    return open_run(path)


_SUMMARY: dict[str, Any] = {
    "finished": True,
    "steps": 1052,
    "sampled_steps": 60,
    "skipped_steps": 992,
    "training_seconds": 81.4,
    "monitor_seconds": 0.79,
    "overhead": 0.0097,
    "overhead_budget": 0.01,
    "every": None,
    "peak_bytes": 3_400_000,
    "disabled_probes": {},
}


def _spectra(
    recipe: Recipe, step: int, progress: float, generator: np.random.Generator
) -> list[SpectrumRecord]:
    found = []
    for block in recipe.blocks:
        if block.name in recipe.skip:
            continue
        full = min(block.shape)
        noise = np.exp(recipe.noise * generator.standard_normal())
        share = float(np.clip(recipe.share(block, progress) * noise, 2 / full, 0.95))
        for source, values in (
            (Source.GRADIENT, 0.3 * np.exp(-2 * progress) * decaying(full, share)),
            (Source.UPDATE, 1e-3 * decaying(full, min(1.3 * share, 0.95))),
            (Source.WEIGHT, (0.2 + progress) * decaying(full, 0.9 - 0.15 * progress)),
        ):
            found.append(SpectrumRecord(step, block.name, source, values, "exact"))
    return found


def _by_length(spectra: Sequence[SpectrumRecord]) -> list[list[SpectrumRecord]]:
    groups: dict[int, list[SpectrumRecord]] = {}
    for spectrum in spectra:
        groups.setdefault(len(spectrum.values), []).append(spectrum)
    return list(groups.values())


def _measures(spectra: Sequence[SpectrumRecord]) -> list[Record]:
    stack = diagonal_spectrum(torch.from_numpy(np.stack([s.values for s in spectra])))
    return [
        Record(s.step, s.block, s.source, name, value)
        for name, measure in MEASURES.items()
        if name != "condition_number"
        for s, value in zip(spectra, measure(stack).tolist(), strict=True)
    ]


def _inputs(
    recipe: Recipe, step: int, progress: float, generator: np.random.Generator
) -> list[Record]:
    return [
        Record(
            step,
            block.name,
            Source.INPUT,
            "stable_rank",
            max(
                recipe.stable_rank(block, progress) * np.exp(0.05 * generator.standard_normal()), 1
            ),
            count=COLUMNS,
        )
        for block in recipe.blocks
        if block.name not in recipe.skip
    ]


def _settings(step: int) -> list[Record]:
    return [
        Record(step, group, Source.OPTIMIZER, name, value)
        for group, settings in _GROUPS.items()
        for name, value in settings.items()
    ]


def decaying(full: int, share: float) -> np.ndarray:
    """Geometric singular values, largest 1, whose effective rank is about ``share * full``."""
    rank = share * full
    rate = np.e / rank  # exp H of a geometric law of rate ε is e/ε
    return np.exp(-rate * np.arange(full))
