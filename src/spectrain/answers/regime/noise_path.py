"""The noise twin's path: norms that an optimizer's recorded settings would make of noise alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64

from spectrain.core import Block, Source
from spectrain.optim.rules import Form, Response, Rule, recorded
from spectrain.records import Run
from spectrain.regime import NoiseUpdate

Array = np.ndarray
SETTINGS = (
    *("learning_rate", "weight_decay", "beta1", "beta2", "momentum", "nesterov"),
    "newton_schulz_steps",
)
OLD_BETAS = (0.9, 0.999)
"""Of runs whose manifest does not hold the groups' settings, where none are recorded."""

MOST_PARTS = 64
"""Parts into which the time between two records is cut."""


@dataclass(frozen=True, slots=True)
class Group:
    """One parameter group through a run.

    Attributes:
        name: such as ``group 0.1``.
        optimizer: class name.
        steps: at which its settings were recorded.
        settings: values by name, one a step; those it does not have are missing.
        rule: what is known of its updates.
    """

    name: str
    optimizer: str
    steps: Int64[Array, " n"]
    settings: Mapping[str, Float64[Array, " n"]]
    rule: Rule = field(default_factory=lambda: Rule({}))

    def at(self, steps: Array, name: str) -> Float64[Array, " m"]:
        """A setting between its records, linearly interpolated."""
        return np.interp(steps, self.steps, self.settings[name])

    def last(self, name: str, default: float) -> float:
        """The last recorded value."""
        values = self.settings.get(name)
        return default if values is None else float(values[-1])


@dataclass(frozen=True, slots=True)
class Path:
    """What noise alone would have made of a block from its first recorded norm on.

    Attributes:
        squared: expected ‖W‖² after each recorded weight.
        initial_share: part of it that is left of the first weights.
        equilibrium: ‖W‖² at which the setting of that step would settle.
        angle: angular update there, in radians.
        relaxations: relaxation times passed between first and last weight.
        spread: relative error of the theory's squared norm.
        decay: factor by which λ acts as decoupled decay would.
    """

    squared: Float64[Array, " n"]
    initial_share: Float64[Array, " n"]
    equilibrium: Float64[Array, " n"]
    angle: Float64[Array, " n"]
    relaxations: float
    spread: float
    decay: float = 1.0


def read_groups(run: Run) -> dict[str, Group]:
    """The group of every parameter, by the parameter's name."""
    rows = run.metrics(source=Source.OPTIMIZER).filter(pl.col("measure").is_in(SETTINGS))
    table = rows.group_by("block", "measure", "step").agg(pl.col("value").mean()).sort("step")
    groups: dict[str, Group] = {}
    for entry in run.manifest.get("groups", ()):
        own = table.filter(pl.col("block") == entry["name"])
        rates = own.filter(pl.col("measure") == "learning_rate")
        if rates.is_empty():
            continue
        steps = rates["step"].to_numpy()
        settings = {
            str(measure): np.interp(steps, values["step"], values["value"])
            for (measure,), values in own.group_by("measure")
        }
        rule = recorded(
            entry.get("rule", entry["optimizer"]),
            {**_as_group(settings), **entry.get("settings", {})},
            label=entry["optimizer"],
        )
        group = Group(entry["name"], entry["optimizer"], steps, settings, rule)
        groups |= dict.fromkeys(entry["parameters"], group)
    return groups


def _as_group(settings: Mapping[str, Array]) -> dict[str, Any]:
    """The last recorded values under the names that optimizers give them."""
    names = {"learning_rate": "lr", "newton_schulz_steps": "ns_steps"}
    last = {names.get(name, name): float(values[-1]) for name, values in settings.items()}
    betas = [last.pop(f"beta{n}", default) for n, default in enumerate(OLD_BETAS, start=1)]
    return {"betas": betas, **last}


