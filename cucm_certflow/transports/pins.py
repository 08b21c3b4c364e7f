"""Who a node must prove to be over HTTPS: the SHA-256 of its leaf certificate, and nothing else."""

from __future__ import annotations

import hashlib
import re
import ssl
from collections.abc import Callable
from typing import Final, NoReturn

from cucm_certflow.errors import IdentityNotTrusted, Report
from cucm_certflow.names import CertUnit

__all__ = ["PINNED_UNITS", "WEB_PORT", "Pins", "tls_context"]

WEB_PORT: Final = 8443
"""The HTTPS port of every node. Pins are kept by it even where a lab serves it elsewhere."""

PINNED_UNITS: Final = (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA)
"""Whose certificates that port presents; the agreed cipher decides which of them."""

_FINGERPRINT: Final = re.compile(r"[0-9a-f]{64}")


class Pins:
    """The leaf certificates that each node may present, by node name and CUCM's port number.

    They come over another, already trusted way (``show cert own tomcat`` over SSH), never from a
    handshake: what a handshake shows proves nothing about who shows it. A node has one pin for
    tomcat and one for tomcat-ECDSA, because the agreed cipher decides which of them is shown.

    A pin moves only if somebody said that it would, because a run is regenerating the certificate
    (:meth:`expect_change`). Until the change is settled the old and the new one are both allowed,
    because the node presents the old one until Tomcat has restarted.
    """

    def __init__(self) -> None:
        self._allowed: dict[
            tuple[str, int], dict[CertUnit, tuple[str, ...]]
        ] = {}  # the newest last
        self._changing: set[tuple[str, int, CertUnit]] = set()

    def learn(
        self,
        node: str,
        fingerprint: str,
        unit: CertUnit = CertUnit.TOMCAT,
        port: int = WEB_PORT,
    ) -> None:
        """From now on *node* may present only *fingerprint* as its certificate of *unit*.

        Raises:
            ValueError: *fingerprint* is not the hex form of a SHA-256.
        """
        pinned = self._allowed.setdefault((node, port), {})
        pinned[unit] = (_normal(fingerprint),)
        self._changing.discard((node, port, unit))

    def expect_change(
        self, node: str, unit: CertUnit = CertUnit.TOMCAT, port: int = WEB_PORT
    ) -> None:
        """A run regenerates the certificate: the next other one that is seen is the new one."""
        self._changing.add((node, port, unit))

    def expect_no_change(
        self, node: str, unit: CertUnit = CertUnit.TOMCAT, port: int = WEB_PORT
    ) -> None:
        """The node said that it did not regenerate it: the pin stays where it is."""
        self._changing.discard((node, port, unit))

    def is_changing(
        self, node: str, unit: CertUnit = CertUnit.TOMCAT, port: int = WEB_PORT
    ) -> bool:
        """Whether a change is expected that has not been seen yet."""
        return (node, port, unit) in self._changing

    def seen(
        self,
        node: str,
        fingerprint: str,
        unit: CertUnit = CertUnit.TOMCAT,
        port: int = WEB_PORT,
    ) -> bool:
        """A trusted look showed *fingerprint* as *node*'s certificate of *unit*.

        It is learnt if none is known yet, and allowed besides the old one if a change was expected.

        Returns:
            Whether *node* may present it now. False says that somebody else has changed it.

        Raises:
            ValueError: *fingerprint* is not the hex form of a SHA-256.
        """
        normal = _normal(fingerprint)
        pinned = self._allowed.setdefault((node, port), {})
        known = pinned.get(unit, ())
        if normal in known:
            return True
        if known and not self.is_changing(node, unit, port):
            return False
        pinned[unit] = (*known, normal)
        self._changing.discard((node, port, unit))
        return True

    def settle(self, node: str, fingerprint: str, port: int = WEB_PORT) -> None:
        """*node* presents *fingerprint*: if it is the newest, those before it are done with.

        Nothing happens if it is another one, or if a change is still expected.
        """
        for unit, known in self._allowed.get((node, port), {}).items():
            if known[-1] == fingerprint and not self.is_changing(node, unit, port):
                self._allowed[node, port][unit] = (fingerprint,)

    def knows(self, node: str, unit: CertUnit = CertUnit.TOMCAT, port: int = WEB_PORT) -> bool:
        """Whether a certificate of *unit* was learnt for *node*."""
        return unit in self._allowed.get((node, port), {})

    def allowed(self, node: str, port: int = WEB_PORT) -> frozenset[str]:
        """The fingerprints that *node* may present; empty if none was learnt."""
        pinned = self._allowed.get((node, port), {})
        return frozenset(each for known in pinned.values() for each in known)

    def check(self, node: str, fingerprint: str, port: int = WEB_PORT) -> None:
        """Return if *node* may present *fingerprint*.

        Raises:
            IdentityNotTrusted: It may not, or nothing is known about it.
        """
        allowed = self.allowed(node, port)
        if fingerprint in allowed:
            return
        if allowed:
            headline = f"{node}:{port} presents a certificate that is not the pinned one"
            expected = " or ".join(f"{known[:16]}…" for known in sorted(allowed))
        else:
            headline = f"no certificate is pinned for {node}:{port}"
            expected = "a fingerprint learnt over an authenticated way"
        _refuse(
            Report(
                headline=headline,
                did="TLS handshake only",
                expected=expected,
                saw=f"SHA-256 {fingerprint}" if fingerprint else "no certificate",
                left="no request and no password was sent",
                next="compare with `show cert own tomcat` on the node itself",
            )
        )

    def checker(self, node: str, port: int = WEB_PORT) -> Callable[[str], None]:
        """:meth:`check` for one node, as :func:`tls_context` wants it."""

        def check(fingerprint: str) -> None:
            self.check(node, fingerprint, port)

        return check


