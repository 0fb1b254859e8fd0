"""GPT-NeoX and what fuses its projections head by head."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="GPT-NeoX",
    models="GPT-NeoX, Pythia, Bloom, Falcon, Persimmon, Megatron-LM",
    names={
        Role.ATTENTION_QKV: "query_key_value",
        Role.ATTENTION_O: "dense",
        Role.MLP_IN: "dense_h_to_4h",
        Role.MLP_OUT: "dense_4h_to_h",
        Role.HEAD: "embed_out",
    },
    rows={"query_key_value": Rows.GROUPED},
    config={"model_type": "gpt_neox", "num_attention_heads": 2},
    example={
        "gpt_neox.embed_in.weight": ((32, 8), (Role.EMBEDDING,)),
        "gpt_neox.layers.0.attention.query_key_value.weight": (
            (24, 8),
            (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V),
        ),
        "gpt_neox.layers.0.attention.dense.weight": ((8, 8), (Role.ATTENTION_O,)),
        "gpt_neox.layers.0.mlp.dense_h_to_4h.weight": ((24, 8), (Role.MLP_IN,)),
        "gpt_neox.layers.0.mlp.dense_4h_to_h.weight": ((8, 24), (Role.MLP_OUT,)),
        "embed_out.weight": ((32, 8), (Role.HEAD,)),
    },
)
