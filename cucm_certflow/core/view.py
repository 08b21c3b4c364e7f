"""What a guard sees: plan, state, facts and the instant; and it notes which facts were wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

from cucm_certflow.commands import Command, Reply, ResetPhones, RestartService
from cucm_certflow.core.plan import CertificateKey, Plan, Step, TrustKey
from cucm_certflow.core.run_state import (
    CertificateProgress,
    CommandProgress,
    EntryProgress,
    RunState,
)
from cucm_certflow.core.states import Blocked, CommandState
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Fact,
    Facts,
    Known,
    ListView,
    Query,
    Registrations,
    ReplyTo,
    ServedList,
    Unknown,
    Want,
)
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.trust.model import ClusterTrust, NodeTrust
from cucm_certflow.trust.phone import Belief, PhoneClass

__all__ = ["View"]

T = TypeVar("T")

_ANCHORS: Final = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)


def _value(fact: Fact) -> Any:  # noqa: ANN401 - one type per class of query
    assert isinstance(fact, Known)
    return fact.value


class View:
    """One look at a run. :meth:`of` gives the same look with another subject."""

    def __init__(self, plan: Plan, state: RunState, facts: Facts, now: datetime) -> None:
        self.plan = plan
        self.state = state
        self.facts = facts
        self.now = now
        self.wants: dict[Query, Want] = {}
        self._shared: dict[str, Any] = {}
        self._step: Step | None = None
        self._certificate: CertificateKey | None = None
        self._entry: TrustKey | None = None

    def of(self, subject: Step | CertificateKey | TrustKey) -> View:
        """The same look at *subject*; wants and caches are shared."""
        other = object.__new__(View)
        other.__dict__ = dict(self.__dict__)
        other._step = subject if isinstance(subject, Step) else None
        other._certificate = subject if isinstance(subject, CertificateKey) else None
        other._entry = subject if isinstance(subject, TrustKey) else None
        return other

    @property
    def step(self) -> Step:
        """The step in question."""
        assert self._step is not None
        return self._step

    @property
    def certificate(self) -> CertificateKey:
        """The certificate in question."""
        assert self._certificate is not None
        return self._certificate

    @property
    def entry(self) -> TrustKey:
        """The certificate of trust stores in question."""
        assert self._entry is not None
        return self._entry

    @property
    def entry_progress(self) -> EntryProgress:
        """Where the certificate of trust stores in question stands."""
        return self.state.entries[self.plan.entries.index(self.entry)]

    @property
    def progress(self) -> CommandProgress:
        """Where the step in question stands."""
        return self.state.steps[self.step.index]

    @property
    def life(self) -> CertificateProgress:
        """Where the certificate in question stands."""
        return self.life_of(self.certificate)

    def life_of(self, key: CertificateKey) -> CertificateProgress:
        """Where *key* stands."""
        return self.state.certificates[self.plan.certificates.index(key)]

    @property
    def subject(self) -> str:
        """The subject in words."""
        return self._step.id if self._step else str(self._certificate or self._entry)

    @property
    def retry_at(self) -> datetime:
        """When to look again at something that takes its time."""
        return self.now + timedelta(seconds=self.plan.policy.poll_every_s)

    # ── facts ─────────────────────────────────────────────────────────────────────────────

    def get(
        self,
        query: Query,
        *,
        since: datetime | None = None,
        changing: bool = False,
        max_age_s: float | None = None,
    ) -> Fact:
        """The fact, if it is fresh enough and not older than *since*; else an Unknown.

        Asking notes the want, so that the runner reads it; *changing* has it read at each poll.
        *max_age_s* is the policy's ``fresh_s`` unless given.
        """
        age = self.plan.policy.fresh_s if max_age_s is None else max_age_s
        want = Want(query, age, since, changing)
        earlier = self.wants.get(query)
        if earlier is not None:
            newest = max((s for s in (since, earlier.since) if s is not None), default=None)
            age = min(age, earlier.max_age_s)
            noted = Want(query, age, newest, changing or earlier.changing)
        else:
            noted = want
        self.wants[query] = noted
        fact = self.facts.get(query)
        if fact is None:
            return Unknown("not observed yet", self.now)
        if not want.is_met_by(fact, self.now):
            return Unknown("the last observation is too old", self.now)
        return fact

    def unknown(self, guard: str, query: Query, fact: Unknown) -> Blocked:
        """The reason for standing still when *query* has no answer."""
        return Blocked(
            guard=guard,
            detail=f"{query} is unknown: {fact.reason}",
            evidence=(f"{fact.by or 'nobody'} at {fact.at.isoformat(timespec='seconds')}",),
            unlock="an answer; unknown is never read as yes or no",
            retry_at=self.retry_at,
            subject=self.subject,
        )

    def once(self, name: str, make: Callable[[], T]) -> T:
        """What *make* gives, made once in this look, whatever the subject."""
        if name not in self._shared:
            self._shared[name] = make()
        made: T = self._shared[name]
        return made

    # ── the cluster's trust, as it is now ─────────────────────────────────────────────────

    def cluster(self) -> ClusterTrust | Blocked:
        """The trust of the cluster from fresh facts; a reason if one of them is unknown."""
        if "cluster" not in self._shared:
            self._shared["cluster"] = self._read_cluster()
        found: ClusterTrust | Blocked = self._shared["cluster"]
        return found

    def _read_cluster(self) -> ClusterTrust | Blocked:
        # All are asked for before the first missing one is reported: they are read in one go.
        queries = [query for node in self.plan.trust.nodes for query in self._queries_of(node)]
        answers = {query: self.get(query) for query in queries}
        for query, fact in answers.items():
            if isinstance(fact, Unknown):
                return self.unknown("facts_known", query, fact)
        nodes: list[NodeTrust] = []
        over = set(self.plan.trust.expired)
        for node in self.plan.trust.nodes:
            keys: dict[CertUnit, str | None] = {CertUnit.CAPF: node.capf}
            keys |= dict.fromkeys(_ANCHORS)
            lists: dict[ListKind, ListView | None] = dict.fromkeys(ListKind)
            for query in self._queries_of(node):
                value = _value(answers[query])
                if isinstance(query, CertificateOf):
                    certificate: Certificate = value
                    keys[query.unit] = certificate.fingerprint
                    if certificate.not_after is not None and certificate.not_after <= self.now:
                        over.add(certificate.fingerprint)
                elif value is None:
                    return self._no_list(query)
                else:
                    lists[query.kind] = value.plain()
            itl = lists[ListKind.ITL]
            nodes.append(
                node._replace(
                    callmanager=keys[CertUnit.CALLMANAGER],
                    tvs=keys[CertUnit.TVS],
                    itlrecovery=keys[CertUnit.ITLRECOVERY],
                    capf=keys[CertUnit.CAPF],
                    presented_tvs=self._presented_tvs(node, keys[CertUnit.TVS]),
                    signing=min(itl.tftp, default=node.signing) if itl else node.signing,
                    itl=itl,
                    ctl=lists[ListKind.CTL],
                )
            )
        if self.plan.policy.expired_is_trusted:
            over.clear()
        return self.plan.trust._replace(nodes=tuple(nodes), expired=frozenset(over))

    def _queries_of(self, node: NodeTrust) -> list[CertificateOf | ServedList]:
        """What the trust of *node* is read from: its anchors, and the lists that it serves."""
        has = (node.callmanager, node.tvs, node.itlrecovery)
        queries: list[CertificateOf | ServedList] = [
            CertificateOf(node.name, unit)
            for unit, at_start in zip(_ANCHORS, has, strict=True)
            if at_start is not None
        ]
        if node.capf is not None:
            queries.append(CertificateOf(node.name, CertUnit.CAPF))
        if node.tftp:
            kinds = tuple(ListKind) if self.plan.trust.mixed else (ListKind.ITL,)
            queries += [ServedList(node.name, kind) for kind in kinds]
        return queries

    def _no_list(self, query: ServedList) -> Blocked:
        return Blocked(
            guard="lists_served",
            detail=f"{query.node} serves no {query.kind.value}",
            unlock=f"Cisco Tftp on {query.node} serving {query.kind.file_name}",
            retry_at=self.retry_at,
            subject=self.subject,
        )

    def _presented_tvs(self, node: NodeTrust, current: str | None) -> str | None:
        """What the TVS process presents: the old certificate until we saw it restart.

        Port 2445 is not probed yet, so this rests on the run's own record; with a TVS that
        restarts itself (14 and later) it is the current one.
        """
        if self.plan.trust.policy.tvs_restarts_itself:
            return current
        for step, progress in zip(self.plan.steps, self.state.steps, strict=True):
            if (
                step.command == RestartService(node.name, Service.TVS)
                and progress.state is not CommandState.PLANNED
                and progress.baseline == current
            ):
                return current
        return node.presented_tvs

    # ── phones ────────────────────────────────────────────────────────────────────────────

    def in_scope(self) -> tuple[tuple[PhoneClass, tuple[str, ...]], ...]:
        """The classes that have phones in scope, with their names."""
        key = "in_scope"
        if key not in self._shared:
            waived = self.state.waived
            self._shared[key] = tuple(
                (phone, names)
                for phone, everyone in self.plan.classes.items()
                if (names := tuple(n for n in everyone if n not in waived) if waived else everyone)
            )
        found: tuple[tuple[PhoneClass, tuple[str, ...]], ...] = self._shared[key]
        return found

    def awaited(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of *names* that something waits for."""
        spared = self.plan.not_awaited
        return tuple(name for name in names if name not in spared) if spared else names

    def belief(self, phone: PhoneClass) -> Belief:
        """What phones of the class may hold."""
        for known, belief in self.state.beliefs:
            if known == phone:
                return belief
        return frozenset()

    def command(self) -> Command:
        """The command of the step as it would be sent now: waived phones are left alone."""
        command = self.step.command
        if isinstance(command, ResetPhones) and self.state.waived:
            names = tuple(n for n in command.names if n not in self.state.waived)
            return ResetPhones(command.node, names)
        return command

    def reply(self) -> Reply | None:
        """What came back for the present attempt of the step; None if nothing did yet."""
        fact = self.facts.get(ReplyTo(self.step.id, self.progress.attempt))
        return fact.value if isinstance(fact, Known) else None

    def registrations_of_called(self) -> Registrations:
        """The question about the phones that the step would reset now, each of them read anew."""
        command = self.command()
        assert isinstance(command, ResetPhones)
        return Registrations(command.names)

    # ── other steps ───────────────────────────────────────────────────────────────────────

    def steps_of(self, window: int, wave: int) -> Iterable[Step]:
        """The steps of a window's wave."""
        return (s for s in self.plan.steps if s.window == window and s.row.wave == wave)
