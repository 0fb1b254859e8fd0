"""Few series out of many blocks."""

from __future__ import annotations

from typing import Any

import pytest

from spectrain.core import Block, Record, Role, Source
from spectrain.sinks import Dashboard
from spectrain.sinks.dashboard import MEASURES, MOST

ROLES = [Role.ATTENTION_Q, Role.ATTENTION_K, Role.ATTENTION_V, Role.MLP_IN, Role.MLP_OUT]


def manifest(layers: int, roles: list[Role]) -> dict[str, Any]:
    blocks = [
        Block(f"layers.{depth}.{role}", role, depth, (4, 4), f"layers.{depth}.{role}")
        for depth in range(layers)
        for role in roles
    ]
    blocks.append(Block("head", Role.HEAD, None, (4, 4), "head"))
    return {"blocks": [block.to_dict() for block in blocks]}


def rows(described: dict[str, Any], step: int) -> list[Record]:
    return [
        Record(
            step, block["name"], Source(series.split("/")[0]), series.split("/")[1], float(place)
        )
        for place, block in enumerate(described["blocks"])
        for series in MEASURES
    ] + [Record(step, None, Source.TRAINING, "loss", 2.0)]


@pytest.mark.parametrize("layers", [1, 2, 12, 96])
@pytest.mark.parametrize("roles", [ROLES[:1], ROLES, list(Role)])
def test_never_more_than_forty_series(layers: int, roles: list[Role]) -> None:
    sent: dict[str, float] = {}
    dashboard = Dashboard(lambda step, numbers: sent.update(numbers))
    described = manifest(layers, roles)
    dashboard.begin(described)
    dashboard.write(rows(described, 0))
    dashboard.write([Record(1, None, Source.TRAINING, f"number {i}", 0.0) for i in range(100)])
    assert 3 <= len(sent) <= MOST
    assert sent["training/loss"] == 2.0


def test_means_are_over_blocks_of_a_role_and_a_third_of_the_depth() -> None:
    sent: list[tuple[int, dict[str, float]]] = []
    dashboard = Dashboard(
        lambda step, numbers: sent.append((step, dict(numbers))), measures=["weight/stable_rank"]
    )
    described = manifest(6, [Role.MLP_IN])
    dashboard.begin(described)
    dashboard.write(
        [
            Record(4, block["name"], Source.WEIGHT, "stable_rank", float(place))
            for place, block in enumerate(described["blocks"])
        ]
        + [Record(4, "head", Source.WEIGHT, "stable_rank", None, reason="zero matrix")]
    )
    expected = {"mlp.in/early": 0.5, "mlp.in/middle": 2.5, "mlp.in/late": 4.5, "head": 6.0}
    assert sent == [(4, {f"weight/stable_rank/{name}": v for name, v in expected.items()})]


@pytest.mark.parametrize("layers", [3, 12, 96])
def test_the_largest_logit_bound_is_shown_by_depth_in_eight_series_at_most(layers: int) -> None:
    sent: dict[str, float] = {}
    dashboard = Dashboard(lambda step, numbers: sent.update(numbers))
    dashboard.begin(manifest(layers, ROLES))
    name = f"layers.{{}}.{Role.ATTENTION_Q}"
    dashboard.write(
        [
            Record(
                0, name.format(depth), Source.WEIGHT, "logit_bound", 10.0 * depth + head, index=head
            )
            for depth in range(layers)
            for head in (1, 3, 2)
        ]
    )
    assert len(sent) <= 8
    assert all(series.startswith("weight/max_logit_bound/") for series in sent)
    assert max(sent.values()) == 10 * (layers - 1) + 3
    assert min(sent.values()) >= 3
