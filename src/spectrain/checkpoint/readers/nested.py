"""Named tensors out of the nested containers that ``torch.save`` was given."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from spectrain.checkpoint.beside import (
    AVERAGE,
    OPTIMIZER,
    TRAINING,
    beside_the_model,
    is_optimizer_state,
)
from spectrain.checkpoint.readers.inert import ArrayRecord, Fields, TensorRecord
from spectrain.checkpoint.twins import find_twins, follows, note_on_twins
from spectrain.core import InputError, Skipped

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
        "app",
    }
)
"""Keys under which training programs keep the model beside other state."""

STEPS = (
    "step",
    "global_step",
    "global_steps",
    "iteration",
    "iter",
    "iter_num",
    "num_steps",
    "steps",
    "num_updates",
    "train_step",
    "current_step",
    "total_steps",
    "completed_steps",
    "global_iter",
    "n_iter",
    "num_iters",
    "iters",
    "optimizer_step",
    "optimizer_steps",
)
"""Names of counters of optimizer steps; the first that is there counts."""

_COUNTERS = frozenset({"train_state", "trainer", "trainer_state", "progress", "meta", "info"})
"""Containers that hold such a counter."""

_HISTORY = "optimizer_history"
"""Of fairseq: a list whose last entry holds one."""

MAX_DEPTH = 64

Record = TensorRecord | ArrayRecord


@dataclass(frozen=True, slots=True)
class Contents:
    """What a saved object holds.

    Attributes:
        tensors: of the model, by dotted name.
        beside: the other tensors, each with what it is.
        step: the step it gives, if any: a number, or the tensor that holds it.
        notes: what a reader should know of how the model was found.
    """

    tensors: dict[str, Record]
    beside: tuple[Skipped, ...]
    step: int | TensorRecord | None
    notes: tuple[str, ...] = ()


def contents_of(saved: Any) -> Contents:
    """Tensors of a saved object by dotted name.

    Where a key such as ``"model"`` or ``"state_dict"`` holds tensors, these are the model, under
    their names in it. Else the model is what is neither an optimizer's state, known by its keys
    ``state`` and ``param_groups`` or by its name, nor other state of the training program, nor a
    moving average. Where nothing but a moving average is there, it is the model. A container that
    appears twice is read once, so that no object takes longer to read than it is large.

    Raises:
        InputError: two tensors have one name, or containers are nested too deeply.

    Example:
        >>> w = TensorRecord(None)
        >>> contents = contents_of({"model": {"w": w}, "optimizer": {"state": {0: w}}, "step": 7})
        >>> list(contents.tensors), [skip.parameter for skip in contents.beside], contents.step
        (['w'], ['optimizer.state.0'], 7)
    """
    step: int | TensorRecord | None = None
    beside: list[Skipped] = []
    notes: list[str] = []
    unwrapped: set[int] = set()
    while (keyed := _keyed(saved)) is not None and id(saved) not in unwrapped:
        unwrapped.add(id(saved))
        step = _step(keyed) if step is None else step
        key = next((key for key in keyed if key in WEIGHTS and _holds_tensors(keyed[key])), None)
        if key is None:
            break
        for path, _, why in _tensors({k: v for k, v in keyed.items() if k != key}):
            what = why or beside_the_model(path) or TRAINING
            beside.append(Skipped(".".join(path), f"beside the model: {what}"))
        saved = keyed[key]
    entries = list(_tensors(saved))
    reasons = [why or beside_the_model(path) for path, _, why in entries]
    if AVERAGE in reasons and None not in reasons:
        reasons = [None if reason == AVERAGE else reason for reason in reasons]
        notes.append("the weights are a moving average")
    twins = find_twins(
        _parts((p, record) for (p, record, _), why in zip(entries, reasons, strict=True) if not why)
    )
    if twins:
        notes.append(note_on_twins(twins))
    tensors: dict[str, Record] = {}
    for (path, tensor, _), given in zip(entries, reasons, strict=True):
        reason = given
        name = ".".join(path) or "tensor"
        if reason is None and path[:1] and path[0] in twins:
            reason = follows(twins[path[0]])
        if reason is not None:
            beside.append(Skipped(name, f"beside the model: {reason}"))
        elif name in tensors:
            raise InputError(
                f"two tensors are named {name!r}", remedy="save it again under different names"
            )
        else:
            tensors[name] = tensor
    return Contents(tensors, tuple(beside), step, tuple(notes))


def _step(keyed: Mapping[Any, Any]) -> int | TensorRecord | None:
    inner = [_keyed(keyed[key]) for key in keyed if key in _COUNTERS]
    if isinstance(history := keyed.get(_HISTORY), list) and history:
        inner.append(_keyed(history[-1]))
    for mapping in (keyed, *filter(None, inner)):
        for name in STEPS:
            value = mapping.get(name)
            if isinstance(value, TensorRecord) and value.shape in {(), (1,)}:
                return value
            if (number := whole_number(value)) is not None:
                return number
    return None


def _parts(
    entries: Iterable[tuple[tuple[str, ...], Record]],
) -> dict[str, dict[Hashable, Hashable]]:
    """The containers at the top, each with the shapes of its tensors by their names in it."""
    inside: dict[str, dict[Hashable, Hashable]] = {}
    for path, record in entries:
        if len(path) > 1:
            inside.setdefault(path[0], {})[path[1:]] = record.shape
    return inside


def _keyed(value: Any) -> Mapping[Any, Any] | None:
    """The items of a container with keys: a mapping, or what a module holds."""
    if isinstance(value, Mapping):
        return value
    if isinstance(value, Fields):
        if isinstance(parts := value.get("_parameters"), Mapping):
            others = (value.get("_buffers"), value.get("_modules"))
            held = {key: item for key, item in parts.items() if item is not None}
            for other in others:
                held |= {k: v for k, v in (_keyed(other) or {}).items() if v is not None}
            return held
        return value.items or None
    return None


def _holds_tensors(value: Any) -> bool:
    return _keyed(value) is not None and next(_tensors(value), None) is not None


def _tensors(saved: Any) -> Iterator[tuple[tuple[str, ...], Record, str | None]]:
    """Path, tensor, and why it is not the model's where the structure around it shows that."""
    seen: set[int] = set()
    waiting: list[tuple[tuple[str, ...], Any, str | None]] = [((), saved, None)]
    while waiting:
        path, value, why = waiting.pop()
        if isinstance(value, TensorRecord):
            yield path, value, why
            continue
        if isinstance(value, ArrayRecord):
            if value.dtype.lstrip("<>=") in {"f2", "f4", "f8"} and len(value.shape) > 0:
                yield path, value, why
            continue
        keyed = _keyed(value)
        if keyed is None and not isinstance(value, list | tuple):
            continue
        if id(value) in seen:
            continue
        seen.add(id(value))
        if len(path) == MAX_DEPTH:
            raise InputError(
                f"containers are nested more than {MAX_DEPTH} deep",
                remedy="save the model's state_dict alone",
            )
        if why is None and is_optimizer_state(value):
            why = OPTIMIZER
        items = keyed.items() if keyed is not None else enumerate(value)
        below = [((*path, _label(key, at)), inner, why) for at, (key, inner) in enumerate(items)]
        waiting.extend(reversed(below))


def _label(key: Any, position: int) -> str:
    if isinstance(key, int) and key.bit_length() < 64:
        return str(key)
    return key if isinstance(key, str) else f"#{position}"


def whole_number(value: Any) -> int | None:
    """The value where it can be a step, else ``None``."""
    plain = isinstance(value, int) and not isinstance(value, bool)
    return value if plain and 0 <= value < 1 << 62 else None
