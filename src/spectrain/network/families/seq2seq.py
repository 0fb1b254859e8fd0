"""Encoders with decoders: T5, BART, and PyTorch's own transformer."""

from spectrain.core import Role
from spectrain.network.families.family import Family

FAMILY = Family(
    name="encoder and decoder",
    models="T5, BART, Marian, Whisper, torch.nn.Transformer",
    names={
        Role.ATTENTION_Q: "q",
        Role.ATTENTION_K: "k",
        Role.ATTENTION_V: "v",
        Role.ATTENTION_O: "o out_proj",
        Role.MLP_IN: "wi wi_1 fc1 linear1",
        Role.MLP_GATE: "wi_0",
        Role.MLP_OUT: "wo fc2 linear2",
        Role.HEAD: "lm_head proj_out",
    },
    example={
        "shared.weight": ((32, 8), (Role.EMBEDDING,)),
        "encoder.block.0.layer.0.SelfAttention.q.weight": ((8, 8), (Role.ATTENTION_Q,)),
        "encoder.block.0.layer.0.SelfAttention.k.weight": ((8, 8), (Role.ATTENTION_K,)),
        "encoder.block.0.layer.0.SelfAttention.v.weight": ((8, 8), (Role.ATTENTION_V,)),
        "encoder.block.0.layer.0.SelfAttention.o.weight": ((8, 8), (Role.ATTENTION_O,)),
        "encoder.block.0.layer.1.DenseReluDense.wi_0.weight": ((20, 8), (Role.MLP_GATE,)),
        "encoder.block.0.layer.1.DenseReluDense.wi_1.weight": ((20, 8), (Role.MLP_IN,)),
        "encoder.block.0.layer.1.DenseReluDense.wo.weight": ((8, 20), (Role.MLP_OUT,)),
        "decoder.block.0.layer.0.SelfAttention.q.weight": ((8, 8), (Role.ATTENTION_Q,)),
        "decoder.block.0.layer.0.SelfAttention.k.weight": ((8, 8), (Role.ATTENTION_K,)),
        "decoder.block.0.layer.0.SelfAttention.v.weight": ((8, 8), (Role.ATTENTION_V,)),
        "decoder.block.0.layer.0.SelfAttention.o.weight": ((8, 8), (Role.ATTENTION_O,)),
        "decoder.block.0.layer.1.EncDecAttention.q.weight": ((8, 8), (Role.ATTENTION_Q,)),
        "decoder.block.0.layer.1.EncDecAttention.k.weight": ((8, 8), (Role.ATTENTION_K,)),
        "decoder.block.0.layer.1.EncDecAttention.v.weight": ((8, 8), (Role.ATTENTION_V,)),
        "decoder.block.0.layer.1.EncDecAttention.o.weight": ((8, 8), (Role.ATTENTION_O,)),
        "decoder.block.0.layer.2.DenseReluDense.wi.weight": ((24, 8), (Role.MLP_IN,)),
        "decoder.block.0.layer.2.DenseReluDense.wo.weight": ((8, 24), (Role.MLP_OUT,)),
        "lm_head.weight": ((32, 8), (Role.HEAD,)),
    },
)
