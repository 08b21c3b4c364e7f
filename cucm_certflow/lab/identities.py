"""What stands in the lab's certificates: names, dates, issuers and key sizes, without any key."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Final

import attrs

from cucm_certflow.facts import Certificate
from cucm_certflow.lab.physics.world import Cert, Layout, Trusted
from cucm_certflow.lab.scenario import CertificateSpec, Scenario, TrustSpec
from cucm_certflow.names import CertUnit, KeyAlgorithm

__all__ = ["Description", "Identities", "Plain", "is_ecdsa"]

_NOT_BEFORE: Final = datetime(2025, 1, 1, tzinfo=UTC)
_YEAR: Final = timedelta(days=365)
_LIVES: Final = 5 * _YEAR
_RECOVERY_LIVES: Final = 20 * _YEAR
_LAB_CA: Final = "Lab Root CA"
_TOKENS_CA: Final = "Cisco Manufacturing CA"
_WITH_NAMES: Final = (
    CertUnit.TOMCAT,
    CertUnit.TOMCAT_ECDSA,
    CertUnit.CALLMANAGER,
    CertUnit.CALLMANAGER_ECDSA,
    CertUnit.TVS,
    CertUnit.CUP,
    CertUnit.CUP_ECDSA,
    CertUnit.CUP_XMPP,
    CertUnit.CUP_XMPP_ECDSA,
    CertUnit.CUP_XMPP_S2S,
    CertUnit.CUP_XMPP_S2S_ECDSA,
)
_REVERSED: Final = (CertUnit.CAPF, CertUnit.ITLRECOVERY)
_RSA_BITS: Final = 2048
_EC_BITS: Final = 384
_TOKEN_BITS: Final = 1024


def is_ecdsa(unit: CertUnit) -> bool:
    """Whether certificates of *unit* have EC keys."""
    return unit.value.endswith("-ECDSA")


@attrs.frozen(kw_only=True)
class Description:
    """What stands in a certificate.

    Attributes:
        common_name: The subject's CN.
        not_before: When it begins to be valid.
        not_after: When it is over.
        names: DNS names; none for no such extension.
        issuer: The CN of the CA that signed it; empty if it signed itself.
        key_bits: Of its key.
        algorithm: Of its key.
        is_reversed: Whether subject and issuer have their parts the other way round (trust lists,
            §1.2: CAPF and ITLRecovery).
        organisation: The subject's O and OU, and of the issuer the O.
    """

    common_name: str
    not_before: datetime
    not_after: datetime
    names: tuple[str, ...] = ()
    issuer: str = ""
    key_bits: int = _RSA_BITS
    algorithm: KeyAlgorithm = KeyAlgorithm.RSA
    is_reversed: bool = False
    organisation: tuple[str, str] = ("Example", "Lab")

    @property
    def is_self_signed(self) -> bool:
        """Whether no CA has signed it."""
        return not self.issuer


class Plain:
    """Describes certificates of a cluster about which nothing special is said.

    Args:
        domain: Of the nodes; a node whose name has a dot already keeps its name.
        not_before: When certificates of the first generation begin to be valid; each later
            generation begins a second after the one before.
    """

    def __init__(self, domain: str, not_before: datetime = _NOT_BEFORE) -> None:
        self._domain = domain
        self._not_before = not_before

    def fqdn(self, node: str) -> str:
        """The full name of *node*."""
        return node if "." in node else f"{node}.{self._domain}"

    def common_name(self, cert: Cert) -> str:
        """The CN that CUCM gives a certificate of this unit.

        That of an ECDSA unit is read off the file names of trust stores: ``cucm14-pub-EC….pem``.
        That each CAPF has another is why an old one stays in the trust stores beside the new one.
        """
        if cert.is_token:
            number = hashlib.sha256(cert.node.encode()).hexdigest()[:8]
            return f"SAST-ADN{number}"
        match cert.unit:
            case CertUnit.CAPF:
                of = cert.node if cert.generation == 1 else f"{cert.node}/{cert.generation}"
                return f"CAPF-{hashlib.sha256(of.encode()).hexdigest()[:8]}"
            case CertUnit.ITLRECOVERY:
                return f"ITLRECOVERY_{self.fqdn(cert.node)}"
            case unit if is_ecdsa(unit):
                host, dot, domain = self.fqdn(cert.node).partition(".")
                return f"{host}-EC{dot}{domain}"
            case _:
                return self.fqdn(cert.node)

    def describe(self, cert: Cert) -> Description:
        """What stands in *cert*."""
        begin = self._not_before + timedelta(seconds=cert.generation - 1)
        if cert.is_token:
            return Description(
                common_name=self.common_name(cert),
                not_before=begin,
                not_after=begin + _RECOVERY_LIVES,
                issuer=_TOKENS_CA,
                key_bits=_TOKEN_BITS,
                organisation=("Cisco Systems", "IPCBU"),
            )
        with_ec = is_ecdsa(cert.unit)
        lives = _RECOVERY_LIVES if cert.unit is CertUnit.ITLRECOVERY else _LIVES
        has_names = cert.unit in _WITH_NAMES
        common_name = self.common_name(cert)
        names = tuple(dict.fromkeys((common_name, self.fqdn(cert.node), cert.node)))
        return Description(
            common_name=common_name,
            not_before=begin,
            not_after=begin + lives,
            names=names if has_names else (),
            key_bits=_EC_BITS if with_ec else _RSA_BITS,
            algorithm=KeyAlgorithm.EC if with_ec else KeyAlgorithm.RSA,
            is_reversed=cert.unit in _REVERSED,
        )


class Identities(Plain):
    """Describes the certificates of *scenario*: those of its beginning as it says.

    Args:
        scenario: Whose nodes, certificates and trust stores.
        layout: The scenario's.
        began: When its story began.
    """

    def __init__(self, scenario: Scenario, layout: Layout, began: datetime) -> None:
        super().__init__(scenario.domain, began.replace(microsecond=0) - _YEAR)
        self._scenario = scenario
        self._layout = layout
        self._began = began.replace(microsecond=0)
        self._strangers = {
            trusted.name: spec for trusted, spec in scenario.trusted(layout) if trusted.cert is None
        }

    def describe(self, cert: Cert) -> Description:
        """What stands in *cert*."""
        plain = super().describe(cert)
        if cert.is_token:
            return plain
        if cert.generation > 1:  # made while the story is told
            begin = self._began + timedelta(seconds=cert.generation - 1)
            lives = plain.not_after - plain.not_before
            return attrs.evolve(plain, not_before=begin, not_after=begin + lives)
        spec = self._scenario.spec_of(cert) if cert.generation == 1 else None
        # Twice the time, from now on, for what nothing is said of: five years, not four.
        plain = attrs.evolve(plain, not_after=plain.not_after + _YEAR)
        return plain if spec is None else self._as_said(plain, cert, spec)

    def _as_said(self, plain: Description, cert: Cert, spec: CertificateSpec) -> Description:
        common_name, names = plain.common_name, plain.names
        if spec.multi_server:
            host, dot, domain = common_name.partition(".")
            common_name = f"{host}-ms{dot}{domain}"
            owners = [n.name for n in self._scenario.nodes if self._layout.has(cert.unit, n.name)]
            names = (common_name, *(self.fqdn(owner) for owner in owners))
        if spec.name_missing:
            names = tuple(name for name in names if name != common_name)
        not_before, not_after = plain.not_before, plain.not_after
        if spec.expires_in_days is not None:
            not_after = self._began + timedelta(days=spec.expires_in_days)
            not_before = min(not_before, not_after - _YEAR)
        return attrs.evolve(
            plain,
            common_name=common_name,
            names=names,
            not_before=not_before,
            not_after=not_after,
            issuer=_LAB_CA if spec.ca_signed else "",
            key_bits=spec.key_bits or plain.key_bits,
        )

    def stranger(self, name: str) -> Description:
        """What stands in the stranger that ``[[trust]]`` calls *name*.

        Raises:
            KeyError: there is none.
        """
        return self._of_stranger(self._strangers[name])

    def _of_stranger(self, spec: TrustSpec) -> Description:
        days = spec.expires_in_days
        lives = _LIVES if days is None else timedelta(days=days)
        not_after = self._began + lives
        return Description(
            common_name=spec.name.removesuffix(".pem"),
            not_before=min(self._began, not_after) - _YEAR,
            not_after=not_after,
        )

    def file_name(self, trusted: Trusted) -> str:
        """The file of *trusted*, by which it is deleted: of a copy it is its CN with ``.pem``."""
        if trusted.cert is None or trusted.name:
            return trusted.name
        # Two of one node have the same CN in one store; what the second is called is invented.
        second = "_s2s" if trusted.cert.unit.startswith(CertUnit.CUP_XMPP_S2S) else ""
        return f"{self.describe(trusted.cert).common_name}{second}.pem"

    def certificate(self, cert: Cert) -> Certificate:
        """*cert* as a node would show it; its fingerprint is its name, no digest."""
        serial = hashlib.sha256(str(cert).encode()).hexdigest()[:32].upper()
        return _shown(self.describe(cert), str(cert), serial)

    def trusted_certificate(self, trusted: Trusted) -> Certificate:
        """The certificate of an entry of a trust store, in the same way."""
        if trusted.cert is not None:
            return self.certificate(trusted.cert)
        serial = hashlib.sha256(trusted.name.encode()).hexdigest()[:32].upper()
        return _shown(self.stranger(trusted.name), f"stranger/{trusted.name}", serial)


def _shown(said: Description, fingerprint: str, serial: str) -> Certificate:
    issuer = said.issuer or said.common_name
    return Certificate(
        fingerprint=fingerprint,
        serial=serial,
        subject=f"CN={said.common_name}",
        issuer=f"CN={issuer}",
        not_before=said.not_before,
        not_after=said.not_after,
        self_signed=said.is_self_signed,
        key_bits=said.key_bits,
        key_algorithm=said.algorithm,
        names=said.names,
    )
