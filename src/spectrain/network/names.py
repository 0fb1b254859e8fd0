"""Names that networks give to their parts, and how to read a dotted name.

The tables are consulted after structure: a name such as ``c_proj`` or ``wo`` means the attention's
output only beside queries and keys, and the output of an MLP only beside its input matrix.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from spectrain.core import Role
from spectrain.network.families import FAMILIES, Rows, names_of

_WRAPPERS = {"weight", "base_layer", "parametrizations", "original", "original0", "original1"}

_ATTENTION = (
    *(Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V, Role.ATTENTION_QKV, Role.ATTENTION_KV),
    *(Role.ATTENTION_Q_DOWN, Role.ATTENTION_KV_DOWN, Role.ATTENTION_O),
)
_MLP = (Role.MLP_IN, Role.MLP_GATE, Role.MLP_OUT)
_OF_CONTEXT = frozenset({*_ATTENTION, *_MLP, Role.HEAD, Role.ROUTER})

ATTENTION = names_of(FAMILIES, _ATTENTION)
"""What a name means beside queries and keys."""

MLP = names_of(FAMILIES, _MLP)
"""What a name means beside the other matrices of an MLP."""

HEAD = frozenset(names_of(FAMILIES, [Role.HEAD]))
"""Names of heads, outside the layers."""

ROUTER = names_of(FAMILIES, [Role.ROUTER])
"""Names of routers, beside experts."""

BESIDE = tuple(
    (family.beside, names_of([family], set(family.names) - _OF_CONTEXT))
    for family in FAMILIES
    if family.beside
)
"""Names that mean something beside certain parameters, with these."""

ELEMENTWISE = frozenset(name for family in FAMILIES for name in family.elementwise)

HEADS = re.compile(r"(?:.+_)?heads?|classifier")
"""Modules that hold a head, perhaps with hidden layers before it."""

IN_ATTENTION = re.compile(r"attn|attention", re.IGNORECASE)
IN_MLP = re.compile(r"mlp|ffn?|feed_?forward|densereludense|.*expert.*", re.IGNORECASE)
"""Modules that are an MLP by their name."""

FACTOR = re.compile(
    r"(?P<base>.+)\.lora_(?:embedding_)?(?P<side>A|B|down|up)(?:\.(?P<adapter>(?!weight$).+?))??"
    r"(?:\.weight)?",
    re.DOTALL,
)
"""A factor of a low-rank adapter, by its address: of peft, loralib, kohya."""

MAGNITUDE = re.compile(
    r"(?P<base>.+)\.lora_magnitude_vector(?:\.(?P<adapter>(?!weight$).+?))??(?:\.weight)?",
    re.DOTALL,
)
"""DoRA's lengths of rows, by their address."""


DIRECTION = {
    "weight_v": "weight_g",
    "parametrizations.weight.original1": "parametrizations.weight.original0",
}
"""Names of direction and size of a weight-normed weight, in its module."""

WEIGHTS = frozenset({"weight", "parametrizations.weight.original", *DIRECTION})
"""Names under which a module holds what it multiplies by, or what that is made from."""


def rows_of(address: str, model_type: str | None) -> Rows:
    """The order of the rows of a fused projection.

    Example:
        >>> rows_of("query_key_value", None).name, rows_of("query_key_value", "chatglm").name
        ('GROUPED', 'QKV')
    """
    stem = stem_of(address)
    names = (f"{parent_of(address).rpartition('.')[2]}.{stem}", stem)
    tables = [family.rows_of_type.get(model_type or "", {}) for family in FAMILIES]
    tables += [family.rows for family in FAMILIES]
    return next((table[n] for table in tables for n in names if n in table), Rows.QKV)


GAINS = frozenset({"weight", "scale", "gamma", "gain", "g"})

_LAYER = re.compile(r"^(?:lin|linear|fc|dense)_|_(?:lin|linear|fc|dense)$")

BUFFERS = frozenset(
    {
        *("running_mean", "running_var", "num_batches_tracked", "inv_freq", "position_ids"),
        *("relative_position_index", "masked_bias", "attn_mask", "mask", "tril"),
    }
)

EXPERT = re.compile(r"expert|moe|_exps", re.IGNORECASE)
EXPERTS = re.compile(
    r"(?!shared).*experts?(?:_(?:\d+|list|modules|layers))?|ffn_\w+_exps", re.IGNORECASE
)
"""What holds experts: a list, a dictionary or a module with stacked ones."""
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


def meaning(table: Mapping[str, Role], name: str) -> Role | None:
    """What a name means, with or without a word that only says that it is a linear layer.

    Example:
        >>> meaning(ATTENTION, "linear_q"), meaning(MLP, "fc_gate"), meaning(MLP, "fc")
        (<Role.ATTENTION_Q: 'attention.q'>, <Role.MLP_GATE: 'mlp.gate'>, None)
    """
    return table.get(name, table.get(_LAYER.sub("", name)))


def role_in(table: dict[str, Role], address: str) -> Role | None:
    """The role that a table gives to the last name, or to the last two together.

    Example:
        >>> role_in(MLP, "layer.0.intermediate.dense.weight"), role_in(MLP, "pooler.dense.weight")
        (<Role.MLP_IN: 'mlp.in'>, None)
    """
    stem = stem_of(address)
    return table.get(f"{parent_of(address).rpartition('.')[2]}.{stem}", meaning(table, stem))


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
