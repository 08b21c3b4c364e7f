"""What was changed from outside: the cluster as it is, against what the run predicts of it.

The prediction is the plan's facts, and what the run itself was seen to do since. Certificates and
CTLs are compared as they are; an ITL, which TFTP may rebuild unasked, only for certificates that
nobody knows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import attrs

from cucm_certflow.commands import Regenerate
from cucm_certflow.core.forecast import LISTED, moves_trust
from cucm_certflow.core.plan import CertificateKey
from cucm_certflow.core.states import Blocked, CommandState, Guard
from cucm_certflow.core.view import View
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Known,
    ListView,
    Members,
    NodeFacts,
    Parameter,
    Query,
    ServedList,
    ServicesOn,
    ServiceState,
    Unknown,
)
from cucm_certflow.names import MODE_PARAMETER, ListKind, SecurityMode, Service
from cucm_certflow.procedures.vocabulary import Proof, Source

__all__ = ["CTL_PROOFS", "DRIFT_GUARD", "Difference", "drift_at_end", "list_mark"]

_SOURCE: Final = Source("DESIGN", "§5", "facts are compared with what the run itself predicts")

CTL_PROOFS: Final = frozenset({Proof.CTL_SERVED, Proof.CTL_SIGNED_ANEW})
"""The proofs of what changes the CTL."""

_SHORT: Final = 16


class Difference(NamedTuple):
    """One thing that is not as predicted. *item* is empty if no word of a person lets it pass."""

    what: str
    predicted: str
    seen: str
    item: str = ""

    def __str__(self) -> str:
        return f"{self.what}: predicted {self.predicted}, saw {self.seen}"


def list_mark(served: ListView) -> str:
    """A short name of the contents of a list: two lists with the same records have the same."""
    parts = (served.sast, served.tftp, served.ccm, served.pin, served.capf)
    text = "|".join([served.signer, *(",".join(sorted(part)) for part in parts)])
    return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]


def _nothing_drifted(view: View) -> Blocked | None:
    command = view.step.command
    if not view.step.certificates or not (moves_trust(command) or isinstance(command, Regenerate)):
        return None
    return _drift_of(view, view.subject)


def drift_at_end(view: View) -> Blocked | None:
    """What was changed from outside since the last command: a run that ends claims there is not.

    None if nothing was; with ``retry_at`` if something does not answer now.
    """
    return _drift_of(view, "the end of the run")


def _drift_of(view: View, subject: str) -> Blocked | None:
    queries = tuple(_queries(view))
    since = _last_change(view)
    answers = {query: view.get(query, since=since) for query in queries}  # asked for in one go
    for query, fact in answers.items():
        if isinstance(fact, Unknown):
            return attrs.evolve(view.unknown("drift", query, fact), subject=subject)
    values = {query: fact.value for query, fact in answers.items() if isinstance(fact, Known)}
    found = [d for query in queries for d in _differences(view, query, values)]
    found = [d for d in found if not d.item or d.item not in view.state.approved]
    if not found:
        return None
    items = tuple(d.item for d in found if d.item)
    unlock = (
        "put back what was changed, or approve it; or abort this run, discover and plan again"
        if len(items) == len(found)
        else "abort this run, discover and plan again: what it has done was changed by others"
    )
    return Blocked(
        guard="drift",
        detail="the cluster was changed from outside since the plan was made",
        evidence=tuple(map(str, found)),
        unlock=unlock,
        source=str(_SOURCE),
        subject=subject,
        items=items if len(items) == len(found) else (),
    )


def _last_change(view: View) -> datetime | None:
    """When the run's last command was proved: what was read before it is not "now"."""
    proved = (p.since for p in view.state.steps if p.state is CommandState.PROVED)
    return max((since for since in proved if since is not None), default=None)


def _queries(view: View) -> Iterator[Query]:
    facts = view.plan.facts
    yield Parameter(MODE_PARAMETER)
    if len(facts.nodes) > 1:
        yield Members()
    kinds = tuple(ListKind) if facts.mode is SecurityMode.MIXED else (ListKind.ITL,)
    for node in facts.nodes:
        yield ServicesOn(node.name)
        for unit in node.certificates:
            if unit in view.plan.procedures or unit in LISTED:
                yield CertificateOf(node.name, unit)
        if node.runs(Service.TFTP):
            yield from (ServedList(node.name, kind) for kind in kinds)


def _differences(view: View, query: Query, values: Mapping[Query, Any]) -> Iterator[Difference]:
    match query, values[query]:
        case Parameter(), str(value):
            predicted = view.plan.facts.mode.value
            if value != predicted:
                yield Difference("cluster security mode", predicted, value)
        case Members(), tuple(members):
            planned = {node.name for node in view.plan.facts.nodes}
            listed = {member.name for member in members}
            for name in sorted(planned ^ listed):
                word = "listed" if name in listed else "not listed"
                other = "not listed" if name in listed else "listed"
                yield Difference(f"node {name}", other, word, f"drift:{name}={word[:3]}")
        case ServicesOn(node), Mapping() as states:
            yield from _services(view.once("nodes", lambda: _by_name(view))[node], states)
        case CertificateOf(node, unit), Certificate() as shown:
            yield from _certificate(view, CertificateKey(unit, node), shown)
        case ServedList(node, ListKind.CTL), ListView() as served:
            yield from _ctl(view, node, served)
        case ServedList(node, ListKind.ITL), ListView() as served:
            yield from _itl(view, node, served, values)
        case _:  # no list is served: `lists_served` says so
            return


