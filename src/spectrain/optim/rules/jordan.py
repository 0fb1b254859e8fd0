"""The Muons of the ``muon-optimizer`` package, alone or with Adam for the groups beside."""

from __future__ import annotations

from math import sqrt

from spectrain.optim.rules.adam import AdamW
from spectrain.optim.rules.muon import Muon
from spectrain.optim.rules.registry import RULES

_MIXED = ("MuonWithAuxAdam", "SingleDeviceMuonWithAuxAdam")


@RULES.register("SingleDeviceMuon", *_MIXED, name="jordan_muon")
class JordanMuon(Muon):
    """As torch's with √max(1, m/n), Nesterov and five quintic steps; groups say ``use_muon``.

    Source:
        Jordan et al. 2024 (Muon).
    """

    def scale(self, shape: tuple[int, int]) -> float | None:
        return sqrt(max(1.0, shape[0] / shape[1]))


@RULES.register(*_MIXED, name="jordan_adam")
class AuxAdam(AdamW):
    """The groups with ``use_muon=False``: AdamW."""
