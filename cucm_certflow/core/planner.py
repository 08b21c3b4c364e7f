"""Makes a plan from facts: windows, steps, the predicted fate of every phone, and refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from cucm_certflow.commands import (
    Command,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.core.forecast import after_command, is_locked, why_rejected, worst_witness
from cucm_certflow.core.plan import (
    CertificateKey,
    PhoneOutlook,
    Plan,
    PlannedWindow,
    Step,
    applies,
    phone_class,
)
from cucm_certflow.core.states import Blocked
from cucm_certflow.core.windows import given_windows, split_windows
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.facts import ClusterFacts, ListView, NodeFacts
from cucm_certflow.names import CertUnit, Product, SecurityMode, Service
from cucm_certflow.procedures import PROCEDURES, procedure_for
from cucm_certflow.procedures.policies import Policy, trust_policy
from cucm_certflow.procedures.vocabulary import (
    CtlUpdate,
    LocalkeyReset,
    PhoneReset,
    Procedure,
    RegenerateUnit,
    RestartOf,
    Row,
    Stage,
)
from cucm_certflow.trust.lifeline import Health, best_lifeline
from cucm_certflow.trust.model import ClusterTrust, NodeTrust, TrustPolicy
from cucm_certflow.trust.phone import Belief, Holding, PhoneClass, must_hold_after_reset

__all__ = ["fingerprint_of", "make_plan", "trust_of"]

_REMEDY = {
    Health.OK: "an ordinary reset once it is on",
    Health.HAND_DELETE: "delete its trust lists at the phone",
}


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
    classes: dict[PhoneClass, tuple[str, ...]] = {}
    for phone in sorted(facts.phones, key=lambda phone: phone.name):
        key = phone_class(phone)
        classes[key] = (*classes.get(key, ()), phone.name)
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
    steps, batch_of = _steps(facts, made, tables, policy)
    beliefs = tuple((phone, _held_at_start(trust, phone)) for phone in classes)
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
        index_of={step.id: step.index for step in steps},
        window_of={key: window.number for window in made for key in window.certificates},
        steps_of={
            key: tuple(step.index for step in steps if key in step.certificates)
            for key in certificates
        },
        classes=classes,
        batch_of=batch_of,
    )
    return _judged(plan)


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


# ── trust, from the bytes that nodes serve ────────────────────────────────────────────────


def _fingerprint(node: NodeFacts, unit: CertUnit) -> str | None:
    certificate = node.certificates.get(unit)
    return None if certificate is None else certificate.fingerprint


def trust_of(facts: ClusterFacts, policy: TrustPolicy) -> tuple[ClusterTrust, list[Blocked]]:
    """The cluster's trust, with signers and SAST records read from the served lists."""
    refusals: list[Blocked] = []
    mixed = facts.mode is SecurityMode.MIXED
    cucm = [node for node in facts.nodes if node.product is Product.CALLMANAGER]
    cucm.sort(key=lambda node: not node.is_publisher)
    nodes: list[NodeTrust] = []
    ctl_signer, ctl_has_recovery = CertUnit.CALLMANAGER, False
    publisher = cucm[0]
    for node in cucm:
        cm, itlr = (
            _fingerprint(node, CertUnit.CALLMANAGER),
            _fingerprint(node, CertUnit.ITLRECOVERY),
        )
        tftp = node.runs(Service.TFTP)
        itl_signer = CertUnit.CALLMANAGER
        if tftp:
            itl_signer = _signer(node, node.itl, cm, itlr, refusals) or itl_signer
        if tftp and mixed:
            pub_cm = _fingerprint(publisher, CertUnit.CALLMANAGER)
            pub_itlr = _fingerprint(publisher, CertUnit.ITLRECOVERY)
            ctl_signer = _signer(node, node.ctl, pub_cm, pub_itlr, refusals) or ctl_signer
            ctl_has_recovery = node.ctl is not None and pub_itlr in node.ctl.sast
        tvs = _fingerprint(node, CertUnit.TVS)
        nodes.append(
            NodeTrust(
                name=node.name,
                callmanager=cm,
                tvs=tvs,
                itlrecovery=itlr,
                presented_tvs=tvs,
                signing=min(node.itl.tftp, default=cm) if node.itl else cm,
                itl=node.itl._replace(digest="") if node.itl and tftp else None,
                ctl=node.ctl._replace(digest="") if node.ctl and tftp and mixed else None,
                itl_signer=itl_signer,
                itl_has_recovery=node.itl is not None and itlr in node.itl.sast,
                tftp=tftp,
            )
        )
    trust = ClusterTrust(tuple(nodes), mixed, ctl_signer, ctl_has_recovery, policy)
    return trust, refusals


