"""Last layers of classifiers, of policies and of values."""

from spectrain.core import Role
from spectrain.network.families.family import Family

FAMILY = Family(
    name="heads",
    models="actor-critics, small classifiers",
    names={Role.HEAD: "policy policy_net action_net value_net actor critic actor_mean mu q_value"},
    example={
        "affine1.weight": ((24, 8), (Role.HIDDEN,)),
        "action_head.weight": ((3, 24), (Role.HEAD,)),
        "value_head.weight": ((2, 24), (Role.HEAD,)),
    },
)
