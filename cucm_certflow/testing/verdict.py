"""The verdict on a lab after anybody's work: which phones are lost, by what, and what helps them.

It replays what the lab remembers over the lab's physics, and knows no rule of the library: whether
a person, a script or the library itself sent the commands is all the same to it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from functools import cached_property
from itertools import groupby
from typing import Final, NamedTuple

import attrs

from cucm_certflow.lab.chronicle import Cause, Executed, SceneryChanged
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.happenings import Happened
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.phones import can_register, hangs, home, lsc_trusted, synced
from cucm_certflow.lab.physics.world import (
    PRESENTED_BY,
    Layout,
    Phone,
    PhoneKind,
    TrustList,
    World,
)
from cucm_certflow.names import CertUnit, Service

__all__ = [
    "Away",
    "Health",
    "Loss",
    "Missing",
    "OldProcess",
    "Regenerated",
    "Verdict",
    "verdict_of",
]

_NAMES_SHOWN: Final = 3


class Away(Enum):
    """Why a phone is not registered."""

    OFF = "it is off"
    NO_CALLMANAGER = "no Cisco CallManager of its group runs"
    LSC = "its CallManager node does not trust the issuer of its LSC"
    OLD_CAPF = "its CTL names a CAPF that is gone, and it hangs while it registers"
    CERTIFICATE = "its CallManager node shows a certificate that it does not accept"
    ON_ITS_WAY = "nothing is in its way: it boots, or will try again"


class Loss(NamedTuple):
    """Phones that one change left without ordinary means to come back.

    Attributes:
        remedy: What would bring them back, at the end of the story or when it was worst.
        at: When that was.
        by: The command, or the event of the scenario, that it came of. None: nobody commanded it
            (somebody did it by hand at the lab, or it was so when the story began).
        phones: Their names.
    """

    remedy: Health
    at: datetime
    by: Cause | None
    phones: tuple[str, ...]


class Missing(NamedTuple):
    """Phones that are not registered, and why; ``was``: they were when the story began."""

    why: Away
    was: bool
    phones: tuple[str, ...]


class OldProcess(NamedTuple):
    """A service that has not been restarted since its certificate was regenerated."""

    node: str
    service: Service


class Regenerated(NamedTuple):
    """How often a certificate was regenerated, by whomever."""

    node: str
    unit: CertUnit
    times: int


@attrs.frozen(kw_only=True)
class Verdict:
    """What became of a lab's phones. ``str()`` of it is the report.

    Attributes:
        name: The scenario's.
        release: Of the cluster, as the scenario has it.
        mixed: Whether it is in mixed mode.
        began: The beginning of the story, by the lab's clock.
        at: The instant of the verdict, by the lab's clock.
        phones: How many there are.
        losses: Phones that are lost: no ordinary restart, reset or CTL update brings them back.
        earlier: Phones that were lost before: they came back, or something worse befell them.
        missing: Phones that are not registered.
        behind: Phones that are not lost, but do not hold what their first TFTP node serves, or do
            not take its configuration: ordinary restarts and resets still have to be made.
        old_processes: Services that still go by an old certificate.
        regenerated: Certificates, and how often each was regenerated.
        commands: Every changing command, in the order in which the cluster took them.
        happened: The scenario's events, in order.
    """

    name: str
    release: str
    mixed: bool
    began: datetime
    at: datetime
    phones: int
    losses: tuple[Loss, ...]
    earlier: tuple[Loss, ...]
    missing: tuple[Missing, ...]
    behind: tuple[str, ...]
    old_processes: tuple[OldProcess, ...]
    regenerated: tuple[Regenerated, ...]
    commands: tuple[Executed, ...]
    happened: tuple[Happened, ...]

    @cached_property
    def lost(self) -> Mapping[str, Loss]:
        """The phones that are lost, by name."""
        return {name: loss for loss in self.losses for name in loss.phones}

    @property
    def gone(self) -> tuple[str, ...]:
        """The phones that were registered when the story began, and are not."""
        return tuple(name for missing in self.missing if missing.was for name in missing.phones)

    @property
    def is_clean(self) -> bool:
        """Whether no phone is lost, and every phone is registered that was when it began."""
        return not self.losses and not self.gone

    def remedy(self, phone: str) -> Health:
        """The weakest remedy that brings the phone called *phone* back; OK for any other."""
        return self.lost[phone].remedy if phone in self.lost else Health.OK

    def remedy_text(self, remedy: Health) -> str:
        """*remedy* as something to do."""
        match remedy:
            case Health.OK:
                return "ordinary restarts, resets and CTL updates"
            case Health.NEEDS_LOCALKEY:
                kinds = "itl|ctl" if self.mixed else "itl"
                return f"`utils {kinds} reset localkey` on the publisher, then reset the phones"
            case Health.HAND_DELETE:
                return "somebody must delete the trust lists at each phone"

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterable[str]:
        mode = "mixed mode" if self.mixed else "non-secure"
        hours = f"{self._hour(self.began)} to {self._hour(self.at)}"
        yield f"{self.name}, {self.release}, {mode}, {hours}"
        lost = len(self.lost)
        yield f"lost: {lost or 'none'} of {_phones(self.phones)}"
        for loss in self.losses:
            yield f"  {_some(loss.phones)}"
            yield f"    lost by: {self._cause(loss)}"
            yield f"    back by: {self.remedy_text(loss.remedy)}"
        for loss in self.earlier:
            yield f"lost earlier: {_some(loss.phones)}"
            yield f"    lost by: {self._cause(loss)}"
            yield f"    it would have taken: {self.remedy_text(loss.remedy)}"
        away = sum(len(missing.phones) for missing in self.missing)
        yield f"registered: {self.phones - away} of {_phones(self.phones)}"
        for missing in self.missing:
            when = "was when it began" if missing.was else "was not when it began"
            yield f"not registered, {when}: {_some(missing.phones)}"
            yield f"    {missing.why.value}"
        if self.behind:
            yield f"not up to date, back by {self.remedy_text(Health.OK)}: {_some(self.behind)}"
        for old in self.old_processes:
            yield f"not restarted since its certificate is new: {old.service.value} on {old.node}"
        for each in self.regenerated:
            often = "once" if each.times == 1 else f"{each.times} times"
            yield f"regenerated {often}: {each.unit.value} on {each.node}"
        yield f"commands, in order: {len(self.commands) or 'none'}"
        yield from (f"  {line}" for line in self._story())

    def _story(self) -> Iterable[str]:
        """Commands and events; resets of phones that follow each other on one line."""
        both: list[Cause] = [*self.commands, *self.happened]
        story = sorted(both, key=lambda each: each.at)
        for is_reset, each in groupby(story, key=_is_reset):
            told = tuple(each)
            if is_reset:
                first, last = self._hour(told[0].at), self._hour(told[-1].at)
                hours = first if first == last else f"{first} to {last}"
                yield f"{hours} doDeviceReset, {_phones(len(told))}"
                continue
            for one in told:
                if isinstance(one, Executed):
                    yield f"{self._hour(one.at)} {one.node}: {one.text}"
                else:
                    yield f"{self._hour(one.at)} {_event(one)}"

    def _cause(self, loss: Loss) -> str:
        at = self._hour(loss.at)
        if loss.by is None:
            if loss.at == self.began:
                return "it was so when it began"
            return f"no command: by hand, or by itself, at {at}"
        if isinstance(loss.by, Executed):
            return (
                f"{loss.by.text} on {loss.by.node}, "
                f"sent at {self._hour(loss.by.at)}, came into effect at {at}"
            )
        return f"{_event(loss.by)}, at {at}"

    def _hour(self, at: datetime) -> str:
        days = (at.date() - self.began.date()).days
        return f"{at:%H:%M:%S}" + (f" (+{days} d)" if days else "")


def _event(happened: Happened) -> str:
    event = happened.event
    where = f" on {event.node}" if event.node else ""
    return f"(an event of the scenario: {event.kind.value}{where})"


def _is_reset(each: Cause) -> bool:
    return isinstance(each, Executed) and each.text.startswith("doDeviceReset ")


def _phones(count: int) -> str:
    return "1 phone" if count == 1 else f"{count} phones"


def _some(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_NAMES_SHOWN])
    more = len(names) - _NAMES_SHOWN
    return f"{_phones(len(names))}: {shown}" + (f" and {more} more" if more > 0 else "")


def verdict_of(lab: LabCluster) -> Verdict:
    """What became of the phones of *lab* until now, and which command did it. Changes nothing.

    Phones that are alike and hold the same lists are judged once, so that 40,000 of them cost
    little more than a few. A phone that is switched off is judged by what it holds, as any other.

    Args:
        lab: A lab in memory, or that of servers (``LabServers.cluster``); used by whomever.

    Source:
        What a phone accepts, and what brings it back, is the lab's physics: an exhaustive search,
        ``cucm_certflow.lab.physics.judge``.
    """
    world, began = lab.world, lab.chronicle.first
    replay = _Replay(lab.layout, lab.kinds, began, lab.began)
    for change in lab.chronicle.changes:
        if isinstance(change, SceneryChanged):
            replay.scenery(change.at, change.cause, change.scenery)
        else:
            replay.lists(change.at, change.cause, change.place, change.itl, change.ctl)
    names = tuple(kind.name for kind in lab.kinds)
    losses, earlier = replay.result(names)
    return Verdict(
        name=lab.scenario.name,
        release=str(lab.scenario.release),
        mixed=lab.layout.mixed,
        began=lab.began,
        at=lab.now,
        phones=len(names),
        losses=losses,
        earlier=earlier,
        missing=_missing(lab.layout, lab.kinds, began, world),
        behind=replay.behind(names),
        old_processes=_old_processes(world),
        regenerated=_regenerated(began, world),
        commands=lab.log,
        happened=lab.happened,
    )


# ── replaying ─────────────────────────────────────────────────────────────────────────────


class _Key(NamedTuple):
    """All that decides what brings a phone back, beside the scenery."""

    kind: PhoneKind
    itl: TrustList | None
    ctl: TrustList | None


class _Blow(NamedTuple):
    """The change by which phones left ordinary means, or got worse still."""

    remedy: Health
    at: datetime
    by: Cause | None


class _Replay:
    """The story told again, phones grouped by what they are and hold."""

    def __init__(
        self, layout: Layout, kinds: tuple[PhoneKind, ...], first: World, at: datetime
    ) -> None:
        self._layout = layout
        self._memo = Memo()
        self._scenery = first._replace(phones=())
        self._keys: list[_Key] = []
        self._groups: defaultdict[_Key, set[int]] = defaultdict(set)
        self._health: dict[_Key, Health] = {}
        self._blows: dict[int, _Blow] = {}
        self._past: defaultdict[_Blow, set[int]] = defaultdict(set)
        for place, (kind, phone) in enumerate(zip(kinds, first.phones, strict=True)):
            key = _Key(kind._replace(name=""), phone.itl, phone.ctl)
            self._keys.append(key)
            self._groups[key].add(place)
        for key, places in self._groups.items():
            self._health[key] = self._judge(key)
            self._turn(places, Health.OK, self._health[key], at, None)

    def scenery(self, at: datetime, cause: Cause | None, scenery: World) -> None:
        """The world without its phones is now *scenery*."""
        self._scenery = scenery
        for key, places in self._groups.items():
            before, self._health[key] = self._health[key], self._judge(key)
            self._turn(places, before, self._health[key], at, cause)

    def lists(
        self,
        at: datetime,
        cause: Cause | None,
        place: int,
        itl: TrustList | None,
        ctl: TrustList | None,
    ) -> None:
        """The phone at *place* now holds these lists."""
        old = self._keys[place]
        key = self._keys[place] = old._replace(itl=itl, ctl=ctl)
        before = self._health[old]
        self._groups[old].discard(place)
        if not self._groups[old]:
            del self._groups[old], self._health[old]
        self._groups[key].add(place)
        if key not in self._health:
            self._health[key] = self._judge(key)
        self._turn({place}, before, self._health[key], at, cause)

    def result(self, names: tuple[str, ...]) -> tuple[tuple[Loss, ...], tuple[Loss, ...]]:
        """Phones that are lost, and phones that were lost before, each by its change."""
        lost: defaultdict[_Blow, set[int]] = defaultdict(set)
        for place, blow in self._blows.items():
            lost[blow].add(place)
        return _losses(lost, names), _losses(self._past, names)

    def behind(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Phones with ordinary means to come back, which they still have to."""
        return tuple(
            sorted(
                names[place]
                for key, places in self._groups.items()
                if self._health[key] is Health.OK and not self._is_synced(key)
                for place in places
            )
        )

    def _is_synced(self, key: _Key) -> bool:
        return synced(self._layout, self._scenery, key.kind, Phone(key.itl, key.ctl))

    def _judge(self, key: _Key) -> Health:
        world = self._scenery._replace(phones=(Phone(key.itl, key.ctl),))
        return health(self._layout, (key.kind,), world, 0, self._memo)

    def _turn(
        self,
        places: Iterable[int],
        before: Health,
        after: Health,
        at: datetime,
        cause: Cause | None,
    ) -> None:
        """Blame *cause* for what got worse; what was before goes to the past."""
        if before is after:
            return
        for place in places:
            old = self._blows.pop(place, None)
            if old is not None:
                self._past[old].add(place)
            if after.severity > before.severity:
                self._blows[place] = _Blow(after, at, cause)
            elif old is not None and after is not Health.OK:
                self._blows[place] = old._replace(remedy=after)


