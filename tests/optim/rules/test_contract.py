"""What every rule promises, and which rule speaks for whom."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Muon, Optimizer

from spectrain.core import InputError
from spectrain.optim import EchoFilter, Intervened, SpecGD
from spectrain.optim.interventions import Orthonormalize
from spectrain.optim.rules import RULES, Decay, Form, Length, Response, Rule, recorded, resolve
from spectrain.optim.rules.registry import Rules

SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {"lr": 0.1},
    {"lr": 0.1, "weight_decay": 0.1, "betas": (0.9, 0.95), "eps": 1e-8, "momentum": 0.9},
    {
        **{"lr": 0.1, "weight_decay": 0.1, "betas": (0.9, 0.95), "momentum": 0.9},
        **{"nesterov": True, "amsgrad": True, "maximize": True, "centered": True, "alpha": 0.99},
        **{"decoupled_weight_decay": True, "lambd": 1e-4, "rank_fraction": 0.5, "norm": "auto"},
        **{"ns_steps": 5, "adjust_lr_fn": "original", "step": 3, "cut": 1},
    },
)


class Own(Optimizer):
    """A user's optimizer."""

    def __init__(self, params: Any) -> None:
        super().__init__(params, {"lr": 0.1, "weight_decay": 0.5})


class OwnRule(Rule):
    """A user's rule."""

    form = Form.SIGN

    @property
    def decay(self) -> Decay:
        return Decay.DECOUPLED


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("kind", [*RULES.values(), OwnRule], ids=lambda kind: kind.__name__)
def test_every_rule_keeps_its_promises(kind: type[Rule], settings: dict[str, Any]) -> None:
    rule, parameter = kind(settings), nn.Parameter(torch.ones(4, 6))
    assert kind.__doc__
    assert isinstance(rule.form, Form)
    factor = rule.decay_factor()
    if rule.decay in (Decay.NONE, Decay.COUPLED):
        assert factor == 1.0
    if rule.decay is Decay.UNKNOWN:
        assert factor is None
    assert rule.average({}, parameter) is None
    assert rule.direction({}) is None
    length = rule.intended((4, 6))
    assert isinstance(length, Length)
    assert (length.scale is None) is (length.reason is not None)
    for shape in ((4, 6), (24,)):
        assert rule.orthogonalizes(shape) or not rule.isometric(shape)
        for variance in (None, 1.0, 1e-12):
            response = rule.noise(shape, variance)
            if response is not None:
                _check(response)


def _check(response: Response) -> None:
    if response.energy is not None:
        assert math.isfinite(response.energy)
        assert response.energy > 0
    assert response.decay is None or response.decay > 0
    assert 0 <= response.spread < 1
    update = response.measured(1.0).update
    assert update is not None
    assert all(abs(update.autocorrelation(lag)) <= 1 for lag in (1, 2, 10))
    assert update.persistence() > 0


TORCH = [
    kind
    for name in torch.optim.__all__
    if isinstance(kind := getattr(torch.optim, name), type) and kind is not Optimizer
]


@pytest.mark.parametrize("kind", TORCH, ids=lambda kind: kind.__name__)
def test_every_optimizer_of_torch_has_a_rule_of_its_class(kind: type[Optimizer]) -> None:
    assert RULES.of_class(kind)


def name_of(optimizer: Optimizer, group: int = 0, parameter: Tensor | None = None) -> str:
    return resolve(optimizer, optimizer.param_groups[group], parameter).name


def matrix() -> nn.Parameter:
    return nn.Parameter(torch.ones(4, 4))


class NorMuon(Optimizer):
    """Of unknown make."""

    def __init__(self, groups: Any, **defaults: Any) -> None:
        super().__init__(groups, {"lr": 0.1, **defaults})


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        ({"use_muon": True}, "orthogonal"),
        ({"use_muon": False}, "fallback"),
        ({"use_fallback": True}, "fallback"),
        ({"use_adamw": True}, "fallback"),
        ({"kind": "adamw"}, "adamw"),
        ({"kind": "muon"}, "orthogonal"),
        ({"algorithm": "lion"}, "lion"),
        ({"algorithm": "dion"}, "dion"),
        ({"algo": "normuon", "use_fallback": False}, "orthogonal"),
        ({"algo": "muon", "use_fallback": True}, "fallback"),
        ({"name": "adamw_embeddings"}, "fallback"),
        ({"strategy": "muon"}, "orthogonal"),
        ({"role": "AdamW"}, "adamw"),
        ({"scaling": "adam"}, "orthogonal"),
        ({}, "orthogonal"),
    ],
)
def test_groups_of_one_class_are_told_apart_by_what_they_say(
    flags: dict[str, Any], name: str
) -> None:
    assert name_of(NorMuon([{"params": [matrix()], **flags}])) == name


