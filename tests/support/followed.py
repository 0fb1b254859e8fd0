"""The followed largest singular value under a name of its own, whatever else is read."""

from __future__ import annotations

from spectrain.core import Quantity, Source
from spectrain.monitor.probes.largest import LargestProbe


class Followed(LargestProbe):
    """Beside the spectra of the same steps, which stand under the name that it usually has."""

    name = "followed"
    measure = "followed_norm"
    records = (Quantity(Source.WEIGHT, "followed_norm", "unit of W", "σ_1, followed"),)
