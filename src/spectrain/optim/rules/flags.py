"""What a parameter group says of itself: flags and names that mixed optimizers go by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from typing import Any

KEYS = (
    *("algorithm", "algo", "kind", "optim", "optimizer", "optimizer_type", "optim_type", "type"),
    *("method", "route", "rule", "update_rule", "update_type", "norm", "norm_type"),
    *("norm_factor", "lmo", "group_name", "name"),
)
"""Settings whose text may name the algorithm of a group; the first that does counts."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ORTHOGONAL = re.compile(
    r"\w*muon\w*|orthogonal\w*|orthonormal\w*|ortho|newtonschulz|schulz|zeropower|msign|polar"
    r"|spectral|specgd|dion|scion|sso"
)
_EUCLIDEAN = re.compile(
    r"adam(w|s|h)?|sgd|lion|adafactor|fallback|backup|scalars?|sign|(col|row)norm|bias|rms"
)
_ALGORITHM = re.compile(r"\w*muon\w*|dion2?|scion|specgd|adamw?|sgd|lion|adafactor")
_SIZE = re.compile(r"lr|scale|scaling|adjust|match", re.IGNORECASE)
_EUCLIDEAN_FLAG = re.compile(r"adamw?|(adamw?)?fallback|backup")
_PREFIX = re.compile(r"^_?(is|use|apply|with)?_?")


@dataclass(frozen=True, slots=True)
class Claim:
    """What a group says of itself.

    Attributes:
        orthogonal: whether its steps are orthogonal; ``None`` where it does not say.
        algorithm: the name of what it does, if it gives one.
    """

    orthogonal: bool | None = None
    algorithm: str | None = None


def plain(name: str) -> str:
    """A name without case and separators.

    Example:
        >>> plain("Ada_Factor")
        'adafactor'
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())


def claim_of(group: Mapping[str, Any], state: Mapping[str, Any]) -> Claim:
    """What the state of a parameter, or else its group says of itself.

    Flags that are on or off come before names: they are set for the single group. Under a key that
    is not among :data:`KEYS` a text counts where it is the name of an algorithm and nothing else,
    and the key does not speak of the length of a step.

    Example:
        >>> claim_of({"algorithm": "adamw"}, {}).orthogonal
        False
        >>> claim_of({"use_muon": True}, {}).orthogonal
        True
        >>> claim_of({"use_muon": True}, {"use_muon": False}).orthogonal
        False
        >>> claim_of({"strategy": "muon"}, {}).orthogonal
        True
        >>> claim_of({"adjust_lr_fn": "adamw"}, {}).orthogonal is None
        True
    """
    for place in (state, group):
        for key, value in place.items():
            if isinstance(value, bool) and isinstance(key, str):
                meant = _flag(key)
                if meant is not None:
                    return Claim(orthogonal=value is meant)
    for key in KEYS:
        value = group.get(key)
        text = value.name if isinstance(value, Enum) and not isinstance(value, str) else value
        if isinstance(text, str):
            said = says_orthogonal(text)
            if said is not None:
                return Claim(said, str(text))
    for key, value in group.items():
        if isinstance(value, str) and isinstance(key, str) and not _SIZE.search(key):
            name = plain(value)
            if _ALGORITHM.fullmatch(name):
                return Claim(_ORTHOGONAL.fullmatch(name) is not None, value)
    return Claim()


@lru_cache(maxsize=1024)
def _flag(key: str) -> bool | None:
    """What a flag of this name says where it is on: orthogonal steps, others, or neither."""
    word = plain(_PREFIX.sub("", key.lower()))
    if _ORTHOGONAL.fullmatch(word):
        return True
    return False if _EUCLIDEAN_FLAG.fullmatch(word) else None


@lru_cache(maxsize=1024)
def says_orthogonal(text: str) -> bool | None:
    """Whether a name speaks of orthogonal steps; ``None`` where it speaks of neither.

    Example:
        >>> [says_orthogonal(text) for text in ("NorMuon", "adamw", "encoder")]
        [True, False, None]
    """
    words = [plain(text), *(word.lower() for word in _WORD.findall(text))]
    if any(_ORTHOGONAL.fullmatch(word) for word in words):
        return True
    return False if any(_EUCLIDEAN.fullmatch(word) for word in words) else None
