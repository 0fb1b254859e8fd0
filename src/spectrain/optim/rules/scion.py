"""Scion and spectral spheres: steps of the operator norm, with a norm for each group."""

from __future__ import annotations

from enum import Enum

from spectrain.optim.rules.flags import says_orthogonal
from spectrain.optim.rules.orthogonal import Orthogonal
from spectrain.optim.rules.registry import RULES
from spectrain.optim.rules.rule import Decay


@RULES.register("scion", "scionlight")
class Scion(Orthogonal):
    """The linear minimisation oracle of the group's norm, which ``norm`` names, if it does.

    In constrained form the step multiplies the weights by 1 − η, which no setting says for sure.

    Source:
        Pethick et al. 2025, arXiv:2502.07529.
    """

    def orthogonalizes(self, shape: tuple[int, ...]) -> bool:
        """Unless the group names another norm; ``"auto"`` uses a different norm for vectors."""
        asked = self.settings.get("norm", self.settings.get("norm_type"))
        norm = asked.name if isinstance(asked, Enum) else str(asked or "spectral")
        return len(shape) > 1 if norm.lower() == "auto" else bool(says_orthogonal(norm))

    @property
    def decay(self) -> Decay:
        return Decay.UNKNOWN


@RULES.register("spectralsphere", "spectralball", "spectralsphereoptimizer", "sso", "muonhyperball")
class SpectralSphere(Orthogonal):
    """Orthogonal steps along a sphere ‖W‖ = R, onto which the weights are pulled back.

    The pull changes the weights apart from the update, by a factor that no setting gives.

    Source:
        Controlled LLM training on spectral sphere, arXiv:2601.08393.
    """

    @property
    def decay(self) -> Decay:
        return Decay.UNKNOWN
