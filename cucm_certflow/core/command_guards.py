"""The rules that say no to a command: before it is sent, and after."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from cucm_certflow.commands import (
    Regenerate,
    ReplyKind,
    ResetPhones,
    RestartService,
)
from cucm_certflow.core.batch_guards import BATCH_GUARDS
from cucm_certflow.core.control_guards import CONTROL_GUARDS
from cucm_certflow.core.drift import DRIFT_GUARD
from cucm_certflow.core.entry_guards import DELETION_GUARDS
from cucm_certflow.core.forecast import moves_trust, why_rejected, worst_witness
from cucm_certflow.core.proofs import Verdict, list_is_final, proof_of
from cucm_certflow.core.requirements import REQUIREMENT_GUARDS
from cucm_certflow.core.states import Blocked, CertificateState, CommandState, Guard
from cucm_certflow.core.view import View
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    ServiceOn,
    ServiceState,
    ServiceStatus,
    Unknown,
)
from cucm_certflow.names import Service
from cucm_certflow.procedures.vocabulary import Proof, Source, Stage
from cucm_certflow.trust.phone import can_register, may_hold, must_hold_after_reset

__all__ = ["COMMAND_GUARDS"]

_TAC: Final = Source("Cisco TAC 214231")
_MODEL: Final = Source("trust model", "§3", "the lifeline witness")
_TRUTH: Final = Source("DESIGN", "§3", "only an observation moves a machine on")

_IN_FLIGHT: Final = frozenset({CommandState.INTENDED, CommandState.SENT, CommandState.IN_DOUBT})
_MAX_ATTEMPTS: Final = 3

_REACHED: Final[Mapping[Stage, CertificateState]] = {
    Stage.REGENERATE: CertificateState.REGENERATING,
    Stage.CTL: CertificateState.REGENERATED,
    Stage.RESTART: CertificateState.LISTED,
    Stage.RESET: CertificateState.ACTIVATED,
}


def _stage_reached(view: View) -> Blocked | None:
    if not view.step.certificates:
        return None  # a clean-up: no certificate has a life in it
    wanted = _REACHED[view.step.row.stage]
    for key in view.step.certificates:
        life = view.life_of(key)
        if life.state is not wanted or life.wave != view.step.row.wave:
            return Blocked(
                guard="stage_reached",
                detail=f"{key} is {life.state.value}, not {wanted.value}",
                unlock="the steps before it",
                subject=view.subject,
            )
    return None


def _step_before_proved(view: View) -> Blocked | None:
    after = view.step.after
    if after is None or view.state.steps[after].state is CommandState.PROVED:
        return None
    before = view.plan.steps[after]
    return Blocked(
        guard="step_before_proved",
        detail=f"{before.id} is {view.state.steps[after].state.value}",
        unlock=f"the proof of {before.id}: {before.row.proof.value}",
        source=str(_TAC) + ", P6",
        subject=view.subject,
    )


def _nothing_held(view: View) -> Blocked | None:
    for step, progress in zip(view.plan.steps, view.state.steps, strict=True):
        if progress.state is CommandState.HELD:
            return Blocked(
                guard="nothing_held",
                detail=f"{step.id} is held: nothing new is begun",
                unlock=f"a person looks at {step.id}, then resumes",
                subject=view.subject,
            )
    return None


def _one_change_at_a_time(view: View) -> Blocked | None:
    busy = [
        step.id
        for step, progress in zip(view.plan.steps, view.state.steps, strict=True)
        if progress.state in _IN_FLIGHT
    ]
    if not busy:
        return None
    return Blocked(
        guard="one_change_at_a_time",
        detail=f"{', '.join(busy)} under way",
        unlock="its proof",
        source=str(_TAC) + ", P6",
        subject=view.subject,
    )


def _service_is_up(view: View) -> Blocked | None:
    command = view.step.command
    if not isinstance(command, RestartService):
        return None
    query = ServiceOn(command.node, command.service)
    fact = view.get(query)
    if isinstance(fact, Unknown):
        return view.unknown("service_is_up", query, fact)
    state: ServiceState = fact.value
    if state.activated and state.status is not ServiceStatus.STOPPING:
        return None
    return Blocked(
        guard="service_is_up",
        detail=f"{command.service} on {command.node} is {state.status.value}, "
        f"{'' if state.activated else 'not '}activated",
        unlock="a person: services are restarted only where they run",
        source=str(_TAC) + ", restart only where active",
        subject=view.subject,
    )


def _baseline_known(view: View) -> Blocked | None:
    command = view.step.command
    if isinstance(command, ResetPhones):
        called = view.registrations_of_called()
        fact = view.get(called, since=_boots_over_at(view), changing=True)
        if isinstance(fact, Unknown):
            return view.unknown("baseline_known", called, fact)
        return None
    if not isinstance(command, Regenerate):
        return None
    query = CertificateOf(command.node, command.unit)
    fact = view.get(query)
    if isinstance(fact, Unknown):
        return view.unknown("baseline_known", query, fact)
    certificate: Certificate = fact.value
    if not certificate.self_signed:
        return Blocked(
            guard="baseline_known",
            detail=f"{command.unit} on {command.node} is signed by a CA: regenerating destroys it",
            evidence=(f"issuer {certificate.issuer}",),
            unlock="the CSR route",
            source="Cisco security guide 14, Certificates (D25)",
            subject=view.subject,
        )
    return None


def _secure_phones_can_register(view: View) -> Blocked | None:
    command = view.step.command
    if not isinstance(command, RestartService) or command.service is not Service.CALLMANAGER:
        return None
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return cluster
    presented = cluster.node(command.node).callmanager
    for phone, names in view.in_scope():
        if not phone.secure or command.node not in phone.group:
            continue
        for holding in may_hold(cluster, phone, view.belief(phone)):
            # It may hold the old list when CallManager comes back; TVS or a fetch must help.
            came = must_hold_after_reset(cluster, phone, frozenset({holding}))
            if not all(can_register(cluster, phone, after, presented) for after in came):
                return Blocked(
                    guard="secure_phones_can_register",
                    detail=f"{len(names)} secure phones could not register on {command.node} "
                    "with the certificate that CallManager will present",
                    evidence=(f"for example {names[0]}",),
                    unlock="a CTL with that certificate that these phones accept",
                    source="trust model §3, second invariant; Cisco TAC 214231 M1",
                    subject=view.subject,
                )
    return None


def _lifeline(view: View) -> Blocked | None:
    command = view.step.command
    if not moves_trust(command):
        return None
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return cluster
    for phone, names in view.in_scope():
        tolerated, remedy = view.plan.tolerated(view.step, phone)
        witness, holding = worst_witness(cluster, command, phone, view.belief(phone))
        if witness.health > tolerated:
            assert holding is not None
            return Blocked(
                guard="lifeline",
                detail=f"after `{command}` on {command.node}, {len(names)} phones in scope "
                f"could be left without a way back ({witness.health.name})",
                evidence=(
                    f"for example {names[0]}, group {', '.join(phone.group)}",
                    why_rejected(cluster, phone, holding),
                    str(witness),
                ),
                unlock="phones that hold the present lists, or that are waived by name"
                + (f"; remedy then: {remedy}" if remedy else ""),
                source=str(_MODEL),
                subject=view.subject,
            )
    return None


def _phones_can_be_called(view: View) -> Blocked | None:
    if not isinstance(view.step.command, ResetPhones):
        return None
    with_tvs = [node.name for node in view.plan.trust.nodes if node.tvs is not None]
    queries = {name: ServiceOn(name, Service.TVS) for name in with_tvs}
    facts = {
        name: view.get(query, changing=True) for name, query in queries.items()
    }  # asked for in one go
    for name, fact in facts.items():
        if isinstance(fact, Unknown):
            return view.unknown("phones_can_be_called", queries[name], fact)
        state: ServiceState = fact.value
        if state.status is not ServiceStatus.STARTED:
            return Blocked(
                guard="phones_can_be_called",
                detail=f"TVS on {name} is {state.status.value}: phones could not ask it",
                unlock=f"{Service.TVS} STARTED on every node",
                source="procedures K6, K8",
                retry_at=view.retry_at,
                subject=view.subject,
            )
    # A wave that rebuilds no ITL calls phones to a list that its own rows have proved. Tomcat's
    # restart of TFTP may be in the same window, and was before anything of this wave.
    ours = frozenset(view.step.certificates)
    rebuilds = any(
        step.row.proof is Proof.ITL_SERVED and not ours.isdisjoint(step.certificates)
        for step in view.steps_of(view.step.window, view.step.row.wave)
    )
    for node in view.plan.trust.tftp_nodes if rebuilds else ():
        shown = list_is_final(view, node.name)
        if shown.verdict is not Verdict.DONE:
            return Blocked(
                guard="phones_can_be_called",
                detail=shown.saw,
                unlock="every TFTP node serving a list with all present anchors",
                source="procedures §8; trust lists §5",
                retry_at=view.retry_at,
                subject=view.subject,
            )
    return None


def _boots_over_at(view: View) -> datetime:
    """When every phone that loaded its lists before they were final has registered."""
    activated = [view.life_of(key).since or view.now for key in view.step.certificates]
    return max(activated) + timedelta(seconds=view.plan.policy.load_to_register_s)


def _boots_are_over(view: View) -> Blocked | None:
    if not isinstance(view.step.command, ResetPhones):
        return None
    over_at = _boots_over_at(view)
    if view.now >= over_at:
        return None
    return Blocked(
        guard="boots_are_over",
        detail="phones that loaded their lists before they were final may still be on their way",
        unlock=f"{view.plan.policy.load_to_register_s:.0f} s after the last restart",
        source="DESIGN §2: phones may come at any moment",
        retry_at=over_at,
        subject=view.subject,
    )


def _replied(kind: ReplyKind) -> Guard[View]:
    def check(view: View) -> Blocked | None:
        reply = view.reply()
        if reply is not None and reply.kind is kind:
            return None
        return Blocked(
            guard=f"reply_{kind.value}",
            detail="no reply yet" if reply is None else f"the reply is {reply.kind.value}",
            subject=view.subject,
        )

    return Guard(f"reply_{kind.value}", f"the reply to the command is {kind.value}", check, _TRUTH)


def _shown_done(view: View) -> Blocked | None:
    shown = proof_of(view)
    if shown.verdict is Verdict.DONE:
        return None
    return Blocked(
        guard="shown_done",
        detail=f"not proved: {view.step.row.proof.value}",
        evidence=(shown.saw,),
        unlock="the observation itself",
        retry_at=view.retry_at,
        subject=view.subject,
    )


def _age_s(view: View) -> float | None:
    """Seconds since the command was meant to be sent; None if the clock went back."""
    since = view.progress.since
    if since is None:
        return None
    age = (view.now - since).total_seconds()
    return age if age >= 0 else None


def _settled(view: View) -> Blocked | None:
    age, settle = _age_s(view), view.step.row.settle_s
    if age is not None and age >= settle:
        return None
    return Blocked(
        guard="settled",
        detail=f"the command may still be running for {settle:.0f} s after it was sent",
        retry_at=view.retry_at,
        source="state machines §3: settle is at least the slowest run",
        subject=view.subject,
    )


def _shown_not_done(view: View) -> Blocked | None:
    shown = proof_of(view)
    if shown.verdict is Verdict.NOT_DONE:
        return None
    return Blocked(
        guard="shown_not_done",
        detail=shown.saw,
        retry_at=view.retry_at,
        subject=view.subject,
    )


def _attempts_left(view: View) -> Blocked | None:
    if view.progress.attempt < _MAX_ATTEMPTS:
        return None
    return Blocked(
        guard="attempts_left",
        detail=f"sent {view.progress.attempt} times without an effect",
        unlock="a person",
        subject=view.subject,
    )


def _budget_is_over(view: View) -> Blocked | None:
    age, within = _age_s(view), view.step.row.within_s
    if age is not None and age >= within:
        return None
    return Blocked(
        guard="budget_is_over",
        detail=f"within its budget of {within:.0f} s",
        retry_at=view.retry_at,
        subject=view.subject,
    )


COMMAND_GUARDS: Final[Mapping[str, Guard[View]]] = {
    guard.name: guard
    for guard in (
        Guard(
            "stage_reached", "its certificates have reached the stage of the row", _stage_reached
        ),
        Guard("step_before_proved", "the step before it is proved", _step_before_proved, _TAC),
        Guard("nothing_held", "no step waits for a person", _nothing_held),
        Guard("one_change_at_a_time", "no other change is under way", _one_change_at_a_time, _TAC),
        Guard("service_is_up", "the service is activated on the node", _service_is_up, _TAC),
        Guard(
            "baseline_known",
            "what is there now is known, and is not CA-signed",
            _baseline_known,
            Source("state machines", "§3", "the pre-image is the key datum"),
        ),
        Guard(
            "secure_phones_can_register",
            "secure phones will be able to register",
            _secure_phones_can_register,
            Source("trust model", "§3", "second invariant"),
        ),
        Guard("lifeline", "every phone in scope keeps a way back", _lifeline, _MODEL),
        Guard(
            "phones_can_be_called",
            "TVS runs everywhere and every TFTP node serves its final list, if it was rebuilt",
            _phones_can_be_called,
            Source("procedures", "K6, K8, §8"),
        ),
        Guard(
            "boots_are_over",
            "no phone is on its way with lists that were not final",
            _boots_are_over,
            Source("DESIGN", "§2", "phones may come at any moment"),
        ),
        _replied(ReplyKind.ACCEPTED),
        _replied(ReplyKind.REFUSED),
        _replied(ReplyKind.LOST),
        _replied(ReplyKind.WITHHELD),
        Guard("shown_done", "the command's effect was observed", _shown_done, _TRUTH),
        Guard("settled", "the command can no longer be running", _settled, _TRUTH),
        Guard("shown_not_done", "the command was seen not to be done", _shown_not_done, _TRUTH),
        Guard("attempts_left", "it was sent fewer than three times", _attempts_left),
        Guard("budget_is_over", "the row's budget has passed", _budget_is_over),
        *BATCH_GUARDS,
        DRIFT_GUARD,
        *CONTROL_GUARDS,
        *REQUIREMENT_GUARDS,
        *DELETION_GUARDS,
    )
}
