"""The transformer: spectra of keys, queries, values through training, and life without a bulk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from spectrain.core import Plan, Step
from spectrain.monitor import measure_bulk
from spectrain.network import find_blocks
from spectrain.optim import build
from spectrain.training.corpus import Corpus, load_corpus, step_generator
from spectrain.training.gpt import GPT, preset
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.randomness.config import Config

ROLES = ("key", "query", "value")
HELD_OUT = 10**6
"""Seeds of held-out batches start here."""


@dataclass(frozen=True, slots=True)
class GPTCase:
    """One network, trained once."""

    text: str
    optimizer: str
    rate: float
    batch: int
    context: int
    width: int
    layers: int
    heads: int
    readings: tuple[int, ...]
    evaluation: int
    finetune: int
    seed: int


def gpt_cases(config: Config) -> list[GPTCase]:
    one = config.transformer
    first = one.optimizers[0][0]
    return [
        GPTCase(
            one.text,
            name,
            rate,
            one.batch,
            one.context,
            one.width,
            one.layers,
            one.heads,
            one.readings if name == first else one.other_readings,
            one.evaluation,
            one.finetune,
            seed,
        )
        for name, rate in one.optimizers
        for seed in range(one.seeds if name == first else one.other_seeds)
    ]


def run_gpt(case: GPTCase) -> Outcome:
    """Eigenvalues of WᵀW (readings × roles × layers × heads × levels), losses, and surgery."""
    corpus = load_corpus(case.text)
    config = preset(
        "nanogpt",
        vocabulary=len(corpus.alphabet),
        layers=case.layers,
        heads=case.heads,
        width=case.width,
        context=case.context,
    )
    model = GPT(config, generator=torch.Generator().manual_seed(case.seed))
    optimizers = _optimizers(model, case)
    levels, losses = [], []
    held_out = [_batch(corpus, case, "validation", HELD_OUT + i) for i in range(case.evaluation)]
    for step in range(max(case.readings) + 1):
        if step in case.readings:
            levels.append(_levels(model))
            losses.append(_evaluate(model, held_out))
        if step < max(case.readings):
            _train(model, optimizers, _batch(corpus, case, "train", step))
    after = max(case.readings)

    def finetune(changed: nn.Module) -> None:
        assert isinstance(changed, GPT)
        fresh = _optimizers(changed, case)
        for extra in range(case.finetune):
            _train(changed, fresh, _batch(corpus, case, "train", after + 1 + extra))

    bulk = measure_bulk(
        model,
        _loss,
        held_out,
        include=("*.key.*", "*.query.*", "*.value.*", "*.output.*", "*mlp*"),
        finetune=finetune if case.finetune else None,
        generator=torch.Generator().manual_seed(case.seed),
        progress=False,
    )
    changes = {
        f"change_{name}": [change.value, change.error or 0.0]
        for name, change in bulk.together.items()
    }
    attention = measure_bulk(
        model,
        _loss,
        held_out,
        include=("*.key.*", "*.query.*", "*.value.*"),
        generator=torch.Generator().manual_seed(case.seed),
        progress=False,
    )
    changes |= {
        f"qkv_change_{name}": [change.value, change.error or 0.0]
        for name, change in attention.together.items()
    }
    return {
        "levels": np.stack(levels),
        "losses": losses,
        "parameters": sum(p.numel() for p in model.parameters()),
        "entry_variance": 1 / (3 * case.width),
        "bulk_energy": float(np.mean(list(bulk.energy.values()))),
        "qkv_energy": float(np.mean(list(attention.energy.values()))),
        "spikes": float(np.mean(list(bulk.spikes.values()))),
        **changes,
    }


def _optimizers(model: GPT, case: GPTCase) -> list[Optimizer]:
    match case.optimizer:
        case "adamw":
            return [AdamW(model.parameters(), lr=case.rate, fused=True)]
        case "sgd":
            return [SGD(model.parameters(), lr=case.rate, momentum=0.9)]
        case _:
            inside = [
                block.name
                for block in find_blocks(model).blocks
                if block.parameter.startswith("blocks.") and not block.view.diagonal
            ]
            plan = Plan(dict.fromkeys(inside, Step.SPECTRAL))
            return list(build(model, plan, muon_lr=case.rate, adamw_lr=1e-3).optimizers)


def _batch(
    corpus: Corpus, case: GPTCase, split: str, number: int
) -> tuple[torch.Tensor, torch.Tensor]:
    generator = step_generator(case.seed, number)
    if split == "train":
        return corpus.batch("train", size=case.batch, context=case.context, generator=generator)
    return corpus.batch("validation", size=64, context=case.context, generator=generator)


def _loss(model: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    assert isinstance(model, GPT)
    return model.loss(*batch)


def _train(
    model: GPT, optimizers: list[Optimizer], batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    for optimizer in optimizers:
        optimizer.zero_grad()
    model.loss(*batch).backward()
    for optimizer in optimizers:
        optimizer.step()


def _evaluate(model: GPT, batches: list[tuple[torch.Tensor, torch.Tensor]]) -> float:
    with torch.no_grad():
        return float(torch.stack([model.loss(*batch) for batch in batches]).mean())


def _levels(model: GPT) -> np.ndarray:
    """Roles × layers × heads × levels, ascending."""
    weights = torch.stack(
        [
            torch.stack([torch.stack([head.weight for head in getattr(b.attention, role)])])[0]
            for role in ROLES
            for b in model.blocks
        ]
    ).detach()
    values = torch.linalg.svdvals(weights.double()).square().flip(-1)
    return values.unflatten(0, (len(ROLES), -1)).numpy()


GPTS: Experiment[Config] = Experiment("transformer", run_gpt, gpt_cases)
