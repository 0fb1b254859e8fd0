"""Mixtures of experts: routers, and experts as modules or stacked in one tensor."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="mixture of experts",
    models="Mixtral, Qwen-MoE, OLMoE, DeepSeek, DBRX, Granite-MoE, JetMoE, Llama 4, GPT-OSS",
    names={
        Role.ROUTER: "gate router router.layer router.classifier router.linear gate.wg wg "
        "shared_expert_gate ffn_gate_inp",
        Role.MLP_IN: "v1 input_linear ffn_up_exps",
        Role.MLP_GATE: "ffn_gate_exps",
        Role.MLP_OUT: "output_linear ffn_down_exps",
    },
    rows_of_type={"gpt_oss": {"gate_up_proj": Rows.ALTERNATING}},
    example={
        "model.embed_tokens.weight": ((32, 8), (Role.EMBEDDING,)),
        "model.layers.0.block_sparse_moe.gate.weight": ((2, 8), (Role.ROUTER,)),
        "model.layers.0.block_sparse_moe.experts.0.w1.weight": ((20, 8), (Role.EXPERT_GATE,)),
        "model.layers.0.block_sparse_moe.experts.0.w2.weight": ((8, 20), (Role.EXPERT_OUT,)),
        "model.layers.0.block_sparse_moe.experts.0.w3.weight": ((20, 8), (Role.EXPERT_IN,)),
        "model.layers.0.block_sparse_moe.experts.1.w1.weight": ((20, 8), (Role.EXPERT_GATE,)),
        "model.layers.0.block_sparse_moe.experts.1.w2.weight": ((8, 20), (Role.EXPERT_OUT,)),
        "model.layers.0.block_sparse_moe.experts.1.w3.weight": ((20, 8), (Role.EXPERT_IN,)),
        "model.layers.1.mlp.gate.weight": ((2, 8), (Role.ROUTER,)),
        "model.layers.1.mlp.experts.gate_up_proj": (
            (2, 40, 8),
            (Role.EXPERT_GATE, Role.EXPERT_IN) * 2,
        ),
        "model.layers.1.mlp.experts.down_proj": ((2, 8, 20), (Role.EXPERT_OUT,) * 2),
        "model.layers.1.mlp.shared_expert.gate_proj.weight": ((20, 8), (Role.MLP_GATE,)),
        "model.layers.1.mlp.shared_expert.up_proj.weight": ((20, 8), (Role.MLP_IN,)),
        "model.layers.1.mlp.shared_expert.down_proj.weight": ((8, 20), (Role.MLP_OUT,)),
        "model.layers.1.mlp.shared_expert_gate.weight": ((1, 8), (Role.ROUTER,)),
    },
)
