"""A task: a function, the case it is called with, and the file that its outcome belongs in."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from spectrain.records.manifest import to_plain
from spectrain.sweeps.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Task:
    """One independent piece of work.

    Attributes:
        function: a picklable function of the case, such as one defined at a module's top level.
        case: all that the outcome depends on.
        file: where the outcome goes; a task whose file is there has been done.
    """

    function: Callable[[Any], Outcome]
    case: Any
    file: Path


def task_of(function: Callable[[Any], Outcome], case: Any, folder: Path) -> Task:
    """A task whose file is named after its case, so that another case is another file.

    Args:
        function: what is run.
        case: an instance of a dataclass that holds plain data.
        folder: where outcomes go.

    Example:
        >>> from dataclasses import dataclass
        >>> from pathlib import Path
        >>> @dataclass(frozen=True)
        ... class Case:
        ...     seed: int
        >>> task_of(print, Case(0), Path("out")) == task_of(print, Case(0), Path("out"))
        True
        >>> task_of(print, Case(0), Path("out")).file == task_of(print, Case(1), Path("out")).file
        False
    """
    text = json.dumps(to_plain(asdict(case)), sort_keys=True)
    digest = sha256(f"{type(case).__qualname__}{text}".encode()).hexdigest()[:20]
    return Task(function, case, folder / f"{digest}.npz")
