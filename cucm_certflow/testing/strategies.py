"""Hypothesis strategies: clusters, phones, faults and schedules, as scenarios of the lab.

Everything that is drawn is valid, and shrinks to what is easiest to read: one publisher, one phone
that is on, no fault. A drawn scenario shows itself as the text of its file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from cucm_certflow.facts import PhoneSecurity
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.scenario_book import MULTI_SERVER, CertificateSpec
from cucm_certflow.lab.scenario_events import EventKind, EventSpec
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec, interface_of
from cucm_certflow.lab.scenario_tables import HeldLists, NodeSpec, PhoneSpec, PhoneState
from cucm_certflow.lab.scenario_text import scenario_text
from cucm_certflow.names import CertUnit, Product, Release, SecurityMode, Service
from cucm_certflow.procedures.policies import BatchesBy, CapfWindow, Policy, UnitOrder
from cucm_certflow.procedures.releases import EXISTS

if TYPE_CHECKING:
    from hypothesis.vendor.pretty import RepresentationPrinter

__all__ = [
    "broken_scenario_files",
    "certificates",
    "clusters",
    "events",
    "faults",
    "modes",
    "nodes",
    "phones",
    "policies",
    "releases",
    "scenario_files",
    "schedules",
    "units",
    "units_in",
    "wishes",
]

RELEASES: Final = ("11.5", "12.5", "14", "15", "14SU2", "10.5", "9.1", "8.6")
"""The releases that are drawn; the first is what examples shrink to."""

MODELS: Final = ("Cisco 8861", "Cisco 7841", "Cisco 6941")
_NAMES: Final = ("pub", "sub1", "sub2", "sub3")
_SERVICES: Final = (Service.CALLMANAGER, Service.TFTP, Service.TVS, Service.CTIMANAGER)
_MIXED_FROM: Final = (10, 0)
_REUSE_FROM: Final = (14, 0)
_AGES: Final = (30.0, 400.0, 1.0, -1.0, -30.0)
_KEY_BITS: Final = (3072, 4096, 1024)
_EVENTS: Final = (
    EventKind.PHONES_AWAY,
    EventKind.PHONES_SLOW,
    EventKind.SERVICE_SLOW,
    EventKind.SERVICE_RESTARTS,
    EventKind.SERVICE_DIES,
    EventKind.DATABASE_LATE,
    EventKind.REPLICATION_BROKEN,
    EventKind.LIST_STALE,
    EventKind.NODE_REBOOTS,
)
_SENT: Final = (
    "set cert regen TVS",
    "set cert regen CallManager",
    "set cert regen",
    "utils service restart Cisco Tftp",
    "utils service restart Cisco Trust Verification Service",
    "utils service restart Cisco CallManager",
    "utils service restart Cisco Tomcat",
    "utils ctl update CTLFile",
)
"""Commands that a run sends, which faults and events can be tied to."""


def releases() -> SearchStrategy[Release]:
    """A supported release, 8.6 to 15; shrinks to 11.5, where the most can go wrong."""
    return st.sampled_from(RELEASES).map(Release.parse)


def modes(release: Release) -> SearchStrategy[SecurityMode]:
    """The mode of a cluster of *release*; shrinks to non-secure.

    Below 10.0 a USB token signs the CTL of a mixed mode, which waits for a person: not drawn.
    """
    # A draw for every release: fewer draws are simpler to Hypothesis, which would shrink every
    # cluster to a release that has no choice here.
    may_be_mixed = release.short >= _MIXED_FROM
    return st.booleans().map(
        lambda mixed: SecurityMode.MIXED if mixed and may_be_mixed else SecurityMode.NON_SECURE
    )


@st.composite
def nodes(draw: DrawFn, *, most: int = 3) -> tuple[NodeSpec, ...]:
    """A publisher and its subscribers, up to *most* nodes, 4 at most; shrinks to the publisher.

    Each runs Cisco CallManager, Tftp, TVS and CTIManager; a publisher with subscribers may run TVS
    alone.
    """
    count = draw(st.integers(1, min(most, len(_NAMES))))
    alone = count > 1 and draw(st.booleans())
    return tuple(
        NodeSpec(
            name=name,
            address=f"127.0.0.{11 + index}",
            publisher=index == 0,
            services=(Service.TVS,) if alone and index == 0 else _SERVICES,
        )
        for index, name in enumerate(_NAMES[:count])
    )


@st.composite
def phones(
    draw: DrawFn,
    cluster: Sequence[NodeSpec],
    mode: SecurityMode,
    *,
    off: bool = True,
    strange: bool = False,
) -> PhoneSpec:
    """One to three phones that are alike, of a cluster of these nodes.

    Args:
        draw: Hypothesis' own.
        cluster: The nodes.
        mode: In mixed mode they may be secure.
        off: Whether they may be switched off, or in a call that ends within an hour.
        strange: Whether they may lack Security By Default, be kept from TVS, or hold no lists or
            those of another cluster. A run cannot wait for all of these.

    Shrinks to one phone that is on, not secure, and knows Security By Default.
    """
    serving = [node.name for node in cluster if Service.CALLMANAGER in node.activated]
    files = [node.name for node in cluster if Service.TFTP in node.activated]
    count = draw(st.integers(1, 3))  # first: fewer phones are simpler than phones that are on
    secure = mode is SecurityMode.MIXED and draw(st.booleans())
    states = list(PhoneState) if off else [PhoneState.ON]
    state = draw(st.sampled_from(states))
    return PhoneSpec(
        count=count,
        model=draw(st.sampled_from(MODELS)),
        group=tuple(draw(_orders(serving))),
        tftp=tuple(draw(_orders(files))),
        security=PhoneSecurity.ENCRYPTED if secure else PhoneSecurity.NON_SECURE,
        state=state,
        call_s=draw(st.sampled_from([60.0, 900.0, 3600.0]))
        if state is PhoneState.IN_A_CALL
        else None,
        security_by_default=not strange or draw(st.sampled_from([True, False])),
        reaches_tvs=not strange or draw(st.sampled_from([True, False])),
        lists=draw(st.sampled_from(HeldLists)) if strange else HeldLists.SERVED,
    )


def _orders(names: Sequence[str]) -> SearchStrategy[list[str]]:
    most = min(len(names), 3)  # a CallManager group has three members at most
    return st.lists(st.sampled_from(list(names)), min_size=1, max_size=most, unique=True)


@st.composite
def faults(draw: DrawFn, cluster: Sequence[NodeSpec]) -> FaultSpec:
    """A fault of the lab that strikes one command that a run sends, once to three times.

    Shrinks to a lost reply of the first regeneration of TVS. ``late`` is no later than 150 s, the
    longest that the tables give a command to take effect.
    """
    command = draw(st.sampled_from(_SENT))
    where = interface_of(command)
    kinds = [kind for kind in FaultKind if not kind.interfaces or where in kind.interfaces]
    kinds.sort(key=lambda kind: kind is not FaultKind.LOST_REPLY)
    return FaultSpec(
        kind=draw(st.sampled_from(kinds)),
        command=command,
        node=draw(st.sampled_from([None, *(node.name for node in cluster)])),
        nth=draw(st.integers(1, 3)),
        times=draw(st.integers(1, 3)),
        late_s=draw(st.sampled_from([5.0, 60.0, 150.0])),
    )


@st.composite
def events(draw: DrawFn, cluster: Sequence[NodeSpec]) -> EventSpec:
    """Something that happens to phones or nodes by itself, after a command that a run sends.

    Nothing that somebody changes on purpose is drawn. Shrinks to phones that stay away for ten
    minutes when they next leave.
    """
    kind = draw(st.sampled_from(_EVENTS))
    serving = [node.name for node in cluster if Service.TFTP in node.activated]
    given = kind.may_have
    return EventSpec(
        kind=kind,
        command=draw(st.sampled_from(_SENT)),
        nth=draw(st.integers(1, 2)),
        after_s=draw(st.sampled_from([0.0, 30.0, 300.0])),
        node=draw(st.sampled_from(serving)) if "node" in given else None,
        service=draw(st.sampled_from([Service.TVS, Service.TFTP])) if "service" in given else None,
        share=draw(st.sampled_from([1.0, 0.5])) if "share" in given else None,
        for_s=draw(st.sampled_from([600.0, 60.0])) if "for_s" in given else None,
        by_s=60.0 if "by_s" in given else None,
    )


@attrs.frozen
class _Schedule:
    """What goes wrong, and when."""

    faults: tuple[FaultSpec, ...] = ()
    events: tuple[EventSpec, ...] = ()


@st.composite
def schedules(draw: DrawFn, cluster: Sequence[NodeSpec], *, most: int = 2) -> _Schedule:
    """Up to *most* faults and up to *most* events; shrinks to none of them."""
    return _Schedule(
        tuple(draw(st.lists(faults(cluster), max_size=most))),
        tuple(draw(st.lists(events(cluster), max_size=most))),
    )


@st.composite
def clusters(
    draw: DrawFn,
    *,
    most_nodes: int = 3,
    most_groups: int = 3,
    wrong: bool = True,
    off: bool = True,
    strange: bool = False,
    release: SearchStrategy[Release] | None = None,
    mode: SearchStrategy[SecurityMode] | None = None,
) -> Scenario:
    """A whole cluster, with phones and what goes wrong with it.

    Args:
        draw: Hypothesis' own.
        most_nodes: 1 to 4.
        most_groups: Groups of phones, 1 or more.
        wrong: Whether anything goes wrong by itself: a schedule of faults and events.
        off: Whether phones may be off or in a call.
        strange: Whether phones may be strange, as :func:`phones` has it, and certificates special,
            as :func:`certificates` has it: up to two of them.
        release: Another choice of releases.
        mode: Another choice of modes.

    Shrinks to one publisher of 11.5 in non-secure mode with one phone, and nothing goes wrong.
    """
    chosen = draw(releases() if release is None else release)
    given = draw(modes(chosen) if mode is None else mode)
    there = draw(nodes(most=most_nodes))
    some = phones(there, given, off=off, strange=strange)
    # By their number and not as a list: of a list that must not be empty the first one stays.
    groups = [draw(some) for _ in range(draw(st.integers(1, most_groups)))]
    schedule = draw(schedules(there)) if wrong else _Schedule()
    drawn = _Shown(
        release=chosen,
        mode=given,
        name="drawn",
        nodes=there,
        phones=tuple(groups),
        faults=schedule.faults,
        events=schedule.events,
    )
    if not strange:
        return drawn
    special = draw(
        st.lists(certificates(drawn), max_size=2, unique_by=lambda each: (each.unit, each.node))
    )
    return attrs.evolve(drawn, certificates=tuple(special))


@attrs.frozen(kw_only=True, repr=False, eq=False)
class _Shown(Scenario):
    """A scenario that shows itself as its file."""

    def __repr__(self) -> str:
        return f'Scenario.loads("""\n{scenario_text(self)}""")'

    def _repr_pretty_(self, printer: RepresentationPrinter, _cycle: bool) -> None:  # noqa: FBT001 - the protocol's
        """Hypothesis would print every field of an attrs class, and not ask for its repr."""
        for number, line in enumerate(repr(self).splitlines()):
            if number:
                printer.break_()
            printer.text(line)

    def __eq__(self, other: object) -> bool:
        """A scenario that was read is the same as one that was drawn."""
        if not isinstance(other, Scenario):
            return NotImplemented
        names = [field.name for field in attrs.fields(Scenario)]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    __hash__ = None  # type: ignore[assignment]  # - as of any scenario: it has tables


def units(scenario: Scenario) -> SearchStrategy[CertUnit]:
    """A certificate kind that *scenario* has; shrinks to TVS."""
    return st.sampled_from(_units_of(scenario))


def wishes(scenario: Scenario, *, most: int = 3) -> SearchStrategy[tuple[CertUnit, ...]]:
    """One to *most* kinds that *scenario* has, each once; shrinks to TVS alone."""
    chosen = st.lists(units(scenario), min_size=1, max_size=most, unique=True)
    return chosen.map(tuple)


def _units_of(scenario: Scenario) -> list[CertUnit]:
    first = (CertUnit.TVS, CertUnit.CALLMANAGER)
    return [*first, *(unit for unit in units_in(scenario) if unit not in first)]


def units_in(scenario: Scenario) -> list[CertUnit]:
    """The certificate kinds that *scenario* has, in the order of the enumeration."""
    products = {node.product for node in scenario.nodes}
    return [
        unit
        for unit in CertUnit
        if unit in EXISTS
        and scenario.release in EXISTS[unit].releases
        and EXISTS[unit].products & products
        and (scenario.ecdsa or not unit.value.endswith("-ECDSA"))
        and (Product.IM_PRESENCE in products or not unit.value.startswith("cup"))
    ]


@st.composite
def certificates(draw: DrawFn, scenario: Scenario) -> CertificateSpec:
    """What is special about one certificate that *scenario* has, when the story begins.

    It runs out within 400 days or ran out within the last 30, a CA has signed it, all nodes share
    it, CallManager reuses Tomcat's (from 14), its RSA key has 1024 to 4096 bits, or its own name is
    missing in it. Put it into a scenario with ``attrs.evolve(scenario, certificates=(drawn,))``.

    Shrinks to the publisher's TVS, which runs out in 30 days.
    """
    layout = scenario.layout()
    unit = draw(st.sampled_from(_units_of(scenario)))
    there = [node.name for node in scenario.nodes if layout.has(unit, node.name)]
    node = draw(st.sampled_from([*there, None]))
    plain = CertificateSpec(unit=unit, node=node)
    # One draw for all of them: what took fewer would be the simplest in Hypothesis' eyes.
    special = [attrs.evolve(plain, expires_in_days=days) for days in _AGES]
    special.append(attrs.evolve(plain, ca_signed=True))
    special.append(attrs.evolve(plain, name_missing=True))
    if not unit.value.endswith("-ECDSA"):
        special += [attrs.evolve(plain, key_bits=bits) for bits in _KEY_BITS]
    if unit in MULTI_SERVER:
        special.append(CertificateSpec(unit=unit, multi_server=True))
    if unit is CertUnit.CALLMANAGER and scenario.release >= _REUSE_FROM:
        special.append(attrs.evolve(plain, reuses_tomcat=True))
    return draw(st.sampled_from(special))


@st.composite
def policies(draw: DrawFn) -> Policy:
    """Choices that are all safe: orders, windows, batches; shrinks to the defaults."""
    return Policy(
        order=draw(st.sampled_from(UnitOrder)),
        capf=draw(st.sampled_from(CapfWindow)),
        reset_batch=draw(st.sampled_from([100, 2, 1])),
        batches_by=draw(st.sampled_from(BatchesBy)),
    )


def scenario_files() -> SearchStrategy[str]:
    """The text of a scenario's file, which loads; shrinks as :func:`clusters`."""
    return clusters().map(scenario_text)


@st.composite
def broken_scenario_files(draw: DrawFn) -> tuple[str, str]:
    """The text of a file that is wrong, and the path that its error names.

    Shrinks to a release that is none.
    """
    text = scenario_text(draw(clusters(most_nodes=2, most_groups=1, wrong=False)))
    old, new, path = draw(st.sampled_from(_MISTAKES))
    where = text.index(old) if old in text else -1
    if where < 0:  # the first line is always there
        return 'release = "none"\n' + text.partition("\n")[2], "release"
    return text[:where] + new + text[where + len(old) :], path


_MISTAKES: Final = (
    ('release = "', 'release = "x', "release"),
    ("[[phones]]\n", "[[phones]]\ncolour = 1\n", "phones[0].colour"),
    ("count = ", "count = -", "phones[0].count"),
    ('tftp = ["', 'tftp = ["nobody", "', "phones[0].tftp[0]"),
    ('group = ["', 'group = ["nobody", "', "phones[0].group[0]"),
    ('name = "pub"', 'name = "p u b"', "nodes[0].name"),
    ("127.0.0.11", "192.0.2.11", "nodes[0].address"),
)
