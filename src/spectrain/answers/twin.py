"""The noise twin of a block, from a run's records: what its optimizer would make of noise alone.

The optimizer's rule says how its updates are correlated and how its decay acts; the size of the
updates is measured. So a twin accounts for amsgrad, for gradients so small that ε matters, and for
blocks that are rarely used, without a theory of each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from math import prod, sqrt
from typing import Any

import numpy as np
import polars as pl
from jaxtyping import Float64, Int64
from scipy.ndimage import uniform_filter1d

from spectrain.answers.series import by_block, read_series
from spectrain.core import Block, Source
from spectrain.optim.rules import Decay, Response, Rule, recorded
from spectrain.records import Run
from spectrain.regime import Path, Timescale, noise_path, relaxations_passed, timescale
from spectrain.regime.path import Course

Array = np.ndarray
Samples = Mapping[str, pl.DataFrame]

SETTINGS = (
    *("learning_rate", "weight_decay", "beta1", "beta2", "momentum", "nesterov"),
    *("newton_schulz_steps", "dampening", "eps", "alpha"),
)

ENOUGH = 5
"""Fewest recorded weights."""

MOST_STEPS = 100_000
"""Points at which the schedule of a longer run is read."""


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

    def course(self, name: str) -> Course:
        """A setting between its records, linearly interpolated; 0 where it has none."""
        values = self.settings.get(name, np.zeros(len(self.steps)))
        return lambda steps: np.interp(steps, self.steps, values)

    def timescale(self) -> Timescale:
        """That of its weight decay as it is set, over the steps that are recorded."""
        length = int(self.steps[-1] - self.steps[0]) + 1
        at = np.linspace(self.steps[0], self.steps[-1], min(length, MOST_STEPS))
        result = timescale(self.course("learning_rate")(at), self.course("weight_decay")(at))
        return replace(result, share=result.steps / length)

    def moves(self) -> bool:
        """Whether the equilibrium √(η/λ) moved by more than a hundredth through the run."""
        rates = self.settings.get("learning_rate", np.zeros(1))
        decays = self.settings.get("weight_decay", np.zeros(1))
        return bool(np.ptp(rates) > 0.01 * rates.max() or np.ptp(decays) > 0.01 * decays.max())


@dataclass(frozen=True, slots=True)
class Twin:
    """What noise alone would have made of a block.

    Attributes:
        path: from its first recorded norm on.
        error: relative standard error of the path's ‖W‖².
        measured: whether the energy of the updates was measured; else it is the rule's.
        decay: factor by which λ acts as decoupled decay would, at the end.
    """

    path: Path
    error: float
    measured: bool
    decay: float


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
            {**entry.get("settings", {}), **_as_group(settings)},
            label=entry["optimizer"],
        )
        group = Group(entry["name"], entry["optimizer"], steps, settings, rule)
        groups |= dict.fromkeys(entry["parameters"], group)
    return groups


def _as_group(settings: Mapping[str, Array]) -> dict[str, Any]:
    """The last recorded values under the names that optimizers give them."""
    names = {"learning_rate": "lr", "newton_schulz_steps": "ns_steps"}
    last = {names.get(name, name): float(values[-1]) for name, values in settings.items()}
    betas = [last.pop(f"beta{n}") for n in (1, 2) if f"beta{n}" in last]
    return {**last, "betas": betas} if betas else last


def read_twin_series(run: Run) -> dict[str, Samples]:
    """Norms of every block, by what they are norms of."""
    wanted = {
        "weight": Source.WEIGHT,
        "update": Source.UPDATE,
        "direction": Source.DIRECTION,
        "gradient": Source.GRADIENT,
    }
    return {
        key: by_block(
            read_series(run, source, "frobenius_norm").filter(pl.col("block").is_not_null())
        )
        for key, source in wanted.items()
    }


def entries(block: Block) -> int:
    """Number of entries of a block."""
    return block.shape[0] if block.view.diagonal else prod(block.shape)


def directions(block: Block, group: Group, series: Mapping[str, Samples]) -> pl.DataFrame | None:
    """Norms of the update without decoupled decay; without any that is the update."""
    decoupled = group.rule.decay in (Decay.DECOUPLED, Decay.UNKNOWN)
    return series["direction" if decoupled else "update"].get(block.name)


def twin_of(
    block: Block, group: Group | None, series: Mapping[str, Samples]
) -> tuple[Twin | None, str | None]:
    """The twin of a block at the steps of its recorded weights, or why there is none."""
    weights = series["weight"].get(block.name)
    if weights is None or weights.height < ENOUGH:
        count = 0 if weights is None else weights.height
        return None, f"{count} recorded weights, {ENOUGH} are needed"
    if block.composition is not None:
        return None, "it is made of other parameters, and no optimizer steps it"
    if group is None:
        return None, "the optimizer's settings are not recorded"
    response, reason = _response(block, group, series)
    if response is None or response.decay is None:
        return None, reason
    steps = weights["step"].to_numpy()
    initial = float(weights["value"][0] ** 2)
    factor = _factor(block, group, series, response.decay)
    rates, decays = group.course("learning_rate"), group.course("weight_decay")

    def acting(at: Float64[Array, " m"]) -> Float64[Array, " m"]:
        return decays(at) * factor(at)

    coupled = group.rule.decay is Decay.COUPLED
    energies = _energies(block, group, series)
    if energies is None:
        if response.energy is None:
            return None, f"{group.optimizer}'s update was not recorded without its decay"
        known, error = (lambda at: np.full(len(at), float(response.energy or 0.0))), 0.0
    else:
        at, squares = energies
        if coupled:
            squares = _without_decay(squares, at, initial, steps, rates, acting)
        error = _error(squares)
        known = _through(at, _smooth(squares))
    update = replace(response, energy=1.0).update
    assert update is not None
    path = noise_path(steps, initial, rates=rates, decays=acting, energies=known, update=update)
    last = float(factor(steps[-1:].astype(np.float64))[0])
    spread = sqrt(error**2 + response.spread**2)
    return Twin(path, spread, energies is not None, last), None


def _response(
    block: Block, group: Group, series: Mapping[str, Samples]
) -> tuple[Response | None, str | None]:
    shape = block.shape[:1] if block.view.diagonal else block.shape
    variances = _variances(block, series)
    variance = None if variances is None else float(np.median(variances[1]))
    response = group.rule.noise(shape, variance)
    if response is None:
        return None, f"what {group.optimizer} makes of noise is not known"
    if response.decay is None:
        return None, f"how {group.optimizer}'s decay acts on noise is not known"
    return response, None


def _factor(block: Block, group: Group, series: Mapping[str, Samples], last: float) -> Course:
    """How λ acts through the run: with coupled decay of Adam it depends on the gradients' size."""
    variances = _variances(block, series)
    if group.rule.decay is not Decay.COUPLED or variances is None:
        return lambda at: np.full(len(at), last)
    shape = block.shape[:1] if block.view.diagonal else block.shape
    responses = [group.rule.noise(shape, float(variance)) for variance in variances[1]]
    factors = [last if one is None or one.decay is None else one.decay for one in responses]
    return _through(variances[0], np.array(factors))


