"""Multi-head latent attention: queries, keys and values come out of narrow latents."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="latent attention",
    models="DeepSeek-V2 and V3, Kimi, MiniCPM3; Megatron-Core's MLA",
    names={
        Role.ATTENTION_Q: "q_b_proj wq_b linear_q_up_proj",
        Role.ATTENTION_Q_DOWN: "q_a_proj wq_a linear_q_down_proj",
        Role.ATTENTION_KV: "kv_b_proj wkv_b linear_kv_up_proj",
        Role.ATTENTION_KV_DOWN: "kv_a_proj_with_mqa kv_a_proj wkv_a linear_kv_down_proj",
    },
    rows={
        "kv_b_proj": Rows.GROUPED,
        "wkv_b": Rows.GROUPED,
        "linear_kv_up_proj": Rows.GROUPED,
    },
    config={"model_type": "deepseek_v3", "num_attention_heads": 2},
    example={
        "model.embed_tokens.weight": ((32, 12), (Role.EMBEDDING,)),
        "model.layers.0.self_attn.q_a_proj.weight": ((6, 12), (Role.ATTENTION_Q_DOWN,)),
        "model.layers.0.self_attn.q_a_layernorm.weight": ((6,), (Role.NORM,)),
        "model.layers.0.self_attn.q_b_proj.weight": ((12, 6), (Role.ATTENTION_Q,)),
        "model.layers.0.self_attn.kv_a_proj_with_mqa.weight": (
            (7, 12),
            (Role.ATTENTION_KV_DOWN,),
        ),
        "model.layers.0.self_attn.kv_b_proj.weight": (
            (18, 5),
            (Role.ATTENTION_K, Role.ATTENTION_V),
        ),
        "model.layers.0.self_attn.o_proj.weight": ((12, 10), (Role.ATTENTION_O,)),
        "model.layers.0.mlp.gate_proj.weight": ((20, 12), (Role.MLP_GATE,)),
        "model.layers.0.mlp.up_proj.weight": ((20, 12), (Role.MLP_IN,)),
        "model.layers.0.mlp.down_proj.weight": ((12, 20), (Role.MLP_OUT,)),
    },
)
