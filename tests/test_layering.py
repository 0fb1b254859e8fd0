"""Imports run downwards only, and the test of that test."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import spectrain
import spectrain_studies

ROOT = Path(spectrain.__file__).parent
LABORATORY = Path(spectrain_studies.__file__).parent

LEVELS = (
    {"core", "matrix", "rmt", "records"},
    {"noise", "descent", "network", "regime", "stability", "page"},
    {"optim", "monitor", "checkpoint", "answers", "findings"},
    {"report", "training", "sinks", "integrations", "sweeps", "calibration", "trials"},
    {"cli", "__main__"},
)
SIDEWAYS = {
    *(("matrix", "core"), ("rmt", "core"), ("records", "core")),
    *(("monitor", "optim"), ("answers", "optim"), ("findings", "answers")),
    ("trials", "sweeps"),
    ("__main__", "cli"),
}
"""Allowed edges inside a level: (importer, imported)."""

UPWARDS = {
    ("spectrain.records.reader", "spectrain.report.inline"),
    ("spectrain.monitor.watch", "spectrain.trials.live"),
    ("spectrain.monitor.watch", "spectrain.trials.result"),
}
"""Steps up, taken when a user calls ``run.page()`` or ``run.trial()``: (module, imported)."""

TOP = {"command", "catalogue"}
SHARED = {"frame", "models"}
"""What every study may import of the laboratory; one study never imports another."""

OURS = {"spectrain", "spectrain_studies"}
LEVEL = {package: level for level, packages in enumerate(LEVELS) for package in packages}
LAZY = {name: home.split(".")[1] for name, home in spectrain.HOMES.items()}


def imported_names(source: str, module: str, *, is_package: bool) -> Iterator[str]:
    """Every name of this project that a module imports, wherever in the file, fully qualified."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                names = [alias.name for alias in node.names]
            case ast.ImportFrom():
                base = _absolute(node, module, is_package=is_package)
                names = [f"{base}.{alias.name}" for alias in node.names]
            case ast.Call(args=[ast.Constant(value=str(name)), *_]) if ast.unparse(node.func).split(
                "."
            )[-1] in {"import_module", "__import__"}:
                names = [name]
            case _:
                continue
        yield from (name for name in names if name.split(".")[0] in OURS)


def _absolute(node: ast.ImportFrom, module: str, *, is_package: bool) -> str:
    if node.level == 0:
        return node.module or ""
    package = module.split(".") if is_package else module.split(".")[:-1]
    parts = package[: len(package) - node.level + 1]
    return ".".join([*parts, node.module] if node.module else parts)


