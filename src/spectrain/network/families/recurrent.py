"""Recurrent layers under PyTorch's names; their gates are recognised by shape."""

from spectrain.core import Role
from spectrain.network.families.family import Family

FAMILY = Family(
    name="recurrent",
    models="torch.nn.LSTM, GRU, RNN and their cells",
    names={},
    example={
        "embedding.weight": ((32, 8), (Role.EMBEDDING,)),
        "lstm.weight_ih_l0": ((24, 8), (Role.RECURRENT_INPUT,) * 4),
        "lstm.weight_hh_l0": ((24, 6), (Role.RECURRENT_HIDDEN,) * 4),
        "gru.weight_ih_l0": ((15, 6), (Role.RECURRENT_INPUT,) * 3),
        "gru.weight_hh_l0": ((15, 5), (Role.RECURRENT_HIDDEN,) * 3),
        "cell.weight_ih": ((5, 6), (Role.RECURRENT_INPUT,)),
        "cell.weight_hh": ((5, 5), (Role.RECURRENT_HIDDEN,)),
    },
)
