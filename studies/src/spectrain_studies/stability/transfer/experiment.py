"""Networks made wider by the rules of rate transfer, in one layer of which they are broken."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn
from torch.nn import functional

from spectrain.answers import stability
from spectrain.answers.stability.row import Pace
from spectrain.monitor import watch
from spectrain.network import find_blocks
from spectrain.records import open_run
from spectrain.training.gpt import GPT, GPTConfig
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.stability.config import Config, Transfer

TOKENS, CONTEXT, FEATURES, CLASSES = 32, 16, 24, 10
BATCH, RATE = 32, 2e-3
MODELS = ("mlp", "gpt")


@dataclass(frozen=True)
class TransferCase:
    """One network.

    Attributes:
        model: ``mlp`` or ``gpt``.
        seed: of it and of its data.
        power: of the width ratio, by which one layer's rate is wrong: 1 where the rule was left
            out, −1 where it was applied twice, 0 where all is right.
        plan: sizes.
    """

    model: str
    seed: int
    power: int
    plan: Transfer


def run_transfer(case: TransferCase) -> Outcome:
    """The block whose rate is wrong, and the blocks that the answer calls fast or slow."""
    generator = torch.Generator().manual_seed(case.seed)
    model = _model(case, generator)
    matrices = [block for block in find_blocks(model).blocks if not block.view.diagonal]
    ratio = case.plan.wide / case.plan.narrow
    scaled = [block for block in matrices if block.shape[1] % case.plan.wide == 0]
    drawn = int(torch.randint(len(scaled), (1,), generator=generator))
    wrong = scaled[drawn].parameter if case.power else ""
    rates = {block.parameter: RATE / ratio for block in scaled}
    if wrong:
        rates[wrong] *= ratio**case.power
    groups = [
        {"params": [parameter], "lr": rates.get(name, RATE)}
        for name, parameter in model.named_parameters()
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95), weight_decay=0.0)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        with watch(
            model, optimizer, path, every=1, measures=["update/rms_gain", "input/frobenius_norm"]
        ):
            for _ in range(case.plan.steps):
                torch.autograd.backward(_loss(case.model, model, generator))
                optimizer.step()
                optimizer.zero_grad()
        rows = stability(open_run(path)).rows
    named = {str(pace): [r.parameter for r in rows if r.pace is pace] for pace in Pace}
    return {
        "wrong": wrong,
        "fast": named[str(Pace.FAST)],
        "slow": named[str(Pace.SLOW)],
        "paces": [row.pace_ratio for row in rows if row.pace_ratio is not None],
    }


def _model(case: TransferCase, generator: torch.Generator) -> nn.Module:
    width = case.plan.wide
    if case.model == "gpt":
        shape = GPTConfig(
            vocabulary=TOKENS, context=CONTEXT, layers=1, heads=4, width=width, init="fan_in"
        )
        return GPT(shape, generator=generator)
    layers: list[nn.Module] = [nn.Linear(FEATURES, width), nn.ReLU()]
    for _ in range(int(torch.randint(3, 6, (1,), generator=generator))):
        layers += [nn.Linear(width, width), nn.ReLU()]
    model = nn.Sequential(*layers, nn.Linear(width, CLASSES))
    for module in model:
        if isinstance(module, nn.Linear):
            scale = (2 / module.in_features) ** 0.5
            nn.init.normal_(module.weight, std=scale, generator=generator)
            nn.init.zeros_(module.bias)
    return model


def _loss(kind: str, model: nn.Module, generator: torch.Generator) -> torch.Tensor:
    """Of fresh data with something to learn: sums of neighbours, the class of a linear map."""
    if kind == "gpt":
        tokens = torch.randint(TOKENS, (BATCH // 8, CONTEXT), generator=generator)
        logits = model(tokens)
        return functional.cross_entropy(logits.flatten(0, 1), ((tokens + 1) % TOKENS).flatten())
    x = torch.randn(BATCH, FEATURES, generator=generator)
    return functional.cross_entropy(model(x), x[:, :CLASSES].argmax(1))


def _cases(config: Config) -> list[TransferCase]:
    plan = config.transfer
    plants = [
        TransferCase(MODELS[number % 2], number, 1 if number % 4 < 2 else -1, plan)
        for number in range(plan.plants)
    ]
    right = [replace(each, power=0) for each in plants if each.seed % 4 in (0, 3)]
    return [*plants, *right]


TRANSFER: Experiment[Config] = Experiment("transfer", run_transfer, _cases)
