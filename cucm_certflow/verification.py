"""Looks once more, from the outside, at whether what a journal says was done is so."""

from __future__ import annotations

import attrs

from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import RunState
from cucm_certflow.facts import (
    ClusterFacts,
    Known,
    ListView,
    PresentedCertificate,
    ServedList,
)
from cucm_certflow.names import PORTS, SERVED_BY, CertUnit, ListKind
from cucm_certflow.transports.base import Transport

__all__ = ["Check", "VerifyReport", "verify_plan"]


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was looked at; *ok* None means that it could not be seen."""

    what: str
    ok: bool | None
    saw: str

    def __str__(self) -> str:
        mark = {True: "yes", False: "NO", None: "unknown"}[self.ok]
        return f"{mark:<8}{self.what}: {self.saw}"


@attrs.frozen(kw_only=True)
class VerifyReport:
    """All checks; only when every one is yes is the change verified."""

    checks: tuple[Check, ...]

    @property
    def is_verified(self) -> bool:
        """Whether every check was seen and is good; an unknown is not good."""
        return all(check.ok is True for check in self.checks)

    def __str__(self) -> str:
        return "\n".join(str(check) for check in self.checks)


async def verify_plan(
    plan: Plan, state: RunState, facts: ClusterFacts, transport: Transport
) -> VerifyReport:
    """Compare the cluster as *facts* show it now with what *plan* was to leave.

    Only looks. Cancelling it leaves nothing behind.

    Args:
        plan: The plan, with the facts from before.
        state: What its journal says; its waived phones are not counted as missing.
        facts: A fresh discovery.
        transport: For what discovery does not read.
    """
    checks: list[Check] = []
    old = {node.name: node for node in plan.facts.nodes}
    new = {node.name: node for node in facts.nodes}
    for key in plan.certificates:
        before = old[key.node].certificates.get(key.unit)
        after = new[key.node].certificates.get(key.unit) if key.node in new else None
        saw = (
            "not readable"
            if after is None or before is None
            else f"{before.serial} > {after.serial}"
        )
        ok = None if after is None or before is None else before.fingerprint != after.fingerprint
        checks.append(Check(what=f"{key} is new", ok=ok, saw=saw))
        served_by = SERVED_BY.get(key.unit)
        if after is not None and served_by is not None and new[key.node].runs(served_by):
            port = PORTS[key.unit]
            fact = await transport.observe(PresentedCertificate(key.node, port))
            presented = isinstance(fact, Known) and fact.value == after.fingerprint
            checks.append(
                Check(
                    what=f"{key.node} presents it on port {port}",
                    ok=presented if isinstance(fact, Known) else None,
                    saw=str(fact.value)[:16] if isinstance(fact, Known) else fact.reason,
                )
            )
    if any(plan.procedures[key.unit].moves_lists for key in plan.certificates):
        checks += await _lists(plan, facts, transport)
        checks.append(_phones(state, facts))
    return VerifyReport(checks=tuple(checks))


async def _lists(plan: Plan, facts: ClusterFacts, transport: Transport) -> list[Check]:
    checks: list[Check] = []
    cm = {
        node.name: certificate.fingerprint
        for node in facts.nodes
        if (certificate := node.certificates.get(CertUnit.CALLMANAGER))
    }
    tvs = {
        certificate.fingerprint
        for node in facts.nodes
        if (certificate := node.certificates.get(CertUnit.TVS))
    }
    for node in plan.trust.tftp_nodes:
        for kind in (ListKind.ITL, ListKind.CTL) if plan.trust.mixed else (ListKind.ITL,):
            fact = await transport.observe(ServedList(node.name, kind))
            if not isinstance(fact, Known) or fact.value is None:
                reason = fact.reason if not isinstance(fact, Known) else "no such list"
                what = f"{node.name} serves the present {kind.value}"
                checks.append(Check(what=what, ok=None, saw=reason))
                continue
            view: ListView = fact.value
            if kind is ListKind.ITL:
                ok = {cm[node.name]} <= view.tftp and tvs <= view.pin
            else:
                ok = {cm[n.name] for n in plan.trust.nodes if n.runs_callmanager} <= view.ccm
            what = f"{node.name} serves the present {kind.value}"
            checks.append(Check(what=what, ok=ok, saw=f"signer {view.signer[:16]}"))
    return checks


def _phones(state: RunState, facts: ClusterFacts) -> Check:
    missing = sorted(
        phone.name
        for phone in facts.phones
        if phone.name not in state.waived
        and not ((registration := facts.registrations.get(phone.name)) and registration.registered)
    )
    some = ", ".join(missing[:5])
    saw = f"{len(missing)} missing: {some}" if missing else "all are"
    return Check(what="every phone in scope is registered", ok=not missing, saw=saw)