def _variances(
    block: Block, series: Mapping[str, Samples]
) -> tuple[Float64[Array, " n"], Float64[Array, " n"]] | None:
    """Mean square of a gradient's entries, where it is not zero."""
    gradients = series["gradient"].get(block.name)
    if gradients is None:
        return None
    norms = gradients["value"].to_numpy()
    known = norms > 0
    if not known.any():
        return None
    return gradients["step"].to_numpy()[known].astype(np.float64), norms[known] ** 2 / entries(
        block
    )


def _energies(
    block: Block, group: Group, series: Mapping[str, Samples]
) -> tuple[Float64[Array, " n"], Float64[Array, " n"]] | None:
    """‖u‖² at learning rate 1, by step."""
    applied = directions(block, group, series)
    if applied is None:
        return None
    steps = applied["step"].to_numpy().astype(np.float64)
    rates = group.course("learning_rate")(steps)
    known = rates > 0
    if not known.any():
        return None
    return steps[known], (applied["value"].to_numpy()[known] / rates[known]) ** 2


def _without_decay(
    squares: Float64[Array, " n"],
    at: Float64[Array, " n"],
    initial: float,
    steps: Int64[Array, " m"],
    rates: Course,
    decays: Course,
) -> Float64[Array, " n"]:
    """Energies less that of the first weights' decay, which coupled decay puts into the update."""
    passed = np.interp(at, steps, relaxations_passed(steps, rates, decays))
    return np.maximum(squares - decays(at) ** 2 * initial * np.exp(-passed), 0.0)


def _smooth(squares: Float64[Array, " n"]) -> Float64[Array, " n"]:
    """Mean over a tenth of the records: single updates scatter, most where gradients are rare."""
    return np.asarray(uniform_filter1d(squares, max(len(squares) // 10, 1), mode="nearest"))


def _error(squares: Float64[Array, " n"]) -> float:
    """Relative standard error of the mean energy, from its scatter late in the run."""
    late = squares[-max(len(squares) // 3, 3) :]
    mean = late.mean()
    if len(late) < 2 or not mean > 0:
        return 0.0
    return float(late.std(ddof=1) / mean / sqrt(len(late)))


def _through(steps: Float64[Array, " n"], values: Float64[Array, " n"]) -> Course:
    return lambda at: np.interp(at, steps, values)
