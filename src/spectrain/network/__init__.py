"""The blocks of a network: which matrices it trains, what each does, and what feeds it."""

from spectrain.network.find import Network, blocks_from_shapes, find_blocks
from spectrain.network.taps import activation

__all__ = [
    "Network",
    "blocks_from_shapes",
    "find_blocks",
]
