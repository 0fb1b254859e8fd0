"""Factors of methods that are not supported, or without their partners: never taken for weights."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from spectrain.checkpoint.adapters.config import AdapterConfig
from spectrain.checkpoint.adapters.registry import Joined, method
from spectrain.checkpoint.stored import Stored

_FACTOR = re.compile(
    r"(?:.*[._])?(?:lora_(?:A|B|E|a|b|down|up|mid|embedding_A|embedding_B|magnitude_vector)|hada_\w+"
    r"|lokr_\w+|vera_\w+|oft_\w+|boft_\w+|hra_\w+|randlora_\w+|fourierft_\w+|vblora_\w+|poly_\w+"
    r"|shira_\w+|miss_\w+|bone_\w+|road_\w+|c3a_\w+|waveft_\w+|delora_\w+|gralora_\w+|lily_\w+"
    r"|trainable_tokens_delta|prompt_embeddings|adaption_prompt|diff(?:_b)?|dora_scale)"
    r"(?:\.[^.]+)??(?:\.weight)?",
    re.ASCII | re.DOTALL,
)


@method("unknown")
def join_unknown(held: Mapping[str, Stored], config: AdapterConfig) -> Iterator[Joined]:
    """Every tensor that is named as a factor."""
    kind = f" ({config.method})" if config.method else ""
    for name in held:
        if _FACTOR.fullmatch(name):
            reason = (
                f"a factor of an adapter whose method is not read{kind}, or without its partner"
            )
            yield Joined(name, None, (name,), reason=f"{reason}: merge it first")
