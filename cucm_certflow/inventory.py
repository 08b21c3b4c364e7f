"""The nodes of a cluster and the two accounts for them, from ``inventory.toml``."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, Self

import attrs

from cucm_certflow.documents import broken_toml, not_read
from cucm_certflow.errors import InventoryError, Report
from cucm_certflow.names import Interface
from cucm_certflow.nearest import suggestion
from cucm_certflow.secret import Secret

__all__ = ["Account", "Ask", "Inventory", "NodeEntry"]

Ask = Callable[[str], str]
"""Gives the password of an account; what it is called with describes the account to a person."""

_DEFAULT_SSH_PORT: Final = 22
_DEFAULT_REST_PORT: Final = 443


@attrs.frozen
class Account:
    """A user name and its password."""

    user: str
    password: Secret


@attrs.frozen(kw_only=True)
class NodeEntry:
    """How one node is reached, and who it must prove to be.

    Attributes:
        name: As CUCM knows it (``show network cluster``, short host name).
        address: Host name or address.
        ssh_port: TCP port of the platform command line.
        host_key: Its SSH host key in OpenSSH form (``ssh-rsa AAAA…``), or None to use
            *known_hosts* of the inventory.
        platform: Its platform administrator, if not the inventory's.
        rest_port: TCP port of the platform REST interface (14 and later).
    """

    name: str
    address: str
    ssh_port: int = _DEFAULT_SSH_PORT
    host_key: str | None = None
    platform: Account | None = None
    rest_port: int = _DEFAULT_REST_PORT


@attrs.frozen(kw_only=True)
class Inventory:
    """A cluster's nodes, publisher first, and its accounts.

    Attributes:
        platform: The platform administrator: SSH.
        application: The application user: AXL and serviceability.
        known_hosts: A file in OpenSSH's format with the nodes' host keys.
        legacy_crypto: Allow the SHA-1 key exchange and MAC of releases up to 11.5.
        quiet_s: Seconds of silence before a prompt is believed; over 0.
        interfaces: Those that the site allows; all of them by default.
    """

    nodes: tuple[NodeEntry, ...]
    platform: Account
    application: Account
    known_hosts: str | None = None
    legacy_crypto: bool = False
    quiet_s: float = 0.3
    interfaces: frozenset[Interface] = frozenset(Interface)

    @property
    def publisher(self) -> NodeEntry:
        """The first node."""
        return self.nodes[0]

    def node(self, name: str) -> NodeEntry:
        """The entry called *name*; KeyError if there is none."""
        for entry in self.nodes:
            if entry.name == name:
                return entry
        raise KeyError(name)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, ask: Ask | None = None) -> Self:
        """Read an inventory file.

        A password is a text, ``{ env = "NAME" }``, or ``{ prompt = true }``: then *ask* is called,
        once for the account.

        Args:
            path: The file.
            ask: Gives the password of the account that its argument describes, for example by
                asking a person. Nothing here reads a terminal.

        Raises:
            InventoryError: The file or its content is wrong, or a password is to be asked for and
                there is no *ask*; the report names the place. Nothing was sent. What *ask* raises
                comes out as it is.
        """
        target = Path(path)
        try:
            text = target.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InventoryError(
                Report(
                    headline=f"the inventory {target} cannot be read",
                    saw=not_read(target, error),
                    left="nothing was sent",
                    next="name the TOML file of your nodes and accounts",
                )
            ) from error
        return cls.loads(text, name=target.name, folder=target.parent, ask=ask)

    @classmethod
    def loads(
        cls,
        text: str,
        *,
        name: str = "inventory",
        folder: Path | None = None,
        ask: Ask | None = None,
    ) -> Self:
        """Read an inventory from *text*; *folder* is what a relative known_hosts starts from.

        Raises:
            InventoryError: As :meth:`load`.
        """
        try:
            document = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise _wrong(name, broken_toml(text, error, values=False)) from error
        reader = _Reader(name, ask)
        top = reader.table(
            document,
            "",
            {
                "nodes",
                "platform",
                "application",
                "known_hosts",
                "legacy_crypto",
                "quiet_s",
                "interfaces",
            },
        )
        entries = top.get("nodes")
        if not isinstance(entries, list) or not entries:
            raise _wrong(f"{name}: nodes", "expected one [[nodes]] or more, the publisher first")
        nodes = tuple(reader.node(entry, f"nodes[{i}]") for i, entry in enumerate(entries))
        names = [node.name for node in nodes]
        if len(set(names)) != len(names):
            raise _wrong(f"{name}: nodes", "two nodes have the same name")
        known_hosts = reader.text(top, "known_hosts", "", None)
        if known_hosts is not None and folder is not None:
            known_hosts = str(folder / known_hosts)
        quiet_s = top.get("quiet_s", 0.3)
        if not isinstance(quiet_s, int | float) or isinstance(quiet_s, bool) or quiet_s <= 0:
            raise _wrong(f"{name}: quiet_s", f"expected seconds over 0, saw {quiet_s!r}")
        legacy = top.get("legacy_crypto", False)
        if not isinstance(legacy, bool):
            raise _wrong(f"{name}: legacy_crypto", "expected true or false")
        return cls(
            nodes=nodes,
            platform=reader.account(top.get("platform"), "platform"),
            application=reader.account(top.get("application"), "application"),
            known_hosts=known_hosts,
            legacy_crypto=legacy,
            quiet_s=float(quiet_s),
            interfaces=reader.interfaces(top.get("interfaces")),
        )


class _Reader:
    """Checks a parsed document; never shows a password."""

    def __init__(self, name: str, ask: Ask | None) -> None:
        self._name = name
        self._ask = ask

    def table(self, value: Any, path: str, keys: set[str]) -> dict[str, Any]:  # noqa: ANN401 - TOML
        if not isinstance(value, dict):
            raise _wrong(f"{self._name}: {path}", "expected a table")
        for key in value:
            if key not in keys:
                place = f"{path}.{key}" if path else key
                raise _wrong(f"{self._name}: {place}", f"unknown key{suggestion(key, keys)}")
        return value

    def text(self, table: dict[str, Any], key: str, path: str, default: str | None) -> str | None:
        value = table.get(key, default)
        if value is not None and (not isinstance(value, str) or not value.strip()):
            raise _wrong(f"{self._name}: {path}.{key}".replace(": .", ": "), "expected a text")
        return value

    def interfaces(self, value: Any) -> frozenset[Interface]:  # noqa: ANN401 - TOML
        if value is None:
            return frozenset(Interface)
        place = f"{self._name}: interfaces"
        if not isinstance(value, list):
            raise _wrong(place, "expected a list")
        known = {interface.value: interface for interface in Interface}
        for name in value:
            if name not in known:
                hint = suggestion(name, known)
                raise _wrong(place, f"expected one of {', '.join(known)}; saw {name!r}{hint}")
        return frozenset(known[name] for name in value)

    def port(self, table: dict[str, Any], key: str, path: str, default: int) -> int:
        port = table.get(key, default)
        if not isinstance(port, int) or isinstance(port, bool) or not 0 < port < 1 << 16:
            raise _wrong(f"{self._name}: {path}.{key}", f"expected a TCP port, saw {port!r}")
        return port

    def node(self, value: Any, path: str) -> NodeEntry:  # noqa: ANN401 - TOML
        keys = {"name", "address", "ssh_port", "host_key", "platform", "rest_port"}
        table = self.table(value, path, keys)
        name = self.text(table, "name", path, None)
        if name is None:
            raise _wrong(f"{self._name}: {path}.name", "expected the node's host name")
        platform = table.get("platform")
        return NodeEntry(
            name=name,
            address=self.text(table, "address", path, name) or name,
            ssh_port=self.port(table, "ssh_port", path, _DEFAULT_SSH_PORT),
            rest_port=self.port(table, "rest_port", path, _DEFAULT_REST_PORT),
            host_key=self.text(table, "host_key", path, None),
            platform=None if platform is None else self.account(platform, f"{path}.platform"),
        )

    def account(self, value: Any, path: str) -> Account:  # noqa: ANN401 - TOML
        if value is None:
            raise _wrong(f"{self._name}: {path}", "expected a table with user and password")
        table = self.table(value, path, {"user", "password"})
        user = self.text(table, "user", path, None)
        password = table.get("password")
        if user is None:
            raise _wrong(f"{self._name}: {path}.user", "expected the user name")
        place = f"{self._name}: {path}.password"
        if isinstance(password, dict) and set(password) == {"env"}:
            variable = password["env"]
            password = os.environ.get(str(variable))
            if not password:
                what = "is not set" if password is None else "is empty"
                raise _wrong(place, f"environment variable {variable} {what}")
        elif password == {"prompt": True}:
            if self._ask is None:
                raise _wrong(place, "it is to be asked for, and there is nobody to ask")
            password = self._ask(f"{path} account {user!r}")
            if not password:
                raise _wrong(place, "nothing was typed")
        if not isinstance(password, str) or not password:
            expected = 'expected a text, { env = "NAME" } or { prompt = true }'
            raise _wrong(place, expected)
        return Account(user, Secret(password))


def _wrong(place: str, why: str) -> InventoryError:
    return InventoryError(
        Report(
            headline=f"the inventory is wrong at {place}",
            saw=why,
            left="nothing was sent",
            next="correct the file",
        )
    )
