"""Which certificate a node presents over HTTPS right now."""

from __future__ import annotations

import asyncio
import ssl

from cucm_certflow.errors import NodeUnreachable, Report
from cucm_certflow.transports.pins import WEB_PORT, leaf_fingerprint, plain_context

__all__ = ["presented_fingerprint"]


async def presented_fingerprint(
    address: str, port: int = WEB_PORT, timeout_s: float = 10.0, *, legacy: bool = False
) -> str:
    """The SHA-256 (lower-case hex) of the leaf that *address* presents.

    It does the handshake and hangs up: no request, no credentials. What it returns is what
    somebody at that address shows, an observation and no proof of identity; it must never
    become a pin. A node with an RSA and an ECDSA certificate shows the one that the agreed
    cipher asks for.

    Args:
        address: Host name or address.
        port: TCP port.
        timeout_s: Real seconds for connection and handshake; over 0.
        legacy: As for :func:`~cucm_certflow.transports.pins.plain_context`.

    Raises:
        NodeUnreachable: No connection, no handshake, or no certificate.
    """
    where = f"{address}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            _, writer = await asyncio.open_connection(
                address, port, ssl=plain_context(legacy=legacy), server_hostname=address
            )
    except (OSError, TimeoutError, ssl.SSLError, EOFError) as error:
        saw = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise NodeUnreachable(
            Report(headline=f"{where} presents no certificate", did="TLS handshake", saw=saw[:240])
        ) from error
    try:
        peer = writer.get_extra_info("ssl_object")
        fingerprint = leaf_fingerprint(peer)
    finally:
        # The end of a conversation that never began: nothing is worth waiting for.
        writer.transport.abort()
    if not fingerprint:
        raise NodeUnreachable(
            Report(headline=f"{where} presents no certificate", did="TLS handshake")
        )
    return fingerprint