def test_a_parameters_state_goes_before_its_group() -> None:
    first, second = matrix(), matrix()
    optimizer = NorMuon([{"params": [first, second]}])
    optimizer.state[second]["use_muon"] = False
    assert name_of(optimizer, parameter=first) == "orthogonal"
    assert name_of(optimizer, parameter=second) == "fallback"


def test_classes_of_torch_do_not_read_flags_and_their_heirs_keep_their_rules() -> None:
    class Plain(AdamW):
        pass

    class Counting(AdamW):
        def step(self, closure: Any = None) -> Any:
            return super().step(closure)

    class Changed(AdamW):
        def step(self, closure: Any = None) -> None:  # type: ignore[override]
            """Something else."""

    class Muonlike(SGD):
        pass

    flagged = [{"params": [matrix()], "use_muon": True}]
    assert name_of(AdamW(flagged)) == "adamw"
    assert name_of(Plain([matrix()])) == name_of(Counting([matrix()])) == "adamw"
    assert name_of(Changed([matrix()])) == "unknown"
    assert name_of(Muonlike([matrix()], lr=0.1)) == "orthogonal"
    assert name_of(SGD([matrix()], lr=0.1)) == "sgd"


@pytest.mark.parametrize(
    "kind", ["Dion", "Scion", "SpectralSphere", "MuonWithAuxAdam", "AdaMuon", "OrthoMomentum"]
)
def test_kin_of_muon_are_known_by_name(kind: str) -> None:
    made = type(kind, (NorMuon,), {})([matrix()])
    assert resolve(made, made.param_groups[0]).orthogonalizes((4, 4))


def test_scion_takes_each_groups_norm() -> None:
    scion = type("Scion", (NorMuon,), {})

    def told(shape: tuple[int, ...], **flags: str) -> bool:
        made = scion([{"params": [matrix()], **flags}])
        return resolve(made, made.param_groups[0]).orthogonalizes(shape)

    assert told((4, 4))
    assert told((4,))  # where no norm is told, a vector is better elsewhere
    assert told((4, 4), norm="Spectral")
    assert not told((4, 4), norm="Sign")
    assert told((4, 4), norm="auto")
    assert not told((4,), norm="auto")
    assert not told((4, 4), norm_factor="sign")


def test_the_projects_own_optimizers() -> None:
    spectral, euclidean = SpecGD([matrix()], 0.1), SpecGD([matrix()], 0.1, step="euclidean")
    assert (name_of(spectral), name_of(euclidean)) == ("specgd", "specgd_euclidean")
    assert name_of(EchoFilter([matrix()], 0.1)) == "echo_filter"
    inner = AdamW([matrix()], lr=0.1, weight_decay=0.5)
    around = Intervened(inner, update=Orthonormalize())
    rule = resolve(around, around.param_groups[0])
    assert (rule.decay, rule.decay_factor()) == (Decay.DECOUPLED, 0.95)
    assert rule.noise((4, 4), 1.0) is None


def test_a_rank_below_the_full_one_is_no_isometry() -> None:
    assert recorded("dion", {}, label="Dion").isometric((8, 8))
    assert not recorded("dion", {"rank_fraction": 0.25}, label="Dion").isometric((8, 8))


def test_lengths_of_muon() -> None:
    tall = Muon([nn.Parameter(torch.ones(8, 2))], lr=0.5)
    assert resolve(tall, tall.param_groups[0]).intended((8, 2)) == Length(1.0)


def test_users_register_their_own() -> None:
    rules = Rules()
    rules.register(Own, "Elsewhere")(OwnRule)
    assert rules.of_class(Own) == rules.of_name("else_where") == [rules["own"]]
    assert rules["own"].name == "own"
    with pytest.raises(InputError, match="registered already"):
        rules.register(Own)(OwnRule)
    with pytest.raises(InputError, match="without optimizers"):
        rules.register()


def test_runs_are_read_with_or_without_the_rule_at_hand() -> None:
    assert recorded("AdamW", {"betas": [0.9, 0.95]}, label="AdamW").name == "adamw"
    assert recorded("never heard of", {}, label="Mine").name == "unknown"
