"""Copies of weights are bounded, and what found no room has its turn next."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from spectrain.core import Block, Role
from spectrain.monitor.holdings import Holdings
from spectrain.monitor.probes import probe
from spectrain.monitor.probes.probe import Snapshots


def test_what_finds_no_room_comes_first_the_next_time(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {name: nn.Parameter(torch.randn(4, 4)) for name in "abcde"}
    blocks = [Block(name, Role.OTHER, None, (4, 4), name) for name in parameters]
    size = 4 * 4 * 4
    monkeypatch.setattr(probe, "SNAPSHOT_BYTES", 2 * size)
    snapshots = Snapshots(parameters, Holdings())
    kept = []
    for _ in range(3):
        snapshots.keep(blocks)
        snapshots.keep(blocks)  # a second probe that asks for the same
        assert snapshots.nbytes <= 2 * size
        kept.append({name for name in parameters if snapshots.before(name) is not None})
        snapshots.clear()
    assert kept[0] | kept[1] | kept[2] == set(parameters)


def test_one_parameter_may_be_larger_than_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "SNAPSHOT_BYTES", 1)
    weight = nn.Parameter(torch.randn(3, 2))
    snapshots = Snapshots({"w": weight}, Holdings())
    snapshots.keep([Block("w", Role.OTHER, None, (3, 2), "w")])
    before = snapshots.before("w")
    with torch.no_grad():
        weight.zero_()
    assert before is not None
    assert before.any()
