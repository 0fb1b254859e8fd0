"""The manifest: what the run is, on what it ran. Plain JSON, without host name, user or paths."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime
from importlib import metadata
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from spectrain.core import Block, RunError, Skipped
from spectrain.records.layout import MANIFEST, write_whole
from spectrain.records.schema import SCHEMA_VERSION, storable


def compose_manifest(
    manifest: Mapping[str, Any], *, created_at: str | None = None
) -> dict[str, Any]:
    """What the caller knows of its run, completed by format, versions and host.

    Args:
        manifest: anything that becomes JSON, usually ``config``, ``blocks``, ``skipped`` and
            ``seeds``; blocks may be given as :class:`~spectrain.core.Block`.
        created_at: when the run began, if not now.
    """
    import torch

    facts = {
        "schema_version": SCHEMA_VERSION,
        "created_at": created_at or now(),
        "versions": {
            "spectrain": metadata.version("spectrain"),
            "torch": str(torch.__version__),
            "python": platform.python_version(),
        },
        "host": _host(),
    }
    defaults: dict[str, Any] = {"config": {}, "blocks": [], "skipped": [], "seeds": {}}
    plain: dict[str, Any] = to_plain({**defaults, **manifest, **facts})
    return plain


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Put ``manifest.json`` in place, in one step."""
    write_whole(folder / MANIFEST, to_json(manifest), durable=True)


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder.

    Raises:
        RunError: there is none, it is damaged, or a newer spectrain wrote it.
    """
    file = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(file.read_bytes())
        version = int(manifest["schema_version"])
        if version <= SCHEMA_VERSION:
            blocks_of(manifest), skipped_of(manifest), str(manifest["created_at"])
            return manifest
    except (FileNotFoundError, NotADirectoryError):
        raise _no_run(folder) from None
    except OSError as error:
        raise RunError(
            f"{file} cannot be read: {error.strerror}", remedy="check its permissions"
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise RunError(
            f"{file} is not the manifest of a run",
            remedy="restore it from a copy, or pass the folder of another run",
        ) from None
    raise RunError(
        f"{folder} has format {version}, and this spectrain reads up to {SCHEMA_VERSION}",
        remedy="update spectrain",
    )


MOST_NAMED = 5
"""Runs in a folder that are named at most."""


def runs_in(folder: Path) -> list[Path]:
    """The run folders directly in a folder, by name."""
    try:
        return sorted(file.parent for file in folder.glob(f"*/{MANIFEST}"))
    except OSError:
        return []


def _no_run(folder: Path) -> RunError:
    """Why a path is not a run: it is not there, it is a file, it holds runs, or it holds none."""
    if not folder.exists():
        return RunError(f"there is no {folder}", remedy="check the path")
    if not folder.is_dir():
        return RunError(f"{folder} is a file, not a run folder", remedy="pass the run's folder")
    if runs := runs_in(folder):
        names = [run.name for run in runs[:MOST_NAMED]]
        more = len(runs) - len(names)
        listed = ", ".join(names[:-1] if len(names) > 1 and not more else names)
        end = f" and {more:,} more" if more else f" and {names[-1]}" if len(names) > 1 else ""
        return RunError(
            f"{folder} is a folder of runs: it holds {listed}{end}",
            remedy=f"pass one of them, such as {runs[0]}",
        )
    return RunError(
        f"{folder} is not a run folder: it holds no {MANIFEST}",
        remedy="pass the folder that spectrain.watch or `spectrain train` wrote",
    )


def blocks_of(manifest: Mapping[str, Any]) -> tuple[Block, ...]:
    """The block table of a manifest."""
    return tuple(Block.from_dict(entry) for entry in manifest["blocks"])


def skipped_of(manifest: Mapping[str, Any]) -> tuple[Skipped, ...]:
    """The parameters of a manifest that are not blocks, each with its reason."""
    return tuple(Skipped(**entry) for entry in manifest["skipped"])


def to_json(data: Any) -> bytes:
    """Strict JSON: see :func:`to_plain` for what becomes of the rest of Python."""
    return json.dumps(to_plain(data), indent=1, allow_nan=False).encode()


def to_plain(data: Any) -> Any:
    """Mappings, lists, strings, finite numbers, booleans and ``None``; others become strings.

    Example:
        >>> import torch
        >>> to_plain({"clip": float("inf"), "betas": (0.9, 0.95), "dtype": torch.bfloat16})
        {'clip': 'inf', 'betas': [0.9, 0.95], 'dtype': 'torch.bfloat16'}
    """
    match data:
        case None | bool():
            return data
        case Integral():
            return int(data)
        case Real():
            return float(data) if math.isfinite(data) else str(float(data))
        case Mapping():
            return {storable(str(key)): to_plain(value) for key, value in data.items()}
        case list() | tuple() | set() | frozenset():
            return [to_plain(value) for value in data]
        case _ if is_dataclass(data) and not isinstance(data, type):
            return to_plain(asdict(data))
        case _:
            return storable(str(data))


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _host() -> dict[str, Any]:
    import torch

    cuda = torch.cuda.is_initialized()  # asking for its name would initialise it
    return {
        "cpu": _cpu_model(),
        "cpu_count": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "openblas_threads": openblas_threads(),
        "os": f"{platform.system()} {platform.machine()}",
        "device": torch.cuda.get_device_name() if cuda else "cpu",
    }


def openblas_threads() -> int:
    """Threads of the OpenBLAS in NumPy and SciPy, by its rule, from the environment as it is."""
    for variable in ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS"):
        text = os.environ.get(variable, "")
        if text.isascii() and text.isdecimal() and int(text) > 0:
            return int(text)
    return os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()
