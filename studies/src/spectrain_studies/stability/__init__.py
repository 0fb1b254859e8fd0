"""Whether trouble is announced before the loss shows it, and a layer of the wrong pace named."""

from spectrain_studies.frame import discover
from spectrain_studies.stability.study import STUDY

discover(__name__)

__all__ = ["STUDY"]