def _losses(blows: Mapping[_Blow, set[int]], names: tuple[str, ...]) -> tuple[Loss, ...]:
    """In the order of what happened; what phones suffered of one command, at one instant or not."""
    of_one: defaultdict[tuple[Cause | None, Health], list[tuple[datetime, set[int]]]]
    of_one = defaultdict(list)
    for blow, places in blows.items():
        of_one[blow.by, blow.remedy].append((blow.at, places))
    found = [
        Loss(
            remedy,
            min(at for at, _ in parts),
            by,
            tuple(sorted(names[place] for _, places in parts for place in places)),
        )
        for (by, remedy), parts in of_one.items()
    ]
    return tuple(sorted(found, key=lambda loss: (loss.at, loss.remedy.severity, loss.phones)))


# ── looking at the end ────────────────────────────────────────────────────────────────────


def _missing(
    layout: Layout, kinds: tuple[PhoneKind, ...], first: World, world: World
) -> tuple[Missing, ...]:
    names: defaultdict[tuple[Away, bool], list[str]] = defaultdict(list)
    for kind, then, now in zip(kinds, first.phones, world.phones, strict=True):
        if not (now.on and now.registered):
            why = _why_away(layout, world, kind, now)
            names[why, then.on and then.registered].append(kind.name)
    order = tuple(Away)
    return tuple(
        Missing(why, was, tuple(sorted(found)))
        for (why, was), found in sorted(
            names.items(), key=lambda item: (not item[0][1], order.index(item[0][0]))
        )
    )


