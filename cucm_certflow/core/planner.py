"""Makes a plan from facts: windows, steps, the predicted fate of every phone, and refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

import attrs

from cucm_certflow.core.batches import canaries_of
from cucm_certflow.core.identities import identity_of
from cucm_certflow.core.not_awaited import not_awaited_of
from cucm_certflow.core.outlook import judged
from cucm_certflow.core.phone_names import check_names
from cucm_certflow.core.plan import Plan, PlannedWindow, phone_class
from cucm_certflow.core.starting_trust import held_at_start, trust_of
from cucm_certflow.core.states import Blocked
from cucm_certflow.core.steps import steps_of
from cucm_certflow.core.windows import certificates_of, given_windows, split_windows
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.facts import ClusterFacts, ListView
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures import PROCEDURES, procedure_for
from cucm_certflow.procedures.partners import tasks_for
from cucm_certflow.procedures.policies import Policy, restarts_callmanager, trust_policy
from cucm_certflow.procedures.releases import EXISTS, WHERE, known_release
from cucm_certflow.procedures.vocabulary import Procedure, RestartOf, Situation
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["expiring_units", "fingerprint_of", "make_plan", "situation_of"]


def make_plan(
    facts: ClusterFacts,
    *,
    units: Iterable[CertUnit] | None = None,
    windows: Sequence[Iterable[CertUnit]] | None = None,
    policy: Policy | None = None,
    waive: Iterable[str] = (),
    preflight: CheckReport | None = None,
    said: Iterable[Said] = (),
    procedures: Iterable[Procedure] = PROCEDURES,
) -> Plan:
    """Plan the regeneration of *units*, or of *windows* exactly as they are given.

    Pure: nothing is sent. An unsafe wish gives a plan whose ``refusals`` say why.

    Args:
        facts: What discovery found.
        units: Certificate kinds; the planner splits them into windows.
        windows: Explicit windows instead, each a set of kinds that change together.
        policy: Choices that the sources leave open; the defaults are the safe ones.
        waive: Names of phones that may be left behind; they are reported with their remedy.
        preflight: What :meth:`Cluster.preflight` found; what is open in it refuses the plan.
        said: What people say about partner tasks, before the run begins; a word about a phone, by
            its name, waives it, with who said so and why.
        procedures: The tables to use; the library's own.

    Raises:
        UsageError: Neither or both of *units* and *windows* were given, or one is empty, or a
            name that is waived, or that the policy does not wait for, is no phone of the cluster.
    """
    policy = policy or Policy()
    asked = _asked(units, windows)
    words = (*(preflight.said if preflight else ()), *said)
    names = {phone.name for phone in facts.phones}
    not_awaited = not_awaited_of(facts, policy)
    waived = _checked_waivers(facts, {*waive, *(w.item for w in words if w.item in names)})
    tables, refusals = _tables(facts, asked, procedures)
    trust, trust_refusals = trust_of(
        facts,
        trust_policy(policy, facts.release),
        expired_is_trusted=policy.expired_is_trusted,
    )
    if not any(_touches_lists(table) for table in tables.values()):
        trust_refusals = []
    alike: dict[PhoneClass, list[str]] = {}
    for phone in sorted(facts.phones, key=lambda phone: phone.name):
        alike.setdefault(phone_class(phone), []).append(phone.name)
    classes = {phone: tuple(names) for phone, names in alike.items()}
    refusals += trust_refusals + _fact_refusals(facts, tables, classes, policy)
    if preflight is not None:
        refusals += _preflight_refusals(preflight, asked, waived)
    situation = situation_of(facts, policy)
    refusals += [
        Blocked(
            guard="procedure_known",
            detail=f"no source says how {unit} is regenerated when {table.unless.value}",
            unlock="a CTL that no token signs; nothing is guessed",
            source=str(table.source),
        )
        for unit, table in tables.items()
        if table.unless is not None and table.unless.holds_in(situation)
    ]
    tasks = tasks_for(asked, facts.release, facts.mode)
    if any(blocked.guard != "preflight" for blocked in refusals):
        made: tuple[PlannedWindow, ...] = ()
    elif windows is not None:
        made = given_windows(facts, windows, tables, policy)
    else:
        made = split_windows(facts, asked, tables, policy, trust, classes)
    certificates = tuple(key for window in made for key in window.certificates)
    if len(set(certificates)) != len(certificates):
        raise UsageError(
            Report(
                headline="a unit is in two windows",
                expected="each unit in one window",
                left="nothing was sent",
            )
        )
    beliefs = tuple((phone, held_at_start(trust, phone)) for phone in classes)
    plan = Plan(
        facts=facts,
        policy=policy,
        procedures=tables,
        windows=made,
        certificates=certificates,
        steps=(),
        trust=trust,
        beliefs=beliefs,
        waived=waived,
        refusals=tuple(refusals),
        outlooks=(),
        fingerprint=fingerprint_of(facts),
        given=windows is not None,
        index_of={},
        window_of={key: window.number for window in made for key in window.certificates},
        steps_of={},
        classes=classes,
        batch_of={},
        situation=situation,
        tasks=tasks,
        preflight=preflight,
        said=words,
        left_alone=tuple(f"{n.name}/{name}" for n in facts.nodes for name in n.others),
        not_awaited=not_awaited,
    )
    plan = judged(_laid_out(plan, frozenset()))
    # Only now it is known who is expected to come back; a reset moves no trust, whoever is first.
    canaries = canaries_of(plan)
    return _laid_out(plan, canaries) if canaries else plan


def _laid_out(plan: Plan, canaries: frozenset[str]) -> Plan:
    """*plan* with the steps of its windows; in each wave *canaries* are reset first."""
    steps, batch_of = steps_of(
        plan.facts, plan.windows, plan.procedures, plan.policy, plan.situation, canaries
    )
    return attrs.evolve(
        plan,
        steps=steps,
        batch_of=batch_of,
        index_of={step.id: step.index for step in steps},
        steps_of={
            key: tuple(step.index for step in steps if key in step.certificates)
            for key in plan.certificates
        },
    )


def expiring_units(facts: ClusterFacts, within_days: float) -> tuple[CertUnit, ...]:
    """The kinds of which a certificate is over, or will be within *within_days* days."""
    limit = facts.at + timedelta(days=within_days)
    return tuple(
        unit
        for unit in CertUnit
        if any(
            certificate.not_after is not None and certificate.not_after <= limit
            for node in facts.nodes
            if (certificate := node.certificates.get(unit))
        )
    )


def situation_of(facts: ClusterFacts, policy: Policy) -> Situation:
    """What decides which rows of the tables apply."""
    token = any(node.ctl is not None and node.ctl.token for node in facts.tftp_nodes)
    return Situation(
        mode=facts.mode,
        token_ctl=token,
        callmanager_restarts=restarts_callmanager(policy, facts.release),
    )


def _touches_lists(table: Procedure) -> bool:
    """Whether the served lists matter: it moves them, or restarts what builds them."""
    rebuilds = any(row.does == RestartOf(Service.TFTP) for row in table.rows)
    return table.moves_lists or rebuilds


def _tables(
    facts: ClusterFacts, asked: Iterable[CertUnit], procedures: Iterable[Procedure]
) -> tuple[dict[CertUnit, Procedure], list[Blocked]]:
    """The table of each unit that was asked for, and why there is none."""
    given = tuple(procedures)
    release = facts.release
    if not known_release(release):
        return {}, [
            Blocked(
                guard="procedure_known",
                detail=f"there is no release {release} that the tables know",
                unlock=f"tables with their sources; nothing is guessed ({WHERE})",
            )
        ]
    tables: dict[CertUnit, Procedure] = {}
    refusals: list[Blocked] = []
    products = {node.product for node in facts.nodes}
    for unit in asked:
        where = EXISTS[unit]
        table = procedure_for(unit, release, given)
        if release not in where.releases or not where.products & products:
            exists = f"it exists on {', '.join(sorted(where.products))} from {where.releases}"
            refusals.append(
                Blocked(
                    guard="unit_exists",
                    detail=f"no node of this cluster has {unit} under release {release}",
                    evidence=(f"the cluster runs {', '.join(sorted(products))}", exists),
                    unlock="a unit that exists there",
                    source=str(where.source),
                )
            )
        elif table is None:
            refusals.append(
                Blocked(
                    guard="procedure_known",
                    detail=f"there is no table for {unit} under release {release}",
                    unlock="a table with its sources; nothing is guessed",
                )
            )
        else:
            tables[unit] = table
    return tables, refusals


def _preflight_refusals(
    preflight: CheckReport, asked: Sequence[CertUnit], waived: frozenset[str]
) -> list[Blocked]:
    others = [unit for unit in asked if unit not in preflight.units]
    if others and preflight.findings:
        return [
            Blocked(
                guard="preflight",
                detail=f"the preflight did not look for {', '.join(others)}",
                evidence=(f"it looked for {', '.join(preflight.units)}",),
                unlock="a preflight for every unit of the plan",
            )
        ]
    return [
        Blocked(
            guard="preflight",
            detail=f"{finding.verdict.value}: {finding.detail}",
            evidence=finding.evidence,
            unlock=finding.unlock or "an answer, or a person's word about it",
            source=finding.source,
            subject=finding.check,
            phones=finding.phones,
        )
        for finding in preflight.open(waived)
    ]


def _asked(
    units: Iterable[CertUnit] | None, windows: Sequence[Iterable[CertUnit]] | None
) -> tuple[CertUnit, ...]:
    if (units is None) == (windows is None):
        raise UsageError(Report(headline="give either units= or windows=", left="nothing was sent"))
    wanted = units if units is not None else [u for window in windows or () for u in window]
    asked = tuple(dict.fromkeys(CertUnit(unit) for unit in wanted))
    if not asked:
        raise UsageError(
            Report(
                headline="no unit was asked for", expected="one or more", left="nothing was sent"
            )
        )
    return asked


def _checked_waivers(facts: ClusterFacts, waive: Iterable[str]) -> frozenset[str]:
    waived = frozenset(waive)
    names = (phone.name for phone in facts.phones)
    check_names(waived, names, "a waiver names a phone that the cluster does not have")
    return waived


def _fact_refusals(
    facts: ClusterFacts,
    tables: Mapping[CertUnit, Procedure],
    classes: Iterable[PhoneClass],
    policy: Policy,
) -> list[Blocked]:
    refusals = [
        Blocked(
            guard="facts_known",
            detail=text,
            unlock="an answer; unknown is never read as yes or no",
        )
        for text in facts.unknown
    ]
    by_name = {node.name: node for node in facts.nodes}
    for unit, table in tables.items():
        for key in certificates_of(facts, table, policy):
            node = by_name[key.node]
            identity = identity_of(facts, node, unit)
            if identity is None:
                refusals.append(
                    Blocked(
                        guard="facts_known",
                        detail=f"{node.name} shows no {unit} certificate",
                        unlock="a readable certificate on every node that should have one; after "
                        "Tomcat's was reused for CallManager, CallManager's may not be shown "
                        "(TAC 221070)",
                    )
                )
            elif not identity.may_be_regenerated:
                guard = "self_signed" if not node.certificates[unit].self_signed else "identity"
                refusals.append(
                    Blocked(
                        guard=guard,
                        detail=f"{unit} on {node.name} is {identity.kind.value}: regenerating "
                        "destroys it",
                        evidence=identity.evidence,
                        unlock=identity.route,
                        source=identity.source,
                    )
                )
    releases = {n.release.short for n in facts.nodes if n.product is Product.CALLMANAGER}
    if len(releases) > 1:
        refusals.append(
            Blocked(
                guard="one_release",
                detail="the nodes run different releases",
                evidence=tuple(f"{node.name}: {node.release}" for node in facts.nodes),
                unlock="an upgrade that is finished on every node",
            )
        )
    if any(_touches_lists(table) for table in tables.values()) and not facts.tftp_nodes:
        refusals.append(
            Blocked(
                guard="lists_served",
                detail=f"no node runs {Service.TFTP}: phones could not load new lists",
                unlock="a cluster whose TFTP nodes are known",
            )
        )
    names = {node.name for node in facts.nodes}
    for phone in classes:
        strangers = [name for name in phone.group if name not in names]
        if strangers or not phone.group:
            refusals.append(
                Blocked(
                    guard="facts_known",
                    detail="a CallManager group names no node, or one that discovery did not find",
                    evidence=(", ".join(phone.group) or "(empty)",),
                    unlock="a group whose members are nodes of the cluster",
                )
            )
    return refusals


def fingerprint_of(facts: ClusterFacts) -> str:
    """SHA-256 over everything that a plan is bound to.

    Nodes, releases, mode, serials, activations, groups and lists; not registrations: phones come
    and go.
    """
    parts = [facts.mode.value]
    for node in facts.nodes:
        parts.append(f"{node.name}|{node.release}|{node.product.value}|{node.is_publisher}")
        parts += sorted(f"{u.value}={c.fingerprint}" for u, c in node.certificates.items())
        parts += sorted(s.value for s in node.services if node.runs(s))
        parts += [_list_text(node.itl), _list_text(node.ctl)]
    parts += [f"{p.name}|{p.group}|{p.security.name}|{p.security_by_default}" for p in facts.phones]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _list_text(view: ListView | None) -> str:
    if view is None:
        return "-"
    sets = (sorted(view.sast), sorted(view.tftp), sorted(view.ccm), sorted(view.pin))
    return f"{view.signer}|{sets}"
