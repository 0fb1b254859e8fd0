"""The GPT with multipliers: norms through training, and trials of (η, λ)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import nn
from torch.optim import AdamW, Muon, Optimizer

from spectrain.core import Block
from spectrain.network import find_blocks
from spectrain.optim import add_multipliers, multiplier_groups
from spectrain.optim.multipliers import SYMMETRY_DECAY
from spectrain.regime import adamw_noise, expected_squared_norms, muon_noise
from spectrain.regime.equilibrium import relaxations
from spectrain.training.corpus import Corpus, load_corpus, step_generator
from spectrain.training.gpt import GPT, preset
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.regime.config import Config, Transformer
from spectrain_studies.regime.tuning.experiment import draw_trials

CHARACTERS = 400_000
EVALUATION = 16
RECORDS = 40


@dataclass(frozen=True)
class NormsCase:
    """One training; matrices inside the blocks take ``optimizer``, all else AdamW."""

    transformer: Transformer
    optimizer: str
    seed: int


@dataclass(frozen=True)
class SearchCase:
    """One search of each side on the GPT."""

    transformer: Transformer
    search: int


def make_model(transformer: Transformer, corpus: Corpus, seed: int) -> GPT:
    """The GPT with multipliers on rows and columns of every linear layer of its blocks."""
    shape = preset(
        "modern",
        vocabulary=len(corpus.alphabet),
        layers=transformer.layers,
        width=transformer.width,
        context=transformer.context,
    )
    model = GPT(shape, generator=torch.Generator().manual_seed(seed))
    add_multipliers(model, "both", include=("blocks.*",))
    return model


def train(
    model: GPT,
    optimizers: Sequence[Optimizer],
    corpus: Corpus,
    batch_size: int,
    seed: int,
    step: int,
) -> float:
    """One step."""
    tokens, targets = corpus.batch(
        "train",
        size=batch_size,
        context=model.config.context,
        generator=step_generator(seed, step),
    )
    loss = model.loss(tokens, targets)
    torch.autograd.backward(loss)
    for optimizer in optimizers:
        optimizer.step()
    model.zero_grad()
    return loss.item()


def run_norms(case: NormsCase) -> Outcome:
    """Norms of matrices inside the blocks and of their multipliers, beside their noise twins'."""
    setup, corpus = case.transformer, load_corpus("python", characters=CHARACTERS)
    model = make_model(setup, corpus, case.seed)
    groups = multiplier_groups(
        model, learning_rate=setup.learning_rate, weight_decay=setup.weight_decay
    )
    blocks = [b for b in find_blocks(model).blocks if b.name.startswith("blocks.")]
    parameters = dict(model.named_parameters())
    optimizers: list[Optimizer] = []
    if case.optimizer == "muon":
        taken = [parameters[b.parameter] for b in blocks if not b.view.diagonal]
        optimizers.append(Muon(taken, lr=setup.muon_learning_rate, weight_decay=setup.weight_decay))
        kept = {id(p) for p in taken}
        groups[0]["params"] = [p for p in groups[0]["params"] if id(p) not in kept]
    optimizers.append(AdamW(groups))
    marks = set(np.linspace(0, setup.steps, RECORDS + 1).round().astype(int).tolist())
    steps, norms, trained = [0], [_norms(blocks, parameters)], []
    for step in range(setup.steps):
        trained.append(train(model, optimizers, corpus, setup.batch_size, case.seed, step))
        if step + 1 in marks:
            steps.append(step + 1)
            norms.append(_norms(blocks, parameters))
    twins = [_twin(block, case, start) for block, start in zip(blocks, norms[0], strict=True)]
    return {
        "names": [block.name for block in blocks],
        "roles": [str(block.role) for block in blocks],
        "multiplier": [block.view.diagonal for block in blocks],
        "steps": steps,
        "norms": norms,
        "twins": np.stack([path for path, _ in twins], 1)[steps],
        "relaxations": [passed for _, passed in twins],
        "loss": np.mean(trained[-50:]),
        "validation": evaluate(model, corpus),
    }


