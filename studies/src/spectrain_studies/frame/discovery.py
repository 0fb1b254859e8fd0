"""Find what a study consists of: no list of claims is kept by hand."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

FRAME = Path(__file__).parent.name
STATING = ("claims", "figure")
"""Modules whose names begin so add claims and figures to their study when they are imported."""


def discover(package: str) -> list[ModuleType]:
    """Import every module of a study, in any folder, that states claims or draws figures."""
    modules = walk_packages(import_module(package).__path__, f"{package}.")
    names = sorted(module.name for module in modules)
    return [import_module(name) for name in names if name.split(".")[-1].startswith(STATING)]


def studies() -> tuple[str, ...]:
    """Names of the studies: packages of this distribution that have a module ``study``.

    Example:
        >>> "rank" in studies(), "frame" in studies()
        (True, False)
    """
    folders = sorted(Path(__file__).parents[1].iterdir())
    return tuple(
        each.name for each in folders if each.name != FRAME and (each / "study.py").is_file()
    )
