"""What networks call their parts: one file a naming family.

A new family is one file with its :class:`~spectrain.network.families.family.Family`, listed in
:data:`FAMILIES`; the contract suite then tests the search for blocks on its example.
"""

from spectrain.network.families import (
    actors,
    bert,
    experts,
    gpt,
    graphs,
    latent,
    llama,
    megatron,
    neox,
    recurrent,
    rwkv,
    seq2seq,
    state_space,
    vision,
)
from spectrain.network.families.family import Family, Rows, names_of

FAMILIES: tuple[Family, ...] = (
    gpt.FAMILY,
    llama.FAMILY,
    neox.FAMILY,
    megatron.FAMILY,
    bert.FAMILY,
    seq2seq.FAMILY,
    vision.FAMILY,
    experts.FAMILY,
    latent.FAMILY,
    state_space.FAMILY,
    recurrent.FAMILY,
    rwkv.FAMILY,
    graphs.FAMILY,
    actors.FAMILY,
)

__all__ = ["FAMILIES", "Family", "Rows", "names_of"]
