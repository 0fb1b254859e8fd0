"""Transformers of images, and the U-Nets and transformers of diffusion."""

from spectrain.core import Role
from spectrain.network.families.family import Family, Rows

FAMILY = Family(
    name="vision and diffusion",
    models="timm's ViT, Swin, DINOv2, CLIP, SAM; diffusers' U-Net, DiT",
    names={
        Role.ATTENTION_Q: "to_q",
        Role.ATTENTION_K: "to_k",
        Role.ATTENTION_V: "to_v",
        Role.ATTENTION_QKV: "qkv to_qkv",
        Role.ATTENTION_KV: "kv to_kv kv_proj",
        Role.ATTENTION_O: "proj to_out out",
        Role.MLP_IN: "fc1",
        Role.MLP_OUT: "fc2",
        Role.HEAD: "head mlp_head fc unembed unembedding text_projection visual_projection",
    },
    rows={"0.proj": Rows.INPUT_FIRST},
    example={
        "patch_embed.proj.weight": ((8, 3, 4, 4), (Role.CONV,)),
        "pos_embed": ((1, 5, 8), (Role.EMBEDDING,)),
        "blocks.0.norm1.weight": ((8,), (Role.NORM,)),
        "blocks.0.attn.qkv.weight": (
            (24, 8),
            (Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V),
        ),
        "blocks.0.attn.proj.weight": ((8, 8), (Role.ATTENTION_O,)),
        "blocks.0.mlp.fc1.weight": ((24, 8), (Role.MLP_IN,)),
        "blocks.0.mlp.fc2.weight": ((8, 24), (Role.MLP_OUT,)),
        "blocks.1.attn1.to_q.weight": ((8, 8), (Role.ATTENTION_Q,)),
        "blocks.1.attn1.to_k.weight": ((8, 8), (Role.ATTENTION_K,)),
        "blocks.1.attn1.to_v.weight": ((8, 8), (Role.ATTENTION_V,)),
        "blocks.1.attn1.to_out.0.weight": ((8, 8), (Role.ATTENTION_O,)),
        "blocks.1.ff.net.0.proj.weight": ((48, 8), (Role.MLP_IN, Role.MLP_GATE)),
        "blocks.1.ff.net.2.weight": ((8, 24), (Role.MLP_OUT,)),
        "head.weight": ((3, 8), (Role.HEAD,)),
    },
)
