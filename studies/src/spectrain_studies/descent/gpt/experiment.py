"""Ranks of the GPT through training: nuclear of gradients, stable of what feeds the blocks."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Muon, Optimizer

from spectrain.core import Block, Feed, Role
from spectrain.matrix import nuclear_rank, spectrum, stable_rank
from spectrain.monitor import measure_steps
from spectrain.network.taps import activation
from spectrain.training.gpt import GPT
from spectrain_studies.descent.config import Config
from spectrain_studies.descent.config_transformer import GPTSizes
from spectrain_studies.descent.gpt.model import Batch, adamw, make_gpt, matrices, train
from spectrain_studies.frame import Experiment, Outcome

FIRST = 2
"""The first step at which every gradient is nonzero: projections and head start at zero."""


@dataclass(frozen=True)
class CourseCase:
    """One training.

    Attributes:
        network: the GPT.
        steps: of training.
        records: steps at which spectra are taken.
        muon_rate: of the matrices inside the blocks; ``None`` leaves them to AdamW.
        adamw_rate: of everything else.
        realised: whether both steps are measured on a batch, halfway.
        seed: of weights and data.
    """

    network: GPTSizes
    steps: int
    records: int
    muon_rate: float | None
    adamw_rate: float
    realised: bool
    seed: int


def run_course(case: CourseCase) -> Outcome:
    """Ranks of every block at every recorded step."""
    model = make_gpt(case.network, case.seed)
    blocks = matrices(model)
    marks = np.unique(np.linspace(FIRST, case.steps - 1, case.records).round().astype(int))
    rows: list[dict[str, object]] = []
    realised: list[float] = [float("nan")] * len(blocks)

    def look(step: int, batch: Batch) -> None:
        if step in marks:
            rows.append(spectra(model, blocks, batch))
        if case.realised and step == case.steps // 2:
            found = measure_steps(model, _loss, batch).blocks
            realised[:] = [float("nan") if b.realised is None else b.realised.ratio for b in found]

    losses = train(
        model, _optimizers(model, case), case.network, case.steps, case.seed, before_step=look
    )
    return {
        "names": [block.name for block in blocks],
        "roles": [str(block.role) for block in blocks],
        "depths": [-1 if block.depth is None else block.depth for block in blocks],
        "steps": marks,
        "losses": np.array(losses),
        "realised": np.array(realised),
        **{name: np.array([row[name] for row in rows]) for name in rows[0]},
    }


def spectra(model: GPT, blocks: Sequence[Block], batch: Batch) -> dict[str, object]:
    """Ranks at the present weights, gradients in place; st(A) over all tokens of the batch.

    Returns:
        ``nuclear_rank`` of every gradient, ``stable_rank`` of every activation of the criterion,
        ``before`` and ``after`` of the MLPs' activation function, ``embedding`` of the embedded
        tokens, ``indicator`` of their indicator matrix; ``indicator_error`` |st·p_max − 1| of that.
    """
    feeds = {block.name: block.criterion_input for block in blocks}
    seen = _activations(model, [feed for feed in feeds.values() if feed is not None], batch)
    parameters = dict(model.named_parameters())
    gradients = [parameters[block.parameter].grad for block in blocks]
    tokens = batch[0].flatten()
    indicator = functional.one_hot(tokens, model.config.vocabulary).double()
    ones = stable_rank(spectrum(indicator, method="exact")).item()
    outs = [block for block in blocks if block.role is Role.MLP_OUT]
    layers = [model.get_submodule(block.name.removesuffix(".contract.weight")) for block in outs]
    before = [_gate(layer) for layer in layers]
    inner = _activations(model, [Feed(name) for name in _names(model, before)], batch)
    return {
        "nuclear_rank": [
            float("nan") if g is None or not g.any() else nuclear_rank(spectrum(g)).item()
            for g in gradients
        ],
        "stable_rank": [st(seen[feed]) for feed in feeds.values() if feed is not None],
        "after": [st(seen[feed]) for block in outs if (feed := feeds[block.name]) is not None],
        "before": [
            st(inner[Feed(name)] @ module.weight.detach().mT)
            for name, module in zip(_names(model, before), before, strict=True)
        ],
        "embedding": st(model.embedding(batch[0]).detach().flatten(0, 1)),
        "indicator": ones,
        "indicator_error": abs(ones * tokens.bincount().max().item() / len(tokens) - 1),
    }


def st(matrix: Tensor) -> float:
    """Stable rank of Aᵀ (columns × features), or of an indicator matrix, given by its tokens."""
    if not matrix.is_floating_point():
        return len(matrix) / matrix.bincount().max().item()
    return stable_rank(spectrum(matrix)).item()


def _gate(mlp: nn.Module) -> nn.Linear:
    """The layer whose output goes through the activation function."""
    chosen = mlp.expand if mlp.gate is None else mlp.gate
    assert isinstance(chosen, nn.Linear)
    return chosen


def _names(model: nn.Module, modules: Sequence[nn.Module]) -> list[str]:
    names = {module: name for name, module in model.named_modules()}
    return [names[module] for module in modules]


@torch.no_grad()
def _activations(model: GPT, feeds: Sequence[Feed], batch: Batch) -> dict[Feed, Tensor]:
    """What feeds read in one forward pass."""
    found: dict[Feed, Tensor] = {}
    with ExitStack() as hooks:
        for feed in dict.fromkeys(feeds):

            def read(module: nn.Module, arguments: tuple[Tensor, ...], feed: Feed = feed) -> None:
                found[feed] = activation(feed, module, arguments).clone()

            handle = model.get_submodule(feed.module).register_forward_pre_hook(read)
            hooks.callback(handle.remove)
        model(batch[0])
    return found


def _loss(model: nn.Module, batch: Batch) -> Tensor:
    assert isinstance(model, GPT)
    return model.loss(*batch)


def _optimizers(model: GPT, case: CourseCase) -> list[Optimizer]:
    named = dict(model.named_parameters())
    inside = [p for name, p in named.items() if name.startswith("blocks.")]
    rest = [p for name, p in named.items() if not name.startswith("blocks.")]
    if case.muon_rate is None:
        return [adamw(named.values(), case.adamw_rate)]
    return [Muon(inside, lr=case.muon_rate, weight_decay=0.0), adamw(rest, case.adamw_rate)]


def _course_cases(config: Config) -> list[CourseCase]:
    c = config.transformer.courses
    return [
        CourseCase(c.network, c.steps, c.records, c.muon_rate, c.adamw_rate, False, seed)
        for seed in range(c.seeds)
    ]


def _margin_cases(config: Config) -> list[CourseCase]:
    r = config.transformer.race
    return [
        CourseCase(r.network, r.steps, r.records, None, r.adamw_rate, True, seed)
        for seed in range(r.seeds)
    ]


COURSES: Experiment[Config] = Experiment("gpt-courses", run_course, _course_cases)
MARGINS: Experiment[Config] = Experiment("gpt-margins", run_course, _margin_cases)
