"""Named tensors out of the nested containers that ``torch.save`` was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from spectrain.core import InputError

WEIGHTS = frozenset(
    {
        "state_dict",
        "model",
        "model_state",
        "model_state_dict",
        "module",
        "net",
        "network",
        "params",
        "weights",
    }
)
"""Keys under which training programs keep the model beside other state."""

STEPS = frozenset({"step", "global_step", "iteration", "iter", "num_steps", "steps"})

BESIDE = "beside the model, no weight of it"

MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Contents:
    """What a saved object holds.

    Attributes:
        tensors: of the model, by dotted name.
        beside: dotted names of the other tensors: the optimizer's state and the like.
        step: the step it tells, if any.
    """

    tensors: dict[str, Tensor]
    beside: tuple[str, ...]
    step: int | None


def contents_of(saved: Any) -> Contents:
    """Tensors of a saved object by dotted name.

    Where a key such as ``"model"`` or ``"state_dict"`` holds tensors, these are the model, under
    their names in it, and all others lie beside it. A container that appears twice is read once, so
    that no object takes longer to read than it is large.

    Raises:
        InputError: two tensors have one name, or containers are nested beyond reason.

    Example:
        >>> import torch
        >>> w = torch.zeros(2, 2)
        >>> found = contents_of({"model": {"w": w}, "optimizer": {"state": {0: w}}, "step": 7})
        >>> list(found.tensors), found.beside, found.step
        (['w'], ('optimizer.state.0',), 7)
    """
    step: int | None = None
    beside: list[str] = []
    unwrapped: set[int] = set()
    while isinstance(saved, Mapping) and id(saved) not in unwrapped:
        unwrapped.add(id(saved))
        if step is None:
            step = next((whole_number(saved[key]) for key in saved if key in STEPS), None)
        key = next((key for key in saved if key in WEIGHTS and _holds_tensors(saved[key])), None)
        if key is None:
            break
        beside.extend(name for name, _ in _tensors({k: v for k, v in saved.items() if k != key}))
        saved = saved[key]
    tensors: dict[str, Tensor] = {}
    for name, tensor in _tensors(saved):
        if name in tensors:
            raise InputError(
                f"two tensors are named {name!r}", remedy="save it again under different names"
            )
        tensors[name] = tensor
    return Contents(tensors, tuple(beside), step)


def model_prefix(names: Iterable[str]) -> str:
    """The prefix, dot included, of the names of the model's tensors among those of a whole state.

    Example:
        >>> model_prefix(["model.w", "optimizer.w.exp_avg"]), model_prefix(["h.0.w", "wte"])
        ('model.', '')
    """
    first = {name.partition(".")[0] for name in names if "." in name}
    beside = first - WEIGHTS
    key = next((key for key in first if key in WEIGHTS), "")
    return f"{key}." if beside and any("optim" in other for other in beside) else ""


def _holds_tensors(value: Any) -> bool:
    return isinstance(value, Mapping) and next(_tensors(value), None) is not None


def _tensors(saved: Any) -> Iterator[tuple[str, Tensor]]:
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Any]] = [((), saved)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, Tensor):
            yield ".".join(path) or "tensor", value
        elif isinstance(value, Mapping | list | tuple) and id(value) not in seen:
            seen.add(id(value))
            if len(path) == MAX_DEPTH:
                raise InputError(
                    f"containers are nested more than {MAX_DEPTH} deep",
                    remedy="save the model's state_dict alone",
                )
            items = value.items() if isinstance(value, Mapping) else enumerate(value)
            below = [((*path, _label(key, at)), inner) for at, (key, inner) in enumerate(items)]
            waiting.extend(reversed(below))


def _label(key: Any, position: int) -> str:
    if isinstance(key, int) and key.bit_length() < 64:
        return str(key)
    return key if isinstance(key, str) else f"#{position}"


def whole_number(value: Any) -> int | None:
    """The value where it can be a step, else ``None``."""
    plain = isinstance(value, int) and not isinstance(value, bool)
    return value if plain and 0 <= value < 1 << 62 else None
