"""Llama and what has its names."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="Llama",
    models="Llama (also as released: wq, w1), Mistral, Qwen, Gemma, OLMo, Phi-3, InternLM2, "
    "Baichuan, ChatGLM; as GGUF: attn_q, ffn_up",
    names={
        Role.ATTENTION_Q: "q_proj wq w_q attn_q",
        Role.ATTENTION_K: "k_proj wk w_k attn_k",
        Role.ATTENTION_V: "v_proj wv w_v attn_v",
        Role.ATTENTION_QKV: "qkv_proj w_pack attn_qkv att_proj",
        Role.ATTENTION_O: "o_proj wo w_o attn_output attn_out",
        Role.MLP_IN: "up_proj w3 gate_up_proj w12 ffn_up ff_proj",
        Role.MLP_GATE: "gate_proj w1 ffn_gate",
        Role.MLP_OUT: "down_proj w2 ffn_down ff_out",
        Role.HEAD: "lm_head output",
    },
    rows_of_type={
        "internlm2": {"wqkv": Rows.GROUPED},
        "chatglm": {"query_key_value": Rows.QKV},
    },
    example={
        "model.embed_tokens.weight": ((32, 8), (Role.EMBEDDING,)),
        "model.layers.0.self_attn.q_proj.weight": ((8, 8), (Role.ATTENTION_Q,)),
        "model.layers.0.self_attn.k_proj.weight": ((4, 8), (Role.ATTENTION_K,)),
        "model.layers.0.self_attn.v_proj.weight": ((4, 8), (Role.ATTENTION_V,)),
        "model.layers.0.self_attn.o_proj.weight": ((8, 8), (Role.ATTENTION_O,)),
        "model.layers.0.mlp.gate_proj.weight": ((20, 8), (Role.MLP_GATE,)),
        "model.layers.0.mlp.up_proj.weight": ((20, 8), (Role.MLP_IN,)),
        "model.layers.0.mlp.down_proj.weight": ((8, 20), (Role.MLP_OUT,)),
        "model.layers.0.input_layernorm.weight": ((8,), (Role.NORM,)),
        "model.layers.1.self_attn.qkv_proj.weight": (
            (16, 8),
            (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V),
        ),
        "model.layers.1.self_attn.o_proj.weight": ((8, 8), (Role.ATTENTION_O,)),
        "model.layers.1.mlp.gate_up_proj.weight": ((40, 8), (Role.MLP_GATE, Role.MLP_IN)),
        "model.layers.1.mlp.down_proj.weight": ((8, 20), (Role.MLP_OUT,)),
        "model.norm.weight": ((8,), (Role.NORM,)),
        "lm_head.weight": ((32, 8), (Role.HEAD,)),
    },
)
