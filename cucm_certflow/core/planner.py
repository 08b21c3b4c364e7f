"""Makes a plan from facts: windows, steps, the predicted fate of every phone, and refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from cucm_certflow.core.outlook import judged
from cucm_certflow.core.plan import Plan, PlannedWindow, phone_class
from cucm_certflow.core.starting_trust import held_at_start, trust_of
from cucm_certflow.core.states import Blocked
from cucm_certflow.core.steps import steps_of
from cucm_certflow.core.windows import given_windows, split_windows
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.facts import ClusterFacts, ListView
from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures import PROCEDURES, procedure_for
from cucm_certflow.procedures.policies import Policy, trust_policy
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["fingerprint_of", "make_plan"]


def make_plan(
    facts: ClusterFacts,
    *,
    units: Iterable[CertUnit] | None = None,
    windows: Sequence[Iterable[CertUnit]] | None = None,
    policy: Policy | None = None,
    waive: Iterable[str] = (),
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
        procedures: The tables to use; the library's own.

    Raises:
        UsageError: Neither or both of *units* and *windows* were given, or one is empty, or a
            waived name is not a phone of the cluster.
    """
    policy = policy or Policy()
    asked = _asked(units, windows)
    waived = _checked_waivers(facts, waive)
    tables: dict[CertUnit, Procedure] = {}
    refusals: list[Blocked] = []
    for unit in asked:
        table = procedure_for(unit, facts.release, procedures)
        if table is None:
            refusals.append(
                Blocked(
                    guard="procedure_known",
                    detail=f"there is no table for {unit} under release {facts.release}",
                    unlock="a table with its sources; nothing is guessed",
                )
            )
        else:
            tables[unit] = table
    trust, trust_refusals = trust_of(facts, trust_policy(policy, facts.release))
    alike: dict[PhoneClass, list[str]] = {}
    for phone in sorted(facts.phones, key=lambda phone: phone.name):
        alike.setdefault(phone_class(phone), []).append(phone.name)
    classes = {phone: tuple(names) for phone, names in alike.items()}
    refusals += trust_refusals + _fact_refusals(facts, tables, classes)
    if refusals:
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
    steps, batch_of = steps_of(facts, made, tables, policy)
    beliefs = tuple((phone, held_at_start(trust, phone)) for phone in classes)
    plan = Plan(
        facts=facts,
        policy=policy,
        procedures=tables,
        windows=made,
        certificates=certificates,
        steps=steps,
        trust=trust,
        beliefs=beliefs,
        waived=waived,
        refusals=tuple(refusals),
        outlooks=(),
        fingerprint=fingerprint_of(facts),
        given=windows is not None,
        index_of={step.id: step.index for step in steps},
        window_of={key: window.number for window in made for key in window.certificates},
        steps_of={
            key: tuple(step.index for step in steps if key in step.certificates)
            for key in certificates
        },
        classes=classes,
        batch_of=batch_of,
    )
    return judged(plan)


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
    strangers = waived - {phone.name for phone in facts.phones}
    if strangers:
        raise UsageError(
            Report(
                headline="a waiver names a phone that the cluster does not have",
                saw=", ".join(sorted(strangers)),
                left="nothing was sent",
                next="correct the name; a waiver is by device name, for example SEP001122334455",
            )
        )
    return waived


def _fact_refusals(
    facts: ClusterFacts,
    tables: Mapping[CertUnit, Procedure],
    classes: Iterable[PhoneClass],
) -> list[Blocked]:
    refusals = [
        Blocked(
            guard="facts_known",
            detail=text,
            unlock="an answer; unknown is never read as yes or no",
        )
        for text in facts.unknown
    ]
    for unit, table in tables.items():
        for node in facts.nodes:
            certificate = node.certificates.get(unit)
            if node.product in table.products and certificate is None:
                refusals.append(
                    Blocked(
                        guard="facts_known",
                        detail=f"{node.name} shows no {unit} certificate",
                        unlock="a readable certificate on every node that should have one",
                    )
                )
            elif certificate is not None and not certificate.self_signed:
                refusals.append(
                    Blocked(
                        guard="self_signed",
                        detail=f"{unit} on {node.name} is signed by a CA: regenerating destroys it",
                        evidence=(f"issuer {certificate.issuer}",),
                        unlock="the CSR route",
                        source="Cisco security guide 14, Certificates (D25, K11)",
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
    if any(table.moves_lists for table in tables.values()) and not facts.tftp_nodes:
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
