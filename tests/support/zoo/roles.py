"""The roles of the zoo's blocks, written down from what the architectures do.

A table maps patterns of block names to roles; the first that matches decides. It was written from
the papers and the models' parameters, before any block of them was looked for.
"""

from __future__ import annotations

from spectrain.core import Role

Table = dict[str, Role]

Q, K, V, O = Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V, Role.ATTENTION_O  # noqa: E741
IN, GATE, OUT = Role.MLP_IN, Role.MLP_GATE, Role.MLP_OUT
EXPERT_IN, EXPERT_GATE, EXPERT_OUT = Role.EXPERT_IN, Role.EXPERT_GATE, Role.EXPERT_OUT
EMBEDDING, NORM, HEAD, HIDDEN = Role.EMBEDDING, Role.NORM, Role.HEAD, Role.HIDDEN
CONV, ROUTER, OTHER = Role.CONV, Role.ROUTER, Role.OTHER

FUSED: Table = {
    f"*.{name}.weight[[]{part}]": role
    for name in ("c_attn", "qkv_proj", "Wqkv", "query_key_value")
    for part, role in (("q", Q), ("k", K), ("v", V))
}
PROJECTIONS: Table = {"*.q_proj.weight": Q, "*.k_proj.weight": K, "*.v_proj.weight": V}
SELF: Table = {**PROJECTIONS, "*.self_attn.o_proj.weight": O}
SIDES: Table = {**PROJECTIONS, "*attn.out_proj.weight": O, "*.fc1.weight": IN, "*.fc2.weight": OUT}
NORMS: Table = {"*norm*.weight": NORM, "*.ln_*.weight": NORM, "*LayerNorm.weight": NORM}
SWIGLU: Table = {
    "*.mlp.gate_proj.weight": GATE,
    "*.mlp.up_proj.weight": IN,
    "*.mlp.down_proj.weight": OUT,
}
TABLES: Table = {"*embed_tokens.weight": EMBEDDING, "*embed_positions.weight": EMBEDDING}
LLAMA: Table = {**TABLES, **SELF, **SWIGLU, **NORMS, "lm_head.weight": HEAD}
STACKED: Table = {
    "*.experts.gate_up_proj[[]expert ?.gate]": EXPERT_GATE,
    "*.experts.gate_up_proj[[]expert ?.in]": EXPERT_IN,
    "*.experts.down_proj[[]expert ?]": EXPERT_OUT,
}
GPT: Table = {
    "*.wte.weight": EMBEDDING,
    "*.wpe.weight": EMBEDDING,
    **FUSED,
    "*.attn.c_proj.weight": O,
    "*.mlp.c_fc.weight": IN,
    "*.mlp.c_proj.weight": OUT,
    **NORMS,
}
NEOX: Table = {
    "*embed_in.weight": EMBEDDING,
    "*word_embeddings.weight": EMBEDDING,
    **FUSED,
    "*attention.dense.weight": O,
    "*.dense_h_to_4h.weight": IN,
    "*.dense_4h_to_h.weight": OUT,
    **NORMS,
    "lm_head.weight": HEAD,
}
BERT: Table = {
    "*LayerNorm.weight": NORM,
    "*_embeddings.weight": EMBEDDING,
    "*.self.query.weight": Q,
    "*.self.key.weight": K,
    "*.self.value.weight": V,
    "*.attention.output.dense.weight": O,
    "*.intermediate.dense.weight": IN,
    "*.output.dense.weight": OUT,
}
T5: Table = {
    "shared.weight": EMBEDDING,
    "*.relative_attention_bias.weight": EMBEDDING,
    "*Attention.q.weight": Q,
    "*Attention.k.weight": K,
    "*Attention.v.weight": V,
    "*Attention.o.weight": O,
    "*norm.weight": NORM,
}
MAMBA: Table = {
    "*.conv1d.weight": CONV,
    "*.in_proj.weight": Role.SSM_IN,
    "*.x_proj.weight": Role.SSM_SELECT,
    "*.dt_proj.weight": Role.SSM_STEP,
    "*.out_proj.weight": Role.SSM_OUT,
}
STATES: Table = {
    "*.embeddings.weight": EMBEDDING,
    "*norm*.weight": NORM,
    "lm_head.weight": HEAD,
    **MAMBA,
}
LORA: Table = {
    "*.lora_A.default.weight": Role.ADAPTER_IN,
    "*.lora_B.default.weight": Role.ADAPTER_OUT,
    "*.q_proj.weight": Q,
    "*.v_proj.weight": V,
    **FUSED,
}

