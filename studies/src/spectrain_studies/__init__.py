"""Studies: the source documents reproduced, every statement of theirs a claim with a verdict."""

from spectrain_studies.catalogue import STUDIES, load_study

__all__ = ["STUDIES", "load_study"]
