"""Channels of the GPT's ReLU layers rescaled without a change of its function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spectrain.noise import ReplicaGradients
from spectrain.training.gpt.mlp import MLP
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.noise.config import Config, Transformer
from spectrain_studies.noise.gpt.experiment import Training, loss_of, stack, statistics


@dataclass(frozen=True)
class Rescaled:
    """One training whose MLP channels are rescaled without a change of the function."""

    settings: Transformer
    seed: int


def rescaled_cases(config: Config) -> Sequence[Rescaled]:
    return [Rescaled(config.transformer, seed) for seed in range(config.transformer.seeds)]


def run_rescaled(case: Rescaled) -> Outcome:
    """Plateaus of the MLP's matrices before and after channel c ↦ d_c, between ¼ and 4."""
    training = Training(case.settings, case.seed)
    training.until(case.settings.checkpoints[1])
    batches = training.replicas(case.settings.replicas)
    before, old = _plateaus(training, batches)
    generator = torch.Generator().manual_seed(case.seed)
    with torch.no_grad():
        for mlp in training.model.modules():
            if isinstance(mlp, MLP):
                d = 4 ** (2 * torch.rand(mlp.expand.out_features, generator=generator) - 1)
                mlp.expand.weight *= d.unsqueeze(1)
                mlp.contract.weight /= d
    after, new = _plateaus(training, batches)
    return {
        "before": before,
        "after": after,
        "loss_change": abs(new - old) / abs(old),
    }


def _plateaus(
    training: Training, batches: Sequence[tuple[Tensor, Tensor]]
) -> tuple[np.ndarray, float]:
    parameters = {n: p for n, p in training.matrices.items() if ".mlp." in n}
    gradients = ReplicaGradients(training.model, loss_of, batches, parameters=parameters)
    stacks = stack(gradients, list(parameters))
    k = training.settings.directions
    with torch.no_grad():
        loss = training.model.loss(*batches[0]).item()
    return np.array([statistics(x, k)["zeta_emp"] for x in stacks.values()], dtype=float), loss


RESCALED: Experiment[Config] = Experiment("channels", run_rescaled, rescaled_cases)
