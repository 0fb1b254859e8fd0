"""Experiment 2: a gradient before and after orthonormalizing, and what the step then brings."""

from __future__ import annotations

from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from spectrain.matrix import diagonal_spectrum, effective_rank, newton_schulz, nuclear_rank, polar
from spectrain.matrix import stable_rank as stable_rank_of
from spectrain_studies.frame import Experiment, Outcome
from spectrain_studies.rank.data import draw
from spectrain_studies.rank.probing import PROBE_STEP, ProbeCase, gradients, probe, probe_cases
from spectrain_studies.rank.stack import Stack
from spectrain_studies.rank.train import singular_values

Method = Literal["quintic", "cubic", "polar_express"]
METHODS: tuple[Method, ...] = ("quintic", "cubic", "polar_express")
PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
MOMENTUM = 0.95
CURVATURE_STEP = 1e-3
"""Length of the finite difference along a direction, relative to the block's weights."""


def run_orthonormalizing(case: ProbeCase) -> Outcome:
    """Gradients at every stage of a Muon run, and what Newton-Schulz makes of them.

    Returns:
        Arrays over m matrices (stages × blocks × seeds): ``stage``, ``block``, ``seed``, ``full``
        (the gradient's rank), ``nuclear_rank``, ``erank``, ``stable_rank_input``;
        ``angle_exact`` and ``angle_identity`` (arccos √(nr/r)); ``loss_exact``
        (min_c‖G − cP‖/‖G‖) and ``loss_identity`` (√(1 − nr/r)); the realised decreases
        ``gain_euclidean``, ``gain_spectral`` and curvatures ``curvature_*`` along both directions;
        and, m × methods × precisions × iterations: ``angle``, ``information_loss``,
        ``printed_loss`` (‖G − NS(G)‖/‖G‖), ``rank_ratio``, ``smallest``, ``largest``.
    """
    rows: list[dict[str, np.ndarray]] = []

    def look(stack: Stack, step: int) -> None:
        rows.extend(_looked(stack, step, case))

    probe(case, look)
    return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}


def _looked(stack: Stack, step: int, case: ProbeCase) -> list[dict[str, np.ndarray]]:
    batch = draw(stack.task, stack.seeds, PROBE_STEP + step)
    found = gradients(stack, batch)
    inputs = stable_rank_of_inputs(stack, batch)
    rows = []
    for number, name in enumerate(stack.hidden):
        matrices = found[name].flatten(2)
        count = len(stack.seeds)
        rows.append(
            {
                "stage": np.full(count, step),
                "block": np.full(count, number),
                "seed": np.array(stack.seeds),
                "stable_rank_input": inputs[name],
                **exact(matrices),
                **iterated(matrices, case.probing.iterations),
                **realised(stack, batch, name, found[name], case.probing.lengths),
            }
        )
    return rows


def exact(matrices: Tensor) -> dict[str, np.ndarray]:
    """Angle to the exact polar factor and what it loses, measured and by √(nr/r)."""
    g = matrices.double()
    spectrum = diagonal_spectrum(singular_values(g))
    factor = polar(matrices).factor.double()  # directions below float32's round-off are absent
    cosine = _cosine(g, factor)
    full = _norm(factor).square().round()  # ‖polar G‖_F² is the rank
    best = cosine * _norm(g) / _norm(factor)
    lost = _norm(g - best[:, None, None] * factor) / _norm(g).clamp_min(1e-300)
    ranks = nuclear_rank(spectrum)
    return {
        "full": full.numpy(),
        "nuclear_rank": ranks.numpy(),
        "erank": effective_rank(spectrum).numpy(),
        "angle_exact": _degrees(cosine),
        "angle_identity": _degrees((ranks / full).sqrt()),
        "loss_exact": lost.numpy(),
        "loss_identity": (1 - ranks / full).clamp_min(0).sqrt().numpy(),
    }


def iterated(matrices: Tensor, iterations: tuple[int, ...]) -> dict[str, np.ndarray]:
    """The same for every iteration, precision and number of steps."""
    before = effective_rank(diagonal_spectrum(singular_values(matrices.double())))
    table: dict[str, list[np.ndarray]] = {
        name: []
        for name in (
            "angle",
            "information_loss",
            "printed_loss",
            "rank_ratio",
            "smallest",
            "largest",
        )
    }
    g = matrices.double()
    for method in METHODS:
        for precision in PRECISIONS.values():
            for steps in iterations:
                made = newton_schulz(matrices, iteration=method, steps=steps, dtype=precision)
                x = made.factor.double()  # bfloat16 has no singular value decomposition
                values = singular_values(x)
                cosine = _cosine(g, x)
                after = effective_rank(diagonal_spectrum(values))
                table["angle"].append(_degrees(cosine))
                table["information_loss"].append((1 - cosine**2).clamp_min(0).sqrt().numpy())
                table["printed_loss"].append((_norm(g - x) / _norm(g)).numpy())
                table["rank_ratio"].append((after / before).numpy())
                table["smallest"].append(values[:, -1].numpy())
                table["largest"].append(values[:, 0].numpy())
    shape = (len(METHODS), len(PRECISIONS), len(iterations), -1)
    return {
        name: np.moveaxis(np.stack(values).reshape(shape), -1, 0) for name, values in table.items()
    }


