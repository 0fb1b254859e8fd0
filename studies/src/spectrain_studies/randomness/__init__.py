"""Whether the eigenvalues of weights under SGD move as those of random matrices do."""

from spectrain_studies.frame import discover
from spectrain_studies.randomness.study import STUDY

__all__ = ["STUDY"]

discover(__name__)
