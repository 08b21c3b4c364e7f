"""Who a node must prove to be, which algorithms are spoken with it, and what may go wrong."""

from __future__ import annotations

from typing import Final

import asyncssh

from cucm_certflow.errors import (
    AuthenticationFailed,
    IdentityNotTrusted,
    InventoryError,
    NodeError,
    NodeUnreachable,
    Report,
)
from cucm_certflow.inventory import NodeEntry

__all__ = ["ERRORS", "FOREIGN", "SHOWN", "Trusted", "options_for", "translate", "trusted_keys"]

SHOWN: Final = 400
"""Characters of a foreign text that a report shows."""

# ── cryptography ──────────────────────────────────────────────────────────────────────────

_KEX: Final = (
    "curve25519-sha256",
    "ecdh-sha2-nistp256",
    "ecdh-sha2-nistp384",
    "ecdh-sha2-nistp521",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
    "diffie-hellman-group14-sha256",
)
_MAC: Final = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_CIPHERS: Final = (
    "aes256-gcm@openssh.com",
    "aes128-gcm@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
# Releases up to 11.5 speak OpenSSH 5.3: nothing newer than SHA-1 (compatibility matrices 12-15).
_LEGACY_KEX: Final = (
    "diffie-hellman-group14-sha1",
    "diffie-hellman-group-exchange-sha1",
    "diffie-hellman-group1-sha1",
)
_LEGACY_MAC: Final = ("hmac-sha1",)
_NO_SHA1_HOST_KEYS: Final = "-ssh-rsa"

# ── errors ────────────────────────────────────────────────────────────────────────────────

ERRORS: Final[tuple[tuple[type[BaseException], type[NodeError], str], ...]] = (
    (asyncssh.HostKeyNotVerifiable, IdentityNotTrusted, "its host key is not the known one"),
    (asyncssh.PermissionDenied, AuthenticationFailed, "the account was refused"),
    (asyncssh.IllegalUserName, AuthenticationFailed, "the account was refused"),
    (asyncssh.KeyExchangeFailed, NodeUnreachable, "no cryptography in common"),
    (asyncssh.ProtocolNotSupported, NodeUnreachable, "it speaks another SSH protocol"),
    (asyncssh.ProtocolError, NodeUnreachable, "the SSH protocol was broken"),
    (asyncssh.MACError, NodeUnreachable, "the SSH stream was damaged"),
    (asyncssh.CompressionError, NodeUnreachable, "the SSH stream was damaged"),
    (asyncssh.ServiceNotAvailable, NodeUnreachable, "it offers no login"),
    (asyncssh.ConnectionLost, NodeUnreachable, "the connection broke"),
    (asyncssh.ChannelOpenError, NodeUnreachable, "it opens no shell (ten sessions at most)"),
    (asyncssh.ProcessError, NodeUnreachable, "the shell ended"),
    (asyncssh.SFTPError, NodeUnreachable, "the SSH session failed"),
    (asyncssh.DisconnectError, NodeUnreachable, "the node ended the connection"),
    (asyncssh.PasswordChangeRequired, AuthenticationFailed, "the password has to be changed"),
    (TimeoutError, NodeUnreachable, "no answer in time"),
    (OSError, NodeUnreachable, "no connection"),
)
"""What asyncssh and the network raise, as errors of ours; the first that fits is meant."""

FOREIGN: Final = (asyncssh.Error, asyncssh.PasswordChangeRequired, OSError, TimeoutError)


def translate(error: BaseException, node: str, left: str) -> NodeError:
    """*error* as one of ours, by :data:`ERRORS`."""
    for foreign, ours, why in ERRORS:
        if isinstance(error, foreign):
            return ours(
                Report(
                    headline=f"{node}: {why}",
                    saw=f"{type(error).__name__}: {ascii(str(error))[1:-1][:SHOWN]}",
                    left=left,
                )
            )
    if isinstance(error, asyncssh.Error):
        return NodeUnreachable(
            Report(headline=f"{node}: the SSH session failed", saw=type(error).__name__, left=left)
        )
    raise error


# ── identity ──────────────────────────────────────────────────────────────────────────────

Trusted = (
    asyncssh.SSHKnownHosts
    | tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey], list[asyncssh.SSHKey]]
)
"""What asyncssh takes for ``known_hosts``."""


def trusted_keys(node: NodeEntry, known_hosts: str | None) -> Trusted:
    """Whom to believe. Never None: that would switch the check off in asyncssh."""
    try:
        if node.host_key is not None:
            return ([asyncssh.import_public_key(node.host_key)], [], [])
        if known_hosts is not None:
            return asyncssh.read_known_hosts(known_hosts)
    except (OSError, ValueError) as error:
        place = f"host_key of {node.name}" if node.host_key is not None else str(known_hosts)
        raise InventoryError(
            Report(
                headline=f"the host keys cannot be read: {place}",
                saw=ascii(str(error))[1:-1][:SHOWN],
                left="nothing was sent",
                next="give the key as `ssh-keyscan` prints it, after checking it",
            )
        ) from error
    return ([], [], [])


def options_for(
    client: asyncssh.SSHClient,
    user: str,
    trusted: Trusted,
    *,
    legacy: bool,
    login_timeout_s: float,
) -> asyncssh.SSHClientConnectionOptions:
    """How a connection is made: no configuration of the user's, no agent, no keys of theirs."""
    return asyncssh.SSHClientConnectionOptions(
        config=None,
        client_factory=lambda: client,
        username=user,
        known_hosts=trusted,
        client_keys=None,
        agent_path=None,
        # Keyboard-interactive first: release 15 was seen to refuse plain passwords, and every
        # refusal counts towards the lock-out.
        preferred_auth=("keyboard-interactive", "password"),
        kex_algs=_KEX + (_LEGACY_KEX if legacy else ()),
        mac_algs=_MAC + (_LEGACY_MAC if legacy else ()),
        encryption_algs=_CIPHERS,
        server_host_key_algs=() if legacy else _NO_SHA1_HOST_KEYS,
        connect_timeout=None,
        login_timeout=login_timeout_s,
        keepalive_interval=30,
    )
