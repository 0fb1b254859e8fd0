"""Which layer a weight lies in, read from the numbers in its path.

A layer is an element of a numbered container that holds further modules: ``blocks.3`` in
``blocks.3.attention.query``. Numbers further in count experts, heads or sublayers, unless the inner
container holds layers itself (``layers.1.blocks.0`` of a staged network); then the layers are
numbered through. In a network without such layers, the elements of a plain sequence are the layers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NUMBERED = re.compile(r"\d+|(?:.*_)?(?:layer|block|stage)_?\d+")
_LAYERS = frozenset({"layer", "layers", "block", "blocks", "h", "blk", "resblocks"})


class Layering:
    """The layers of a network, found from the paths of all its modules with weights.

    Attributes:
        plain: no numbered container holds further modules.

    Example:
        >>> layering = Layering(["wte", "h.0.attn.qkv", "h.0.mlp.0", "h.1.attn.qkv", "h.1.mlp.0"])
        >>> layering.layer("h.1.mlp.0"), layering.depth("h.1.mlp.0"), layering.depth("wte")
        ('h.1', 1, None)
        >>> Layering(["0", "2", "4"]).depth("4")
        2
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._below: dict[str, list[str]] = {}
        paths = list(dict.fromkeys(paths))
        for path in paths:
            parts = path.split(".")
            for end in range(len(parts)):
                head, tail = ".".join(parts[:end]), ".".join(parts[end:])
                self._below.setdefault(head, []).append(tail)
        self._layers = {path: self._innermost(path) for path in paths}
        self.plain = not any(self._layers.values())
        if self.plain:
            self._layers = {p: p if p.rpartition(".")[2].isdigit() else None for p in paths}
        self._depths = self._number()
        self._stacks = self._label()

    def layer(self, path: str) -> str | None:
        """Path of the layer that ``path`` lies in."""
        return self._layers[path]

    def depth(self, path: str) -> int | None:
        """Number of that layer, counted from 0."""
        layer = self._layers[path]
        return None if layer is None else self._depths[layer]

    def stack(self, path: str) -> str:
        """What distinguishes that layer's stack from the others; empty where there is only one.

        Example:
            >>> paths = [f"{s}.block.0.{name}" for s in ("encoder", "decoder") for name in "qk"]
            >>> Layering(paths).stack("decoder.block.0.q")
            'decoder'
        """
        layer = self._layers[path]
        return "" if layer is None else self._stacks[_container(layer)]

    def _label(self) -> dict[str, str]:
        """The first part in which the paths of the stacks differ."""
        containers = dict.fromkeys(_container(layer) for layer in self._layers.values() if layer)
        if len(containers) < 2:
            return dict.fromkeys(containers, "")
        parts = [container.split(".") for container in containers]
        shortest = min(map(len, parts))
        common = next((at for at in range(shortest) if len({p[at] for p in parts}) > 1), shortest)
        return {name: name.split(".")[min(common, name.count("."))] for name in containers}

    def _innermost(self, path: str) -> str | None:
        parts = path.split(".")
        layer = None
        for position, part in enumerate(parts):
            element = ".".join(parts[: position + 1])
            if not _NUMBERED.fullmatch(part) or element not in self._below:
                continue
            if layer is None or self._holds_layers(".".join(parts[:position])):
                layer = element
        return layer

    def _holds_layers(self, container: str) -> bool:
        """Whether an inner container holds layers: by its name, and by elements that are alike."""
        name = container.rpartition(".")[2].rstrip("0123456789_").lower()
        if name not in _LAYERS:
            return False
        elements = [set(self._below.get(f"{container}.{index}", ())) for index in range(2)]
        return 2 * len(elements[0] & elements[1]) > len(elements[0] | elements[1])

    def _number(self) -> dict[str, int]:
        stacks: dict[str, dict[str, int]] = {}
        depths = {}
        for layer in filter(None, self._layers.values()):
            container, _, element = layer.rpartition(".")
            stack = stacks.setdefault(_container(layer), {})
            rank = stack.setdefault(layer, len(stack))
            numbered_once = not re.search(r"\d", container) and not self.plain
            depths[layer] = int(re.findall(r"\d+", element)[-1]) if numbered_once else rank
        return depths


def _container(layer: str) -> str:
    """Path of what holds the layers, the numbers of stages left out."""
    return re.sub(r"\d+", "", layer.rpartition(".")[0])
