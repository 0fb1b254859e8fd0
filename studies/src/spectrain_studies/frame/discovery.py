"""Find what a study consists of: no list of claims is kept by hand."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules, walk_packages
from types import ModuleType

import spectrain_studies

STATING = ("claims", "figure")
"""Modules whose names begin so add claims and figures to their study when they are imported."""


def discover(package: str) -> list[ModuleType]:
    """Import every module of a study, in any folder, that states claims or draws figures."""
    found = walk_packages(import_module(package).__path__, f"{package}.")
    names = sorted(module.name for module in found)
    return [import_module(name) for name in names if name.split(".")[-1].startswith(STATING)]


def studies() -> tuple[str, ...]:
    """Names of the studies: packages of this distribution that have a module ``study``.

    Example:
        >>> "rank" in studies(), "frame" in studies()
        (True, False)
    """
    packages = [
        each.name
        for each in iter_modules(spectrain_studies.__path__)
        if each.ispkg and each.name != "frame"
    ]
    roots = {name: [f"{path}/{name}" for path in spectrain_studies.__path__] for name in packages}
    return tuple(
        name for name in sorted(packages) if "study" in {m.name for m in iter_modules(roots[name])}
    )
