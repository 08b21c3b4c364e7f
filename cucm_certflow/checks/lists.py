"""Checks of the trust lists: what every TFTP node serves, against the certificates that live now.

A served list that has a value was verified already: a file without a good signature by one of its
own SAST records is unreadable, and an unreadable answer is no pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cucm_certflow.checks.scope import Scope
from cucm_certflow.checks.vocabulary import CTL_UNITS, LIST_UNITS, Check, Doubt, Fault, Remark, Seen
from cucm_certflow.facts import Certificate, ListFile, ListView, NodeFacts, Query, ServedList
from cucm_certflow.findings import Severity
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.procedures.vocabulary import Source

__all__ = ["LISTS", "LISTS_AFTER"]

_FIELD_NOTICE: Final = Source(
    "Cisco field notice FN70613",
    "",
    "F4, F5: the serials in the CTL count, not the history of upgrades",
)
_TOKENLESS: Final = Source("Cisco TAC 118893", "tokenless CTL")
_CONTENT: Final = Source(
    "Cisco security guide 12.5(1)SU6", "Default Security", "what an ITL holds; TAC 214231 for a CTL"
)
_NEW_SIGNER: Final = (12, 0)
_FIRST_TOKENLESS: Final = (10, 0)
_PLACES: Final = 16
"""Digits of a fingerprint that evidence shows."""


# ── what lives ────────────────────────────────────────────────────────────────────────────


def _live(nodes: Iterable[NodeFacts], unit: CertUnit) -> frozenset[str]:
    return frozenset(
        certificate.fingerprint
        for node in nodes
        if (certificate := node.certificates.get(unit)) is not None
    )


def _own(node: NodeFacts, unit: CertUnit) -> str:
    certificate: Certificate | None = node.certificates.get(unit)
    return "" if certificate is None else certificate.fingerprint


def _itls(scope: Scope) -> tuple[Query, ...]:
    return tuple(ServedList(node.name, ListKind.ITL) for node in scope.tftp_nodes)


def _ctls(scope: Scope) -> tuple[Query, ...]:
    return tuple(ServedList(node.name, ListKind.CTL) for node in scope.tftp_nodes)


def _files(scope: Scope) -> tuple[Query, ...]:
    return tuple(ListFile(node.name, ListKind.ITL) for node in scope.tftp_nodes)


def _served(scope: Scope, queries: Iterable[Query]) -> Iterator[tuple[NodeFacts, ListView]]:
    """The lists that there are, with the node that serves each."""
    nodes = {node.name: node for node in scope.facts.nodes}
    for query, view in scope.each(queries):
        if view is not None:
            yield nodes[query.node], view


def _cut(fingerprints: Iterable[str]) -> str:
    return ", ".join(sorted(text[:_PLACES] for text in fingerprints))


# ── served at all ─────────────────────────────────────────────────────────────────────────


def _both_served(scope: Scope) -> tuple[Query, ...]:
    return _itls(scope) + (_ctls(scope) if scope.mixed else ())


def _are_served(scope: Scope) -> Iterator[Remark]:
    for query, view in scope.each(_both_served(scope)):
        if view is None:
            yield Fault(f"{query.node} runs {Service.TFTP} and serves no {query.kind.value}")
        else:
            yield Seen(f"{query.node} serves a verified {query.kind.value}")


def _no_ctl(scope: Scope) -> Iterator[Remark]:
    for query, view in scope.each(_ctls(scope)):
        if view is None:
            yield Seen(f"{query.node} serves no CTL")
        else:
            yield Fault(f"{query.node} serves a CTL, and the cluster is not in mixed mode")


# ── the ITL ───────────────────────────────────────────────────────────────────────────────


def _itl_signers(scope: Scope) -> Iterator[Remark]:
    recovery = _live(scope.callmanagers, CertUnit.ITLRECOVERY)
    calling = _live(scope.callmanagers, CertUnit.CALLMANAGER)
    for node, view in _served(scope, _itls(scope)):
        own = _own(node, CertUnit.CALLMANAGER)
        if view.signer not in recovery | calling:
            yield Fault(
                f"the ITL on {node.name} is signed by a certificate that the cluster does not "
                f"hold any more ({view.signer[:_PLACES]})"
            )
            continue
        signer = CertUnit.ITLRECOVERY if view.signer in recovery else CertUnit.CALLMANAGER
        usual = CertUnit.CALLMANAGER
        if node.release.short >= _NEW_SIGNER:
            usual = CertUnit.ITLRECOVERY
        whose = "" if view.signer == own or view.signer in recovery else " of another node"
        text = f"the ITL on {node.name} is signed by the present {signer} certificate{whose}"
        if signer is usual and not whose:
            yield Seen(text)
        else:
            # 2.2: so it is after `utils itl reset localkey`, which sends the publisher's to every
            # TFTP node, until TFTP was restarted there.
            yield Fault(
                f"{text}, not by {usual if signer is not usual else 'its own'}: a reset by "
                "localkey was not finished",
                severity=Severity.CONSENT,
            )


def _itl_content(scope: Scope) -> Iterator[Remark]:
    nodes = scope.callmanagers
    tvs, recovery = _live(nodes, CertUnit.TVS), _live(nodes, CertUnit.ITLRECOVERY)
    for node, view in _served(scope, _itls(scope)):
        own = {_own(node, CertUnit.CALLMANAGER)} - {""}
        faults = []
        if not own <= view.tftp:
            faults.append("does not name its present CallManager certificate as TFTP's")
        if missing := tvs - view.pin:
            faults.append(f"lacks {len(missing)} of the present TVS certificates")
        if gone := view.pin - tvs:
            faults.append(f"names TVS certificates that are gone ({_cut(gone)})")
        # Whose ITLRecovery an ITL below 12.5 names, its node's or the publisher's, no source says:
        # either passes.
        if gone := view.sast - own - recovery:
            faults.append(f"names as SAST what the cluster does not hold any more ({_cut(gone)})")
        for text in faults:
            yield Fault(f"the ITL on {node.name} {text}")
        if not faults:
            yield Seen(f"the ITL on {node.name} names the present TFTP, SAST and TVS certificates")
        yield from _capf_in(scope, node, view)


def _capf_in(scope: Scope, node: NodeFacts, view: ListView) -> Iterator[Remark]:
    live = _own(scope.facts.publisher, CertUnit.CAPF)
    where = f"the {view.kind.value} on {node.name}"
    if not live:
        if view.capf:
            yield Doubt(f"{where} names a CAPF certificate, and the publisher shows none")
        return
    if gone := view.capf - {live}:
        yield Fault(f"{where} names a CAPF certificate that is not the present one ({_cut(gone)})")
    elif not view.capf and scope.facts.publisher.runs(Service.CAPF):
        yield Fault(f"{where} names no CAPF certificate, and CAPF runs", severity=Severity.WARNING)
    elif view.capf:
        yield Seen(f"{where} names the present CAPF certificate")


def _itl_size(scope: Scope) -> Iterator[Remark]:
    limits = scope.limits
    for node, view in _served(scope, _itls(scope)):
        held = len(view.sast | view.tftp | view.ccm | view.pin | view.capf)
        text = f"the ITL on {node.name} holds {held} certificates"
        if held > limits.itl_certificates:
            yield Fault(f"{text}, over {limits.itl_certificates}")
        else:
            yield Seen(text)
    for query, data in scope.each(_files(scope)):
        if data is None:
            continue
        text = f"the ITL on {query.node} has {len(data)} bytes"
        if len(data) > limits.itl_bytes:
            yield Fault(f"{text}, over {limits.itl_bytes}: phones cannot load it")
        else:
            yield Seen(text)


# ── the CTL ───────────────────────────────────────────────────────────────────────────────


def _ctl_anchors(scope: Scope) -> Iterator[Remark]:
    nodes = scope.callmanagers
    recovery = _live(nodes, CertUnit.ITLRECOVERY)
    publisher = {_own(scope.facts.publisher, CertUnit.CALLMANAGER)} - {""}
    for node, view in _served(scope, _ctls(scope)):
        if view.token:
            # Tokens are no certificates of the cluster: which of them are at hand is asked.
            yield Seen(f"the CTL on {node.name} is signed by a USB token")
            continue
        if view.signer not in recovery | publisher:
            yield Fault(
                f"the CTL on {node.name} is signed by a certificate that the cluster does not "
                f"hold any more ({view.signer[:_PLACES]})"
            )
        if gone := view.sast - recovery - publisher:
            yield Fault(
                f"the CTL on {node.name} names as SAST what the cluster does not hold any more "
                f"({_cut(gone)}): an old ITLRecovery, or an old CallManager certificate"
            )
        elif node.release.short >= _NEW_SIGNER and not view.sast & recovery:
            yield Fault(
                f"the CTL on {node.name} does not name the present ITLRecovery: the publisher's "
                "CallManager certificate is its only anchor"
            )
        else:
            yield Seen(f"the CTL on {node.name} names present anchors only")


def _ctl_content(scope: Scope) -> Iterator[Remark]:
    nodes = scope.callmanagers
    peers = _live((n for n in nodes if n.runs(Service.CALLMANAGER)), CertUnit.CALLMANAGER)
    # EC certificates are in a CTL where ECDSA is in use; which CTL names them no source says.
    known = _live(nodes, CertUnit.CALLMANAGER) | _live(nodes, CertUnit.CALLMANAGER_ECDSA)
    views = list(_served(scope, _ctls(scope)))
    for node, view in views:
        if missing := peers - view.ccm:
            yield Fault(
                f"the CTL on {node.name} lacks {len(missing)} of the present CallManager "
                "certificates: secure phones of those nodes cannot register"
            )
        elif gone := (view.ccm | view.tftp) - known:
            yield Fault(
                f"the CTL on {node.name} names CallManager or TFTP certificates that are gone "
                f"({_cut(gone)})",
                severity=Severity.CONSENT,
            )
        else:
            yield Seen(f"the CTL on {node.name} names the present CallManager certificates")
        yield from _capf_in(scope, node, view)
    if len({view.plain() for _, view in views}) > 1:
        yield Fault("the TFTP nodes serve different CTLs: one is old")


def _ctl_by_command(scope: Scope) -> Iterator[Remark]:
    for node, view in _served(scope, _ctls(scope)):
        if view.token:
            yield Fault(f"the CTL on {node.name} is signed by a USB token: a person signs the next")
        elif node.release.short < _FIRST_TOKENLESS:
            yield Doubt(
                f"the CTL on {node.name} is said not to be signed by a token, and {node.release} "
                "has no other way"
            )
        else:
            yield Seen(f"the CTL on {node.name} is tokenless")


# ── the table ─────────────────────────────────────────────────────────────────────────────

_SERVED: Final = Check(
    id="lists-served",
    title="every TFTP node serves the lists of its mode, and they verify",
    severity=Severity.BLOCK,
    units=LIST_UNITS,
    source=Source("Cisco TAC 118893", "show ctl, show itl", "on each TFTP node: verified"),
    unlock="a restart of TFTP for the ITL, `utils ctl update CTLFile` for the CTL, and the phones "
    "on the new list before anything is regenerated",
    asks=_both_served,
    remarks=_are_served,
)
_ITL_SIGNER: Final = Check(
    id="itl-signer-live",
    title="every ITL is signed by a certificate that lives",
    severity=Severity.BLOCK,
    units=LIST_UNITS,
    source=Source("Cisco TAC 214231", "ITLRecovery", "who signs by release: procedures §2.2"),
    unlock="a restart of TFTP on that node, and the phones on the new list",
    asks=_itls,
    remarks=_itl_signers,
)
_ITL_CONTENT: Final = Check(
    id="itl-equals-live",
    title="every ITL names the certificates that live now",
    severity=Severity.BLOCK,
    units=LIST_UNITS,
    source=_CONTENT,
    unlock="a restart of TFTP on that node, and the phones on the new list",
    asks=_itls,
    remarks=_itl_content,
)
_CTL_ANCHORS: Final = Check(
    id="ctl-anchors-live",
    title="every anchor that the CTL names lives",
    severity=Severity.BLOCK,
    units=LIST_UNITS,
    mixed=True,
    source=_FIELD_NOTICE,
    # An update alone would be signed by an anchor that the phones' CTL does not name (§2.4).
    unlock="`utils ctl reset localkey`, the phones reset and on that CTL, then `utils ctl update "
    "CTLFile`, a restart of TFTP and CallManager, and the phones reset again, before the "
    "CallManager certificate is touched",
    asks=_ctls,
    remarks=_ctl_anchors,
)
_CTL_CONTENT: Final = Check(
    id="ctl-equals-live",
    title="the CTL names the certificates that live now, the same on every TFTP node",
    severity=Severity.BLOCK,
    units=LIST_UNITS,
    mixed=True,
    source=Source("Cisco TAC 225746", "CAPF", "F6: an old CAPF in the CTL keeps TLS phones out"),
    unlock="`utils ctl update CTLFile`, read back on every TFTP node",
    asks=_ctls,
    remarks=_ctl_content,
)
_NO_STALE_CTL: Final = Check(
    id="stale-ctl",
    title="a cluster that is not in mixed mode serves no CTL",
    severity=Severity.BLOCK,
    units=LIST_UNITS,
    mixed=False,
    source=_TOKENLESS,
    unlock="`file delete activelog cm/tftpdata/CTLFile.tlv` on each TFTP node; phones that hold it "
    "still judge lists by it",
    asks=_ctls,
    remarks=_no_ctl,
)

LISTS: Final = (
    _SERVED,
    _ITL_SIGNER,
    _ITL_CONTENT,
    Check(
        id="itl-size",
        title="every ITL is one that phones can load",
        severity=Severity.BLOCK,
        units=LIST_UNITS,
        source=Source("Cisco security guide 12.5(1)SU6", "Default Security", "F14: 39, 64 KB"),
        unlock="fewer certificates: one multi-server TVS certificate from 14, fewer TVS nodes",
        asks=lambda scope: _itls(scope) + _files(scope),
        remarks=_itl_size,
    ),
    _NO_STALE_CTL,
    _CTL_ANCHORS,
    _CTL_CONTENT,
    Check(
        id="ctl-tokenless",
        title="the CTL can be updated by a command",
        severity=Severity.CONSENT,
        units=CTL_UNITS,
        mixed=True,
        source=_TOKENLESS,
        unlock="say that one of the USB tokens that the phones' CTL names, its password and the "
        "CTL client are at hand",
        asks=_ctls,
        remarks=_ctl_by_command,
    ),
)
"""The checks before a change that are about trust lists."""

LISTS_AFTER: Final = (_SERVED, _ITL_SIGNER, _ITL_CONTENT, _NO_STALE_CTL, _CTL_ANCHORS, _CTL_CONTENT)
"""Those that are looked at again after it."""