def _refuse(report: Report) -> NoReturn:
    raise IdentityNotTrusted(report)


def _normal(fingerprint: str) -> str:
    text = fingerprint.strip().replace(":", "").lower()
    if _FINGERPRINT.fullmatch(text) is None:
        message = f"expected the 64 hex digits of a SHA-256, saw {fingerprint[:80]!r}"
        raise ValueError(message)
    return text


def leaf_fingerprint(peer: ssl.SSLObject) -> str:
    """SHA-256 of the leaf that *peer* presented, lower-case hex; empty if it presented none."""
    der = peer.getpeercert(binary_form=True)
    return hashlib.sha256(der).hexdigest() if der else ""


def plain_context(*, legacy: bool = False) -> ssl.SSLContext:
    """A client context that verifies nothing by itself; it says nothing about the peer.

    Args:
        legacy: Also speak what releases up to 11.5 may need: TLS 1.0, and keys and digests
            below today's floor.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if legacy:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    return context


def tls_context(check: Callable[[str], None], *, legacy: bool = False) -> ssl.SSLContext:
    """A client context that calls *check* with the peer's leaf at the end of each handshake.

    Whatever *check* raises leaves the handshake, before a byte of a request has been sent.
    Host name, expiry and issuer are deliberately not looked at: the pin is exact, which is more
    than they prove, and an old, self-signed or expired certificate is precisely what we are
    called for.

    It works for all that use ``SSLContext.wrap_bio`` (asyncio, anyio, and thereby httpx). A
    blocking socket would not be checked, so it is refused.

    Args:
        check: Called with the SHA-256 of the leaf, lower-case hex.
        legacy: As for :func:`plain_context`.
    """

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            check(leaf_fingerprint(self))

    class Unpinned(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:  # noqa: FBT001, FBT002 - ssl's
            message = "this context pins through wrap_bio only"
            raise ssl.SSLError(message)

    context = plain_context(legacy=legacy)
    context.sslobject_class = Pinned
    context.sslsocket_class = Unpinned
    return context