def realised(
    stack: Stack, batch: tuple[Tensor, Tensor], name: str, gradient: Tensor, lengths: int
) -> dict[str, np.ndarray]:
    """Best decrease of the batch's loss along −G and −polar(G) of one block, and the curvatures.

    Both directions have unit Frobenius norm, and the same trial lengths, from 2⁻⁹ of the block's
    own norm on, each twice the last; copies are searched together in float64. The curvature is
    uᵀHu by a central difference.
    """
    weights = {key: p.detach().double() for key, p in stack.parameters.items()}
    x, y = batch
    x = x.double() if x.is_floating_point() else x
    g = gradient.double()
    factor = polar(g.flatten(2)).factor.reshape(g.shape)
    scale = _norm(weights[name].flatten(2)) * 2.0**-9
    shape = (-1, *[1] * (g.ndim - 1))

    def loss(direction: Tensor, length: Tensor) -> Tensor:
        moved = {**weights, name: weights[name] - direction * length.view(shape)}
        with torch.no_grad():
            return stack.losses((x, y), parameters=moved)

    zero = torch.zeros_like(scale)
    start = loss(g, zero)
    found: dict[str, np.ndarray] = {}
    for label, direction in (("euclidean", g), ("spectral", factor)):
        unit = direction / _norm(direction.flatten(2)).clamp_min(1e-300).view(shape)
        losses = torch.stack([loss(unit, scale * 2.0**power) for power in range(lengths)])
        gains = (start - losses).nan_to_num(nan=-torch.inf)
        found[f"gain_{label}"] = gains.max(0).values.clamp_min(0).numpy()
        step = _norm(weights[name].flatten(2)) * CURVATURE_STEP
        bent = loss(unit, step) + loss(unit, -step) - 2 * start
        found[f"curvature_{label}"] = (bent / step**2).numpy()
        found[f"slope_{label}"] = (g * unit).flatten(1).sum(1).numpy()
    return found


def stable_rank_of_inputs(stack: Stack, batch: tuple[Tensor, Tensor]) -> dict[str, np.ndarray]:
    """Stable rank of what each hidden matrix multiplies, one value a copy."""
    found: dict[str, list[float]] = {name: [] for name in stack.hidden}
    modules = {f"{name}.weight": module for name, module in stack.module.named_modules()}

    def keep(name: str):  # type: ignore[no-untyped-def]
        def hook(module: nn.Module, args: tuple[Tensor, ...]) -> None:
            columns = _columns(module, args[0]).double()
            spectrum = diagonal_spectrum(torch.linalg.svdvals(columns))
            found[name].append(stable_rank_of(spectrum).item())

        return hook

    handles = [modules[n].register_forward_pre_hook(keep(n)) for n in stack.hidden]
    try:
        for copy in range(len(stack.seeds)):
            weights = {n: p.detach()[copy] for n, p in stack.parameters.items()}
            functional_call(stack.module, weights, (batch[0][copy],))
    finally:
        for handle in handles:
            handle.remove()
    return {name: np.array(values) for name, values in found.items()}


def _columns(module: nn.Module, x: Tensor) -> Tensor:
    """The input as the matrix that the weight multiplies, features × columns."""
    if isinstance(module, nn.Conv2d):
        size, pad, stride = module.kernel_size, module.padding, module.stride
        patches = nn.functional.unfold(x, size, padding=pad, stride=stride)  # type: ignore[arg-type]
        return patches.transpose(0, 1).flatten(1)
    return x.flatten(0, -2).mT


def _norm(matrices: Tensor) -> Tensor:
    return torch.linalg.matrix_norm(matrices.double())


def _cosine(a: Tensor, b: Tensor) -> Tensor:
    inner = (a * b).flatten(1).sum(1)
    return inner / (_norm(a) * _norm(b)).clamp_min(1e-300)


def _degrees(cosine: Tensor) -> np.ndarray:
    return np.degrees(np.arccos(np.clip(cosine.numpy(), -1.0, 1.0)))


ORTHONORMALIZING = Experiment(
    "orthonormalizing", run_orthonormalizing, partial(probe_cases, arm="muon")
)
