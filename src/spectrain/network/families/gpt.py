"""GPT-2 and what grew out of it."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="GPT-2",
    models="GPT-2, nanoGPT, minGPT, speedrun scripts, GPT-BigCode, GPT-J, CodeGen, OPT, MPT, DBRX",
    names={
        Role.ATTENTION_Q: "c_q q_attn",
        Role.ATTENTION_K: "c_k k_attn",
        Role.ATTENTION_V: "c_v v_attn",
        Role.ATTENTION_QKV: "c_attn wqkv",
        Role.ATTENTION_O: "c_proj",
        Role.MLP_IN: "c_fc fc_in expand",
        Role.MLP_GATE: "gate",
        Role.MLP_OUT: "c_proj fc_out contract",
        Role.HEAD: "lm_head",
    },
    rows_of_type={"codegen": {"qkv_proj": Rows.QVK_IN_FOUR}},
    example={
        "wte.weight": ((32, 8), (Role.EMBEDDING,)),
        "h.0.attn.c_q.weight": ((8, 8), (Role.ATTENTION_Q,)),
        "h.0.attn.c_k.weight": ((4, 8), (Role.ATTENTION_K,)),
        "h.0.attn.c_v.weight": ((4, 8), (Role.ATTENTION_V,)),
        "h.0.attn.c_proj.weight": ((8, 8), (Role.ATTENTION_O,)),
        "h.0.mlp.c_fc.weight": ((24, 8), (Role.MLP_IN,)),
        "h.0.mlp.c_proj.weight": ((8, 24), (Role.MLP_OUT,)),
        "h.1.attn.c_attn.weight": (
            (24, 8),
            (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V),
        ),
        "h.1.attn.c_proj.weight": ((8, 8), (Role.ATTENTION_O,)),
        "h.1.mlp.c_fc.weight": ((24, 8), (Role.MLP_IN,)),
        "h.1.mlp.c_proj.weight": ((8, 24), (Role.MLP_OUT,)),
        "ln_f.weight": ((8,), (Role.NORM,)),
        "lm_head.weight": ((32, 8), (Role.HEAD,)),
    },
)
