"""What a configuration says about a network: heads, experts, the architecture, tying.

Any value may be missing or wrong: a configuration is data from strangers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

HEAD_COUNTS = (
    "num_heads",
    "n_heads",
    "n_head",
    "heads",
    "nhead",
    "num_attention_heads",
    "encoder_attention_heads",
)
"""Names under which modules and configurations declare the number of query heads."""

_EXPERT_COUNTS = (
    "num_local_experts",
    "num_experts",
    "n_routed_experts",
    "moe_num_experts",
    "num_moe_experts",
)
_PARTS = ("text", "vision", "audio", "encoder", "decoder", "thinker", "llm", "language")
"""Parts of a network that have configurations of their own inside the whole one."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A configuration, as a mapping or as an object with attributes.

    Example:
        >>> whole = Architecture({"vision_config": {"num_attention_heads": 4}, "n_head": 8})
        >>> whole.heads("model.layers.0.attn"), whole.heads("vision_tower.layers.0.attn")
        (8, 4)
    """

    config: Any

    def heads(self, path: str = "") -> int | None:
        """Number of query heads of the part of the network that a path lies in."""
        side = next((p for p in ("encoder", "decoder") if p in path.split(".")), "encoder")
        names = (f"{side}_attention_heads", *HEAD_COUNTS)
        return next((n for part in self._around(path) for n in [_count(part, names)] if n), None)

    def experts(self, path: str = "") -> int | None:
        """Number of experts that a router chooses among."""
        around = self._around(path)
        return next((n for part in around for n in [_count(part, _EXPERT_COUNTS)] if n), None)

    def model_type(self, path: str = "") -> str | None:
        """The architecture in the words of its library, such as ``gpt_neox``."""
        for part in self._around(path):
            if isinstance(kind := _get(part, "model_type"), str):
                return kind.lower()
        return None

    @property
    def tied(self) -> bool:
        """Whether the head is declared to be the embedding."""
        return any(_get(part, "tie_word_embeddings") is True for part in self._around(""))

    def _around(self, path: str) -> list[Any]:
        """The configurations that hold for a path, the innermost first."""
        inner = []
        for part in _PARTS:
            own = _get(self.config, f"{part}_config")
            called = "visual" if part == "vision" else part
            if own is not None and (part in path or called in path):
                inner.append(own)
        text = _get(self.config, "text_config")
        return [*inner, self.config, *([] if text is None else [text])]


def _get(holder: Any, name: str) -> Any:
    return holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)


def _count(holder: Any, names: tuple[str, ...]) -> int | None:
    for name in names:
        count = _get(holder, name)
        if type(count) is int and count > 0:
            return count
    return None
