"""Models of other packages, tiny, with a batch each and the roles of their parts by hand."""

from __future__ import annotations

from support.zoo.models import MODELS, Loss
from support.zoo.roles import ROLES

__all__ = ["MODELS", "ROLES", "Loss"]