def noise_response(
    block: Block, group: Group, energy: float | None, variance: float | None
) -> tuple[Response | None, str | None]:
    """What the group makes of noise in a block, or why it is not known.

    Args:
        block: the block.
        group: its settings.
        energy: measured ‖u‖² at learning rate 1, where the rule leaves it to be measured; of an
            orthogonal step always, as a block may be a part of what was orthogonalized.
        variance: of an entry of the gradients.
    """
    shape = block.shape[:1] if block.view.diagonal else block.shape
    response = group.rule.noise(shape, variance)
    if response is None:
        return None, f"what {group.optimizer} makes of noise is not known"
    if response.decay is None:
        return None, f"how {group.optimizer}'s decay acts on noise is not known"
    if response.energy is None or group.rule.form is Form.ORTHOGONAL:
        if energy is None:
            return None, f"{group.optimizer}'s update was not recorded without its decay"
        response = response.measured(energy)
    return response, None


def noise_path(
    update: NoiseUpdate,
    group: Group,
    steps: Int64[Array, " n"],
    initial: float,
    *,
    decay: float = 1.0,
) -> Path:
    """Follow n ← a²n + η²U²S_a from one recorded weight to the next.

    Between two records the learning rate is taken as linear in the step, and constant within each
    of the parts into which that time is cut.

    Args:
        update: of the optimizer on noise.
        group: its settings through the run.
        steps: of the recorded weights, ascending.
        initial: ‖W‖² at the first of them.
        decay: factor by which λ acts as decoupled decay would.
    """
    fine, lengths, ends = _parts(steps)
    rates, decays = group.at(fine, "learning_rate"), decay * _decays(group, fine)
    a = 1 - rates * decays
    fades = a ** (2 * lengths)
    lasting = np.where(a < 1, (1 - fades) / np.where(a < 1, 1 - a * a, 1.0), lengths)
    kicks = rates**2 * update.energy * update.persistence(a) * lasting
    norm, kept, path, share = initial, initial, [initial], [1.0]
    for fade, kick, end in zip(fades.tolist(), kicks.tolist(), ends.tolist(), strict=True):
        norm, kept = fade * norm + kick, fade * kept
        if end:
            path.append(norm)
            share.append(kept / norm if norm else 1.0)
    passed = float(-2 * (np.log1p(-rates * decays) * lengths).sum())
    at = group.at(steps, "learning_rate"), decay * _decays(group, steps)
    settled = _settled(update, *at)
    return Path(np.array(path), np.array(share), *settled, passed, update.spread, decay)


def _parts(steps: Int64[Array, " n"]) -> tuple[Array, Array, Array]:
    """Middle and length of each part of the time between records, and whether it is the last.

    A record is made after its step, so the steps between records s and t are s + 1 to t.
    """
    between = np.diff(steps)
    counts = np.minimum(between, MOST_PARTS)
    lengths = np.repeat(between / counts, counts)
    last = np.cumsum(counts)
    place = np.arange(len(lengths)) - np.repeat(last - counts, counts)
    middles = np.repeat(steps[:-1], counts) + (place + 0.5) * lengths + 0.5
    return middles, lengths, np.isin(np.arange(len(lengths)), last - 1)


def _settled(
    update: NoiseUpdate, rates: Float64[Array, " n"], decays: Float64[Array, " n"]
) -> tuple[Float64[Array, " n"], Float64[Array, " n"]]:
    product = rates * decays
    defined = (product > 0) & (product < 1)
    safe = np.where(defined, product, 0.5)
    persistence = update.persistence(1 - safe)
    squared = rates**2 * update.energy * persistence / (safe * (2 - safe))
    turned = rates**2 * update.energy / (2 * (1 - safe) * np.where(squared, squared, 1.0))
    turned -= safe**2 / (2 * (1 - safe))
    angle = 2 * np.arcsin(np.sqrt(turned.clip(0, 1) / 2))
    return np.where(defined, squared, np.nan), np.where(defined, angle, np.nan)


def _decays(group: Group, steps: Array) -> Float64[Array, " n"]:
    has = "weight_decay" in group.settings
    return group.at(steps, "weight_decay") if has else np.zeros(len(steps))
