"""When to sample what: cheap readings often, dear ones as a budget allows, blocks in turn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from spectrain.core.errors import InputError
from spectrain.monitor.account import FACTORS, Account
from spectrain.monitor.budget import earned
from spectrain.monitor.plan import Cadence, SamplePlan

AIM = 0.64
"""Share of the budget that is planned for, so that what is measured from outside stays below the
whole at the upper end of its interval: sampling costs some 5 % more than the monitor can time."""

OWN = (Cadence.OFTEN, Cadence.SOMETIMES, Cadence.RARELY)
"""Cadences with turns of their own; SELDOM goes along with some rounds of SOMETIMES."""

SHARES = {Cadence.OFTEN: 0.14, Cadence.SOMETIMES: 0.66, Cadence.RARELY: 0.2}
"""What each cadence may take of the budget; SELDOM has its part in that of SOMETIMES."""

SELDOM_EVERY = 3
"""SELDOM goes along with every third round of SOMETIMES, the first one too."""

FREE = 1.0
"""Seconds that a run may spend on watching in any case: nobody waits for them."""

FREE_STEPS = 5000
"""Steps over which they become available, as the square root of the steps done: short runs have
their part, and what is left keeps coming."""

ROUNDS = {Cadence.OFTEN: 200, Cadence.SOMETIMES: 100, Cadence.RARELY: 25}
"""Times that each block is read in a run at most: more would add nothing."""

NEAREST = {Cadence.OFTEN: 5, Cadence.SOMETIMES: 5, Cadence.RARELY: 20}
"""Least steps between two rounds: closer readings are much the same."""

MOST_STEPS = 1.5
"""Training steps that one sample may last; a longer one is divided among several steps."""

UNNOTICED = 0.15
"""Seconds that a sample may take in any case."""

LEAST_IDLE = 10
"""Unsampled steps before their mean is trusted."""

AHEAD = 100
"""Steps over which the budget to be earned is predicted."""

ADVANCE = 500
"""Number of steps whose earnings the dense start may spend."""


@dataclass(slots=True)
class Schedule:
    """Decides step by step what is sampled, from what sampling has cost so far.

    After t seconds of training at most 0.64·b·earned(t) is spent, see
    :func:`~spectrain.monitor.budget.earned`: up to five times the budget b in the first ten
    minutes, paid back within the hour. Beside it one second is free, spread over the first five
    thousand steps, so that short runs are sampled too. Spent is the monitor's own time and what
    sampled steps, and those after them, take longer than the others for cold caches. Each cadence
    has its share of that, and each is due at most so many times a run: at even distances where the
    length of the run is known, else at distances that grow with the steps done. Where a reading
    would take longer than one and a half steps, each sampled step reads the next part of the blocks
    in turn, from the first step on; a block that alone takes longer is read once its price is
    earned.

    Attributes:
        dense: number of steps sampled at the start, as far as none is stalled and 500 steps pay.
        every: sample each ``every``-th step whole, whatever it costs; ``None`` leaves it to the
            budget.
        overhead: b, share of the training's own time that sampling may take.
        length: steps of the run, where known.

    Example:
        >>> schedule = Schedule(dense=1, overhead=0.02)
        >>> schedule.samples(0)
        True
        >>> schedule.account(training_seconds=1.0, monitor_seconds=0.2, sampled=True)
        >>> schedule.samples(1)  # 0.2 s spent, 0.06 s of them earned
        False
    """

    dense: int = 3
    every: int | None = None
    overhead: float = 0.01
    length: int | None = None
    training_seconds: float = field(default=0.0, init=False)
    monitor_seconds: float = field(default=0.0, init=False)
    sampled_steps: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)
    accounts: dict[Cadence, Account] = field(init=False)
    _works: dict[str, float] = field(default_factory=lambda: {"": 0.01}, init=False)
    _idle: tuple[float, int] = field(default=(0.0, 0), init=False)
    _busy: tuple[float, int] = field(default=(0.0, 0), init=False)
    _after_sample: bool = field(default=False, init=False)
    _asleep_until: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.dense < 0:
            raise InputError(f"dense is {self.dense}", remedy="pass 0 or more steps")
        if self.every is not None and self.every < 1:
            raise InputError(f"every is {self.every}", remedy="pass 1 or more steps, or None")
        if not 0 < self.overhead <= 1:
            raise InputError(f"overhead is {self.overhead}", remedy="pass a share in (0, 1]")
        if self.length is not None and self.length < 1:
            raise InputError(f"steps is {self.length}", remedy="pass the run's length, or None")
        self.accounts = {cadence: Account(FACTORS[cadence]) for cadence in Cadence}

    def watches(self, works: Mapping[str, float]) -> None:
        """The blocks there are, in their order, with the seconds that a spectrum of each takes."""
        self._works = dict(works)
        self._asleep_until = 0

    def samples(self, step: int) -> bool:
        """Whether anything is to be read in this step; :meth:`plan` then says what."""
        last = self.length is not None and step == self.length - 1
        if not self._works:  # parameters may come yet: worth a look at steps 0, 1, 2, 4, 8 …
            return self.steps.bit_count() <= 1
        if self.steps < self._asleep_until and not last:
            return False
        for account in self.accounts.values():
            account.reading = ()
        if self.every is not None:
            if self.steps < self.dense or step % self.every == 0:
                self._read_all()
        elif self.steps == 0 < self.dense or last:
            self._choose(OWN, None)
        elif self.steps < self.dense:
            if self.monitor_seconds < self._allowed(ADVANCE):
                self._choose((Cadence.OFTEN, Cadence.SOMETIMES), None)
        else:
            self._choose(OWN, self.allowance - self.hidden_seconds)
        reads = any(account.reading for account in self.accounts.values())
        if not reads and self.every is None and self.steps >= self.dense:
            self._asleep_until = self.steps + self._rest()
        return reads

    def plan(self, step: int) -> SamplePlan:
        """What this step reads: for each cadence the names of its blocks."""
        known = self._works.keys()
        return SamplePlan(
            step,
            {c: frozenset(known & set(account.reading)) for c, account in self.accounts.items()},
        )

    def account(
        self,
        *,
        training_seconds: float,
        monitor_seconds: float,
        sampled: bool,
        spent: Mapping[Cadence, float] | None = None,
    ) -> None:
        """Book one finished step.

        Args:
            training_seconds: the training's own.
            monitor_seconds: the monitor's.
            sampled: whether anything was read.
            spent: the part of the latter that each cadence took; what is left is common to all.
        """
        self.steps += 1
        self.training_seconds += training_seconds
        self.monitor_seconds += monitor_seconds
        self.sampled_steps += sampled
        if self.steps > self.dense + 1:
            seconds, count = self._busy if sampled or self._after_sample else self._idle
            booked = (seconds + training_seconds, count + 1)
            if sampled or self._after_sample:
                self._busy = booked
            else:
                self._idle = booked
        self._after_sample = sampled
        if sampled:
            self._book(monitor_seconds, spent or {})

    @property
    def allowance(self) -> float:
        """Seconds that may have been spent by now."""
        return self._allowed(self.steps)

    @property
    def hidden_seconds(self) -> float:
        """What sampled steps and those after them took longer than the others, in all."""
        (idle, quiet), (busy, count) = self._idle, self._busy
        return max(busy - count * idle / quiet, 0.0) if quiet >= LEAST_IDLE else 0.0

    @property
    def parts(self) -> int:
        """Sampled steps among which the gradients' spectra are divided."""
        return self._parts(Cadence.SOMETIMES)

    @property
    def round_steps(self) -> int | None:
        """Steps within which every gradient's spectrum is read; ``None`` before it is known."""
        if self.every is not None:
            return self.every
        account = self.accounts[Cadence.SOMETIMES]
        if not self.training_seconds or not account.seconds:
            return None
        work = self._work(tuple(self._works))
        price = account.price(work) + self.accounts[Cadence.SELDOM].price(work) / SELDOM_EVERY
        rate = AIM * self.overhead * SHARES[Cadence.SOMETIMES] * self.training_seconds / self.steps
        return math.ceil(max(price / rate, self._distance(Cadence.SOMETIMES)))

    @property
    def achieved(self) -> float | None:
        """Monitor seconds per second of training; ``None`` before anything was timed."""
        return self.monitor_seconds / self.training_seconds if self.training_seconds else None

    @property
    def _limit(self) -> float:
        """Seconds that a step may be made longer."""
        own = self.training_seconds / self.steps if self.steps else 0.0
        return max(MOST_STEPS * own, UNNOTICED)

    def _allowed(self, steps: int) -> float:
        """Seconds that may have been spent after so many steps of the present length."""
        seconds = self.training_seconds * (steps / self.steps if self.steps else 0.0)
        free = FREE * math.sqrt(min(steps / FREE_STEPS, 1.0))
        return AIM * self.overhead * earned(seconds) + free

    def _distance(self, cadence: Cadence) -> float:
        """Steps between two rounds."""
        return max((self.length or self.steps) / ROUNDS[cadence], NEAREST[cadence])

    def _parts(self, cadence: Cadence) -> int:
        """Readings that a round is divided into; those of blocks too dear for it do not count."""
        if cadence is Cadence.OFTEN:
            return 1
        _, light = self._sorted(cadence)
        return max(1, min(math.ceil(sum(light.values()) / self._limit), len(light)))

    def _due(self, cadence: Cadence) -> bool:
        last = self.accounts[cadence].last
        return last is None or self.steps - last >= self._distance(cadence) / self._parts(cadence)

    def _rest(self) -> int:
        """Steps that need no check: half of those until something can be read."""
        if not self.training_seconds:
            return 1
        allowance = self.allowance - self.hidden_seconds
        rate = (self._allowed(self.steps + AHEAD) - self.allowance) / AHEAD
        return max(1, math.floor(min(self._wait(c, allowance, rate) for c in OWN) / 2))

    def _wait(self, cadence: Cadence, allowance: float, rate: float) -> float:
        """Steps until a reading of this cadence is due and earned, at these seconds per step."""
        account, (dear, light) = self.accounts[cadence], self._sorted(cadence)
        alone, plain = self._lefts(cadence, allowance, dear, light)
        share, free = SHARES[cadence] * (0.5 if dear and light else 1.0), self._free(allowance)
        waits = [math.inf]
        if names := self._turn(account, light, self._limit):
            price = self._cost(cadence, names, len(light))
            lack = max((price - plain) / share, price - free, 0.0) / rate
            parts, last = self._parts(cadence), account.last or 0
            due = last + self._distance(cadence) / parts
            if self.length is None:  # distances grow with the steps done
                due = max(last + NEAREST[cadence] / parts, last / (1 - 1 / ROUNDS[cadence] / parts))
            waits.append(max(lack, due - self.steps))
        if dear:
            price = self._next_dear(account, dear)[1]
            waits.append(max((price - alone) / share, price - free, 0.0) / rate)
        return min(waits)

    def _free(self, allowance: float) -> float:
        return allowance - self.monitor_seconds

    def _lefts(
        self,
        cadence: Cadence,
        allowance: float,
        dear: Mapping[str, float],
        light: Mapping[str, float],
    ) -> tuple[float, float]:
        """What is left of a cadence's share for blocks that are too dear for a turn, and the rest.

        Where there are both, they have half of the share each.
        """
        share = SHARES[cadence] * allowance * (0.5 if dear and light else 1.0)
        dear_seconds = sum(one.dear_seconds for one in self._family(cadence))
        plain = sum(one.seconds for one in self._family(cadence)) - dear_seconds
        free = self._free(allowance)
        return min(share - dear_seconds, free), min(share - plain, free)

    @staticmethod
    def _next_dear(account: Account, dear: Mapping[str, float]) -> tuple[str, float]:
        name = list(dear)[account.dear % len(dear)]
        return name, dear[name]

    def _read_all(self) -> None:
        for account in self.accounts.values():
            account.reading, account.alone = tuple(self._works), False

    def _choose(self, cadences: Sequence[Cadence], allowance: float | None) -> None:
        """Give each cadence its turn where it is due, has earned it, and the step has room for it.

        Without an ``allowance`` each is due and only the step's length counts.
        """
        room, given = self._limit, 0.0
        for cadence in cadences:
            account = self.accounts[cadence]
            dear, light = self._sorted(cadence)
            names, alone = self._turn(account, light, room), False
            if allowance is not None:
                lone, plain = self._lefts(cadence, allowance - given, dear, light)
                if not self._due(cadence) or self._cost(cadence, names, len(light)) > plain:
                    names = ()
                if not names and dear and (one := self._next_dear(account, dear))[1] <= lone:
                    names, alone = (one[0],), True
            price = dear[names[0]] if alone else self._cost(cadence, names, len(light))
            if names and (alone or price <= room):
                account.reading, account.alone = names, alone
                room, given = room - price, given + price
                if cadence is Cadence.SOMETIMES:
                    along = self.accounts[Cadence.SELDOM]
                    along.reading = names if alone else self._along(names, len(light))
                    along.alone = alone

    def _family(self, cadence: Cadence) -> list[Account]:
        """The accounts that are paid from a cadence's share."""
        own = self.accounts[cadence]
        return [own, self.accounts[Cadence.SELDOM]] if cadence is Cadence.SOMETIMES else [own]

    def _along(self, names: tuple[str, ...], light: int) -> tuple[str, ...]:
        """Those of the next blocks of SOMETIMES that SELDOM reads too: in every third round."""
        first = self.accounts[Cadence.SOMETIMES].place
        pairs = enumerate(names, first)
        return tuple(name for place, name in pairs if place // light % SELDOM_EVERY == 0)

    def _cost(self, cadence: Cadence, names: tuple[str, ...], light: int) -> float:
        """Seconds that reading the next blocks takes, what goes along with it included."""
        own = self.accounts[cadence].price(self._work(names))
        if cadence is not Cadence.SOMETIMES:
            return own
        return own + self.accounts[Cadence.SELDOM].price(self._work(self._along(names, light)))

    def _sorted(self, cadence: Cadence) -> tuple[dict[str, float], dict[str, float]]:
        """Prices of the blocks that alone take longer than a step may, and of the others."""
        factor = sum(account.factor for account in self._family(cadence))
        prices = {name: factor * work for name, work in self._works.items()}
        if cadence is Cadence.OFTEN:
            return {}, prices
        dear = {name: price for name, price in prices.items() if price > self._limit}
        return dear, {name: price for name, price in prices.items() if name not in dear}

    @staticmethod
    def _turn(account: Account, light: Mapping[str, float], room: float) -> tuple[str, ...]:
        """The next blocks whose prices fit into the room."""
        names = list(light)
        chosen: list[str] = []
        for number in range(len(names)):
            name = names[(account.place + number) % len(names)]
            if light[name] > room:
                break
            room -= light[name]
            chosen.append(name)
        return tuple(chosen)

    def _work(self, names: tuple[str, ...]) -> float:
        """Seconds of the spectra of those that are still there."""
        return sum(self._works.get(name, 0.0) for name in names)

    def _book(self, monitor_seconds: float, spent: Mapping[Cadence, float]) -> None:
        read = {c: a for c, a in self.accounts.items() if a.reading}
        works = {c: self._work(a.reading) for c, a in read.items()}
        expected = {c: max(a.price(works[c]), 1e-9) for c, a in read.items()}
        common = max(monitor_seconds - sum(spent.get(c, 0.0) for c in read), 0.0)
        for cadence, account in read.items():
            own = spent.get(cadence, 0.0) + common * expected[cadence] / sum(expected.values())
            account.book(own, works[cadence])
            account.last = self.steps - 1
            if account.alone and account.price(works[cadence]) > self._limit:
                account.dear += 1
                account.dear_seconds += own
            else:
                account.place += len(account.reading)
            account.reading = ()