def violations(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What in a module's imports breaks the layering, in words."""
    importer = module.split(".")[1]
    if importer not in LEVEL:
        return [f"package {importer} has no level"]
    found = []
    for name in imported_names(source, module, is_package=is_package):
        if name == "spectrain.__version__" or (module, name.rpartition(".")[0]) in UPWARDS:
            continue
        if name.split(".")[0] == "spectrain_studies":
            found.append(f"{module} imports {name}, which lies in the laboratory")
            continue
        first = name.split(".")[1] if "." in name else ""
        imported = LAZY.get(first, first)
        if imported not in LEVEL:
            found.append(f"{module} imports {name}, which has no level")
        elif imported != importer and LEVEL[imported] > LEVEL[importer]:
            found.append(f"{module} imports {name}, which lies above it")
        elif (
            imported != importer
            and LEVEL[imported] == LEVEL[importer]
            and (importer, imported) not in SIDEWAYS
        ):
            found.append(f"{module} imports {name}, which lies beside it")
    return found


def violations_of_a_study(source: str, module: str, *, is_package: bool = False) -> list[str]:
    """What in the imports of a module of the laboratory breaks its order, in words."""
    importer = module.split(".")[1]
    found = []
    for name in imported_names(source, module, is_package=is_package):
        package, *rest = name.split(".")
        imported = rest[0] if rest else ""
        if package != "spectrain_studies" or imported in {importer, *SHARED} or importer in TOP:
            continue
        found.append(f"{module} imports {name}, which lies beside or above it")
    return found


def modules_of(root: Path) -> Iterator[tuple[str, str, bool]]:
    """Source, name and whether it is a package, of every module below the package of ``root``."""
    for path in root.rglob("*.py"):
        if path == root / "__init__.py":
            continue
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        yield path.read_text("utf-8"), module, is_package


@pytest.mark.parametrize(
    ("root", "judge"), [(ROOT, violations), (LABORATORY, violations_of_a_study)]
)
def test_imports_run_downwards(root: Path, judge: Callable[..., list[str]]) -> None:
    modules = list(modules_of(root))
    assert len(modules) > 20
    found = [
        line
        for source, module, is_package in modules
        for line in judge(source, module, is_package=is_package)
    ]
    assert not found, "\n".join(found)


def test_nothing_of_the_instrument_loads_the_laboratory() -> None:
    names = sorted(module for _, module, _ in modules_of(ROOT) if module.count(".") == 1)
    code = (
        f"import sys, importlib; [importlib.import_module(n) for n in {names} "
        "if not n.endswith('__main__')]; "
        "print([n for n in sys.modules if n.startswith('spectrain_studies')])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "[]"


def test_every_listed_edge_stays_in_its_level() -> None:
    assert all(LEVEL[importer] == LEVEL[imported] for importer, imported in SIDEWAYS)


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("spectrain.matrix.gram", "from spectrain.monitor import watch", "above"),
        ("spectrain.matrix.gram", "import spectrain.cli.main as cli", "above"),
        ("spectrain.records.writer", "def f():\n    from spectrain.report import page", "above"),
        ("spectrain.records.writer", "if TYPE_CHECKING:\n    import spectrain.training", "above"),
        ("spectrain.noise.moments", "from spectrain import watch", "above"),
        ("spectrain.noise.moments", "from spectrain.descent import realised", "beside"),
        ("spectrain.matrix.gram", "import spectrain.rmt", "beside"),
        ("spectrain.core.block", "from spectrain.matrix import spectrum", "beside"),
        ("spectrain.core.block", "from ..matrix.gram import small_gram", "beside"),
        ("spectrain.core.block", "from ..answers import descent", "above"),
        ("spectrain.core.block", "import_module('spectrain.cli')", "above"),
        ("spectrain.core.block", "importlib.import_module('spectrain.cli')", "above"),
        ("spectrain.core.block", "from spectrain import utils", "no level"),
        ("spectrain.cli.main", "import spectrain", "no level"),
        ("spectrain.helpers.misc", "x = 1", "no level"),
        ("spectrain.cli.main", "import spectrain_studies", "laboratory"),
        ("spectrain.cli.main", "def f():\n    from spectrain_studies import frame", "laboratory"),
        ("spectrain.cli.main", "import_module('spectrain_studies.rank')", "laboratory"),
    ],
)
def test_a_planted_violation_is_caught(module: str, source: str, complaint: str) -> None:
    assert [complaint in line for line in violations(source, module)] == [True]


def test_a_package_resolves_its_own_relative_imports() -> None:
    assert violations("from ..cli import main", "spectrain.core", is_package=True)
    assert not violations("from .block import Block", "spectrain.core", is_package=True)
    assert not violations("from .block import Block", "spectrain.core.measure")


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("spectrain.cli.main", "from spectrain.core import Block\nimport spectrain.matrix"),
        ("spectrain.matrix.gram", "from spectrain.core.errors import InputError\nimport torch"),
        ("spectrain.training.loop", "from spectrain import open_run, watch"),
        ("spectrain.records.writer", "from spectrain import __version__"),
        ("spectrain.core.block", "print('spectrain.cli')"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert violations(source, module) == []


@pytest.mark.parametrize(
    ("module", "source", "broken"),
    [
        ("spectrain_studies.rank.run", "from spectrain_studies.frame import above", False),
        ("spectrain_studies.rank.run", "from spectrain_studies.models import rbm", False),
        ("spectrain_studies.rank.run", "from spectrain.cli import terminal", False),
        ("spectrain_studies.command", "from spectrain_studies.rank import STUDY", False),
        ("spectrain_studies.rank.run", "from spectrain_studies.noise import race", True),
        ("spectrain_studies.rank.run", "import spectrain_studies.catalogue", True),
        ("spectrain_studies.models.rbm", "from spectrain_studies.randomness import laws", True),
        ("spectrain_studies.frame.study", "from spectrain_studies.models import rbm", False),
    ],
)
def test_studies_share_the_frame_and_the_models_only(
    module: str, source: str, broken: bool
) -> None:
    assert bool(violations_of_a_study(source, module)) == broken


def test_the_step_upwards_is_taken_by_a_function_alone() -> None:
    code = "import sys, spectrain.records; print('spectrain.report' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == "False"
    assert violations("from spectrain.report.page import render", "spectrain.records.reader")
    assert violations("from spectrain.report.inline import InlinePage", "spectrain.records.writer")
