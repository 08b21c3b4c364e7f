"""Checks of the certificates themselves: there, ours to regenerate, long enough, not expired."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from cucm_certflow.checks.scope import Scope
from cucm_certflow.checks.vocabulary import LIST_UNITS, Check, Doubt, Fault, Remark, Seen, names
from cucm_certflow.core.identities import ROUTES, Identity, identity_of
from cucm_certflow.facts import Certificate, NodeFacts
from cucm_certflow.findings import Severity
from cucm_certflow.names import CertUnit, KeyAlgorithm
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.releases import EXISTS
from cucm_certflow.procedures.vocabulary import ReleaseRange, Source

__all__ = ["CERTIFICATES", "common_name"]

_REGENERATE: Final = Source(
    "Cisco security guide 14SU2", "Certificates", "D25, K11: regenerating destroys the identity"
)
_KEYS: Final = Source("Cisco security guide 14SU2", "Certificates", "F24: RSA key lengths")
_SAN: Final = Source("Cisco TAC 118731", "multi-server certificates")
_COUNTED_ON: Final = (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)
_FROM_14: Final = (14, 0)
_ON_PUBLISHER_ONLY: Final = {CertUnit.CAPF: (14, 0), CertUnit.ITLRECOVERY: (12, 5)}
"""From which release on only the publisher has its own."""
_OLD_BITS: Final = 1024
_USUAL_BITS: Final = 2048
_LONG_BITS: Final = 4096
_SHAREABLE: Final = frozenset(CertUnit) - {CertUnit.ITLRECOVERY}
"""What can be one multi-server certificate. ITLRecovery never is (security guide 14): from 12.5 on
all nodes show the publisher's by design."""


def _owned(scope: Scope) -> Iterator[tuple[NodeFacts, CertUnit, Certificate]]:
    """The certificates that were asked for."""
    for node in scope.facts.in_order:
        for unit in CertUnit:
            if unit in scope.units and (certificate := node.certificates.get(unit)) is not None:
                yield node, unit, certificate


# ── there ─────────────────────────────────────────────────────────────────────────────────


def _belongs(unit: CertUnit, node: NodeFacts, policy: Policy) -> bool:
    """Whether *node* has to show *unit* (procedures §1.1)."""
    if unit is CertUnit.CAPF and not node.is_publisher and not policy.capf_on_subscribers:
        return False
    existence = EXISTS.get(unit)
    if existence is None or node.product not in existence.products:
        return False
    if node.release not in existence.releases:
        return False
    first = _ON_PUBLISHER_ONLY.get(unit)
    return node.is_publisher or first is None or node.release.short < first


def _present(scope: Scope) -> Iterator[Remark]:
    for unit in sorted(scope.units):
        showing = [n.name for n in scope.facts.in_order if unit in n.certificates]
        missing = [
            n.name
            for n in scope.facts.in_order
            if n.name not in showing and _belongs(unit, n, scope.policy)
        ]
        if missing:
            # REUSE: from 14SU4 a CallManager certificate that is Tomcat's vanishes from the lists.
            reused = unit is CertUnit.CALLMANAGER and scope.facts.release.short >= _FROM_14
            more = "; is Tomcat's certificate reused for CallManager there?" if reused else ""
            yield Fault(f"{unit} is not shown by {names(missing)}{more}")
        elif showing:
            yield Seen(f"{unit} is shown by {names(showing)}")
        else:
            yield Fault(f"no node shows {unit}")


# ── identities that regeneration destroys ─────────────────────────────────────────────────


def _is_not(kind: Identity) -> Callable[[Scope], Iterator[Remark]]:
    """Finds fault with every certificate asked for that is of *kind*."""

    def remarks(scope: Scope) -> Iterator[Remark]:
        for node, unit, _ in _owned(scope):
            identity = identity_of(scope.facts, node, unit)
            if identity is not None and identity.kind is kind:
                evidence = "; ".join(identity.evidence)
                yield Fault(f"{unit} on {node.name} is {kind.value} ({evidence})")
            else:
                yield Seen(f"{unit} on {node.name} is not {kind.value}")

    return remarks


def _all_share_or_none(scope: Scope) -> Iterator[Remark]:
    for unit in sorted(_SHAREABLE):
        kinds = {
            node.name: identity.kind
            for node in scope.facts.in_order
            if (identity := identity_of(scope.facts, node, unit)) is not None
        }
        shared = [name for name, kind in kinds.items() if kind is Identity.MULTI_SERVER]
        alone = [name for name, kind in kinds.items() if kind is Identity.PLAIN]
        if shared and alone:
            yield Fault(
                f"{unit}: {names(shared)} shows a multi-server certificate, and {names(alone)} one "
                "of its own: it lost its place when it was restored or added"
            )


def _names_itself(scope: Scope) -> Iterator[Remark]:
    for node, unit, certificate in _owned(scope):
        common = common_name(certificate.subject).lower()
        listed = {name.lower() for name in certificate.names}
        # A certificate without any alternative name is of another kind: an old self-signed one.
        if common and listed and common not in listed:
            yield Fault(f"{unit} on {node.name}: its common name {common} is not among its names")


def common_name(subject: str) -> str:
    """The CN of *subject*, as nodes print it: with commas or semicolons; empty if it has none."""
    for part in subject.replace(";", ",").split(","):
        key, _, value = part.strip().partition("=")
        if key.upper() == "CN":
            return value.strip()
    return ""


# ── keys and dates ────────────────────────────────────────────────────────────────────────


