"""The phones of a lab cluster in time: when they leave, boot, load their lists and register.

What they accept is the physics'. When they come is the lab's invention throughout; except that a
reset travels over the registration alone, and that a phone in a call puts it off (procedures.md,
section 8).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import attrs

from cucm_certflow.facts import PhoneSecurity, Registration
from cucm_certflow.lab.held_lists import foreign
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.phones import can_register, home
from cucm_certflow.lab.physics.world import Phone
from cucm_certflow.lab.scenario import LabPhone, PhoneState
from cucm_certflow.lab.stage import Stage
from cucm_certflow.names import Service

__all__ = ["PhonesInTime"]


@attrs.frozen
class _Away:
    """What becomes of a phone that leaves: it is without power, until *for_* later if given."""

    for_: timedelta | None


@attrs.define(eq=False)
class _Life:
    """Where one phone stands; ``visit`` counts its boots, so that an old one's events are void."""

    node: str = ""
    visit: int = 0
    is_booting: bool = False
    in_call: bool = False
    reset_waits: bool = False
    moves: int = 0
    retries: int = 0
    left: dict[str, datetime] = attrs.field(factory=dict)
    slower: tuple[timedelta, datetime | None] | None = None
    goes_away: _Away | None = None


class PhonesInTime:
    """Every phone of *stage*, in its order."""

    def __init__(self, stage: Stage, phones: Sequence[LabPhone]) -> None:
        self._stage = stage
        self._names = tuple(phone.kind.name for phone in phones)
        self._index = {name: index for index, name in enumerate(self._names)}
        self._lives = tuple(_Life() for _ in phones)
        self._table: dict[str, Registration] = {}
        self._is_seen = False
        self._security = tuple(phone.device.security for phone in phones)
        self._counts: dict[str, Counter[PhoneSecurity]] = defaultdict(Counter)
        for index, phone in enumerate(phones):
            self._begin(index, phone)

    # ── looking ───────────────────────────────────────────────────────────────────────────

    def registrations(self) -> Mapping[str, Registration]:
        """Where every phone is registered, as of now: what is given away does not change later.

        It is copied when the next phone moves, so that looking costs nothing while nothing happens.
        """
        self._is_seen = True
        return self._table

    def registration(self, index: int) -> Registration:
        """Where one phone is registered, as of now."""
        return self._table[self._names[index]]

    def nodes_left(self, index: int) -> Mapping[str, datetime]:
        """The nodes that one phone was registered with and is no longer, and when it left each."""
        return dict(self._lives[index].left)

    def registered_with(self, node: str) -> Mapping[PhoneSecurity, int]:
        """How many phones of each security mode are registered with *node*, as of now."""
        return dict(self._counts[node]) if node in self._counts else {}

    def index_of(self, name: str) -> int:
        """The place of the phone called *name*.

        Raises:
            ValueError: there is none.
        """
        if name not in self._index:
            message = f"no phone is called {name[:40]}"
            raise ValueError(message)
        return self._index[name]

    # ── what people do ────────────────────────────────────────────────────────────────────

    def reset(self, index: int) -> datetime:
        """Tell a phone to reset, which it hears if it is registered; returns when it leaves."""
        life, now = self._lives[index], self._stage.now
        if not self._is_registered(index):
            return now
        if life.in_call:
            life.reset_waits = True
            return now
        lag = self._draw(index, f"reset {life.visit}", self._stage.timing.reset_lag_s)
        return self._stage.after(lag, partial(self._boot, index, life.visit))

    def reset_all(self) -> None:
        """Tell all phones to reset, as the cluster does by itself."""
        for index in range(len(self._names)):
            self.reset(index)

    def power(self, index: int, *, on: bool) -> datetime:
        """Switch a phone off or on; returns when it has left, or is registered if it can be."""
        life = self._lives[index]
        phone = self._phone(index)
        if phone.on == on:
            return self._stage.now
        life.visit += 1
        life.is_booting = life.in_call = life.reset_waits = False
        self._stage.put(index, phone._replace(on=on, registered=False))
        self._show(index, "")
        return self._boot(index, life.visit) if on else self._stage.now

    # ── what a scenario's events do to them ────────────────────────────────────────────────

    def chosen(self, name: str, share: float) -> tuple[int, ...]:
        """Which phones an event called *name* happens to: that share of them, one at least."""
        drawn = sorted(
            range(len(self._names)), key=lambda index: self._draw(index, name, (0.0, 1.0))
        )
        return tuple(sorted(drawn[: max(1, round(share * len(drawn)))]))

    def slow_down(self, index: int, by: timedelta, until: datetime | None) -> None:
        """A phone takes *by* longer to boot, *until*; None: for ever."""
        self._lives[index].slower = (by, until)

    def send_away(self, index: int, for_: timedelta | None) -> None:
        """A phone does not come back when it leaves next, for that long; None: for ever."""
        self._lives[index].goes_away = _Away(for_)

    def lock(self, index: int) -> None:
        """A phone holds the lists of another cluster from now on, registered as it may be."""
        phone = self._phone(index)
        self._stage.put(index, phone._replace(itl=foreign(phone.itl), ctl=foreign(phone.ctl)))

    def _goes_away(self, index: int) -> bool:
        """Whether the phone that has just left stays away; then it is switched off."""
        life = self._lives[index]
        away, life.goes_away = life.goes_away, None
        if away is None:
            return False
        self.power(index, on=False)
        if away.for_ is not None:
            self._stage.after(away.for_, partial(self.power, index, on=True))
        return True

    # ── what CallManagers do to them ──────────────────────────────────────────────────────

    def callmanager_stopped(self, node: str) -> None:
        """The phones registered with *node* lose it, and look for the next of their group."""
        for index, life in enumerate(self._lives):
            if life.node == node:
                self._leave(index)
                if self._goes_away(index):
                    continue
                self._later(index, self._stage.timing.phone_failover_s)

    def callmanager_started(self, node: str) -> None:
        """The phones that prefer *node*, and those that have no registration, come to it."""
        timing = self._stage.timing
        for index, kind in enumerate(self._stage.kinds):
            if node not in kind.group or not self._phone(index).on:
                continue
            at = self._lives[index].node
            if not at:
                self._later(index, timing.phone_register_s)
            elif kind.group.index(node) < kind.group.index(at):
                self._later(index, timing.phone_fallback_s)

    # ── what they do ──────────────────────────────────────────────────────────────────────

    def _begin(self, index: int, phone: LabPhone) -> None:
        stage, life = self._stage, self._lives[index]
        is_on = phone.state is not PhoneState.OFF
        self._stage.put(index, self._phone(index)._replace(on=is_on, registered=False))
        self._show(index, "")
        if is_on and self._can_register(index):
            before = self._draw(index, "past", (3_600.0, 864_000.0))
            self._stage.put(index, self._phone(index)._replace(registered=True))
            self._show(index, phone.kind.group[0], since=stage.now - before)
        if phone.state is PhoneState.IN_A_CALL:
            life.in_call = True
            if phone.call_s is not None:
                end = timedelta(seconds=phone.call_s)
                stage.after(end, partial(self._hang_up, index, life.visit))

    def _hang_up(self, index: int, visit: int) -> None:
        life = self._lives[index]
        if life.visit != visit:
            return
        life.in_call = False
        if life.reset_waits:
            life.reset_waits = False
            self._boot(index, visit)

    def _boot(self, index: int, visit: int) -> datetime:
        """Leave and boot; void if the phone has been switched or has booted since."""
        stage, life = self._stage, self._lives[index]
        if life.visit != visit or not self._phone(index).on:
            return stage.now
        life.visit += 1
        life.is_booting, life.in_call, life.reset_waits = True, False, False
        if self._is_registered(index):
            self._leave(index)
        if self._goes_away(index):
            return stage.now
        whole = self._draw(index, f"boot {life.visit}", stage.timing.phone_boot_s)
        if life.slower is not None and (life.slower[1] is None or stage.now < life.slower[1]):
            whole += life.slower[0]
        loading = timedelta(seconds=stage.timing.phone_load_s)
        stage.after(whole - loading, partial(self._load, index, life.visit, 0))
        return stage.now + whole

    def _load(self, index: int, visit: int, choice: int) -> None:
        """Load the lists from the TFTP node of *choice*, or wait in vain and go to the next."""
        stage, life = self._stage, self._lives[index]
        if life.visit != visit:
            return
        kind, timing = stage.kinds[index], stage.timing
        if choice < len(kind.tftp):
            node = kind.tftp[choice]
            if not stage.scenery.up(Service.TFTP, node):
                wait = timedelta(seconds=timing.tftp_timeout_s)
                stage.after(wait, partial(self._load, index, visit, choice + 1))
                return
            # A world with one phone: how many others there are must not cost anything.
            alone = stage.scenery._replace(phones=(self._phone(index),))
            (loaded,) = actions.boot(stage.layout, (kind,), alone, 0, node).phones
            stage.put(index, loaded._replace(registered=False))
            has_ctl = stage.scenery.ctl_of(node) is not None
            stage.tftp[node].visited(has_ctl=has_ctl, by_default=kind.asks_tvs)
        stage.after(timedelta(seconds=timing.phone_load_s), partial(self._arrive, index, visit))

    def _arrive(self, index: int, visit: int) -> None:
        if self._lives[index].visit == visit:
            self._lives[index].is_booting = False
            self._register(index)

    def _later(self, index: int, span: tuple[float, float]) -> None:
        life = self._lives[index]
        life.moves += 1
        delay = self._draw(index, f"move {life.moves}", span)
        self._stage.after(delay, partial(self._look_for_home, index, life.visit))

    def _look_for_home(self, index: int, visit: int) -> None:
        life = self._lives[index]
        if life.visit != visit or life.is_booting or not self._phone(index).on:
            return
        best = home(self._stage.scenery, self._stage.kinds[index])
        if best is not None and best != life.node:
            self._register(index)

    def _register(self, index: int) -> None:
        """Register with the best node that runs. Unkind: who cannot has no registration at all.

        A secure phone that came back to a better node whose certificate it cannot accept does not
        return to the one that it left.
        """
        stage = self._stage
        node = home(stage.scenery, stage.kinds[index])
        if node is not None and self._can_register(index):
            self._stage.put(index, self._phone(index)._replace(registered=True))
            self._show(index, node)
            return
        if self._is_registered(index):
            self._leave(index)
        if stage.kinds[index].secure:
            life = self._lives[index]
            life.retries += 1
            delay = self._draw(index, f"retry {life.retries}", stage.timing.secure_phone_retry_s)
            stage.after(delay, partial(self._retry, index, life.visit))

    def _retry(self, index: int, visit: int) -> None:
        if not self._is_registered(index):
            self._boot(index, visit)

    # ── small things ──────────────────────────────────────────────────────────────────────

    def _leave(self, index: int) -> None:
        self._stage.put(index, self._phone(index)._replace(registered=False))
        self._show(index, "")

    def _is_registered(self, index: int) -> bool:
        phone = self._phone(index)
        return phone.on and phone.registered

    def _can_register(self, index: int) -> bool:
        stage = self._stage
        return can_register(stage.layout, stage.scenery, stage.kinds[index], self._phone(index))

    def _phone(self, index: int) -> Phone:
        return self._stage.phone(index)

    def _show(self, index: int, node: str, *, since: datetime | None = None) -> None:
        """Put down where the phone is now registered, in whole seconds like RISPort's TimeStamp."""
        if self._is_seen:
            self._table, self._is_seen = dict(self._table), False
        life, security = self._lives[index], self._security[index]
        whole = (since or self._stage.now).replace(microsecond=0)
        if life.node:
            self._counts[life.node][security] -= 1
            if life.node != node:
                life.left[life.node] = whole
        if node:
            self._counts[node][security] += 1
            life.left.pop(node, None)
        life.node = node
        self._table[self._names[index]] = Registration(self._names[index], bool(node), node, whole)

    def _draw(self, index: int, what: str, span: tuple[float, float]) -> timedelta:
        return self._stage.draw(f"{self._names[index]} {what}", span)
