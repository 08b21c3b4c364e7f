"""What happens to the world of a scenario: ``[[events]]``, and what each kind has to say."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Final, NamedTuple

import attrs

from cucm_certflow.lab.document import Wrong, WrongValue
from cucm_certflow.names import CertUnit, Service

__all__ = ["EventKind", "EventSpec"]


class EventKind(Enum):
    """What happens, whoever looks: to services, nodes, databases, lists, phones, and the driver."""

    SERVICE_SLOW = "service slow"
    """The next start of ``service`` on ``node`` takes ``for_s`` longer, in STARTING."""

    SERVICE_STUCK = "service stuck"
    """The next start of ``service`` on ``node`` never ends: STARTING, until somebody starts it
    anew."""

    SERVICE_DIES = "service dies"
    """``service`` on ``node`` is gone, as if it had crashed; it comes back after ``for_s``."""

    SERVICE_RESTARTS = "service restarts"
    """``service`` on ``node`` restarts, and nobody has asked for it."""

    NODE_REBOOTS = "node reboots"
    """``node`` answers nobody for ``for_s``, then its services start; what a command was about to
    do there is done or not, as chance has it."""

    REPLICATION_BROKEN = "replication broken"
    """Replication with ``node`` is in state 3 for ``for_s``: until then its own database, and so
    its TVS, learns of no new certificate."""

    DATABASE_LATE = "database late"
    """For ``for_s`` the database of ``node`` learns of what is new ``by_s`` later than it would."""

    CTL_KEPT = "ctl kept"
    """``node`` goes on serving the CTL that it has: new ones do not reach it for ``for_s``; not
    given: the next one does not."""

    LIST_STALE = "list stale"
    """Cisco Tftp on ``node`` does not rebuild its ITL when it starts, for ``for_s``; not given: the
    next time. It signs with the certificate of now all the same."""

    PHONES_SLOW = "phones slow"
    """For ``for_s`` phones take ``by_s`` longer to boot."""

    PHONES_AWAY = "phones away"
    """Phones do not come back the next time that they leave: they are without power for ``for_s``;
    not given: for ever."""

    PHONES_LOOP = "phones loop"
    """Phones reset by themselves every ``by_s``, for ``for_s``."""

    PHONES_RESET = "phones reset"
    """Phones reset, and nobody has asked for it."""

    PHONES_LOCKED = "phones locked"
    """Phones hold the lists of another cluster from now on: they stay registered where no TLS is
    needed, and take nothing from this one."""

    REGENERATED_OUTSIDE = "regenerated outside"
    """Somebody regenerates ``unit`` on ``node`` in the web interface."""

    CTL_UPDATED_OUTSIDE = "ctl updated outside"
    """Somebody types ``utils ctl update CTLFile`` on the publisher."""

    CLOCK_JUMPS = "clock jumps"
    """The clock of the machine that drives steps by ``by_s``, back if it is negative; the
    cluster's do not."""

    DRIVER_SLEEPS = "driver sleeps"
    """The machine that drives sleeps for ``for_s``, like a laptop that was shut: the cluster goes
    on, and no connection outlasts it."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The keys that it must have."""
        return _KEYS[self].needs

    @property
    def may_have(self) -> tuple[str, ...]:
        """The keys that it can have."""
        return _KEYS[self].needs + _KEYS[self].may


class _Keys(NamedTuple):
    needs: tuple[str, ...] = ()
    may: tuple[str, ...] = ()


