"""The echo filter against Muon and AdamW, at equal numbers of gradient evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.optim import AdamW, Optimizer

from spectrain.optim import EchoFilter
from spectrain.training.corpus import Corpus, step_generator
from spectrain.training.gpt import GPT, preset
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config, Race
from spectrain_studies.noise.gpt.experiment import text

ARMS = ("adamw", "muon", "echo")
EVALUATION = 8
"""Batches of 32 held-out windows."""


@dataclass(frozen=True)
class Run:
    """One training of one arm at one learning rate."""

    settings: Race
    arm: str
    rate: float
    seed: int


def race_cases(config: Config) -> Sequence[Run]:
    r = config.race
    return [
        Run(r, arm, rate, seed)
        for arm in ARMS
        for rate in (r.adamw_rates if arm == "adamw" else r.spectral_rates)
        for seed in range(r.seeds)
    ]


def run_race(case: Run) -> Outcome:
    """Held-out loss at the end; every arm sees the same microbatches."""
    s = case.settings
    corpus = text()
    shape = preset(
        "modern",
        vocabulary=len(corpus.alphabet),
        layers=s.layers,
        heads=s.heads,
        width=s.width,
        context=s.context,
    )
    model = GPT(shape, generator=torch.Generator().manual_seed(case.seed))
    optimizers = _optimizers(model, case)
    peaks = [group["lr"] for optimizer in optimizers for group in optimizer.param_groups]
    losses = []
    for step in range(s.steps):
        generator = step_generator(case.seed, step)
        total = 0.0
        for _ in range(s.accumulation):
            tokens, targets = corpus.batch(
                "train", size=s.batch, context=s.context, generator=generator
            )
            loss = model.loss(tokens, targets) / s.accumulation
            loss.backward()
            total += loss.item()
        losses.append(total)
        factor = min(1.0, (step + 1) / (0.05 * s.steps), 2 * (s.steps - step) / s.steps)
        groups = [group for optimizer in optimizers for group in optimizer.param_groups]
        for group, peak in zip(groups, peaks, strict=True):
            group["lr"] = factor * peak
        for optimizer in optimizers:
            optimizer.step()
        model.zero_grad()
    return {"held_out": _held_out(model, corpus, s), "losses": np.array(losses)}


def _optimizers(model: GPT, case: Run) -> list[Optimizer]:
    """The arm on the matrices inside the blocks; AdamW at its usual rate on the rest."""
    if case.arm == "adamw":
        return [AdamW(model.parameters(), lr=case.rate, betas=(0.9, 0.95), weight_decay=0.0)]
    inside = [p for n, p in model.named_parameters() if n.startswith("blocks.") and p.ndim == 2]
    rest = [p for p in model.parameters() if all(p is not q for q in inside)]
    other = AdamW(rest, lr=0.01, betas=(0.9, 0.95), weight_decay=0.0)
    if case.arm == "muon":
        muon = torch.optim.Muon(inside, lr=case.rate, weight_decay=0.0, adjust_lr_fn="original")
        return [muon, other]
    return [EchoFilter(inside, lr=case.rate), other]


@torch.no_grad()
def _held_out(model: GPT, corpus: Corpus, settings: Race) -> float:
    generator = torch.Generator().manual_seed(0)
    losses = [
        model.loss(
            *corpus.batch("validation", size=32, context=settings.context, generator=generator)
        )
        for _ in range(EVALUATION)
    ]
    return torch.stack(losses).mean().item()


RACE: Experiment[Config] = Experiment("race", run_race, race_cases)
