"""Claims that were run again: their rows in a ledger, and the settings that each was run at."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from spectrain.core import InputError
from spectrain.records.manifest import to_plain
from spectrain_studies.frame.settings import override
from spectrain_studies.frame.study import Claim, Study

Ledger = Mapping[str, Any]
"""What a ledger file holds."""


def entered(ledger: Ledger, run: Ledger, study: Study[Any]) -> dict[str, Any]:
    """A ledger with the rows of a run, and with the scale's settings as they are now.

    A row holds the settings that it was run at where they differ from the ledger's and matter to
    its claim: those of the run where it did not take the scale's, and of a row that is kept, those
    that have changed since.

    Args:
        ledger: of an earlier run at the same scale.
        run: of some claims, or of all.
        study: of both.
    """
    config = study.config(run["scale"])
    plain = json.loads(json.dumps(to_plain(config)))
    again = {row["id"]: row for row in run["claims"]}
    earlier = {row["id"]: row for row in ledger["claims"]}
    of_run, of_ledger = dict(_flat(run["settings"])), dict(_flat(ledger["settings"]))
    rows = []
    for name, claim in study.claims.items():
        row = again.get(name, earlier.get(name))
        if row is None:
            continue
        ran = of_run if name in again else of_ledger | row.get("settings", {})
        differing = differences(claim, config, ran)
        rest = {key: value for key, value in row.items() if key != "settings"}
        rows.append(rest | ({"settings": differing} if differing else {}))
    return {**ledger, "claims": rows, "settings": plain}


def differences(claim: Claim, config: Any, ran: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run that are not the configuration's, and change what the claim reads.

    Args:
        claim: whose experiments are asked for their cases.
        config: with which they are compared.
        ran: settings by dotted name.
    """
    now = dict(_flat(json.loads(json.dumps(to_plain(config)))))
    own = [need.cases(config) for need in claim.needs]
    changed = {}
    for name, value in ran.items():
        if name not in now or now[name] == value:
            continue
        with suppress(InputError):  # a setting of another kind today
            other = override(config, [f"{name}={json.dumps(value)}"])
            if [need.cases(other) for need in claim.needs] != own:
                changed[name] = value
    return changed


def _flat(settings: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by dotted name."""
    if isinstance(settings, Mapping):
        for name, value in settings.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else name)
    else:
        yield prefix, settings
