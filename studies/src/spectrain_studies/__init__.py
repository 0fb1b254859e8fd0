"""Studies: the source documents reproduced, every statement of theirs a claim with a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from spectrain_studies.catalogue import STUDIES, load_study

__all__ = ["STUDIES", "load_study"]


def __getattr__(name: str) -> Any:  # what a study needs imports torch
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from spectrain_studies import catalogue

    return getattr(catalogue, name)
