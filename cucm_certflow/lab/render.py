"""The physics as real things: each certificate gets a key and an encoding, each list its bytes."""

from __future__ import annotations

import hashlib
import ipaddress
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cucm_certflow.lab.identities import Description, Plain
from cucm_certflow.lab.keys import POOL, KeyPool
from cucm_certflow.lab.physics.world import Cert, TrustList
from cucm_certflow.names import CertUnit, KeyAlgorithm, TrustRole
from cucm_certflow.trust.lists import DigestAlgorithm, TrustRecord, record_of, write_list
from cucm_certflow.trust.x509 import fingerprint_of

__all__ = ["RenderedCertificate", "Renderer", "digest_of_release"]

_Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_NOT_BEFORE: Final = datetime(2025, 1, 1, tzinfo=UTC)
_BITS: Final = 2048
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
        identities: Says what stands in each certificate; not given: what *domain* and *not_before*
            make of it.
    """

    def __init__(
        self,
        domain: str = "lab.example.test",
        not_before: datetime = _NOT_BEFORE,
        seed: int | str = 0,
        *,
        pool: KeyPool = POOL,
        identities: Plain | None = None,
    ) -> None:
        self._domain = domain
        self._identities = identities or Plain(domain, not_before)
        self._seed = seed
        self._pool = pool
        self._keys = pool.draw()
        self._ec_keys = pool.draw_ec()
        self._sized: Counter[int] = Counter()
        self._strangers: dict[str, RenderedCertificate] = {}
        self._authorities: dict[str, tuple[x509.Name, rsa.RSAPrivateKey]] = {}
        self._certificates: dict[Cert, RenderedCertificate] = {}
        self._lists: dict[_ListKey, bytes] = {}

    def fqdn(self, node: str) -> str:
        """The full name of *node*."""
        return self._identities.fqdn(node)

    def common_name(self, cert: Cert) -> str:
        """The CN that CUCM gives a certificate of this unit."""
        return self._identities.describe(cert).common_name

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
        return self._serial(str(cert))

    def _serial(self, name: str) -> int:
        digest = hashlib.sha256(f"{self._seed}|{self._domain}|{name}".encode()).digest()
        return int.from_bytes(digest[:16]) | 1 << 120  # so that it never has fewer bytes

    def stranger(self, name: str, said: Description) -> RenderedCertificate:
        """A certificate that is not the cluster's, called *name*, made real once."""
        found = self._strangers.get(name)
        if found is None:
            found = self._strangers[name] = self._made(said, self._serial(f"stranger {name}"))
        return found

    def _render(self, cert: Cert) -> RenderedCertificate:
        return self._made(self._identities.describe(cert), self.serial(cert))

    def _made(self, said: Description, serial: int) -> RenderedCertificate:
        key = self._key(said)
        subject = _name(said.common_name, *said.organisation, is_reversed=said.is_reversed)
        issuer, signs = self._issuer(said, subject, key)
        uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        is_ca = said.is_self_signed
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(serial)
            .not_valid_before(said.not_before)
            .not_valid_after(said.not_after)
            .add_extension(
                x509.BasicConstraints(ca=is_ca, path_length=0 if is_ca else None), critical=True
            )
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )
        if said.names:
            names = dict.fromkeys(said.names)
            alternatives = x509.SubjectAlternativeName([x509.DNSName(dns) for dns in names])
            builder = builder.add_extension(alternatives, critical=False)
        # That the digest of an EC key's signature is as long as the key is the lab's choice.
        with_ec = isinstance(signs, ec.EllipticCurvePrivateKey)
        made = builder.sign(signs, hashes.SHA384() if with_ec else hashes.SHA256())
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

    def _key(self, said: Description) -> _Key:
        if said.algorithm is KeyAlgorithm.EC:
            return next(self._ec_keys)
        if said.key_bits == _BITS:
            return next(self._keys)
        self._sized[said.key_bits] += 1
        return self._pool.sized_key(self._sized[said.key_bits] - 1, said.key_bits)

    def _issuer(self, said: Description, subject: x509.Name, key: _Key) -> tuple[x509.Name, _Key]:
        """Who signs it, and with what; a CA of the lab is but a name and a key."""
        if said.is_self_signed:
            return subject, key
        if said.issuer not in self._authorities:
            organisation, unit = said.organisation
            name = _name(said.issuer, organisation, unit, is_reversed=False)
            self._authorities[said.issuer] = (name, next(self._keys))
        return self._authorities[said.issuer]

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
            dns_name=None if cert.is_token else cert.node,
            ip_address=_address(addresses.get(cert.node, "")),
        )


def _name(common: str, organisation: str, unit: str, *, is_reversed: bool) -> x509.Name:
    parts = [
        (NameOID.COMMON_NAME, common),
        (NameOID.ORGANIZATION_NAME, organisation),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
        (NameOID.LOCALITY_NAME, "Auckland"),
        (NameOID.STATE_OR_PROVINCE_NAME, "AKL"),
        (NameOID.COUNTRY_NAME, "NZ"),
    ]
    if is_reversed:
        parts.reverse()
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in parts])


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
