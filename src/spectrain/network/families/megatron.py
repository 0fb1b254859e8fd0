"""Megatron-Core."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="Megatron-Core",
    models="Megatron-Core, NeMo",
    names={
        Role.ATTENTION_Q: "linear_q",
        Role.ATTENTION_QKV: "linear_qkv",
        Role.ATTENTION_KV: "linear_kv",
        Role.ATTENTION_O: "linear_proj",
        Role.MLP_IN: "linear_fc1",
        Role.MLP_OUT: "linear_fc2",
        Role.HEAD: "output_layer",
    },
    rows={"linear_qkv": Rows.GROUPED, "linear_kv": Rows.GROUPED},
    example={
        "embedding.word_embeddings.weight": ((32, 8), (Role.EMBEDDING,)),
        "decoder.layers.0.self_attention.linear_qkv.weight": ((16, 8), (Role.ATTENTION_QKV,)),
        "decoder.layers.0.self_attention.linear_proj.weight": ((8, 8), (Role.ATTENTION_O,)),
        "decoder.layers.0.mlp.linear_fc1.weight": ((40, 8), (Role.MLP_GATE, Role.MLP_IN)),
        "decoder.layers.0.mlp.linear_fc2.weight": ((8, 20), (Role.MLP_OUT,)),
        "output_layer.weight": ((32, 8), (Role.HEAD,)),
    },
)
