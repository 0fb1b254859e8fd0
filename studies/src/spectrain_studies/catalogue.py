"""The studies by name."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from spectrain.core import InputError
from spectrain_studies.frame import Study
from spectrain_studies.frame.discovery import studies

STUDIES: tuple[str, ...] = studies()
"""Names of the studies; each is a package beside this file that offers ``STUDY``."""


def load_study(name: str) -> Study[Any]:
    """A study by its name.

    Raises:
        InputError: there is no such study.
    """
    if name not in STUDIES:
        known = ", ".join(STUDIES) or "none yet"
        raise InputError(f"there is no study {name!r}", remedy=f"choose among: {known}")
    study: Study[Any] = import_module(f"spectrain_studies.{name}").STUDY
    return study
