"""What the literature says of a block by its role, before anything was tried."""

from __future__ import annotations

from spectrain.core import Role, Step, usual_step

MUON = "Jordan et al. 2024 (Muon)"
GAINS = "Wang et al. 2025, arXiv:2509.26030"

_OF_ROLE = {
    **dict.fromkeys(
        (Role.ATTENTION_V, Role.ATTENTION_O, Role.MLP_OUT, Role.EXPERT_OUT),
        f"here most of Muon's gain arises ({GAINS})",
    ),
    **dict.fromkeys(
        (Role.ATTENTION_Q, Role.ATTENTION_K),
        f"usual routing; Muon gains little here ({GAINS})",
    ),
    **dict.fromkeys(
        (Role.EMBEDDING, Role.HEAD),
        f"AdamW by practice ({MUON}); ablations disagree by model",
    ),
}


def prior(role: Role) -> str:
    """What supports the usual step of a role.

    Example:
        >>> from spectrain.core import Role
        >>> prior(Role.MLP_IN), prior(Role.NORM)
        ('usual routing: Jordan et al. 2024 (Muon)', 'usual routing: no hidden matrix')
    """
    default = f"usual routing: {MUON if usual_step(role) is Step.SPECTRAL else 'no hidden matrix'}"
    return _OF_ROLE.get(role, default)
