"""Registered probes, and one of a user's own, keep their promises; broken ones are caught."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch.optim import Optimizer

from spectrain.core import Block, InputError, Quantity, Source
from spectrain.monitor import BrokenPromiseError, check_probe, contract
from spectrain.monitor.contract import PROMISES, Promise, Trainings, trainings_of
from spectrain.monitor.probes import PROBES, Probe, register
from spectrain.monitor.probes.propagating import PropagatingProbe
from spectrain.monitor.sample import Sample

COMPILED = pytest.param(contract.reads_compiled_models, marks=pytest.mark.slow)
PARAMETERS = [COMPILED if p is contract.reads_compiled_models else p for p in PROMISES]


class Agreement(Probe):
    """Share of the entries whose sign the gradient and the weights share: a user's own probe."""

    name = "agreement"
    records = (Quantity(Source.GRADIENT, "agreement", "1", "mean of [G_ij·W_ij > 0]"),)

    def begin(self, plan: object) -> None:
        self.found: dict[Block, torch.Tensor] = {}

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        for block in blocks:
            gradient = self.scene.gradient(block, optimizer)
            if gradient is not None:
                self.found[block] = (gradient * self.scene.weight(block) > 0).double().mean()

    def detach(self, sample: Sample) -> None:
        for block, value in self.found.items():
            sample.number(block, Source.GRADIENT, "agreement", value)


ALL: list[type[Probe]] = [*PROBES.values(), PropagatingProbe, Agreement]


@pytest.fixture(scope="module")
def trainings() -> Trainings:
    """Every probe at once: a training of each manner for all of them."""
    return Trainings([PropagatingProbe, Agreement])


@pytest.mark.parametrize("promise", PARAMETERS, ids=lambda p: p.__name__)
@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
def test_probes_keep_their_promises(
    probe: type[Probe], promise: Promise, trainings: Trainings
) -> None:
    promise(probe, trainings)


def test_there_is_something_to_compare(trainings: Trainings) -> None:
    """Nearly all probes write rows in these trainings: the promises are no empty ones.

    There is no attention, no Muon and nothing infinite.
    """
    silent = {p.name for p in ALL if not trainings.rows(p, contract.ACCUMULATED)}
    assert silent == {"granularity", "intended", "logits", "not_finite", "scores"}
    composed = trainings.frame(contract.ACCUMULATED).filter(block="second.weight")
    assert set(composed["source"]) == {"weight", "update"}


class Undeclared(Agreement):
    name = "undeclared"

    def detach(self, sample: Sample) -> None:
        for block, value in self.found.items():
            sample.number(block, Source.GRADIENT, "something_else", value)


class Meddling(Agreement):
    name = "meddling"

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        super().gradient_ready(optimizer, blocks)
        for block in blocks:
            self.scene.weight(block).mul_(1.001)


class TooEarly(Agreement):
    """Reads the gradient of the step before, where a closure is still to be called."""

    name = "too_early"

    def before_update(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        super().gradient_ready(optimizer, blocks)

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        pass


class InScaledUnit(Agreement):
    """Forgets that it reads the gradient in the unit of the scaled loss."""

    name = "in_scaled_unit"

    def begin(self, plan: object) -> None:
        super().begin(plan)
        self.handles = [
            p.register_post_accumulate_grad_hook(self._hook(block))
            for block in self.scene.blocks
            if (p := self.scene.parameters[block.parameter]).requires_grad
        ]

    def _hook(self, block: Block) -> Callable[[torch.Tensor], None]:
        def read(parameter: torch.Tensor) -> None:
            if parameter.grad is not None:
                self.found[block] = parameter.grad.norm()

        return read

    def gradient_ready(self, optimizer: Optimizer, blocks: Sequence[Block]) -> None:
        pass

    def detach(self, sample: Sample) -> None:
        for handle in self.handles:
            handle.remove()
        super().detach(sample)


@pytest.mark.parametrize(
    ("probe", "promise", "words"),
    [
        (Undeclared, contract.declares_what_it_records, "something_else"),
        (Meddling, contract.leaves_training_alone, "weights"),
        (TooEarly, contract.reads_closures, "closures"),
        (InScaledUnit, contract.reads_scaled_losses, "scaled losses"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_broken_promise_is_named(probe: type[Probe], promise: Promise, words: str) -> None:
    with pytest.raises(BrokenPromiseError, match=words):
        promise(probe, trainings_of(probe))


@pytest.mark.slow
def test_a_probe_of_ones_own_is_put_through_all() -> None:
    check_probe(Agreement)


def test_a_name_is_taken_once() -> None:
    taken = type("Taken", (Agreement,), {"name": "gradient"})
    with pytest.raises(BrokenPromiseError, match="name of its own"):
        check_probe(taken)
    with pytest.raises(InputError, match="there is a probe 'gradient' already"):
        register(taken)


def test_a_quantity_means_one_thing() -> None:
    other = (Quantity(Source.GRADIENT, "persistent_energy", "1", "something else"),)
    twice = type("Twice", (Agreement,), {"name": "twice", "records": other})
    with pytest.raises(InputError, match="means something else"):
        register(twice)
