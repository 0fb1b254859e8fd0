"""Plans survive YAML and refuse what is none."""

from __future__ import annotations

import json

import pytest

from spectrain.core import InputError, Plan, Step


def test_round_trip_through_json_keeps_evidence() -> None:
    plan = Plan({"a": Step.SPECTRAL, "b": Step.EUCLIDEAN}, {"a": {"margin": 3.5, "low": 2.0}})
    again = Plan.from_dict(json.loads(json.dumps(plan.to_dict())))
    assert again == plan
    assert again["a"] is Step.SPECTRAL


def test_a_short_hand_is_read() -> None:
    plan = Plan.from_dict({"spectrain_plan": 1, "blocks": {"a": "spectral"}})
    assert dict(plan) == {"a": Step.SPECTRAL}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "no spectrain plan"),
        ({"spectrain_plan": 99, "blocks": {}}, "no spectrain plan"),
        ({"spectrain_plan": 1}, "no table 'blocks'"),
        ({"spectrain_plan": 1, "blocks": {"a": {"step": "up"}}}, "'a' the step 'up'"),
        ({"spectrain_plan": 1, "blocks": {"a": {}}}, "'a' the step None"),
    ],
)
def test_what_is_no_plan_is_refused(data: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Plan.from_dict(data)