def _why_away(layout: Layout, world: World, kind: PhoneKind, phone: Phone) -> Away:
    node = home(world, kind)
    if not phone.on:
        return Away.OFF
    if node is None:
        return Away.NO_CALLMANAGER
    if can_register(layout, world, kind, phone):
        return Away.ON_ITS_WAY
    if not lsc_trusted(layout, world, node, phone.lsc):
        return Away.LSC
    return Away.OLD_CAPF if hangs(layout, world, phone) else Away.CERTIFICATE


def _old_processes(world: World) -> tuple[OldProcess, ...]:
    services = {unit: service for service, units in PRESENTED_BY.items() for unit in units}
    old = {
        OldProcess(cert.node, services[cert.unit])
        for cert in world.presented
        if cert != world.current(cert.unit, cert.node)
    } | {
        OldProcess(cert.node, Service.TFTP)
        for cert in world.signing
        if cert != world.current(cert.unit, cert.node)
    }
    return tuple(sorted(old))


def _regenerated(first: World, world: World) -> tuple[Regenerated, ...]:
    before = {(cert.node, cert.unit): cert.generation for cert in first.gen}
    times = Counter(
        {
            (cert.node, cert.unit): cert.generation - before[cert.node, cert.unit]
            for cert in world.gen
        }
    )
    return tuple(Regenerated(node, unit, often) for (node, unit), often in times.items() if often)
