"""RWKV: its channel mixing is an MLP; its time mixing has no words here and stays open."""

from spectrain.core import Role
from spectrain.network.families.family import Family

FAMILY = Family(
    name="RWKV",
    models="RWKV-4",
    names={Role.MLP_IN: "feed_forward.key", Role.MLP_OUT: "feed_forward.value"},
    example={
        "rwkv.embeddings.weight": ((32, 8), (Role.EMBEDDING,)),
        "rwkv.blocks.0.attention.key.weight": ((8, 8), (Role.OTHER,)),
        "rwkv.blocks.0.attention.value.weight": ((8, 8), (Role.OTHER,)),
        "rwkv.blocks.0.attention.receptance.weight": ((8, 8), (Role.OTHER,)),
        "rwkv.blocks.0.attention.output.weight": ((8, 8), (Role.OTHER,)),
        "rwkv.blocks.0.feed_forward.key.weight": ((24, 8), (Role.MLP_IN,)),
        "rwkv.blocks.0.feed_forward.receptance.weight": ((8, 8), (Role.OTHER,)),
        "rwkv.blocks.0.feed_forward.value.weight": ((8, 24), (Role.MLP_OUT,)),
        "head.weight": ((32, 8), (Role.HEAD,)),
    },
)
