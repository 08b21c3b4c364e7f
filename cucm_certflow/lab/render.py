"""The physics as real things: each certificate gets a key and an encoding, each list its bytes."""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cucm_certflow.lab.keys import POOL, KeyPool
from cucm_certflow.lab.physics.world import Cert, TrustList
from cucm_certflow.names import CertUnit, TrustRole
from cucm_certflow.trust.lists import DigestAlgorithm, TrustRecord, record_of, write_list
from cucm_certflow.trust.x509 import fingerprint_of

__all__ = ["RenderedCertificate", "Renderer", "digest_of_release"]

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_NOT_BEFORE: Final = datetime(2025, 1, 1, tzinfo=UTC)
_YEARS: Final = timedelta(days=5 * 365)
_RECOVERY_YEARS: Final = timedelta(days=20 * 365)
_FIRST_SHA512: Final = (12, 0)


def digest_of_release(release: tuple[int, int]) -> DigestAlgorithm:
    """What the lab's lists of *release* are signed with: SHA-1 up to 11.5, SHA-512 from 12.0."""
    return DigestAlgorithm.SHA512 if release >= _FIRST_SHA512 else DigestAlgorithm.SHA1


@attrs.frozen(kw_only=True)
class RenderedCertificate:
    """A certificate of the physics, made real."""

    der: bytes = attrs.field(repr=False)
    pem: str = attrs.field(repr=False)
    key: _Key = attrs.field(repr=False)
    key_pem: str = attrs.field(repr=False)
    certificate: x509.Certificate
    fingerprint: str

    @property
    def private_key(self) -> rsa.RSAPrivateKey:
        """The key, as it is needed to sign a trust list.

        Raises:
            TypeError: It is an EC key, with which no trust list is signed.
        """
        if not isinstance(self.key, rsa.RSAPrivateKey):
            message = f"{self.certificate.subject.rfc4514_string()} has no RSA key"
            raise TypeError(message)
        return self.key


class _ListKey(NamedTuple):
    trust_list: TrustList
    addresses: frozenset[tuple[str, str]]
    timestamp: datetime
    digest_algorithm: DigestAlgorithm