_SERVICE: Final = ("node", "service")
_KEYS: Final[Mapping[EventKind, _Keys]] = {
    EventKind.SERVICE_SLOW: _Keys((*_SERVICE, "for_s")),
    EventKind.SERVICE_STUCK: _Keys(_SERVICE),
    EventKind.SERVICE_DIES: _Keys(_SERVICE, ("for_s",)),
    EventKind.SERVICE_RESTARTS: _Keys(_SERVICE),
    EventKind.NODE_REBOOTS: _Keys(("node", "for_s")),
    EventKind.REPLICATION_BROKEN: _Keys(("node",), ("for_s",)),
    EventKind.DATABASE_LATE: _Keys(("node", "by_s"), ("for_s",)),
    EventKind.CTL_KEPT: _Keys(("node",), ("for_s",)),
    EventKind.LIST_STALE: _Keys(("node",), ("for_s",)),
    EventKind.PHONES_SLOW: _Keys(("by_s",), ("share", "for_s")),
    EventKind.PHONES_AWAY: _Keys((), ("share", "for_s")),
    EventKind.PHONES_LOOP: _Keys(("by_s",), ("share", "for_s")),
    EventKind.PHONES_RESET: _Keys((), ("share",)),
    EventKind.PHONES_LOCKED: _Keys((), ("share",)),
    EventKind.REGENERATED_OUTSIDE: _Keys(("node", "unit")),
    EventKind.CTL_UPDATED_OUTSIDE: _Keys(),
    EventKind.CLOCK_JUMPS: _Keys(("by_s",)),
    EventKind.DRIVER_SLEEPS: _Keys(("for_s",)),
}
_PARAMETERS: Final = ("node", "service", "unit", "share", "for_s", "by_s")


@attrs.frozen(kw_only=True)
class EventSpec:
    """One of ``[[events]]``: what happens, when, and to what.

    It happens once: at ``at_s``, or ``after_s`` after the ``nth`` exchange that begins with
    ``command`` has reached the cluster (a command that a fault loses has). One of ``at_s`` and
    ``command`` must be given.

    Attributes:
        kind: What happens.
        at_s: Seconds from the beginning of the story.
        command: As in :class:`~cucm_certflow.lab.scenario_faults.FaultSpec`.
        command_node: On which node that is; not given: on any.
        nth: The first such exchange (1), the second, and so on.
        after_s: How much later than the exchange it happens; 0: before the node acts on it.
        node: To which node it happens.
        service: To which service.
        unit: Of which unit.
        share: To which share of the phones, over 0 and up to 1; chance chooses.
        for_s: For how many seconds; not given: for ever, or as the kind says.
        by_s: By how many seconds; only clocks go back.
    """

    kind: EventKind
    at_s: float | None = None
    command: str | None = None
    command_node: str | None = None
    nth: int = 1
    after_s: float = 0.0
    node: str | None = None
    service: Service | None = None
    unit: CertUnit | None = None
    share: float | None = None
    for_s: float | None = None
    by_s: float | None = None

    def __attrs_post_init__(self) -> None:
        wrongs = [*self._wrong_moment(), *self._wrong_parameters()]
        if wrongs:
            raise WrongValue(*wrongs)

    def _wrong_moment(self) -> list[Wrong]:
        if (self.at_s is None) == (self.command is None):
            return [Wrong("at_s", "expected either at_s or command")]
        wrongs: list[Wrong] = []
        if self.at_s is not None:
            if self.command_node is not None:
                wrongs.append(Wrong("command_node", "belongs to command, and there is at_s"))
            if self.at_s < 0:
                wrongs.append(Wrong("at_s", f"expected 0 or more, saw {self.at_s}"))
        if self.command is not None and not self.command.strip():
            wrongs.append(Wrong("command", "expected a command, or its beginning"))
        if self.nth < 1:
            wrongs.append(Wrong("nth", f"expected 1 or more, saw {self.nth}"))
        if self.after_s < 0:
            wrongs.append(Wrong("after_s", f"expected 0 or more, saw {self.after_s}"))
        return wrongs

    def _wrong_parameters(self) -> list[Wrong]:
        kind, wrongs = self.kind, list[Wrong]()
        for key in _PARAMETERS:
            given = getattr(self, key) is not None
            if given and key not in kind.may_have:
                wrongs.append(Wrong(key, f"means nothing to {kind.value!r}"))
            elif not given and key in kind.needs:
                wrongs.append(Wrong(key, f"is needed by {kind.value!r}"))
        if self.share is not None and not 0 < self.share <= 1:
            wrongs.append(Wrong("share", f"expected over 0 and up to 1, saw {self.share}"))
        if self.for_s is not None and self.for_s <= 0:
            wrongs.append(Wrong("for_s", f"expected more than 0, saw {self.for_s}"))
        if self.by_s is not None and self.by_s <= 0 and kind is not EventKind.CLOCK_JUMPS:
            wrongs.append(Wrong("by_s", f"expected more than 0, saw {self.by_s}"))
        return wrongs
