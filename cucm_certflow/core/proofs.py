"""What proves a command: for each :class:`Proof`, what is observed and what it shows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from cucm_certflow.commands import (
    DeleteTrust,
    Regenerate,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
)
from cucm_certflow.core.states import Blocked, CommandState
from cucm_certflow.core.view import View
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    ConfigurationSigner,
    ListView,
    PresentedCertificate,
    Query,
    Registration,
    ServedList,
    ServiceOn,
    ServiceState,
    ServiceStatus,
    TrustEntry,
    TrustStores,
    Unknown,
)
from cucm_certflow.names import PORTS, CertUnit, KeyAlgorithm, ListKind
from cucm_certflow.procedures.vocabulary import Proof

__all__ = [
    "PROOFS",
    "Shown",
    "Verdict",
    "ctl_is_served",
    "entry_is_gone",
    "list_is_final",
    "proof_of",
]


class Verdict(Enum):
    """What looking showed."""

    DONE = "done"
    NOT_DONE = "not done"
    UNSEEN = "could not be seen"


class Shown(NamedTuple):
    """A verdict with what was seen."""

    verdict: Verdict
    saw: str


def proof_of(view: View) -> Shown:
    """Whether the step in question is seen to be done. Pure; notes the facts that it wants."""
    return PROOFS[view.step.row.proof](view)


def _unseen(query: Query, fact: Unknown) -> Shown:
    return Shown(Verdict.UNSEEN, f"{query}: {fact.reason}")


def _new_certificate(view: View) -> Shown:
    command = view.step.command
    assert isinstance(command, Regenerate)
    query = CertificateOf(command.node, command.unit)
    fact = view.get(query, since=view.progress.intended_at, changing=True)
    if isinstance(fact, Unknown):
        return _unseen(query, fact)
    certificate: Certificate = fact.value
    if certificate.fingerprint == view.progress.baseline:
        return Shown(Verdict.NOT_DONE, f"{view.subject}: still serial {certificate.serial}")
    return Shown(Verdict.DONE, f"{command.node} shows {command.unit} serial {certificate.serial}")


def _started_since(view: View) -> Shown:
    command = view.step.command
    assert isinstance(command, RestartService)
    query = ServiceOn(command.node, command.service)
    since = view.progress.intended_at
    fact = view.get(query, since=since, changing=True)
    if isinstance(fact, Unknown):
        return _unseen(query, fact)
    state: ServiceState = fact.value
    if state.status is not ServiceStatus.STARTED:
        return Shown(Verdict.UNSEEN, f"{command.service} on {command.node}: {state.status.value}")
    if state.started_at is None or since is None or state.started_at < since:
        return Shown(Verdict.NOT_DONE, f"{command.service} on {command.node}: not seen to restart")
    return Shown(Verdict.DONE, f"{command.service} on {command.node} started {_at(state)}")


def _at(state: ServiceState) -> str:
    return state.started_at.isoformat(timespec="seconds") if state.started_at else "?"


def list_is_final(view: View, name: str, *, since: datetime | None = None) -> Shown:
    """Whether node *name* serves an ITL with every anchor that the cluster has now."""
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return Shown(Verdict.UNSEEN, cluster.detail)
    query = ServedList(name, ListKind.ITL)
    fact = view.get(query, since=since, changing=True)
    if isinstance(fact, Unknown):
        return _unseen(query, fact)
    served: ListView | None = fact.value
    expected = cluster.built_itl(name)
    if served is None or expected is None:
        return Shown(Verdict.UNSEEN, f"{name} serves no ITL")
    for what, has, wants in (
        ("the signer", {served.signer}, {expected.signer}),
        ("SAST", served.sast, expected.sast),
        ("TFTP", served.tftp, expected.tftp),
        ("TVS", served.pin, expected.pin),
        ("CAPF", served.capf, expected.capf),
    ):
        if not set(wants) <= set(has):
            return Shown(Verdict.NOT_DONE, f"{name}: {what} of its ITL is not the present one")
    return Shown(Verdict.DONE, f"{name} serves an ITL with all present anchors")


def _itl_served(view: View) -> Shown:
    started = _started_since(view)
    if started.verdict is not Verdict.DONE:
        return started
    command = view.step.command
    assert isinstance(command, RestartService)
    served = list_is_final(view, command.node, since=view.progress.intended_at)
    # A list that lags behind the restart is waited for; another restart would not hurry it.
    if served.verdict is not Verdict.DONE:
        return Shown(Verdict.UNSEEN, served.saw)
    signed = _configuration_signed(view, command.node)
    if signed.verdict is not Verdict.DONE:
        return signed
    return Shown(Verdict.DONE, f"{started.saw}; {served.saw}; {signed.saw}".rstrip("; "))


def _configuration_signed(view: View, name: str) -> Shown:
    """Whether TFTP signs configuration with the present CallManager certificate: of one phone."""
    # Only desk phones, whose names begin so, are known to ask for such a file.
    asking = (names for kind, names in view.in_scope() if kind.security_by_default)
    desk_phones = (n for names in asking for n in names if n.startswith("SEP"))
    phone = next(desk_phones, None)
    if phone is None or not view.plan.policy.signed_configuration:
        return Shown(Verdict.DONE, "")
    asked = ConfigurationSigner(name, phone)
    own = CertificateOf(name, CertUnit.CALLMANAGER)
    fact = view.get(asked, since=view.progress.intended_at, changing=True)
    current = view.get(own)
    if isinstance(fact, Unknown):
        return _unseen(asked, fact)
    if isinstance(current, Unknown):
        return _unseen(own, current)
    if fact.value != current.value.serial:
        saw = f"serial {fact.value}" if fact.value else "no signed file"
        text = f"{name}: {phone}'s configuration is not signed by the present CallManager: {saw}"
        return Shown(Verdict.UNSEEN, text)
    return Shown(Verdict.DONE, f"it signs {phone}'s configuration with the present CallManager")


def ctl_is_served(view: View, *, since: datetime | None) -> Shown:
    """Whether every TFTP node serves a CTL by the present anchor, with all certificates."""
    cluster = view.cluster()
    if isinstance(cluster, Blocked):
        return Shown(Verdict.UNSEEN, cluster.detail)
    expected = cluster.built_ctl()
    assert expected is not None  # mixed mode
    for node in cluster.tftp_nodes:
        served = ServedList(node.name, ListKind.CTL)
        fact = view.get(served, since=since, changing=True)
        if isinstance(fact, Unknown):
            return _unseen(served, fact)
        ctl: ListView | None = fact.value
        if ctl is None or not (expected.ccm <= ctl.ccm and expected.tftp <= ctl.tftp):
            return Shown(
                Verdict.NOT_DONE, f"{node.name}: its CTL lacks a present CallManager certificate"
            )
        if not expected.capf <= ctl.capf:
            return Shown(Verdict.NOT_DONE, f"{node.name}: its CTL lacks the present CAPF (F6)")
        if cluster.ctl_token:
            # Any token that phones know will do; a person signs with whichever is at hand.
            if not ctl.token or ctl.signer not in cluster.tokens:
                return Shown(Verdict.NOT_DONE, f"{node.name}: no known token signed its CTL")
        elif ctl.signer != expected.signer or not expected.sast <= ctl.sast:
            return Shown(Verdict.NOT_DONE, f"{node.name}: its CTL lacks a present anchor")
    names = ", ".join(node.name for node in cluster.tftp_nodes)
    return Shown(Verdict.DONE, f"the CTL on {names} holds all present CallManager certificates")


def _ctl_served(view: View) -> Shown:
    return ctl_is_served(view, since=view.progress.intended_at)


def _signed_anew(kind: ListKind) -> Callable[[View], Shown]:
    def signed_anew(view: View) -> Shown:
        for node in view.plan.trust.tftp_nodes:
            query = ServedList(node.name, kind)
            fact = view.get(query, since=view.progress.intended_at, changing=True)
            if isinstance(fact, Unknown):
                return _unseen(query, fact)
            served: ListView | None = fact.value
            if served is None or served.signer in view.progress.baseline.split(","):
                return Shown(Verdict.NOT_DONE, f"{node.name}: the {kind.value} has its old signer")
        return Shown(Verdict.DONE, f"every {kind.value} has another signer")

    return signed_anew


def _https_presents(view: View) -> Shown:
    started = _started_since(view)
    if started.verdict is not Verdict.DONE:
        return started
    name = view.step.command.node
    for unit in dict.fromkeys(key.unit for key in view.step.certificates if key.node == name):
        query = PresentedCertificate(name, PORTS[unit], _ALGORITHMS[unit])
        fact = view.get(query, since=view.progress.intended_at, changing=True)
        if isinstance(fact, Unknown):
            return _unseen(query, fact)
        own = CertificateOf(name, unit)
        current = view.get(own)
        if isinstance(current, Unknown):
            return _unseen(own, current)
        if fact.value != current.value.fingerprint:
            text = f"{name}: port {query.port} still presents another {unit} certificate"
            return Shown(Verdict.UNSEEN, text)
    return Shown(Verdict.DONE, f"{started.saw}; port 8443 presents the new certificate")


_ALGORITHMS: Final = {CertUnit.TOMCAT: KeyAlgorithm.RSA, CertUnit.TOMCAT_ECDSA: KeyAlgorithm.EC}


def _has_status(wanted: ServiceStatus) -> Callable[[View], Shown]:
    def has_status(view: View) -> Shown:
        command = view.step.command
        assert isinstance(command, StopService | StartService)
        query = ServiceOn(command.node, command.service)
        fact = view.get(query, since=view.progress.intended_at, changing=True)
        if isinstance(fact, Unknown):
            return _unseen(query, fact)
        state: ServiceState = fact.value
        saw = f"{command.service} on {command.node}: {state.status.value}"
        if state.status is wanted:
            return Shown(Verdict.DONE, saw)
        on_its_way = (ServiceStatus.STARTING, ServiceStatus.STOPPING)
        return Shown(Verdict.UNSEEN if state.status in on_its_way else Verdict.NOT_DONE, saw)

    return has_status


def entry_is_gone(view: View, *, since: datetime | None) -> Shown:
    """Whether the trust store of the step's node has its certificate no more."""
    command = view.step.command
    assert isinstance(command, DeleteTrust)
    query = TrustStores(command.node)
    fact = view.get(query, since=since, changing=True, max_age_s=view.plan.policy.slow_fresh_s)
    if isinstance(fact, Unknown):
        return _unseen(query, fact)
    held: tuple[TrustEntry, ...] = fact.value
    for entry in view.step.entries:
        if any(
            e.store == entry.store and e.certificate.fingerprint == entry.fingerprint for e in held
        ):
            return Shown(Verdict.NOT_DONE, f"{command.node} has {entry}")
    return Shown(Verdict.DONE, f"{command.node} has {command.store}/{command.name} no more")


