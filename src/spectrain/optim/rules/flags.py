"""What a parameter group says of itself: flags and names by which mixed optimizers tell apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

KEYS = (
    *("algorithm", "algo", "kind", "optim", "optimizer", "optimizer_type", "optim_type", "type"),
    *("method", "rule", "update_rule", "update_type", "mode", "norm", "group_name", "name"),
)
"""Settings whose text may name the algorithm of a group; the first that does counts."""

_ORTHOGONAL = re.compile(
    r"muon|orthogonal|orthonormal|newton_?schulz|zeropower|msign|polar|spectral(?!norm)"
    r"|^(distributed|single_?device)?(dion|scion|sso)(?![a-z])",
)
_EUCLIDEAN = re.compile(
    r"(^|[^a-z])(adam(w|s)?|sgd|lion|adafactor|fallback|backup|scalars?)($|[^a-z])"
)
_ORTHOGONAL_FLAG = re.compile(
    r"^(is|use|apply|with)?_?(muon|orthogonal\w*|spectral|polar|dion|ns)$"
)
_EUCLIDEAN_FLAG = re.compile(r"^(is|use|apply|with)?_?(adamw?|fallback|backup|adamw?_fallback)$")


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
    """What a group, or else the state of a parameter in it, says of itself.

    Example:
        >>> claim_of({"algorithm": "adamw"}, {}).orthogonal
        False
        >>> claim_of({"use_muon": True}, {}).orthogonal
        True
        >>> claim_of({"lr": 0.1}, {"use_muon": False}).orthogonal
        False
    """
    for place in (group, state):
        for key in KEYS:
            text = place.get(key)
            if isinstance(text, str):
                orthogonal = says_orthogonal(text)
                if orthogonal is not None:
                    return Claim(orthogonal, text)
        for key, value in place.items():
            if isinstance(value, bool) and isinstance(key, str):
                if _ORTHOGONAL_FLAG.match(key.lower()):
                    return Claim(orthogonal=value)
                if _EUCLIDEAN_FLAG.match(key.lower()):
                    return Claim(orthogonal=not value)
    return Claim()


def says_orthogonal(text: str) -> bool | None:
    """Whether a name speaks of orthogonal steps; ``None`` where it speaks of neither.

    Example:
        >>> [says_orthogonal(text) for text in ("NorMuon", "adamw", "encoder")]
        [True, False, None]
    """
    lower = text.lower()
    if _ORTHOGONAL.search(lower):
        return True
    return False if _EUCLIDEAN.search(lower) else None