def _signer(
    node: NodeFacts,
    served: ListView | None,
    callmanager: str | None,
    itlrecovery: str | None,
    refusals: list[Blocked],
) -> CertUnit | None:
    if served is None:
        refusals.append(
            Blocked(
                guard="lists_served",
                detail=f"{node.name} runs {Service.TFTP} and serves no ITL or no CTL",
                unlock="every TFTP node serving the lists of its mode",
                source="procedures §3",
            )
        )
        return None
    if served.signer == callmanager:
        return CertUnit.CALLMANAGER
    if served.signer == itlrecovery:
        return CertUnit.ITLRECOVERY
    refusals.append(
        Blocked(
            guard="signer_known",
            detail=f"the {served.kind.value} on {node.name} is signed by a certificate that the "
            "cluster does not hold any more",
            evidence=(f"signer {served.signer[:40]}",),
            unlock="in mixed mode `utils ctl update CTLFile`, else a restart of Cisco Tftp, and "
            "the phones on the new list, before anything is regenerated",
            source="FN70613 (F4, F5); procedures §3",
        )
    )
    return None


def _held_at_start(trust: ClusterTrust, phone: PhoneClass) -> Belief:
    """What phones are taken to hold: the lists of one TFTP node (assumption P3, see the docs)."""
    return frozenset(
        Holding(node.itl if phone.security_by_default else None, node.ctl)
        for node in trust.tftp_nodes
    )


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
    """SHA-256 over everything a plan is bound to: nodes, releases, mode, serials, activations,
    groups and lists. Registrations are not part of it; phones come and go.
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


# ── steps ─────────────────────────────────────────────────────────────────────────────────


def _commands(facts: ClusterFacts, row: Row, policy: Policy) -> list[Command]:
    """The commands of a row, in order: publisher first, then the subscribers."""
    publisher = facts.publisher.name
    nodes = sorted(facts.nodes, key=lambda node: not node.is_publisher)
    match row.does:
        case CtlUpdate():
            return [UpdateCtl(publisher)]
        case LocalkeyReset(kind):
            return [ResetLocalkey(publisher, kind)]
        case RestartOf(service):
            return [RestartService(node.name, service) for node in nodes if node.runs(service)]
        case PhoneReset():
            names = sorted(phone.name for phone in facts.phones)
            size = policy.reset_batch
            return [
                ResetPhones(publisher, tuple(names[i : i + size]))
                for i in range(0, len(names), size)
            ]
        case RegenerateUnit():
            message = "regenerations are made per certificate"
            raise AssertionError(message)


def _steps(
    facts: ClusterFacts,
    windows: Iterable[PlannedWindow],
    tables: Mapping[CertUnit, Procedure],
    policy: Policy,
) -> tuple[tuple[Step, ...], dict[tuple[int, int, str], int]]:
    steps: list[Step] = []
    batch_of: dict[tuple[int, int, str], int] = {}
    for window in windows:
        # Units that move no list each run by themselves; those that do share CTL, restarts, reset.
        quiet = [(unit,) for unit in window.units if not tables[unit].moves_lists]
        loud = tuple(unit for unit in window.units if tables[unit].moves_lists)
        for lane in [*quiet, *([loud] if loud else [])]:
            _add_lane(facts, window, lane, tables, policy, steps, batch_of)
    return tuple(steps), batch_of


def _add_lane(
    facts: ClusterFacts,
    window: PlannedWindow,
    lane: tuple[CertUnit, ...],
    tables: Mapping[CertUnit, Procedure],
    policy: Policy,
    steps: list[Step],
    batch_of: dict[tuple[int, int, str], int],
) -> None:
    after: int | None = None
    products = {unit: tables[unit].products for unit in lane}
    for wave in range(max(tables[unit].waves for unit in lane)):
        for stage in Stage:
            done: dict[Command, int] = {}
            for unit in lane:
                keys = tuple(key for key in window.certificates if key.unit is unit)
                for row in tables[unit].rows:
                    if (row.wave, row.stage) != (wave, stage):
                        continue
                    if not applies(row.when, facts.mode):
                        continue
                    pairs: list[tuple[Command, tuple[CertificateKey, ...]]]
                    if isinstance(row.does, RegenerateUnit):
                        pairs = [(Regenerate(key.node, unit), (key,)) for key in keys]
                    else:
                        on = {n.name for n in facts.nodes if n.product in products[unit]}
                        pairs = [
                            (command, keys)
                            for command in _commands(facts, row, policy)
                            if command.node in on
                        ]
                    for command, serves in pairs:
                        if command in done:
                            old = steps[done[command]]
                            steps[old.index] = _also_serving(old, serves)
                            continue
                        index = len(steps)
                        number = "" if not wave else f"{wave + 1}."
                        where = f"{window.number + 1}.{number}{row.name}"
                        what = f"{unit}@{command.node}" if serves else command.node
                        batch = _batch_number(command, done)
                        steps.append(
                            Step(
                                id=f"{where}:{what}{batch}",
                                index=index,
                                window=window.number,
                                row=row,
                                command=command,
                                certificates=serves,
                                after=after,
                            )
                        )
                        done[command] = index
                        after = index
                        if isinstance(command, ResetPhones):
                            for name in command.names:
                                batch_of[window.number, wave, name] = index


def _batch_number(command: Command, done: Mapping[Command, int]) -> str:
    if not isinstance(command, ResetPhones):
        return ""
    return f"#{sum(isinstance(other, ResetPhones) for other in done) + 1}"


def _also_serving(step: Step, certificates: tuple[CertificateKey, ...]) -> Step:
    serves = (*step.certificates, *(k for k in certificates if k not in step.certificates))
    return Step(
        id=step.id,
        index=step.index,
        window=step.window,
        row=step.row,
        command=step.command,
        certificates=serves,
        after=step.after,
    )


# ── the judge: predicted states ───────────────────────────────────────────────────────────


def _judged(plan: Plan) -> Plan:
    """The plan with its refusals, and with what will become of the phones that stay away."""
    import attrs  # noqa: PLC0415 - only evolve is needed here

    refusals = list(plan.refusals)
    refusals += _exclusions(plan)
    predicted, lifeline_refusals = _predicted(plan)
    refusals += lifeline_refusals
    outlooks = _outlooks(plan, predicted) if plan.steps else ()
    return attrs.evolve(plan, refusals=tuple(refusals), outlooks=outlooks)


def _exclusions(plan: Plan) -> list[Blocked]:
    refusals: list[Blocked] = []
    for window in plan.windows:
        for unit in window.units:
            for other in sorted(plan.procedures[unit].never_with & set(window.units)):
                if unit < other:
                    refusals.append(
                        Blocked(
                            guard="exclusion",
                            detail=f"window {window.number + 1} changes {unit} and {other} "
                            "between two contacts with the phones",
                            evidence=(
                                f"release {plan.facts.release}; "
                                f"{len(plan.facts.phones)} phones would lose both anchors",
                            ),
                            unlock=f"{unit} and {other} in two windows, with the phones back "
                            "in between (units= does that)",
                            source=f"{plan.procedures[unit].source}; M2, V1; D2",
                        )
                    )
    return refusals


def _predicted(plan: Plan) -> tuple[list[ClusterTrust], list[Blocked]]:
    """The cluster at the end of each window, and the first step of each that breaks a lifeline."""
    cluster = plan.trust
    beliefs = dict(plan.beliefs)
    in_scope = {
        phone: names
        for phone, everyone in plan.classes.items()
        if (names := [name for name in everyone if name not in plan.waived])
    }
    ends: list[ClusterTrust] = []
    refusals: list[Blocked] = []
    for window in plan.windows:
        steps = [step for step in plan.steps if step.window == window.number]
        broken: set[PhoneClass] = set()
        for wave in sorted({step.row.wave for step in steps}):
            for step in (s for s in steps if s.row.wave == wave):
                for phone, names in in_scope.items():
                    if (
                        phone in broken
                        or not plan.procedures[step.certificates[0].unit].moves_lists
                    ):
                        continue
                    tolerated, remedy = plan.tolerated(window.units, phone)
                    witness, holding = worst_witness(cluster, step.command, phone, beliefs[phone])
                    if witness.health > tolerated and holding is not None:
                        broken.add(phone)
                        refusals.append(
                            Blocked(
                                guard="lifeline",
                                detail=f"after {step.id}, {len(names)} phones would have no way "
                                f"back ({witness.health.name})",
                                evidence=(
                                    f"for example {names[0]}, group {', '.join(phone.group)}",
                                    why_rejected(
                                        after_command(cluster, step.command), phone, holding
                                    ),
                                    str(witness),
                                ),
                                unlock="another order, or these phones waived by name"
                                + (f"; remedy then: {remedy}" if remedy else ""),
                                source="trust model §3",
                                subject=step.id,
                            )
                        )
                    beliefs[phone] = _with_unasked(cluster, phone, beliefs[phone])
                cluster = after_command(cluster, step.command)
            for phone in in_scope:
                beliefs[phone] = must_hold_after_reset(cluster, phone, beliefs[phone])
        ends.append(cluster)
    return ends, refusals


def _with_unasked(cluster: ClusterTrust, phone: PhoneClass, belief: Belief) -> Belief:
    from cucm_certflow.trust.phone import may_hold  # noqa: PLC0415

    return may_hold(cluster, phone, belief)


def _outlooks(plan: Plan, ends: Sequence[ClusterTrust]) -> tuple[PhoneOutlook, ...]:
    """Each phone that will not simply come back: the absent, and those that turn a list down."""
    outlooks: list[PhoneOutlook] = []
    for phone, names in plan.classes.items():
        start = dict(plan.beliefs)[phone]
        refused_at: tuple[int, str, Health, str] | None = None
        belief = start
        for number, end in enumerate(ends):
            belief = must_hold_after_reset(end, phone, belief)
            locked = is_locked(end, phone, belief)
            if locked is not None:
                witness = best_lifeline(end, phone, locked)
                text = _remedy(witness.health, witness.walk)
                refused_at = (number, why_rejected(end, phone, locked), witness.health, text)
                break
        for name in names:
            registration = plan.facts.registrations.get(name)
            if registration is None or not registration.registered:
                outlooks.append(_absent(name, phone, start, ends))
            elif refused_at is not None:
                number, why, health, remedy = refused_at
                outlooks.append(
                    PhoneOutlook(
                        name=name,
                        reason="has no Security By Default"
                        if not phone.security_by_default
                        else "is registered",
                        outcome=f"in window {number + 1} {why}; it stays on its old list",
                        health=health,
                        remedy=remedy,
                    )
                )
    return tuple(sorted(outlooks, key=lambda outlook: outlook.name))


def _absent(
    name: str, phone: PhoneClass, start: Belief, ends: Sequence[ClusterTrust]
) -> PhoneOutlook:
    for number, end in enumerate(ends):
        worst = max(
            (best_lifeline(end, phone, holding) for holding in start), key=lambda w: w.health
        )
        if worst.health is not Health.OK:
            return PhoneOutlook(
                name=name,
                reason="is not registered",
                outcome=f"if it stays away until window {number + 1} is done, it trusts nobody",
                health=worst.health,
                remedy=_remedy(worst.health, worst.walk),
            )
    return PhoneOutlook(
        name=name,
        reason="is not registered",
        outcome="it comes back by itself when it is powered on",
        health=Health.OK,
        remedy=_REMEDY[Health.OK],
    )


def _remedy(health: Health, walk: Sequence[str]) -> str:
    return _REMEDY.get(health) or " > ".join(walk)
