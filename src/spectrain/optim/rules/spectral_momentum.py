"""SpectralMomentum: Muon with parts of its own and singular values to a power."""

from __future__ import annotations

from spectrain.optim.rules.muon import Muon
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Length, Response
from spectrain.optim.spectral_momentum import SpectralMomentum

PARTS_DIFFER = "its parts are as long as matrices of their own shape"


@RULES.register(SpectralMomentum, name="spectral_momentum")
class OpenMuon(Muon):
    """η·s·U Σᵖ Vᵀ of the average, part by part; orthogonal where p = 0."""

    def isometric(self, shape: tuple[int, ...]) -> bool:
        return self.number("exponent") == 0.0 and self.number("rows_beta") == 0.0

    def parts(self, shape: tuple[int, ...]) -> int:
        return int(self.number("cut", 1.0))

    def intended(self, shape: tuple[int, int]) -> Length:
        return super().intended(shape) if self.parts(shape) == 1 else Length(None, PARTS_DIFFER)

    def noise(self, shape: tuple[int, ...], variance: float | None = None) -> Response | None:
        """As Muon's, where a parameter is orthogonalized whole; not known for others."""
        if not self.isometric(shape) or self.parts(shape) != 1:
            return None
        return super().noise(shape, variance)
