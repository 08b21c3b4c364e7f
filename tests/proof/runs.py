"""Clusters, plans and an explorer for the proofs: more can go wrong in it, and more is forbidden.

:class:`Unkind` checks the rules of the field (``rules.py``) in every state.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from cucm_certflow.commands import Reply, ReplyKind
from cucm_certflow.core.decide import STANDARD, Decision, Tables, decide
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import Record, folded
from cucm_certflow.facts import (
    CertificateOf,
    Fact,
    Known,
    Query,
    ReplyTo,
    ServiceOn,
    ServiceState,
    ServiceStatus,
    Unknown,
    reply_known,
)
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind, Variant, World
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.testing.decided import facts_of
from cucm_certflow.testing.explorer import (
    RULES,
    Explorer,
    Limits,
    Mishap,
    Moment,
    Rule,
    no_sweeps,
)
from tests.proof.rules import OURS
from tests.words import NO_PARTNERS

__all__ = [
    "BOTH",
    "CALM",
    "LOST",
    "NODES",
    "R11_5",
    "R14",
    "REFUSED",
    "RULES",
    "Unkind",
    "facts_of",
    "homed",
    "layout_of",
    "no_sweeps",
    "planned",
    "show",
    "variant_of",
]

R11_5, R14 = (11, 5), (14, 0)
NODES: Final = (Node("pub", True), Node("sub", False))
BOTH: Final = frozenset({CertUnit.CALLMANAGER, CertUnit.TVS})
LOST: Final = frozenset({Mishap.LOST_REPLY})
REFUSED: Final = frozenset({Mishap.REFUSAL})
CALM: Final = Limits(faults=0)
"""No fault of ours; the phones are as unkind as ever."""

_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
_LAST_AGE: Final = 2


def show(*words: object) -> None:
    """For whoever runs the tests with -s."""
    print(*words)


def variant_of(release: tuple[int, int], *, at_once: bool = False) -> Variant:
    """The unkind reading of what a release does, as the library assumes it by default."""
    young = release >= R14
    return Variant(
        vouches_for_itlrecovery=False,
        tvs_restarts_itself=young,
        tvs_vouches_for_ctl=not young,
        itl_rebuilt_at_once=at_once,
    )


def layout_of(
    release: tuple[int, int],
    *,
    mixed: bool = False,
    at_once: bool = False,
    nodes: tuple[Node, ...] = NODES,
) -> Layout:
    return Layout(nodes, release, mixed, variant_of(release, at_once=at_once))


def homed(home: str, *, secure: bool = False, asks_tvs: bool = True) -> PhoneKind:
    """A phone that uses *home*, and may come to the other node as well."""
    other = "sub" if home == "pub" else "pub"
    return PhoneKind(f"on {home}", (home, other), (home, other), secure, asks_tvs)


def planned(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    *,
    units: Iterable[CertUnit] | None = None,
    windows: Sequence[Iterable[CertUnit]] | None = None,
    policy: Policy | None = None,
    waive: Iterable[str] = (),
    procedures: Iterable[Procedure] = PROCEDURES,
) -> Plan:
    """A plan for the untouched cluster, which has no partner systems."""
    return make_plan(
        facts_of(layout, kinds, actions.initial(layout, kinds)),
        units=units,
        windows=windows,
        policy=policy,
        waive=waive,
        procedures=procedures,
        said=NO_PARTNERS,
    )


class _Facts(Mapping[Query, Fact]):
    """Every fact, fresh, straight from the physics; some of them cannot be read."""

    def __init__(self, explorer: Unkind, node: Moment) -> None:
        self._explorer = explorer
        self._node = node

    def __getitem__(self, query: Query) -> Fact:
        node, explorer = self._node, self._explorer
        if isinstance(query, ReplyTo):
            if node.reply is None:
                raise KeyError(query)
            return reply_known(Reply(node.reply), _NOW)
        if explorer.blind and isinstance(query, CertificateOf) and node.age < _LAST_AGE:
            return Unknown("no answer", _NOW, "explorer")
        return Known(explorer.value(node, query), _NOW, "physics")

    def __iter__(self) -> Iterator[Query]:
        raise TypeError

    def __len__(self) -> int:
        return 1


class Unkind(Explorer):
    """The explorer, in a world that is unkind in ways of these tests alone.

    Args:
        blind: Certificates cannot be read until as much time has passed as a row's budget.
        deactivated: Services that somebody deactivated after the plan was made.
        tvs_stops: TVS on the last node may stop by itself, as a mishap, and starts again.
        withholds: A command may be found to have been decided on too long ago, as a mishap.
        told: What people said, as it stands in the journal before anything else.
    """

    def __init__(
        self,
        layout: Layout,
        kinds: tuple[PhoneKind, ...],
        plan: Plan,
        *,
        limits: Limits | None = None,
        tables: Tables = STANDARD,
        world: World | None = None,
        blind: bool = False,
        deactivated: frozenset[tuple[str, Service]] = frozenset(),
        tvs_stops: bool = False,
        withholds: bool = False,
        told: tuple[Record, ...] = (),
        rules: tuple[Rule, ...] = (*RULES, *OURS),
    ) -> None:
        super().__init__(
            layout, kinds, plan, limits=limits, tables=tables, world=world, rules=rules
        )
        self.blind = blind
        self.deactivated = deactivated
        self.tvs_stops = tvs_stops
        self.withholds = withholds
        self.told = told
        self._found: dict[tuple[Any, ...], Decision] = {}

    def start(self) -> Moment:
        run = folded(self.plan, self.told)
        return super().start()._replace(run=run)

    def value(self, node: Moment, query: Query) -> object:
        if isinstance(query, ServiceOn) and (query.node, query.service) in self.deactivated:
            return ServiceState(ServiceStatus.STOPPED, activated=False)
        return super().value(node, query)

    def decision(self, node: Moment) -> Decision:
        if not self.blind:
            return super().decision(node)
        # Phones come and go, but what is asked of them is their registration alone.
        key = self._key(node._replace(pending=None, faults=0))
        if key not in self._found:
            run = self._aged(node.run, node.age)
            self._found[key] = decide(self.plan, run, _Facts(self, node), _NOW, self.tables)
        return self._found[key]

    def moves(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        yield from super().moves(node)
        if self.tvs_stops and node.pending is None and node.faults:
            name = self.layout.tvs_nodes[-1]
            if node.world.up(Service.TVS, name):
                stopped = self._down(node, name, Service.TVS)
                yield f"TVS on {name} stops", stopped._replace(faults=node.faults - 1)
        decision = self.decision(node)
        if self.withholds and node.faults and decision.command and decision.record:
            after = self._recorded(node, decision.record)
            late = after._replace(reply=ReplyKind.WITHHELD, faults=node.faults - 1)
            yield f"`{decision.command}` was decided on too long ago, and does not leave us", late