def _gone(view: View) -> Shown:
    return entry_is_gone(view, since=view.progress.intended_at)


def _phones_called(view: View) -> Shown:
    command = view.command()
    assert isinstance(command, ResetPhones)
    if view.progress.state is CommandState.IN_DOUBT:
        # A phone registers anew by itself as well, without loading a list: only one that was told
        # to is known to have loaded them, and another reset costs it a minute.
        return Shown(Verdict.NOT_DONE, "whether the reset was sent is not known: it is sent again")
    called = view.registrations_of_called()
    fact = view.get(called, since=view.progress.intended_at, changing=True)
    if isinstance(fact, Unknown):
        return _unseen(called, fact)
    table: Mapping[str, Registration] = fact.value
    baseline = datetime.fromisoformat(view.progress.baseline)
    awaited = view.awaited(command.names)
    waiting = [
        name
        for name in awaited
        if (r := table.get(name)) is not None
        and r.registered
        and r.at is not None
        and r.at <= baseline
    ]
    if waiting:
        some = ", ".join(waiting[:5])
        return Shown(Verdict.NOT_DONE, f"{len(waiting)} phones not reset yet: {some}")
    return Shown(Verdict.DONE, f"the reset reached the {len(awaited)} phones")


PROOFS: Final[Mapping[Proof, Callable[[View], Shown]]] = {
    Proof.NEW_CERTIFICATE: _new_certificate,
    Proof.CTL_SERVED: _ctl_served,
    Proof.ITL_SIGNED_ANEW: _signed_anew(ListKind.ITL),
    Proof.CTL_SIGNED_ANEW: _signed_anew(ListKind.CTL),
    Proof.RESTARTED: _started_since,
    Proof.ITL_SERVED: _itl_served,
    Proof.HTTPS_PRESENTS: _https_presents,
    Proof.STOPPED: _has_status(ServiceStatus.STOPPED),
    Proof.STARTED: _has_status(ServiceStatus.STARTED),
    Proof.GONE: _gone,
    Proof.PHONES_CALLED: _phones_called,
}
"""How each proof looks."""
