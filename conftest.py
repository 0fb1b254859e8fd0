"""Shapes and types are checked at run time in every module that states shapes."""

from __future__ import annotations

from pathlib import Path

from jaxtyping import install_import_hook

ROOT = Path(__file__).parent


def shaped_modules() -> list[str]:
    """Names of the modules that speak of shapes: checking the others costs half of all time."""
    found = []
    for source in (ROOT / "src", ROOT / "studies/src"):
        for path in sorted(source.rglob("*.py")):
            if "from jaxtyping import" in path.read_text(encoding="utf-8"):
                parts = path.relative_to(source).with_suffix("").parts
                found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


install_import_hook(shaped_modules(), "support.checked")
