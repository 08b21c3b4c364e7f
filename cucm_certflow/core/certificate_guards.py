"""The rules that say no to a step in the life of a certificate, the barrier among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from cucm_certflow.core.control_guards import MAINTENANCE_GUARD
from cucm_certflow.core.phones_back import evidence_of, phones_back
from cucm_certflow.core.plan import CertificateKey
from cucm_certflow.core.proofs import Verdict, ctl_is_served
from cucm_certflow.core.states import Blocked, CertificateState, CommandState, Guard
from cucm_certflow.core.view import View
from cucm_certflow.facts import CertificateOf, Unknown
from cucm_certflow.names import SecurityMode
from cucm_certflow.procedures.vocabulary import Proof, Source, Stage

__all__ = ["CERTIFICATE_GUARDS"]

_TAC: Final = Source("Cisco TAC 214231")
_TRUTH: Final = Source("DESIGN", "§3", "only an observation moves a machine on")


def _window_is_open(view: View) -> Blocked | None:
    window = view.plan.window_of[view.certificate]
    for key, life in zip(view.plan.certificates, view.state.certificates, strict=True):
        if view.plan.window_of[key] < window and life.state is not CertificateState.VERIFIED:
            return Blocked(
                guard="window_is_open",
                detail=f"window {view.plan.window_of[key] + 1} is not closed: {key} is "
                f"{life.state.value}",
                unlock=f"{key} verified",
                source=str(_TAC) + ", M4, V1",
                subject=view.subject,
            )
    return None


_APART: Final = frozenset(
    {CertificateState.PLANNED, CertificateState.CONVERGED, CertificateState.VERIFIED}
)


def _exclusion(view: View) -> Blocked | None:
    never = view.plan.procedures[view.certificate.unit].never_with
    for key, life in zip(view.plan.certificates, view.state.certificates, strict=True):
        if key.unit in never and life.state not in _APART:
            return Blocked(
                guard="exclusion",
                detail=f"{key} is {life.state.value}: the phones have not met it yet",
                unlock=f"the phones back after {key.unit}",
                source=str(_TAC) + ", M2, V1; D2: on every release",
                subject=view.subject,
            )
    return None


def _commands_proved(stage: Stage) -> Guard[View]:
    name = f"{stage.value}_proved"

    def check(view: View) -> Blocked | None:
        for index in view.plan.steps_of[view.certificate]:
            step = view.plan.steps[index]
            if step.row.stage is not stage or step.row.wave != view.life.wave:
                continue
            if view.state.steps[index].state is not CommandState.PROVED:
                return Blocked(
                    guard=name,
                    detail=f"{step.id} is {view.state.steps[index].state.value}",
                    unlock=f"its proof: {step.row.proof.value}",
                    subject=view.subject,
                )
        return None

    return Guard(name, f"every command of the {stage.value} stage is proved", check, _TRUTH)


def _window_regenerated(view: View) -> Blocked | None:
    """All nodes first: neither a CTL update nor a restart comes before the last regeneration."""
    window = view.plan.window_of[view.certificate]
    for key in view.plan.windows[window].certificates:
        if key.unit is view.certificate.unit and view.life_of(key).state in (
            CertificateState.PLANNED,
            CertificateState.REGENERATING,
        ):
            return Blocked(
                guard="window_regenerated",
                detail=f"{key} is {view.life_of(key).state.value}",
                unlock="every node's certificate of this unit regenerated",
                source=str(_TAC) + ", T2, M3, V2: all nodes, then the restarts",
                subject=view.subject,
            )
    return None


def _mixed_mode_ctl(view: View) -> Blocked | None:
    steps = (view.plan.steps[i] for i in view.plan.steps_of[view.certificate])
    if view.plan.facts.mode is not SecurityMode.MIXED or not any(
        step.row.proof is Proof.CTL_SERVED and step.row.wave == view.life.wave for step in steps
    ):
        return None
    shown = ctl_is_served(view, since=None)
    if shown.verdict is Verdict.DONE:
        return None
    return Blocked(
        guard="mixed_mode_ctl",
        detail="the CTL was not read back with the new certificates on every TFTP node",
        evidence=(shown.saw,),
        unlock="utils ctl update CTLFile, and the CTL on each TFTP node",
        source=str(_TAC) + ", M1; K4",
        retry_at=view.retry_at,
        subject=view.subject,
    )


def _phones_back(view: View) -> Blocked | None:
    if not view.plan.procedures[view.certificate.unit].moves_lists:
        return None
    back = phones_back(view, "phones_back", view.plan.window_of[view.certificate], view.life.wave)
    if isinstance(back, Blocked):
        return back
    if not back.missing:
        return None
    policy = view.plan.policy
    # All were called by then: the last step of the stage before was proved.
    since = view.life.since or view.now
    waited_s = (view.now - since).total_seconds()
    still_s = (view.now - max(since, back.newest or since)).total_seconds()
    stands = still_s >= policy.plateau_s
    names = sorted(back.missing)
    return Blocked(
        guard="phones_back",
        detail=f"{len(names)} phones in scope are not back"
        + (f", and for {policy.plateau_s:.0f} s none has come" if stands else ""),
        evidence=evidence_of(back.missing, names),
        unlock="power them on and let them register, or waive them by name",
        source=str(_TAC) + ", P3, M4: registration complete before the next certificate; K2",
        retry_at=None if stands or waited_s >= policy.barrier_within_s else view.retry_at,
        subject=view.subject,
        phones=tuple(names),
    )


def _has_next_wave(view: View) -> Blocked | None:
    if view.life.wave + 1 < view.plan.procedures[view.certificate.unit].waves:
        return None
    return Blocked(guard="has_next_wave", detail="this was the last wave", subject=view.subject)


def _still_shown(view: View) -> Blocked | None:
    key: CertificateKey = view.certificate
    query = CertificateOf(key.node, key.unit)
    fact = view.get(query)
    if isinstance(fact, Unknown):
        return view.unknown("still_shown", query, fact)
    for index in view.plan.steps_of[key]:
        step = view.plan.steps[index]
        if (
            step.row.stage is Stage.REGENERATE
            and view.state.steps[index].baseline == fact.value.fingerprint
        ):
            return Blocked(
                guard="still_shown",
                detail=f"{key} shows its old certificate again",
                evidence=(f"serial {fact.value.serial}",),
                unlock="a person: something put the old certificate back",
                subject=view.subject,
            )
    return None


CERTIFICATE_GUARDS: Final[Mapping[str, Guard[View]]] = {
    guard.name: guard
    for guard in (
        Guard("window_is_open", "the windows before it are closed", _window_is_open, _TAC),
        MAINTENANCE_GUARD,
        Guard("exclusion", "no unit that must not change with it is changing", _exclusion, _TAC),
        _commands_proved(Stage.REGENERATE),
        Guard("window_regenerated", "all nodes are regenerated first", _window_regenerated, _TAC),
        _commands_proved(Stage.CTL),
        Guard("mixed_mode_ctl", "the CTL was read back on every TFTP node", _mixed_mode_ctl, _TAC),
        _commands_proved(Stage.RESTART),
        _commands_proved(Stage.RESET),
        Guard("phones_back", "every phone in scope is back", _phones_back, _TAC),
        Guard("has_next_wave", "the procedure meets the phones again", _has_next_wave),
        Guard("still_shown", "the node still shows the new certificate", _still_shown, _TRUTH),
    )
}
