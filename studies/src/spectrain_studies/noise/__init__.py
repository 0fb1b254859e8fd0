"""Whether the noise of minibatch gradients is multiplicative, and what it does to directions."""

from spectrain_studies.frame import discover
from spectrain_studies.noise.study import STUDY

__all__ = ["STUDY"]

discover(__name__)
