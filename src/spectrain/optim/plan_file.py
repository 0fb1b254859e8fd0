"""Plans as YAML files, to be read, edited and handed back."""

from __future__ import annotations

from pathlib import Path

import yaml

from spectrain.core import InputError, Plan


def write_plan(plan: Plan, path: Path) -> None:
    """Write a plan as YAML.

    Raises:
        InputError: the file cannot be written.
    """
    text = yaml.safe_dump(plan.to_dict(), sort_keys=False, allow_unicode=True)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"the plan cannot be written to {path}: {error.strerror}",
            remedy="choose a file in an existing folder",
        ) from None


def read_plan(path: Path) -> Plan:
    """Read a plan; only plain data is read, whatever the file says.

    Raises:
        InputError: the file cannot be read or holds no plan.

    Example:
        >>> import tempfile
        >>> from spectrain.core import Step
        >>> path = Path(tempfile.mkdtemp()) / "plan.yaml"
        >>> write_plan(Plan({"head.weight": Step.EUCLIDEAN}), path)
        >>> str(read_plan(path)["head.weight"])
        'euclidean'
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(
            f"the plan {path} cannot be read: {error}",
            remedy="write one with `spectrain advise RUN --plan FILE`",
        ) from None
    return Plan.from_dict(data)
