"""Whether gradients collapse in rank, and what orthonormalizing does to them.

The five experiments of “Information Flow & Gradient Quality Hypothesis”, its predictions as claims,
and what it leaves open: which aspect of orthonormalizing matters, and what else may explain it.
"""

from spectrain_studies.frame import discover
from spectrain_studies.rank.study import STUDY

__all__ = ["STUDY"]

discover(__name__)