def _norms(blocks: Sequence[Block], parameters: dict[str, nn.Parameter]) -> list[float]:
    return [parameters[block.parameter].detach().norm().item() for block in blocks]


def _twin(block: Block, case: NormsCase, start: float) -> tuple[np.ndarray, float]:
    """Norms of the block's noise twin from the same start, and the relaxation times that pass."""
    setup = case.transformer
    update, rate, decay = adamw_noise(_count(block)), setup.learning_rate, setup.weight_decay
    if block.view.diagonal:
        decay = SYMMETRY_DECAY
    elif case.optimizer == "muon":
        update = muon_noise(block.shape, generator=torch.Generator().manual_seed(0))
        rate = setup.muon_learning_rate
    rates = np.full(setup.steps, rate)
    path = expected_squared_norms(
        update, initial=start**2, learning_rates=rates, weight_decay=decay
    )
    return np.sqrt(np.append(start**2, path)), relaxations(rates, decay)


def _count(block: Block) -> int:
    return block.shape[0] if block.view.diagonal else prod(block.shape)


@torch.no_grad()
def evaluate(model: GPT, corpus: Corpus) -> float:
    """Mean loss on fixed windows of the held-out text."""
    windows = torch.Generator().manual_seed(0)
    total = 0.0
    for _ in range(4):
        tokens, targets = corpus.batch(
            "validation", size=EVALUATION, context=model.config.context, generator=windows
        )
        total += model.loss(tokens, targets).item() / 4
    return total


def run_search(case: SearchCase) -> Outcome:
    """Held-out losses of all trials on the tuning seeds, and of the chosen on the test seeds."""
    setup, corpus = case.transformer, load_corpus("python", characters=CHARACTERS)
    tuning = setup.tuning
    shared, separate = draw_trials(tuning, case.search)
    trials = [(r, r, d, d) for r, d in shared] + [(r, s, d, e) for r, d, s, e in separate]
    first = 1000 * (case.search + 1)
    seeds = range(first, first + tuning.tuning_seeds)
    found = np.array([np.mean([_trial(setup, corpus, t, seed) for seed in seeds]) for t in trials])
    count = tuning.trials
    best = [int(np.argmin(found[:count])), count + int(np.argmin(found[count:]))]
    fresh = range(first + 500, first + 500 + tuning.test_seeds)
    tested = [[_trial(setup, corpus, trials[place], seed) for seed in fresh] for place in best]
    return {
        "trials": found,
        "tested": tested,
        "shared": trials[best[0]],
        "separate": trials[best[1]],
    }


def _trial(
    setup: Transformer, corpus: Corpus, trial: tuple[float, float, float, float], seed: int
) -> float:
    """Held-out loss after a short training; infinite where it diverged."""
    rate, other, decay, other_decay = trial
    model = make_model(setup, corpus, seed)
    groups = multiplier_groups(
        model,
        learning_rate=rate,
        weight_decay=decay,
        multiplier_learning_rate=other,
        multiplier_weight_decay=other_decay,
    )
    optimizers = [AdamW(groups)]
    for step in range(setup.tuning.steps):
        train(model, optimizers, corpus, setup.batch_size, seed, step)
    loss = evaluate(model, corpus)
    return loss if np.isfinite(loss) else float("inf")


def _norm_cases(config: Config) -> list[NormsCase]:
    setup = config.transformer
    return [
        NormsCase(setup, optimizer, seed)
        for optimizer in ("adamw", "muon")
        for seed in range(setup.seeds)
    ]


def _search_cases(config: Config) -> list[SearchCase]:
    setup = config.transformer
    return [SearchCase(setup, search) for search in range(setup.tuning.searches)]


NORMS: Experiment[Config] = Experiment("gpt-norms", run_norms, _norm_cases)
GPT_SEARCHES: Experiment[Config] = Experiment("gpt-searches", run_search, _search_cases)
