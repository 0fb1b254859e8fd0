"""heavyball's optimizers that orthogonalize matrices and leave vectors as they are."""

from __future__ import annotations

from spectrain.optim.rules.orthogonal import Orthogonal
from spectrain.optim.rules.registry import RULES


@RULES.register(
    *("heavyball.Muon", "heavyball.MuonAdamW", "heavyball.MuonLaProp", "heavyball.Scion"),
    name="heavyball_orthogonal",
)
class HeavyballOrthogonal(Orthogonal):
    """Polar factors of matrices; a vector takes the step that its average takes."""

    def orthogonalizes(self, shape: tuple[int, ...]) -> bool:
        return len(shape) > 1