def _recovery_key(scope: Scope) -> Iterator[Remark]:
    for node in scope.callmanagers:
        recovery = node.certificates.get(CertUnit.ITLRECOVERY)
        if recovery is None:
            continue
        longer = sorted(
            unit
            for unit, certificate in node.certificates.items()
            if certificate.key_algorithm is KeyAlgorithm.RSA
            and certificate.key_bits > recovery.key_bits
        )
        if recovery.key_bits <= _OLD_BITS and longer:
            wanted = CertUnit.ITLRECOVERY in scope.units
            yield Fault(
                f"ITLRecovery on {node.name} has {recovery.key_bits} bits beside longer keys "
                f"({names(longer)}): `utils itl|ctl reset localkey` fails",
                severity=Severity.BLOCK if wanted else Severity.WARNING,
            )
        else:
            yield Seen(f"ITLRecovery on {node.name} has {recovery.key_bits} bits")


def _callmanager_key(scope: Scope) -> Iterator[Remark]:
    for node in scope.callmanagers:
        certificate = node.certificates.get(CertUnit.CALLMANAGER)
        if certificate is None or certificate.key_algorithm is not KeyAlgorithm.RSA:
            continue
        text = f"CallManager on {node.name} has {certificate.key_bits} bits"
        if scope.mixed and certificate.key_bits >= _LONG_BITS and not certificate.self_signed:
            yield Fault(f"{text}, too many in mixed mode for a certificate of a CA")
        elif certificate.key_bits > _USUAL_BITS:
            # Regenerating keeps the length: no phone that registers today is lost by it.
            yield Fault(f"{text}: some models cannot register", severity=Severity.WARNING)
        else:
            yield Seen(text)


def _anchors_valid(scope: Scope) -> Iterator[Remark]:
    for node in scope.callmanagers:
        for unit in _COUNTED_ON:
            certificate = node.certificates.get(unit)
            if certificate is None:
                continue
            where = f"{unit} on {node.name}"
            if certificate.not_after is None:
                yield Doubt(f"nobody says until when {where} is valid")
            elif certificate.not_after <= scope.now:
                yield Fault(
                    f"{where} expired on {certificate.not_after:%Y-%m-%d}",
                    severity=Severity.WARNING if scope.policy.expired_is_trusted else None,
                )
            elif certificate.not_before is not None and certificate.not_before > scope.now:
                yield Fault(f"{where} is valid only from {certificate.not_before:%Y-%m-%d}")
            else:
                yield Seen(f"{where} is valid until {certificate.not_after:%Y-%m-%d}")


# ── the table ─────────────────────────────────────────────────────────────────────────────

CERTIFICATES: Final = (
    Check(
        id="certificates-shown",
        title="every node shows the certificates that are to be regenerated",
        severity=Severity.BLOCK,
        source=Source("Cisco TAC 214231", "certificates on all nodes", "by release"),
        unlock="a readable certificate on every node that should have one",
        remarks=_present,
    ),
    Check(
        id="identity-self-signed",
        title="what is to be regenerated is self-signed",
        severity=Severity.BLOCK,
        source=_REGENERATE,
        unlock=ROUTES[Identity.CA_SIGNED],
        remarks=_is_not(Identity.CA_SIGNED),
    ),
    Check(
        id="identity-of-one-node",
        title="what is to be regenerated belongs to one node",
        severity=Severity.BLOCK,
        source=_SAN,
        unlock=ROUTES[Identity.MULTI_SERVER],
        remarks=_is_not(Identity.MULTI_SERVER),
    ),
    Check(
        id="identity-not-reused",
        title="Tomcat's certificate is not CallManager's as well",
        severity=Severity.BLOCK,
        units=frozenset(
            {
                CertUnit.TOMCAT,
                CertUnit.CALLMANAGER,
                CertUnit.TOMCAT_ECDSA,
                CertUnit.CALLMANAGER_ECDSA,
            }
        ),
        source=Source("Cisco TAC 221070", "reuse of the Tomcat certificate"),
        unlock=ROUTES[Identity.REUSED],
        remarks=_is_not(Identity.REUSED),
    ),
    Check(
        id="identity-shared-by-all",
        title="a multi-server certificate is that of every node",
        severity=Severity.WARNING,
        source=Source("Cisco TAC 118731", "multi-server certificates", "F18, CSCuv75957"),
        unlock="the multi-server certificate issued anew, for all nodes",
        remarks=_all_share_or_none,
    ),
    Check(
        id="identity-names-itself",
        title="a certificate's names repeat its common name",
        severity=Severity.WARNING,
        source=Source("Cisco TAC 118731", "multi-server certificates", "F17, CSCus47235"),
        unlock="a new request that repeats the common name",
        remarks=_names_itself,
    ),
    Check(
        id="itlrecovery-key",
        title="ITLRecovery's key is as long as the others",
        severity=Severity.WARNING,
        units=LIST_UNITS,
        releases=ReleaseRange((10, 0), (15, 99)),
        source=Source("Cisco TAC 214231", "ITLRecovery", "point R2, F12"),
        unlock="ITLRecovery of 2048 bits before the recovery command is needed; this procedure "
        "needs it itself",
        remarks=_recovery_key,
    ),
    Check(
        id="callmanager-key",
        title="CallManager's key is one that phones can use",
        severity=Severity.CONSENT,
        units=frozenset({CertUnit.CALLMANAGER}),
        source=_KEYS,
        unlock="compare the phone feature list; regenerating keeps the length",
        remarks=_callmanager_key,
    ),
    Check(
        id="anchors-valid",
        title="no certificate that phones are to trust by has expired",
        severity=Severity.CONSENT,
        units=LIST_UNITS,
        source=Source("Cisco TAC 225746", "after renewal", "F1: what expired is not counted on"),
        unlock="say that the phones were seen to take new lists although it expired; one unit at a "
        "time",
        remarks=_anchors_valid,
    ),
)
"""The checks before a change that are about certificates."""
