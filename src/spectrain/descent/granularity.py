"""How a gradient is cut before it is orthogonalized, and what each cut is guaranteed to gain.

The parts G_i of a parameter (rows of q, k, v; heads; experts) may be orthogonalized together or
separately. Two inequalities frame the choice:

- Parts that see the *same* activation A: the quadratic term is ‖UA‖_F² ≤ ‖U‖_op²‖A‖_F² for the
  whole as for a part, and ‖G‖_*² ≥ Σ‖G_i‖_*² (pinching, Bhatia & Kittaneh 1990). The whole is never
  guaranteed less; the advantage of a cut is that its parts may take different steps.
- Parts that see activations of *their own* (experts): Σ‖U_iA_i‖_F² ≤ ‖U‖_op²Σ‖A_i‖_F², and
  Σ‖G_i‖_*²/‖A_i‖_F² ≥ (Σ‖G_i‖_*)²/Σ‖A_i‖_F² ≥ ‖G‖_*²/Σ‖A_i‖_F². The whole is never guaranteed more.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from spectrain.core.errors import InputError


def cut_guarantee(
    ratios: Float[Tensor, "*batch parts"], energies: Float[Tensor, "*batch parts"]
) -> Float[Tensor, "*batch"]:
    """Guaranteed decrease of a cut in units of the Euclidean one: Σ_i e_i·max(ρ_i, 1)/Σ_i e_i.

    Every part takes the step that is guaranteed more: the spectral one where ρ_i ≥ 1.

    Args:
        ratios: ρ_i = nr(G_i)/st(A) of the parts, which share A.
        energies: e_i = ‖G_i‖_F².

    Raises:
        InputError: a part has negative energy, or none has any.

    Source:
        Davis & Drusvyatskiy, eqs. (4.14) and (4.15) with C_op = 0.

    Example:
        >>> import torch
        >>> cut_guarantee(torch.tensor([4.0, 0.5]), torch.tensor([1.0, 3.0])).item()
        1.75
    """
    total = energies.sum(-1)
    if bool((energies < 0).any()) or bool((total <= 0).any()):
        raise InputError("the parts have no energy", remedy="pass ‖G_i‖_F² of a nonzero gradient")
    return (energies * ratios.clamp(min=1)).sum(-1) / total


def experts_guarantee(
    nuclear_norms: Float[Tensor, "*batch experts"], energies: Float[Tensor, "*batch experts"]
) -> Float[Tensor, "*batch"]:
    """Nuclear rank (Σ‖G_i‖_*)²/Σ‖G_i‖_F² of experts side by side, diag(G_1, …, G_E).

    Over the nuclear rank of the experts stacked as one matrix it is the least factor, over all
    activations, by which orthogonalizing each expert is guaranteed more.

    Example:
        >>> import torch
        >>> experts_guarantee(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 1.0])).item()
        2.0
    """
    return nuclear_norms.sum(-1).square() / energies.sum(-1)
