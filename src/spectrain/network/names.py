"""Names that networks give to their parts, and how to read a dotted name.

The tables are consulted after structure: a name such as ``c_proj`` or ``wo`` means the attention's
output only beside queries and keys, and the output of an MLP only beside its input matrix.
"""

from __future__ import annotations

import re

from spectrain.core import Role

_WRAPPERS = {"weight", "base_layer", "parametrizations", "original", "original0", "original1"}

ATTENTION: dict[str, Role] = {
    name: role
    for role, names in {
        Role.ATTENTION_Q: "q query q_proj query_proj wq w_q to_q q_lin q_linear q_attn attn_q",
        Role.ATTENTION_K: "k key k_proj key_proj wk w_k to_k k_lin k_linear attn_k",
        Role.ATTENTION_V: "v value v_proj value_proj wv w_v to_v v_lin v_linear attn_v",
        Role.ATTENTION_QKV: "qkv qkv_proj c_attn query_key_value wqkv to_qkv attn_qkv "
        "kv to_kv kv_proj",
        Role.ATTENTION_O: "o output o_proj out_proj c_proj proj dense wo w_o to_out out out_lin "
        "o_linear attn_output",
    }.items()
    for name in names.split()
}

MLP: dict[str, Role] = {
    name: role
    for role, names in {
        Role.MLP_IN: "expand c_fc fc1 fc_in linear1 lin1 up_proj w3 wi wi_1 dense_h_to_4h "
        "gate_up_proj w12 ffn_up intermediate.dense",
        Role.MLP_GATE: "gate gate_proj w1 wi_0 ffn_gate",
        Role.MLP_OUT: "contract c_proj fc2 fc_out linear2 lin2 down_proj w2 wo "
        "dense_4h_to_h ffn_down output.dense",
    }.items()
    for name in names.split()
}

HEAD = frozenset(
    {
        *("head", "lm_head", "mlp_head", "classification_head", "classifier", "score", "logits"),
        *("output", "output_projection", "proj_out", "embed_out", "unembed", "unembedding"),
        *("decoder", "fc"),
    }
)

KEY_VALUE = frozenset({"kv", "to_kv", "kv_proj"})
"""Fused projections of keys and values; the queries have their own."""

INTERLEAVED = frozenset({"query_key_value"})
"""Fused projections whose rows run head by head: q, k, v of the first, then of the second."""

GAINS = frozenset({"weight", "scale", "gamma", "gain", "g"})

BUFFERS = frozenset(
    {
        *("running_mean", "running_var", "num_batches_tracked", "inv_freq", "position_ids"),
        *("relative_position_index", "masked_bias", "attn_mask", "mask", "tril"),
    }
)

EXPERT = re.compile(r"expert|moe", re.IGNORECASE)
NORM = re.compile(r"norm|^ln(_|\d|$)|^bn(_|\d|$)|_ln$", re.IGNORECASE)
PATCH = re.compile(r"patch_?(?:embed|projection)", re.IGNORECASE)
_TABLE = re.compile(
    r"(?!.*(?:patch|time|proj|mapping))(?:.*(?:embed|embd|position|pos_).*"
    r"|wte|wpe|shared|relative_attention_bias)"
)


def is_table(stem: str) -> bool:
    """Whether a name is that of an embedding: of tokens, positions or relative positions.

    Example:
        >>> is_table("wte"), is_table("pos_embed"), is_table("patch_embed"), is_table("embed_out")
        (True, True, False, False)
    """
    return stem not in HEAD and _TABLE.fullmatch(stem.lower()) is not None


def is_bias(local: str) -> bool:
    """Whether a parameter's local name calls it a bias."""
    return "bias" in local.split("_") or local in {"b", "beta"}


def role_in(table: dict[str, Role], address: str) -> Role | None:
    """The role that a table gives to the last name, or to the last two together.

    Example:
        >>> role_in(MLP, "layer.0.intermediate.dense.weight"), role_in(MLP, "pooler.dense.weight")
        (<Role.MLP_IN: 'mlp.in'>, None)
    """
    stem = stem_of(address)
    return table.get(f"{parent_of(address).rpartition('.')[2]}.{stem}", table.get(stem))


def container_of(address: str) -> str:
    """Path of the module that holds a weight's module, be it a list or a sequence.

    Example:
        >>> container_of("blocks.0.mlp.2.weight"), container_of("blocks.0.mlp.fc1.weight")
        ('blocks.0.mlp', 'blocks.0.mlp')
    """
    parts = address.split(".")
    while len(parts) > 1 and parts[-1] in _WRAPPERS:
        parts.pop()
    return ".".join(parts[:-1])


def _significant(address: str) -> list[str]:
    parts = address.split(".")
    while len(parts) > 1 and (parts[-1].isdigit() or parts[-1] in _WRAPPERS):
        parts.pop()
    return parts


def stem_of(address: str) -> str:
    """The last component that says what a weight is for, in lower case.

    Example:
        >>> stem_of("h.0.attn.c_attn.weight"), stem_of("blocks.1.attention.query.3.weight")
        ('c_attn', 'query')
    """
    return _significant(address)[-1].lower().removesuffix("_weight")


def parent_of(address: str) -> str:
    """Path of the module that holds a weight and its siblings, lists and wrappers left out.

    Example:
        >>> parent_of("blocks.1.attention.query.3.weight"), parent_of("mlp.0.weight")
        ('blocks.1.attention', '')
    """
    return ".".join(_significant(address)[:-1])
