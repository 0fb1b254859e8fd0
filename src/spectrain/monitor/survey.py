"""The survey: which blocks of a model are watched, by which probes, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer

from spectrain.core import Block, Combination, InputError, Role, Skipped
from spectrain.matrix.estimate import COSTS
from spectrain.monitor.guard import Guard
from spectrain.monitor.holdings import Holdings
from spectrain.monitor.probes import PROBES, Probe, Replicas, Scene
from spectrain.network import Network, find_blocks
from spectrain.network.wrapping import parameters_of
from spectrain.optim.rules import plain_settings, resolve

PER_BLOCK = 5e-4
"""Seconds that a reading of any block takes, however small; only its ratio to others matters."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is watched.

    Attributes:
        blocks: by the name of their parameter.
        parameters: of the model, by bare name.
        skipped: what is left out, with its reason.
        probes: that read the blocks.
        scene: what they were made with.
    """

    blocks: Mapping[str, Sequence[Block]]
    parameters: Mapping[str, nn.Parameter]
    skipped: Sequence[Skipped]
    probes: Sequence[Probe]
    scene: Scene

    @property
    def holdings(self) -> Holdings:
        """What of the model is in this process."""
        return self.scene.holdings

    def works(self) -> dict[str, float]:
        """Seconds that the spectrum of each block takes on one core, by its shape."""
        plain = (block for blocks in self.blocks.values() for block in blocks)
        return {block.name: self._work(block) for block in (*plain, *self.scene.composed)}

    def _work(self, block: Block) -> float:
        shape, spectra = block.shape, 0 if block.view.diagonal else 1
        if (made := block.composition) is not None:  # weight and update, at one cadence
            spectra = 2
            if made.rule is Combination.PRODUCT:
                rank = self.scene.parameters[made.parameters[1]].shape[0]
                shape = max(shape), min(*shape, 2 * rank)
        return PER_BLOCK + spectra * COSTS["cpu"].of_spectrum(shape, torch.float64)

    def manifest(self, optimizers: Sequence[Optimizer]) -> dict[str, Any]:
        """Block table, what is skipped, and the optimizers' groups."""
        return {
            "blocks": [
                block.to_dict()
                for blocks in (*self.blocks.values(), self.scene.composed)
                for block in blocks
            ],
            "skipped": [{"parameter": s.parameter, "reason": s.reason} for s in self.skipped],
            "groups": _groups(optimizers, self.parameters),
        }


Hold = Callable[[nn.Module, Mapping[str, nn.Parameter], Sequence[Block]], Holdings]
"""(model, parameters, blocks) ↦ what of them lies in this process."""


@dataclass(slots=True)
class Surveyor:
    """Surveys a model, and again when its parameters have changed.

    Attributes:
        model: what is trained.
        optimizers: that train it.
        measures: patterns such as ``"gradient/*"``.
        include: patterns of block names to watch.
        exclude: patterns of block names to leave out.
        heads: split attention into heads.
        roles: by pattern.
        guard: contains failures.
        hold: makes the holdings.
        share: of the blocks whose replicas are held in a full sample.
        further: probes beside the registered ones.
        replicas: what the backward passes of a step are.
    """

    model: nn.Module
    optimizers: Sequence[Optimizer]
    measures: Sequence[str]
    include: Sequence[str]
    exclude: Sequence[str]
    heads: bool
    roles: Mapping[str, Role] | None
    guard: Guard
    hold: Hold
    share: float
    further: Sequence[type[Probe]] = ()
    replicas: Replicas = Replicas.TESTED
    _seen: Any = field(default=None, init=False)

    def first(self) -> Survey:
        """The survey at the start.

        Raises:
            InputError: a pattern matches nothing, or the optimizer trains another model.
        """
        self._seen = self._state()
        network = find_blocks(self.model, heads=self.heads, overrides=self.roles)
        parameters = parameters_of(self.model)
        self._check(network, parameters)
        candidates, skipped = self._select(network)
        holdings = self.hold(self.model, parameters, candidates)
        watched = [block for block in candidates if block not in holdings.refused]
        skipped += [Skipped(block.name, reason) for block, reason in holdings.refused.items()]
        by_parameter: dict[str, list[Block]] = {}
        for block in watched:
            by_parameter.setdefault(block.parameter, []).append(block)
        scene = Scene(
            model=self.model,
            optimizers=self.optimizers,
            parameters=parameters,
            blocks=watched,
            holdings=holdings,
            guard=self.guard,
            measures=self.measures,
            share=self.share,
            replicas=self.replicas,
            composed=[block for block in network.composed if self._chosen(block)],
        )
        return Survey(by_parameter, parameters, skipped, self._probes(scene), scene)

    def again(self) -> Survey | None:
        """A new survey where parameters or groups have come or gone, thawed or frozen."""
        return None if self._state() == self._seen else self.first()

    def _state(self) -> Any:
        parameters = [(id(p), p.requires_grad, is_lazy(p)) for p in self.model.parameters()]
        return parameters, [len(optimizer.param_groups) for optimizer in self.optimizers]

    def _check(self, network: Network, parameters: Mapping[str, nn.Parameter]) -> None:
        trained = {
            id(p) for o in self.optimizers for group in o.param_groups for p in group["params"]
        }
        if not any(id(parameter) in trained for parameter in parameters.values()):
            raise InputError(
                "the optimizer holds no parameter of the model",
                remedy="pass the model whose parameters the optimizer was made with",
            )
        if any(is_lazy(parameter) for parameter in parameters.values()):
            return  # their blocks are not known yet
        for pattern in (*self.include, *self.exclude):
            if not any(
                _matches(block, [pattern]) for block in (*network.blocks, *network.composed)
            ):
                raise InputError(
                    f"the pattern {pattern!r} matches no block",
                    remedy="see spectrain.find_blocks(model) for the names",
                )

    def _select(self, network: Network) -> tuple[list[Block], list[Skipped]]:
        """The blocks to watch, and what is left out with its reason."""
        watched, skipped = [], [*network.skipped, *network.unsplit]
        for block in network.blocks:
            if self._chosen(block):
                watched.append(block)
            else:
                skipped.append(Skipped(block.name, "left out by pattern"))
        return watched, skipped

    def _chosen(self, block: Block) -> bool:
        return _matches(block, self.include) and not _matches(block, self.exclude)

    def _probes(self, scene: Scene) -> list[Probe]:
        kinds = [*PROBES.values(), *(kind for kind in self.further if kind.name not in PROBES)]
        for pattern in scene.measures:
            if not any(fnmatchcase(q.name, pattern) for kind in kinds for q in kind.records):
                raise InputError(
                    f"measures: {pattern!r} matches nothing", remedy="try 'gradient/*'"
                )
        return [probe for kind in kinds if (probe := kind.of(scene)) is not None]


def _matches(block: Block, patterns: Sequence[str]) -> bool:
    return any(block.name == pattern or fnmatchcase(block.name, pattern) for pattern in patterns)


def _groups(
    optimizers: Sequence[Optimizer], parameters: Mapping[str, nn.Parameter]
) -> list[dict[str, Any]]:
    names = {id(parameter): name for name, parameter in parameters.items()}
    return [
        {
            "name": f"group {index}.{number}",
            "optimizer": type(optimizer).__name__,
            "rule": resolve(optimizer, group).name,
            "settings": plain_settings(group),
            "parameters": [names.get(id(p), "not in the model") for p in group["params"]],
        }
        for index, optimizer in enumerate(optimizers)
        for number, group in enumerate(optimizer.param_groups)
    ]
