"""When spectral updates help, under test, and what the document leaves open."""

from spectrain_studies.descent.study import STUDY
from spectrain_studies.frame import discover

__all__ = ["STUDY"]

discover(__name__)
