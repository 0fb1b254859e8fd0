"""Shapes and types are checked at run time in every module that states shapes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from jaxtyping import install_import_hook

ROOT = Path(__file__).parent


SOURCES = (ROOT / "src", ROOT / "studies/src")


def module_name(path: Path) -> str | None:
    """Dotted name of a file of the packages; ``None`` of any other."""
    for source in SOURCES:
        if path.is_relative_to(source) and path.suffix == ".py":
            parts = path.relative_to(source).with_suffix("").parts
            return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return None


def shaped_modules() -> list[str]:
    """Names of the modules that speak of shapes: checking the others costs half of all time."""
    return [
        name
        for source in SOURCES
        for path in sorted(source.rglob("*.py"))
        if "from jaxtyping import" in path.read_text("utf-8") and (name := module_name(path))
    ]


install_import_hook(shaped_modules(), "support.checked")


def pytest_collect_file(file_path: Path) -> None:
    """Import modules as Python does: pytest's way would run one twice that its package imports."""
    if name := module_name(file_path):
        import_module(name)