class Renderer:
    """Renders the certificates and lists of one cluster; asked twice, it answers the same.

    Args:
        domain: Of the nodes; a node whose name has a dot already keeps its name.
        not_before: When certificates of the first generation begin to be valid; each later
            generation begins a second after the one before.
        seed: Serial numbers are made from it. Keys are not: they are the pool's, new in every
            process, and no two certificates of a renderer share one.
        pool: Where keys come from.
    """

    def __init__(
        self,
        domain: str = "lab.example.test",
        not_before: datetime = _NOT_BEFORE,
        seed: int | str = 0,
        *,
        pool: KeyPool = POOL,
    ) -> None:
        self._domain = domain
        self._not_before = not_before
        self._seed = seed
        self._keys = pool.draw()
        self._ec_keys = pool.draw_ec()
        self._certificates: dict[Cert, RenderedCertificate] = {}
        self._lists: dict[_ListKey, bytes] = {}

    def fqdn(self, node: str) -> str:
        """The full name of *node*."""
        return node if "." in node else f"{node}.{self._domain}"

    def common_name(self, cert: Cert) -> str:
        """The CN that CUCM gives a certificate of this unit.

        That of an ECDSA unit is read off the file names of trust stores: ``cucm14-pub-EC….pem``.
        """
        match cert.unit:
            case CertUnit.CAPF:
                return f"CAPF-{hashlib.sha256(cert.node.encode()).hexdigest()[:8]}"
            case CertUnit.ITLRECOVERY:
                return f"ITLRECOVERY_{self.fqdn(cert.node)}"
            case unit if _is_ecdsa(unit):
                host, dot, domain = self.fqdn(cert.node).partition(".")
                return f"{host}-EC{dot}{domain}"
            case _:
                return self.fqdn(cert.node)

    # ── certificates ──────────────────────────────────────────────────────────────────────

    def certificate(self, cert: Cert) -> RenderedCertificate:
        """*cert* made real."""
        found = self._certificates.get(cert)
        if found is None:
            found = self._certificates[cert] = self._render(cert)
        return found

    def fingerprint(self, cert: Cert) -> str:
        """SHA-256 of the DER of *cert*, lower-case hex."""
        return self.certificate(cert).fingerprint

    def serial(self, cert: Cert) -> int:
        """The serial number of *cert*: 16 bytes, the same in every process."""
        digest = hashlib.sha256(f"{self._seed}|{self._domain}|{cert}".encode()).digest()
        return int.from_bytes(digest[:16]) | 1 << 120  # so that it never has fewer bytes

    def _render(self, cert: Cert) -> RenderedCertificate:
        is_ecdsa = _is_ecdsa(cert.unit)
        key: _Key = next(self._ec_keys) if is_ecdsa else next(self._keys)
        # CAPF and ITLRecovery have their subject the other way round (trust lists §1.2).
        parts = [
            (NameOID.COMMON_NAME, self.common_name(cert)),
            (NameOID.ORGANIZATION_NAME, "Example"),
            (NameOID.ORGANIZATIONAL_UNIT_NAME, "Lab"),
            (NameOID.LOCALITY_NAME, "Auckland"),
            (NameOID.STATE_OR_PROVINCE_NAME, "AKL"),
            (NameOID.COUNTRY_NAME, "NZ"),
        ]
        if cert.unit in (CertUnit.CAPF, CertUnit.ITLRECOVERY):
            parts.reverse()
        name = x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])
        begin = self._not_before + timedelta(seconds=cert.generation - 1)
        lasts = _RECOVERY_YEARS if cert.unit is CertUnit.ITLRECOVERY else _YEARS
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(self.serial(cert))
            .not_valid_before(begin)
            .not_valid_after(begin + lasts)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        if cert.unit in (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA):
            names = dict.fromkeys((self.fqdn(cert.node), cert.node))
            alternatives = x509.SubjectAlternativeName([x509.DNSName(dns) for dns in names])
            builder = builder.add_extension(alternatives, critical=False)
        # That the digest of an EC key's signature is as long as the key is the lab's choice.
        made = builder.sign(key, hashes.SHA384() if is_ecdsa else hashes.SHA256())
        der = made.public_bytes(Encoding.DER)
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return RenderedCertificate(
            der=der,
            pem=made.public_bytes(Encoding.PEM).decode(),
            key=key,
            key_pem=private.decode(),
            certificate=made,
            fingerprint=fingerprint_of(der),
        )

    # ── lists ─────────────────────────────────────────────────────────────────────────────

    def trust_list(
        self,
        trust_list: TrustList,
        addresses: Mapping[str, str],
        timestamp: datetime,
        *,
        digest_algorithm: DigestAlgorithm = DigestAlgorithm.SHA512,
    ) -> bytes:
        """The file of *trust_list*.

        Args:
            trust_list: What it says.
            addresses: Of the nodes; one that is missing or no IP address is left out.
            timestamp: When it was built.
            digest_algorithm: See :func:`digest_of_release`.
        """
        key = _ListKey(trust_list, frozenset(addresses.items()), timestamp, digest_algorithm)
        found = self._lists.get(key)
        if found is None:
            signer = self.certificate(trust_list.signer)
            found = self._lists[key] = write_list(
                trust_list.kind,
                [self._record(cert, role, addresses) for cert, role in _roles(trust_list)],
                signer.der,
                signer.private_key,
                digest_algorithm=digest_algorithm,
                timestamp=timestamp,
            )
        return found

    def _record(self, cert: Cert, role: TrustRole, addresses: Mapping[str, str]) -> TrustRecord:
        return record_of(
            self.certificate(cert).der,
            role,
            dns_name=cert.node,
            ip_address=_address(addresses.get(cert.node, "")),
        )


def _is_ecdsa(unit: CertUnit) -> bool:
    return unit.value.endswith("-ECDSA")


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _roles(trust_list: TrustList) -> Iterator[tuple[Cert, TrustRole]]:
    """The records in CUCM's order: own anchors, TFTP and CallManager, CAPF, TVS, ITLRecovery."""
    last = sorted(cert for cert in trust_list.sast if cert.unit is CertUnit.ITLRECOVERY)
    for cert in sorted(trust_list.sast.difference(last)):
        yield cert, TrustRole.SAST
    for cert in sorted(trust_list.tftp | trust_list.ccm):
        if cert not in trust_list.ccm:
            yield cert, TrustRole.TFTP
        else:
            yield cert, TrustRole.CCM_TFTP if cert in trust_list.tftp else TrustRole.CCM
    for cert in sorted(trust_list.capf):
        yield cert, TrustRole.CAPF
    for cert in sorted(trust_list.pin):
        yield cert, TrustRole.TVS
    for cert in last:
        yield cert, TrustRole.SAST
