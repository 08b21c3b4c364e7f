"""What is explored whole: clusters, what is regenerated, and how unkind the world is, as values.

``MATRIX`` is explored by the tests, ``PROVED`` by ``python -m tests.proof.prove``. How many states
each cell has is pinned in ``states.txt``: a change that moves a number is looked at.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Final, NamedTuple

from cucm_certflow.core.plan import Plan
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy, UnitOrder
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.testing.explorer import Exploration, Explorer, Limits, Mishap
from tests.proof.runs import layout_of, no_sweeps, planned

__all__ = ["MATRIX", "PROVED", "Cell", "line_of", "pinned"]

Release = tuple[int, int]
RELEASES: Final[tuple[Release, ...]] = ((11, 5), (12, 5), (14, 0), (15, 0))

OURS: Final = frozenset(Mishap) - {Mishap.OUTSIDE}
"""What goes wrong with our own commands: crashes, replies, refusals, restarts that fail."""

LIMITS: Final[Mapping[str, Limits]] = {
    "two faults": Limits(mishaps=OURS),
    "one fault": Limits(faults=1, mishaps=OURS),
    "no faults": Limits(faults=0),
    "phones that the cluster resets": Limits(mishaps=OURS, phones_reset_on_regeneration=True),
    "lagging databases": Limits(phones_move=False, databases_lag=frozenset({"sub"})),
    "phones that fail over": Limits(phones_move=False, phones_fail_over=True),
    "phones that register anew": Limits(phones_move=False, phones_register_anew=True),
    "phones at home": Limits(phones_move=False),
    "others regenerate": Limits(faults=1, mishaps=frozenset({Mishap.OUTSIDE})),
    "others regenerate, and a fault": Limits(
        mishaps=frozenset({Mishap.OUTSIDE, Mishap.CRASH, Mishap.LOST_REPLY})
    ),
}

_OFF: Final = {"callmanager": False, "tftp": False, "tvs": False}
NODES: Final[Mapping[str, tuple[Node, ...]]] = {
    "two nodes": (Node("pub", True), Node("sub", False)),
    "three nodes": (
        Node("pub", True, callmanager=False),
        Node("sub1", False),
        Node("sub2", False, tftp=False),
    ),
    "four nodes": (
        Node("pub", True, callmanager=False, tftp=False),
        Node("tftp", False, callmanager=False),
        Node("sub1", False),
        Node("sub2", False, tftp=False),
    ),
}
_IM_AND_PRESENCE: Final = Node("imp", False, callmanager=False, tftp=False, tvs=False)

GROUPS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "two nodes": (("sub", "pub"), ("pub", "sub")),
    "three nodes": (("sub1", "sub2"), ("sub2", "sub1")),
    "four nodes": (("sub1", "sub2"), ("sub2", "sub1")),
}
"""The two CallManager groups of each cluster; a phone's TFTP nodes are in this order as well."""

BOTH: Final = (CertUnit.CALLMANAGER, CertUnit.TVS)
TABLES: Final[Mapping[CertUnit, Procedure]] = {table.unit: table for table in PROCEDURES}
LISTED: Final = tuple(sorted(u for u, table in TABLES.items() if table.moves_lists))
SIMPLE: Final = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)
"""They need no more of a cluster than what phones see."""


