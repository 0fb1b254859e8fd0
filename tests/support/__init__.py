"""Helpers that several tests share, and the run-time type checker of all tests."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
"""An int is accepted for a float, as PEP 484 has it. Checks every module that states shapes."""
