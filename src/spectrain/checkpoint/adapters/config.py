"""``adapter_config.json``: the method, and by what it multiplies its factors."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spectrain.checkpoint.files import read_json
from spectrain.core import InputError

_WRAPPED = "base_model.model."
_MAX_PATTERN = 1000
_COSTLY = re.compile(r"[*+}]\)?[*+{]|\([^)]*[*+][^)]*\)[*+{]")


@dataclass(frozen=True, slots=True)
class AdapterConfig:
    """What an adapter's configuration says.

    Attributes:
        method: in PEFT's words, such as ``LORA``; empty where it is not given.
        alpha: ``None`` where it is not given.
        rank: of all modules but those of ``ranks``.
        by_root: rank-stabilised adapters divide alpha by √r.
        alphas: other values for some modules, by a regular expression for the end of their names.
        ranks: likewise.
        settings: everything else.
    """

    method: str = ""
    alpha: float | None = None
    rank: int | None = None
    by_root: bool = False
    alphas: Mapping[str, float] = field(default_factory=dict)
    ranks: Mapping[str, float] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def factor(self, module: str, rank: int) -> float | None:
        r"""alpha/r of a module, or alpha/√r; ``None`` where alpha is not known.

        Example:
            >>> config = AdapterConfig(alpha=8, alphas={r"layers\.\d+\.v_proj": 32})
            >>> config.factor("model.layers.0.v_proj", 4), config.factor("model.layers.0.q_proj", 4)
            (8.0, 2.0)
        """
        alpha = _matching(self.alphas, module, self.alpha)
        if alpha is None or rank == 0:
            return None
        return alpha / (math.sqrt(rank) if self.by_root else rank)

    @property
    def begins_in_the_base(self) -> bool:
        """Whether the factors were initialised with a part of the base model, taken out of it.

        Source:
            Meng et al., PiSSA (2024); Büyükakyüz, OLoRA (2024); Yang et al., CorDA (2024).
        """
        method = self.settings.get("init_lora_weights")
        return isinstance(method, str) and method.lower().startswith(("pissa", "olora", "corda"))

    def rank_of(self, module: str) -> int | None:
        """The rank that the configuration gives a module."""
        rank = _matching(self.ranks, module, self.rank)
        return None if rank is None else int(rank)


def _matching(patterns: Mapping[str, float], module: str, otherwise: float | None) -> float | None:
    """PEFT's rule: the first pattern that the end of the name matches, from a dot on."""
    module = module.removeprefix(_WRAPPED)
    for pattern, value in patterns.items():
        if pattern == module or module.endswith(f".{pattern}"):
            return value
        try:
            if re.match(rf"(.*\.)?({pattern})$", module):
                return value
        except re.error:
            continue
    return otherwise


def read_adapter_config(folder: Path) -> AdapterConfig:
    """The configuration in a folder; an empty one where there is none.

    Raises:
        InputError: the file is there and cannot be read.
    """
    path = folder / "adapter_config.json"
    if not path.is_file():
        return AdapterConfig()
    config = read_json(path)
    try:
        inner = config.get("lora_parameters") or {}  # as MLX writes them
        alpha = config.get("lora_alpha", config.get("alpha"))
        if alpha is None and "scale" in inner:
            alpha = float(inner["scale"]) * int(inner.get("rank", 1))
        rank = config.get("r", inner.get("rank"))
        return AdapterConfig(
            str(config.get("peft_type") or "").upper(),
            None if alpha is None else float(alpha),
            None if rank is None else int(rank),
            bool(config.get("use_rslora")),
            _numbers(config.get("alpha_pattern")),
            _numbers(config.get("rank_pattern")),
            dict(config),
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as error:
        raise InputError(
            f"{path.name!r} cannot be read ({error})", remedy="fetch it again, or remove it"
        ) from None


def _numbers(patterns: Any) -> dict[str, float]:
    """Patterns that are short and plain: one from a stranger may take for ever to match."""
    numbers = {str(key): float(value) for key, value in (patterns or {}).items()}
    for pattern in numbers:
        if len(pattern) > _MAX_PATTERN or _COSTLY.search(pattern):
            raise ValueError(f"the pattern {pattern[:60]!r} is too costly to match")
    return numbers