class Cell(NamedTuple):
    """One exploration."""

    release: Release
    mixed: bool
    units: tuple[CertUnit, ...]
    phones: tuple[int, ...] = (0,)
    """Of which CallManager groups there is a phone; none for what no phone sees."""

    limits: str = "two faults"
    nodes: str = "two nodes"
    order: UnitOrder = UnitOrder.CALLMANAGER_FIRST
    at_once: bool = False
    """The ITL is rebuilt without a restart of TFTP."""

    asks_tvs: bool = True
    vouched: bool = False
    """TVS vouches for a new ITLRecovery, and the policy says so."""

    def __str__(self) -> str:
        groups = [" and ".join(GROUPS[self.nodes][group]) for group in self.phones]
        words = [
            f"{self.release[0]}.{self.release[1]}",
            "mixed" if self.mixed else "non-secure",
            " with ".join(self.units),
            "TVS first" if self.order is UnitOrder.TVS_FIRST else "",
            self.nodes,
            *(f"a phone of {group}" for group in groups),
            "without Security By Default" if not self.asks_tvs else "",
            "ITL at once" if self.at_once else "",
            "vouched for" if self.vouched else "",
            self.limits,
        ]
        return ", ".join(word for word in words if word)

    def layout(self) -> Layout:
        """The cluster, with no more in it than the units need."""
        capf = CertUnit.CAPF in self.units
        nodes = tuple(node._replace(capf=node.publisher and capf) for node in NODES[self.nodes])
        whole = not set(self.units) <= set(SIMPLE)
        layout = layout_of(
            self.release,
            mixed=self.mixed,
            at_once=self.at_once,
            nodes=(*nodes, _IM_AND_PRESENCE) if self._is_of_presence else nodes,
        )
        variant = layout.variant._replace(vouches_for_itlrecovery=self.vouched)
        return layout._replace(variant=variant, whole=whole, ecdsa=whole)

    @property
    def _is_of_presence(self) -> bool:
        layout = Layout((_IM_AND_PRESENCE,), self.release, whole=True, ecdsa=True)
        alone = {unit for unit in self.units if layout.has(unit, _IM_AND_PRESENCE.name)}
        calls = Layout(NODES["two nodes"], self.release, whole=True, ecdsa=True)
        return any(not calls.has(unit, "pub") for unit in alone)

    def kinds(self) -> tuple[PhoneKind, ...]:
        """Its phones; in mixed mode the first is secure, unless it is judged by its CTL alone."""
        found: list[PhoneKind] = []
        tftp = {node.name for node in NODES[self.nodes] if node.tftp}
        for group in self.phones:
            members = GROUPS[self.nodes][group]
            homes = [name for name in members if name in tftp]
            homes += [node.name for node in NODES[self.nodes] if node.name in tftp - set(homes)]
            secure = self.mixed and self.asks_tvs and not found
            # Where databases lag, all TVS that the phone asks are on the node that lags.
            asked = members[:1] if LIMITS[self.limits].databases_lag else members
            kind = PhoneKind(f"on {members[0]}", asked, tuple(homes), secure, self.asks_tvs)
            found.append(kind)
        return tuple(found)

    def plan(self) -> Plan:
        """The production plan of it."""
        policy = Policy(order=self.order, vouches_for_itlrecovery=self.vouched)
        return planned(self.layout(), self.kinds(), units=self.units, policy=policy)

    def exists(self) -> bool:
        """Whether the release has what is to be regenerated."""
        layout = self.layout()
        names = [node.name for node in layout.nodes]
        return all(any(layout.has(unit, name) for name in names) for unit in self.units)

    def explore(self) -> Exploration:
        """All of it."""
        plan = self.plan()
        assert not plan.is_refused, plan.refusals
        explorer = Explorer(self.layout(), self.kinds(), plan, limits=LIMITS[self.limits])
        with no_sweeps():
            return explorer.explore(most=3_000_000)


_ANY: Final = Cell(RELEASES[0], False, ())


def _of(units: Iterable[tuple[CertUnit, ...]], like: Cell = _ANY) -> Iterator[Cell]:
    """A cell *like* that for each of *units*, on each release that has them and in both modes."""
    for wish, release, mixed in product(units, RELEASES, (False, True)):
        cell = like._replace(release=release, mixed=mixed, units=wish)
        if set(wish).isdisjoint(LISTED):
            cell = cell._replace(phones=())
        if cell.exists():
            yield cell


_EACH: Final = [(unit,) for unit in sorted(TABLES)]
_EACH_LISTED: Final = [(unit,) for unit in LISTED]

