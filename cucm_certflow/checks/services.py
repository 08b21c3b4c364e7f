"""Checks of services: what has to run where, before certificates change under it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import attrs

from cucm_certflow.checks.scope import Scope
from cucm_certflow.checks.vocabulary import LIST_UNITS, Check, Fault, Remark, Seen, names
from cucm_certflow.facts import NodeFacts, Query, ServicesOn, ServiceState, ServiceStatus
from cucm_certflow.findings import Severity
from cucm_certflow.names import CertUnit, Product, Service
from cucm_certflow.procedures.vocabulary import Source

__all__ = ["SERVICES"]

_TAC: Final = Source("Cisco TAC 214231", "services", "restarted only where they are activated")
_FROM_10: Final = (10, 0)


def _on_callmanagers(scope: Scope) -> tuple[Query, ...]:
    return tuple(ServicesOn(node.name) for node in scope.callmanagers)


def _on_publisher(scope: Scope) -> tuple[Query, ...]:
    return (ServicesOn(scope.facts.publisher.name),)


def _everywhere(scope: Scope) -> tuple[Query, ...]:
    return tuple(ServicesOn(node.name) for node in scope.facts.in_order)


def _fault(
    listed: Mapping[str, ServiceState], service: Service, node: str, *, why: str = ""
) -> Fault | None:
    """What is wrong with *service* on *node*, where it has to run; None if nothing is."""
    state = listed.get(service.value)
    if state is None or not state.activated:
        return Fault(f"{service} is not activated on {node}{why}")
    if state.status is not ServiceStatus.STARTED:
        return Fault(f"{service} on {node} is {state.status.value}{why}")
    return None


def _tvs(scope: Scope) -> Iterator[Remark]:
    for query, listed in scope.each(_on_callmanagers(scope)):
        yield _fault(listed, Service.TVS, query.node, why=": its phones have no lifeline") or Seen(
            f"TVS runs on {query.node}"
        )


def _tftp(scope: Scope) -> Iterator[Remark]:
    queries = _on_callmanagers(scope)
    answered = list(scope.each(queries))
    active = [
        (query.node, listed)
        for query, listed in answered
        if (state := listed.get(Service.TFTP.value)) is not None and state.activated
    ]
    for node, listed in active:
        yield _fault(listed, Service.TFTP, node) or Seen(f"TFTP runs on {node}")
    if not active and len(answered) == len(queries):
        yield Fault(f"{Service.TFTP} is activated on no node: is another cluster's TFTP in use?")


def _capf(scope: Scope) -> Iterator[Remark]:
    for query, listed in scope.each(_on_publisher(scope)):
        fault = _fault(listed, Service.CAPF, query.node)
        if fault is None:
            yield Seen(f"CAPF runs on {query.node}")
        else:
            # Without secure phones nobody may ever have activated it.
            yield attrs.evolve(fault, severity=None if scope.mixed else Severity.WARNING)


def _expiry_monitor(scope: Scope) -> Iterator[Remark]:
    for query, listed in scope.each(_on_callmanagers(scope)):
        yield _fault(listed, Service.CERTIFICATE_EXPIRY_MONITOR, query.node) or Seen(
            f"Certificate Expiry Monitor runs on {query.node}"
        )


def _has_local_agent(node: NodeFacts) -> bool:
    # I1: before 10.x IM and Presence had agents of its own; from then on every node has one.
    return node.product is Product.CALLMANAGER or node.release.short >= _FROM_10


def _drf(scope: Scope) -> Iterator[Remark]:
    nodes = {node.name: node for node in scope.facts.nodes}
    for query, listed in scope.each(_everywhere(scope)):
        node = nodes[query.node]
        wanted = [Service.DRF_LOCAL] if _has_local_agent(node) else []
        wanted += [Service.DRF_MASTER] if node.is_publisher else []
        for service in wanted:
            yield _fault(listed, service, query.node) or Seen(f"{service} runs on {query.node}")


def _all_started(scope: Scope) -> Iterator[Remark]:
    ours = {service.value for service in Service}
    for query, listed in scope.each(_everywhere(scope)):
        down = {
            name
            for name, state in listed.items()
            if name in ours and state.activated and state.status is not ServiceStatus.STARTED
        }
        if down:
            yield Fault(f"activated and not started on {query.node}: {names(down)}")
        else:
            yield Seen(f"all that is activated on {query.node} runs")


SERVICES: Final = (
    Check(
        id="tvs-running",
        title="TVS runs on every node",
        severity=Severity.BLOCK,
        units=LIST_UNITS,
        source=Source("Cisco TAC 214231", "TVS", "K8: a TVS of each phone's group stays reachable"),
        unlock=f"`utils service start {Service.TVS}`",
        asks=_on_callmanagers,
        remarks=_tvs,
    ),
    Check(
        id="tftp-running",
        title="TFTP is activated somewhere, and runs wherever it is activated",
        severity=Severity.BLOCK,
        units=LIST_UNITS,
        source=_TAC,
        unlock=f"`utils service start {Service.TFTP}`; with off-cluster TFTP, that cluster's "
        "certificates have to be planned there",
        asks=_on_callmanagers,
        remarks=_tftp,
    ),
    Check(
        id="capf-running",
        title="CAPF runs on the publisher",
        severity=Severity.CONSENT,
        units=frozenset({CertUnit.CAPF}),
        source=Source("Cisco security guide 12.5(1)SU6", "CAPF", "on the first node only"),
        unlock=f"`utils service start {Service.CAPF}`, or say that no LSC is issued here",
        asks=_on_publisher,
        remarks=_capf,
    ),
    Check(
        id="expiry-monitor-running",
        title="the Certificate Expiry Monitor runs",
        severity=Severity.WARNING,
        source=Source("Cisco security guide 14SU2", "Certificates"),
        unlock=f"`utils service start {Service.CERTIFICATE_EXPIRY_MONITOR}`",
        asks=_on_callmanagers,
        remarks=_expiry_monitor,
    ),
    Check(
        id="drf-running",
        title="the agents of backup and restore run",
        severity=Severity.CONSENT,
        source=Source("Cisco TAC 214231", "IPSec", "points I1 and A4; a backup is demanded after"),
        unlock=f"`utils service start {Service.DRF_LOCAL}`, and {Service.DRF_MASTER} on the "
        "publisher",
        asks=_everywhere,
        remarks=_drf,
    ),
    Check(
        id="services-started",
        title="everything that is activated runs",
        severity=Severity.WARNING,
        source=_TAC,
        unlock="find out why it is down; a restart would start it",
        asks=_everywhere,
        remarks=_all_started,
    ),
)
"""The checks before a change that are about services."""