ROLES: dict[str, Table] = {
    "gpt2": GPT,
    "bigcode": GPT,
    "codegen": {
        **GPT,
        "*.attn.out_proj.weight": O,
        "*.fc_in.weight": IN,
        "*.fc_out.weight": OUT,
        "lm_head.weight": HEAD,
    },
    "opt": {
        **TABLES,
        "*.project_in.weight": OTHER,  # from the table's width to the network's
        "*.project_out.weight": HIDDEN,  # back again, before the tied head
        **SIDES,
        **NORMS,
    },
    "llama": LLAMA,
    "gemma2": LLAMA,
    "phi": {
        **LLAMA,
        "*.self_attn.dense.weight": O,
        "*.mlp.fc1.weight": IN,
        "*.mlp.fc2.weight": OUT,
    },
    "phi3": {
        **LLAMA,
        **FUSED,
        "*.gate_up_proj.weight[[]gate]": GATE,
        "*.gate_up_proj.weight[[]in]": IN,
    },
    "mpt": {
        "*.wte.weight": EMBEDDING,
        **FUSED,
        "*.attn.out_proj.weight": O,
        "*.ffn.up_proj.weight": IN,
        "*.ffn.down_proj.weight": OUT,
        **NORMS,
    },
    "neox": NEOX,
    "bloom": NEOX,
    "falcon": NEOX,
    "mixtral": {**LLAMA, "*.mlp.gate.weight": ROUTER, **STACKED},
    "qwen2_moe": {
        **LLAMA,
        "*.mlp.gate.weight": ROUTER,
        "*.shared_expert_gate.weight": ROUTER,
        "*.shared_expert.gate_proj.weight": GATE,
        "*.shared_expert.up_proj.weight": IN,
        "*.shared_expert.down_proj.weight": OUT,
        **STACKED,
    },
    "gpt_oss": {
        **LLAMA,
        "*.mlp.router.weight": ROUTER,
        "*.experts.gate_up_proj[[]expert ?]": EXPERT_IN,  # gate and input take turns: one matrix
        "*.experts.down_proj[[]expert ?]": EXPERT_OUT,
    },
    "switch": {
        **T5,
        "*.router.classifier.weight": ROUTER,
        "*.expert_?.wi.weight": EXPERT_IN,
        "*.expert_?.wo.weight": EXPERT_OUT,
        "*.mlp.wi.weight": IN,
        "*.mlp.wo.weight": OUT,
        "lm_head.weight": HEAD,
    },
    "deepseek": {
        **LLAMA,
        "*.q_a_proj.weight": Role.ATTENTION_Q_DOWN,
        "*.q_b_proj.weight": Q,
        "*.kv_a_proj_with_mqa.weight": Role.ATTENTION_KV_DOWN,
        "*.kv_b_proj.weight[[]k]": K,
        "*.kv_b_proj.weight[[]v]": V,
        "*.mlp.gate.weight": ROUTER,
        "*.shared_experts.gate_proj.weight": GATE,
        "*.shared_experts.up_proj.weight": IN,
        "*.shared_experts.down_proj.weight": OUT,
        **STACKED,
    },
    "mamba": STATES,
    "mamba2": STATES,
    "jamba": {
        **LLAMA,
        **MAMBA,
        "*.feed_forward.router.weight": ROUTER,
        "*.feed_forward.gate_proj.weight": GATE,
        "*.feed_forward.up_proj.weight": IN,
        "*.feed_forward.down_proj.weight": OUT,
        **STACKED,
    },
    "rwkv": {
        "*.embeddings.weight": EMBEDDING,
        "*.attention.*.weight": OTHER,  # receptance-gated time mixing has no words here
        "*.feed_forward.key.weight": IN,
        "*.feed_forward.value.weight": OUT,
        "*.feed_forward.receptance.weight": OTHER,
        "*.ln*.weight": NORM,
        "*.pre_ln.weight": NORM,
        "head.weight": HEAD,
    },
    "t5": {
        **T5,
        "*.wi_0.weight": GATE,
        "*.wi_1.weight": IN,
        "*.wo.weight": OUT,
        "lm_head.weight": HEAD,
    },
    "bart": {"*.shared.weight": EMBEDDING, **TABLES, **SIDES, **NORMS},
    "whisper": {**TABLES, "*.conv?.weight": CONV, **SIDES, **NORMS},
    "bert": {**BERT, "*.pooler.dense.weight": HIDDEN, "classifier.weight": HEAD},
    "bert_masked": {**BERT, "*.transform.dense.weight": HIDDEN},
    "roberta": {**BERT, "classifier.dense.weight": HIDDEN, "classifier.out_proj.weight": HEAD},
    "distilbert": {
        "*LayerNorm.weight": NORM,
        "*layer_norm.weight": NORM,
        "*_embeddings.weight": EMBEDDING,
        "*.q_lin.weight": Q,
        "*.k_lin.weight": K,
        "*.v_lin.weight": V,
        "*.out_lin.weight": O,
        "*.lin1.weight": IN,
        "*.lin2.weight": OUT,
        "pre_classifier.weight": HIDDEN,
        "classifier.weight": HEAD,
    },
    "electra": {
        **BERT,
        "*.embeddings_project.weight": OTHER,  # from the tables' width to the network's
        "discriminator_predictions.dense.weight": HIDDEN,
        "discriminator_predictions.dense_prediction.weight": HEAD,
    },
    "albert": {
        "*LayerNorm.weight": NORM,
        "*layer_layer_norm.weight": NORM,
        "*_embeddings.weight": EMBEDDING,
        "*.embedding_hidden_mapping_in.weight": OTHER,
        "*.attention.query.weight": Q,
        "*.attention.key.weight": K,
        "*.attention.value.weight": V,
        "*.attention.dense.weight": O,
        "*.ffn.weight": IN,
        "*.ffn_output.weight": OUT,
        "predictions.dense.weight": HIDDEN,
    },
    "modernbert": {
        "*norm.weight": NORM,
        "*tok_embeddings.weight": EMBEDDING,
        **FUSED,
        "*.attn.Wo.weight": O,
        "*.mlp.Wi.weight[[]gate]": GATE,
        "*.mlp.Wi.weight[[]in]": IN,
        "*.mlp.Wo.weight": OUT,
        "head.dense.weight": HIDDEN,
    },
    "vit": {
        "*position_embeddings": EMBEDDING,
        "*.projection.weight": CONV,
        **PROJECTIONS,
        "*.o_proj.weight": O,
        "*.fc1.weight": IN,
        "*.fc2.weight": OUT,
        "*norm*.weight": NORM,
        "classifier.weight": HEAD,
    },
    "swin": {
        "*.relative_position_bias_table": EMBEDDING,
        "*.projection.weight": CONV,
        **PROJECTIONS,
        "*.o_proj.weight": O,
        "*.fc1.weight": IN,
        "*.fc2.weight": OUT,
        "*norm*.weight": NORM,
        "*.reduction.weight": OTHER,  # merges patches between stages
        "classifier.weight": HEAD,
    },
    "resnet": {
        "*.convolution.weight": CONV,
        "*.normalization.weight": NORM,
        "classifier.1.weight": HEAD,
    },
    "convnext": {
        "*norm.weight": NORM,
        "*.downsampling_layer.0.weight": NORM,
        "*.downsampling_layer.1.weight": CONV,
        "*.patch_embeddings.weight": CONV,
        "*.dwconv.weight": CONV,
        "*.pwconv1.weight": IN,
        "*.pwconv2.weight": OUT,
        "classifier.weight": HEAD,
    },
    "wav2vec2": {
        "*.conv.weight": CONV,
        "*.conv.parametrizations.weight.original1": CONV,
        "*.feature_projection.projection.weight": OTHER,
        **PROJECTIONS,
        "*.out_proj.weight": O,
        "*.intermediate_dense.weight": IN,
        "*.output_dense.weight": OUT,
        "*norm*.weight": NORM,
        "lm_head.weight": HEAD,
    },
    "clip": {
        "*patch_embedding.weight": CONV,
        "*_embedding.weight": EMBEDDING,
        **SIDES,
        "*norm*.weight": NORM,
        "*_projection.weight": HEAD,
    },
    "unet": {
        "*norm*.weight": NORM,
        "*conv*.weight": CONV,
        "*.proj_in.weight": CONV,
        "*.proj_out.weight": CONV,
        "time_embedding.linear_?.weight": OTHER,
        "*.time_emb_proj.weight": OTHER,
        "*.to_q.weight": Q,
        "*.to_k.weight": K,
        "*.to_v.weight": V,
        "*.to_out.0.weight": O,
        "*.ff.net.0.proj.weight[[]in]": IN,
        "*.ff.net.0.proj.weight[[]gate]": GATE,
        "*.ff.net.2.weight": OUT,
    },
    "lora": LORA,
    "dora": LORA,
    "lora_fused": LORA,
    "gcn": {"convs.0.lin.weight": HIDDEN, "convs.1.lin.weight": HEAD},
    "gat": {"convs.0.lin.weight": HIDDEN, "convs.1.lin.weight": HEAD},
    "sage": {"convs.0.lin_?.weight": HIDDEN, "convs.1.lin_?.weight": HEAD},
}