MATRIX: Final[tuple[Cell, ...]] = tuple(
    dict.fromkeys(
        [
            *_of([*_EACH, BOTH]),
            *_of([*_EACH_LISTED, BOTH], _ANY._replace(phones=(1,), limits="no faults")),
            *_of([BOTH], _ANY._replace(limits="no faults", order=UnitOrder.TVS_FIRST)),
            Cell((9, 1), True, BOTH[:1]),
            Cell((11, 5), True, BOTH, limits="lagging databases"),
            Cell((14, 0), True, BOTH, limits="phones that fail over"),
            Cell((11, 5), True, BOTH, limits="phones that register anew"),
            Cell((14, 0), False, (CertUnit.TVS,), limits="others regenerate"),
            Cell((14, 0), True, (CertUnit.TVS,), phones=(0, 1), limits="no faults"),
        ]
    )
)
"""Every unit, both modes, four releases, two nodes and two CallManager groups."""

_OLD: Final = [
    Cell(release, mixed, units, order=order)
    for release in ((9, 1), (10, 5))
    for mixed in (False, True)
    for units in (*_EACH_LISTED, BOTH)
    for order in (UnitOrder if units == BOTH else [UnitOrder.CALLMANAGER_FIRST])
    if CertUnit.CAPF not in units or not mixed or release >= (10, 0)
]
_VARIANTS: Final = [
    *_of([BOTH], _ANY._replace(order=UnitOrder.TVS_FIRST)),
    *_of([BOTH], _ANY._replace(at_once=True)),
    *_of([BOTH], _ANY._replace(limits="phones that the cluster resets")),
    *(Cell((14, 0), True, BOTH, asks_tvs=False, order=order) for order in UnitOrder),
    # 12.0 to 12.4: every node has its own ITLRecovery, and it signs.
    Cell((12, 0), False, BOTH[:1]),
    Cell((12, 0), False, (CertUnit.TVS,)),
    Cell((12, 0), True, BOTH[:1], limits="phones at home"),
    Cell((12, 0), True, (CertUnit.TVS,), limits="phones at home"),
    *(Cell((12, 0), mixed, (CertUnit.ITLRECOVERY,), vouched=True) for mixed in (False, True)),
    *_of([BOTH, (CertUnit.ITLRECOVERY,)], _ANY._replace(limits="lagging databases")),
    *_of([BOTH, (CertUnit.ITLRECOVERY,)], _ANY._replace(limits="phones that fail over")),
    *_of([BOTH, (CertUnit.ITLRECOVERY,)], _ANY._replace(limits="phones that register anew")),
]
PROVED: Final[tuple[Cell, ...]] = tuple(
    cell
    for cell in dict.fromkeys(
        [
            *(cell for cell in _OLD if cell.exists()),
            *_VARIANTS,
            *_of([*_EACH_LISTED, BOTH], _ANY._replace(phones=(1,))),
            *_of([*_EACH, BOTH], _ANY._replace(nodes="three nodes")),
            *_of(
                [*_EACH_LISTED, BOTH],
                _ANY._replace(nodes="three nodes", phones=(1,), limits="one fault"),
            ),
            *_of([BOTH], _ANY._replace(nodes="four nodes", limits="one fault")),
            *_of([BOTH], _ANY._replace(nodes="three nodes", phones=(0, 1), limits="no faults")),
            *_of(_EACH_LISTED, _ANY._replace(phones=(0, 1), limits="no faults")),
            *_of([*_EACH_LISTED, BOTH], _ANY._replace(limits="others regenerate")),
            Cell((11, 5), False, (CertUnit.TVS,), limits="others regenerate, and a fault"),
            Cell((14, 0), False, (CertUnit.TVS,), limits="others regenerate, and a fault"),
        ]
    )
    if cell not in MATRIX
)
"""Three nodes and more, more releases, more that can be otherwise, phones together."""

_PAGE: Final = Path(__file__).with_name("states.txt")


def line_of(cell: Cell, found: Exploration) -> str:
    """What is pinned of *found*, as its line in the file."""
    counts = (found.states, found.edges, found.finished, found.held)
    return f"{cell}: {' '.join(map(str, counts))}"


def pinned() -> Mapping[str, str]:
    """The lines of the file, by cell."""
    lines = _PAGE.read_text(encoding="utf-8").splitlines()
    return {line.rpartition(": ")[0]: line for line in lines if line and line[0] != "#"}
