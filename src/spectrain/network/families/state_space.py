"""Selective state spaces: Mamba and Mamba-2."""

from spectrain.core import Role
from spectrain.network.families.family import Family

FAMILY = Family(
    name="state spaces",
    models="Mamba, Mamba-2, Falcon-Mamba, Jamba, Zamba, Bamba",
    names={
        Role.SSM_IN: "in_proj",
        Role.SSM_SELECT: "x_proj",
        Role.SSM_STEP: "dt_proj",
        Role.SSM_OUT: "out_proj",
    },
    beside=frozenset({"A_log"}),
    elementwise=frozenset({"A_log"}),
    example={
        "backbone.embeddings.weight": ((32, 8), (Role.EMBEDDING,)),
        "backbone.layers.0.norm.weight": ((8,), (Role.NORM,)),
        "backbone.layers.0.mixer.A_log": ((16, 4), ()),
        "backbone.layers.0.mixer.D": ((16,), ()),
        "backbone.layers.0.mixer.conv1d.weight": ((16, 1, 4), (Role.CONV,)),
        "backbone.layers.0.mixer.in_proj.weight": ((32, 8), (Role.SSM_IN,)),
        "backbone.layers.0.mixer.x_proj.weight": ((10, 16), (Role.SSM_SELECT,)),
        "backbone.layers.0.mixer.dt_proj.weight": ((16, 2), (Role.SSM_STEP,)),
        "backbone.layers.0.mixer.out_proj.weight": ((8, 16), (Role.SSM_OUT,)),
        "lm_head.weight": ((32, 8), (Role.HEAD,)),
    },
)
