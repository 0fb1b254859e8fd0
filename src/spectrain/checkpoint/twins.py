"""Parts of a checkpoint that follow another: averages of it, targets, teachers, older copies."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

FOLLOWERS = frozenset(
    {"teacher", "target", "tgt", "momentum", "ema", "avg", "averaged", "slow", "shadow", "old"}
)
"""Words in the names of followers."""

LEADERS = frozenset({"student", "online", "base", "current", "fast", "live", "main"})
"""Words in the names of those that are followed."""

KEYS = {"key_encoder": "query_encoder", "encoder_m": "encoder"} | {
    f"{stem}_k": f"{stem}_q" for stem in ("encoder", "backbone", "net", "model")
}
"""Names of followers that are marked by a letter, with the names of what they follow."""


def find_twins(parts: Mapping[str, Mapping[Hashable, Hashable]]) -> dict[str, str]:
    """Followers among the parts of a checkpoint, each with the part that it follows.

    A follower has the same names and shapes as the other, and a name that says so.

    Args:
        parts: by name; of each the shapes of its tensors by their names in it.

    Example:
        >>> held = {"w": (2, 3)}
        >>> find_twins({"critic": held, "critic_target": held, "student": held, "teacher": held})
        {'critic_target': 'critic', 'teacher': 'student'}
    """
    followed: dict[str, str] = {}
    for name, held in parts.items():
        alike = [other for other in parts if other != name and parts[other] == held]
        words = set(name.lower().split("_"))
        if name in KEYS:
            alike = [other for other in alike if other == KEYS[name]]
        elif words & FOLLOWERS:
            alike = [o for o in alike if not set(o.lower().split("_")) & FOLLOWERS]
        else:
            continue
        own = words - FOLLOWERS
        exact = [o for o in alike if set(o.lower().split("_")) - LEADERS == own]
        if name in KEYS or not own:
            exact = exact or alike
        if exact:
            followed[name] = exact[0]
    return followed


def follows(part: str) -> str:
    """Why a follower is left out."""
    return f"a moving average, target or older copy of {part!r}"


def note_on_twins(twins: Mapping[str, str]) -> str:
    """What a reader should know of the parts."""
    followed = ", ".join(sorted(set(twins.values())))
    return f"parts: {followed}; {', '.join(twins)} left out"
