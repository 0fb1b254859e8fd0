"""Which rule applies to a parameter group: by the optimizer's class, the group's flags, a name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from torch import Tensor
from torch.optim import Optimizer

from spectrain.core import InputError
from spectrain.optim.rules.flags import Claim, claim_of, plain, says_orthogonal
from spectrain.optim.rules.rule import Form, Rule

R = TypeVar("R", bound=type[Rule])


class Rules(Mapping[str, type[Rule]]):
    """The registered rules by name; a rule may be for classes and for names of classes."""

    def __init__(self) -> None:
        self._rules: dict[str, type[Rule]] = {}
        self._classes: dict[type, list[type[Rule]]] = defaultdict(list)
        self._names: dict[str, list[type[Rule]]] = defaultdict(list)

    def register(
        self, *optimizers: type[Optimizer] | str, name: str | None = None
    ) -> Callable[[R], R]:
        """Decorator: the rule is for these optimizers, by class or by the name of a class.

        Of several rules for one optimizer, a group gets the first registered one that says it
        applies to it. Names are compared without case, ``_`` and ``-``, and may begin with the
        package (``"timm.Muon"``), which then goes before the bare name; flags of groups
        (``algorithm="lion"``) are understood by them too.

        Args:
            optimizers: classes, or names.
            name: of the rule; that of the first optimizer if not given.

        Raises:
            InputError: no optimizer is given, or the rule's name is taken.
        """
        if not optimizers:
            raise InputError("a rule without optimizers", remedy="pass their classes or names")

        def add(rule: R) -> R:
            first = optimizers[0]
            key = name or plain(first if isinstance(first, str) else first.__name__)
            if key in self._rules:
                raise InputError(f"a rule {key!r} is registered already", remedy="pass name=...")
            rule.name = key
            self._rules[key] = rule
            for optimizer in optimizers:
                if isinstance(optimizer, str):
                    self._names[plain(optimizer)].append(rule)
                else:
                    self._classes[optimizer].append(rule)
            return rule

        return add

    def __getitem__(self, name: str) -> type[Rule]:
        return self._rules[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rules)

    def __len__(self) -> int:
        return len(self._rules)

    def of_class(self, kind: type) -> list[type[Rule]]:
        """Rules of exactly this class."""
        return self._classes.get(kind, [])

    def of_own_name(self, kind: type) -> list[type[Rule]]:
        """Rules of optimizers that are named like this class, with its package or without."""
        package = kind.__module__.split(".")[0]
        return self.of_name(f"{package}.{kind.__name__}") or self.of_name(kind.__name__)

    def of_name(self, name: str) -> list[type[Rule]]:
        """Rules of optimizers with this name."""
        return self._names.get(plain(name), [])


RULES = Rules()
"""All rules, also those of users: :func:`resolve` looks here."""


def resolve(
    optimizer: Optimizer, group: Mapping[str, Any], parameter: Tensor | None = None
) -> Rule:
    """The rule of a parameter group, bound to its settings.

    In this order: rules of the optimizer's own class, or of its name as long as the group does not
    contradict them; what the group (or the parameter's state) says of itself, as ``use_muon=True``
    or ``algorithm="adamw"``; rules of the classes that it derives from, unless it takes its steps
    otherwise. Where nothing is known, the rule answers "not known" to everything.

    Args:
        optimizer: any.
        group: one of its parameter groups.
        parameter: one of the group's, where single parameters may differ.

    Example:
        >>> import torch
        >>> adamw = torch.optim.AdamW([torch.zeros(2, 2, requires_grad=True)], lr=0.1)
        >>> rule = resolve(adamw, adamw.param_groups[0])
        >>> rule.name, str(rule.decay), round(rule.decay_factor(), 4)
        ('adamw', 'decoupled', 0.999)
    """
    kind = type(optimizer)
    state = {} if parameter is None else optimizer.state.get(parameter, {})
    claim = claim_of(group, state)
    rule = (
        _first(RULES.of_class(kind), group, parameter)
        or _first(_agreeing(RULES.of_own_name(kind), claim), group, parameter)
        or _flagged(kind, group, parameter, claim)
        or _inherited(kind, group, parameter)
        or RULES["unknown"]
    )
    return rule.of(optimizer, group, parameter)


def recorded(name: str, settings: Mapping[str, Any], *, label: str) -> Rule:
    """The rule of a group as a run recorded it.

    Args:
        name: of the rule; of older runs, which do not record it, the class name.
        settings: plain values of the group.
        label: class name of the optimizer.

    Example:
        >>> recorded("adamw", {"lr": 0.1, "weight_decay": 0.5}, label="Mine").decay_factor()
        0.95
    """
    rule = RULES.get(name) or RULES.get(plain(name)) or _first(RULES.of_name(name), settings, None)
    return (rule or RULES["unknown"])(settings, label=label)


def plain_settings(group: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a group that are numbers, text or tuples of them, for a run's records.

    Example:
        >>> import torch
        >>> plain_settings({"params": [], "lr": torch.tensor(0.5), "betas": (0.9, 0.95)})
        {'lr': 0.5, 'betas': [0.9, 0.95]}
    """
    settings: dict[str, Any] = {}
    for key, value in group.items():
        match value:
            case None | bool() | int() | float() | str():
                settings[key] = value
            case Tensor() if value.numel() == 1:
                settings[key] = float(value)
            case tuple() | list() if key != "params" and value:
                numbers = [float(v) for v in value if isinstance(v, int | float | Tensor)]
                if len(numbers) == len(value):
                    settings[key] = numbers
    return settings


def _first(
    rules: list[type[Rule]], group: Mapping[str, Any], parameter: Tensor | None
) -> type[Rule] | None:
    return next((rule for rule in rules if rule.applies(group, parameter)), None)


def _agreeing(rules: list[type[Rule]], claim: Claim) -> list[type[Rule]]:
    """The rules that a group's own word does not contradict."""
    if claim.orthogonal is None:
        return rules
    return [rule for rule in rules if (rule.form is Form.ORTHOGONAL) is claim.orthogonal]


def _flagged(
    kind: type, group: Mapping[str, Any], parameter: Tensor | None, claim: Claim
) -> type[Rule] | None:
    """The rule that a group asks for by its flags."""
    if claim.orthogonal is None:
        return None
    if claim.algorithm is not None:
        named = _first(_agreeing(RULES.of_name(claim.algorithm), claim), group, parameter)
        if named is not None:
            return named
    if not claim.orthogonal:
        return RULES["fallback"]
    own = _inherited(kind, group, parameter)
    return own if own is not None and own.form is Form.ORTHOGONAL else RULES["orthogonal"]


def _inherited(kind: type, group: Mapping[str, Any], parameter: Tensor | None) -> type[Rule] | None:
    for parent in kind.__mro__:
        rule = _first(RULES.of_class(parent) or RULES.of_own_name(parent), group, parameter)
        if rule is not None:
            return rule
        if says_orthogonal(parent.__name__):
            return RULES["orthogonal"]
        if not calls_on(parent):
            return None
    return None


def calls_on(kind: type) -> bool:
    """Whether a class takes the steps of those that it derives from: it inherits or calls them.

    Example:
        >>> import torch
        >>> class Counting(torch.optim.AdamW):
        ...     def step(self, closure=None):
        ...         return super().step(closure)
        >>> calls_on(Counting), calls_on(torch.optim.AdamW)
        (True, False)
    """
    step = kind.__dict__.get("step")
    if step is None:
        return True
    while hasattr(step, "__wrapped__"):
        step = step.__wrapped__
    names = getattr(getattr(step, "__code__", None), "co_names", ())
    return {"super", "step"} <= set(names)
