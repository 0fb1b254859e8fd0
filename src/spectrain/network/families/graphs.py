"""Networks on graphs, whose layers hold one linear map each."""

from spectrain.core import Role
from spectrain.network.families.family import Family

FAMILY = Family(
    name="graphs",
    models="GCN, GAT, GraphSAGE of torch-geometric",
    names={},
    elementwise=frozenset({"att", "att_src", "att_dst", "att_edge"}),
    example={
        "convs.0.att_src": ((1, 2, 8), ()),
        "convs.0.att_dst": ((1, 2, 8), ()),
        "convs.0.lin.weight": ((16, 6), (Role.HIDDEN,)),
        "convs.1.lin.weight": ((3, 16), (Role.HEAD,)),
    },
)
