"""Which parameters sit where noise and decay balance, and which follow the signal."""

from spectrain_studies.frame import discover
from spectrain_studies.regime.study import STUDY

__all__ = ["STUDY"]

discover(__name__)
