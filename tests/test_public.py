"""What is public: the names of the reference, which are those of the packages' ``__all__``."""

from __future__ import annotations

import ast
import importlib
import re
from collections import Counter
from pathlib import Path
from pkgutil import walk_packages
from typing import Any

import pytest

import spectrain

ROOT = Path(__file__).parents[1]
REFERENCE = (ROOT / "docs/reference.md").read_text("utf-8")
DOCUMENTED = re.findall(
    r"^\.\. (?:autofunction|autoclass|py:data):: (spectrain\.[\w.]+)$", REFERENCE, re.MULTILINE
)
PUBLIC = sorted({path.rpartition(".")[0] for path in DOCUMENTED})
"""The modules that the reference names something of."""

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
SCRIPTS = [*sorted((ROOT / "examples").glob("*.py")), *sorted((ROOT / "docs/gallery").glob("*.py"))]

TOLERATED = {"spectrain.checkpoint.readers", "spectrain.integrations", "spectrain"}
"""Packages whose modules are imported by name: a public module, not a name in it."""


def resolve(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(importlib.import_module(module), name)


def optional(module: str) -> Any:
    """A public module; skipped where the framework that it serves is not installed."""
    if module.startswith("spectrain.integrations"):
        pytest.importorskip(module.rpartition(".")[2])
    return importlib.import_module(module)


def test_nothing_is_documented_twice() -> None:
    assert [path for path, count in Counter(DOCUMENTED).items() if count > 1] == []


@pytest.mark.parametrize("module", PUBLIC)
def test_the_reference_and_all_are_the_same(module: str) -> None:
    """A name that two packages share stands in the reference once, under either of them."""
    package = optional(module)
    here = {path.rpartition(".")[2] for path in DOCUMENTED if path.rpartition(".")[0] == module}
    assert here <= set(package.__all__)
    elsewhere = [path for path in DOCUMENTED if not path.startswith("spectrain.integrations")]
    for name in set(package.__all__) - here:
        same = [path for path in elsewhere if path.endswith(f".{name}")]
        assert any(resolve(path) is getattr(package, name) for path in same), f"{module}.{name}"


def test_a_name_means_one_thing() -> None:
    """One name in two public packages is one object, but for what frameworks call alike."""
    every: dict[str, set[int]] = {}
    for module in PUBLIC:
        if not module.startswith(("spectrain.integrations", "spectrain.calibration")):
            package = importlib.import_module(module)
            for name in package.__all__:
                every.setdefault(name, set()).add(id(getattr(package, name)))
    found = {name for name, meanings in every.items() if len(meanings) > 1}
    assert found == set()


def test_a_package_that_is_not_public_is_named_by_no_page() -> None:
    """Whatever a document imports is public."""
    sources = [block for page in PAGES for block in PYTHON.findall(page.read_text("utf-8"))]
    sources += [script.read_text("utf-8") for script in SCRIPTS]
    found = set()
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if (
                isinstance(node, ast.ImportFrom)
                and node.module is not None
                and node.module.split(".")[0] == "spectrain"
            ):
                for alias in node.names:
                    path = f"{node.module}.{alias.name}"
                    if node.module not in PUBLIC and node.module not in TOLERATED:
                        found.add(path)
                    elif node.module in PUBLIC and node.module not in TOLERATED:
                        public = optional(node.module).__all__
                        found |= set() if alias.name in public else {path}
    assert found == set()


def test_every_package_with_names_is_public_or_inside_one() -> None:
    """No package lies beside the public ones: what is not public serves one of them."""
    inside = {"cli", "page", "integrations"}
    tops = {
        module.name.split(".")[1]
        for module in walk_packages(spectrain.__path__, "spectrain.")
        if module.ispkg and module.name.count(".") == 1
    }
    assert tops - inside == {name.split(".")[1] for name in PUBLIC if "." in name} - {
        "integrations"
    }
