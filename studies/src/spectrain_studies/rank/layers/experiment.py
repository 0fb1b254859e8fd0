"""Experiment 4: rank by layer type and depth, and what each block contributes to the loss."""

from __future__ import annotations

import numpy as np
import torch

from spectrain.core import Role
from spectrain.network import find_blocks
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.rank.config import RankConfig
from spectrain_studies.rank.data import held_out
from spectrain_studies.rank.probing import ProbeCase, probe
from spectrain_studies.rank.stack import Stack, make_model

SAMPLES = 20
NO_DEPTH = -1


def run_layers(case: ProbeCase) -> Outcome:
    """A GPT deep enough to show a trend, trained and then taken apart.

    Returns:
        ``names``, ``roles``, ``depths`` (−1 for tables and head) and ``full`` ranks of the m
        matrices; ``reset`` (m × seeds): what the held-out loss rises by when a matrix is put back
        to its initial value at the end; the arrays of the trace, with ``first_order`` the sum of
        ⟨g, Δw⟩ over the steps.
    """
    initial = {name: p.clone() for name, p in _initial(case).items()}
    stack, trace = probe(case, lambda stack, step: None)
    blocks = {block.name: block for block in find_blocks(make_model(case.task, 0)).blocks}
    found = [blocks[name] for name in stack.matrices]
    batch = held_out(stack.task)
    with torch.no_grad():
        base = stack.losses(batch, shared=True)
        reset = [
            stack.losses(batch, shared=True, parameters={**stack.clone(), name: initial[name]})
            - base
            for name in stack.matrices
        ]
    return {
        "names": np.array(stack.matrices),
        "roles": np.array([str(block.role) for block in found]),
        "depths": np.array([_depth(block.depth, block.role) for block in found]),
        "full": np.array([min(block.shape) for block in found]),
        "reset": torch.stack(reset).numpy(),
        **trace.arrays(),
    }


def _initial(case: ProbeCase) -> dict[str, torch.Tensor]:
    return Stack(case.task, range(case.probing.seeds)).clone()


def _depth(depth: int | None, role: Role) -> int:
    outer = depth is None or role in (Role.EMBEDDING, Role.HEAD)
    return NO_DEPTH if outer else int(depth or 0)


def cases(config: RankConfig) -> list[ProbeCase]:
    """The deep GPT under AdamW and under Muon."""
    return [
        ProbeCase(config.deep, arm, config.probing, samples=SAMPLES) for arm in ("adamw", "muon")
    ]


LAYERS = Experiment("layers", run_layers, cases)