def _by_name(view: View) -> dict[str, NodeFacts]:
    return {node.name: node for node in view.plan.facts.nodes}


def _services(node: NodeFacts, value: Mapping[str, ServiceState]) -> Iterator[Difference]:
    for service in node.services:
        state = value.get(service.value)
        activated = state is not None and state.activated
        if activated != node.runs(service):
            words = ("not activated", "activated")
            seen = words[activated]
            yield Difference(
                f"{service} on {node.name}",
                words[node.runs(service)],
                seen,
                f"drift:{node.name}/{service}={seen}",
            )


def _lineage(view: View) -> Mapping[str, str]:
    """What the run has made of each certificate, by fingerprints."""
    return {
        progress.baseline: progress.seen
        for step, progress in zip(view.plan.steps, view.state.steps, strict=True)
        if isinstance(step.command, Regenerate) and progress.state is CommandState.PROVED
    }


def _certificate(view: View, key: CertificateKey, shown: Certificate) -> Iterator[Difference]:
    lineage = view.once("lineage", lambda: _lineage(view))
    before = view.once("nodes", lambda: _by_name(view))[key.node].certificates[key.unit]
    ours = {
        view.state.steps[index].seen
        for index in view.plan.steps_of.get(key, ())
        if isinstance(view.plan.steps[index].command, Regenerate)
        and view.state.steps[index].state is CommandState.PROVED
    }
    # A certificate that several nodes show changes on all of them, each at its time.
    expected = ours or {before.fingerprint, lineage.get(before.fingerprint, before.fingerprint)}
    if shown.fingerprint in expected or "" in expected:
        return  # "": an older journal did not say what was seen
    mark = shown.fingerprint[:_SHORT]
    yield Difference(
        f"{key}",
        "the certificate that this run made" if ours else f"serial {before.serial}",
        f"serial {shown.serial} ({mark})",
        "" if ours else f"drift:{key}={mark}",
    )


def _ctl(view: View, node: str, served: ListView) -> Iterator[Difference]:
    """A CTL changes by a command alone: the last one's, or that of the plan."""
    steps = [s for s in view.plan.steps if s.row.proof in CTL_PROOFS]
    done = [s for s in steps if view.state.steps[s.index].state is CommandState.PROVED]
    if done:
        expected = view.state.steps[done[-1].index].seen.split(";")
    else:
        before = view.once("nodes", lambda: _by_name(view))[node].ctl
        expected = [""] if before is None else [list_mark(before)]
    if list_mark(served) not in expected and "" not in expected:
        mark = f"signed by {served.signer[:_SHORT]}, {served.records or 'some'} records"
        yield Difference(
            f"CTL on {node}",
            "the one last proved",
            mark,
            f"drift:CTL on {node}={list_mark(served)}",
        )


def _itl(
    view: View, node: str, served: ListView, values: Mapping[Query, Any]
) -> Iterator[Difference]:
    known = view.once("known", lambda: _known(view))
    strangers = {
        served.signer,
        *served.sast,
        *served.tftp,
        *served.ccm,
        *served.pin,
        *served.capf,
    } - known
    # A certificate that is not predicted is said to be so where it is: its list follows from it.
    current = {each.fingerprint for each in values.values() if isinstance(each, Certificate)}
    if strangers - current:
        some = ", ".join(sorted(s[:_SHORT] for s in strangers - current))
        yield Difference(
            f"ITL on {node}",
            "certificates of this cluster",
            f"certificates that nobody knows ({some})",
            f"drift:ITL on {node}={list_mark(served)}",
        )


def _known(view: View) -> frozenset[str]:
    """Every fingerprint that the plan's facts, its lists and the run's own doing account for."""
    known: set[str] = set()
    for node in view.plan.facts.nodes:
        known |= {certificate.fingerprint for certificate in node.certificates.values()}
        for listed in (node.itl, node.ctl):
            if listed is not None:
                known |= {listed.signer, *listed.sast, *listed.tftp, *listed.ccm}
                known |= {*listed.pin, *listed.capf}
    lineage = view.once("lineage", lambda: _lineage(view))
    return frozenset(known | set(lineage) | set(lineage.values()))


DRIFT_GUARD: Final = Guard(
    "drift", "nothing was changed from outside since the plan was made", _nothing_drifted, _SOURCE
)
"""Before every command that regenerates, or changes what nodes serve, present or vouch for."""
