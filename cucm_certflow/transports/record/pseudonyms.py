"""Other names of the same shape for phones, hosts, addresses, users and descriptions."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from cucm_certflow.inventory import Inventory

__all__ = ["Pseudonyms"]

_NETWORKS: Final = (
    # RFC 5737, then RFC 2544 for clusters with more addresses than documentation has.
    ipaddress.IPv4Network("192.0.2.0/24"),
    ipaddress.IPv4Network("198.51.100.0/24"),
    ipaddress.IPv4Network("203.0.113.0/24"),
    ipaddress.IPv4Network("198.18.0.0/15"),
)
_NETWORK_6: Final = ipaddress.IPv6Network("2001:db8::/32")
_OCTET: Final = rb"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_FLAT: Final = (
    rb"(?P<phone>(?P<prefix>SEP|(?<![0-9A-Za-z])[A-Z]{2,3})[0-9A-Fa-f]{12}(?![0-9A-Za-z]))",
    rb"(?P<ipv4>(?<![\w.])%b(?:\.%b){3}(?!\w|\.\w))" % (_OCTET, _OCTET),
    rb"(?P<ipv6>(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:]))",
    rb"(?P<mac>(?<![0-9A-Za-z])[0-9A-Fa-f]{12}(?![0-9A-Za-z]))",
)
_SOFT_PHONE: Final = re.compile(rb"(?P<prefix>CSF|TCT|BOT|TAB|CIPC)[A-Za-z0-9._-]+")
_FILES: Final = frozenset({"pem", "der", "csr", "tlv", "xml", "cnf", "log", "txt", "tar", "sgn"})
_KNOWN_TO_ALL: Final = frozenset({"admin", "administrator"})
"""User names that tell nothing; the first is the prompt of every node."""

_DESCRIPTIONS: Final = "description"
_USERS: Final = "loginuserid|userid|username|ownerusername|enduser|primaryuserid"
_DEVICES: Final = "name|device|devicename|item"


def _tagged(kind: str, names: str) -> bytes:
    """A value that an XML or a JSON name introduces: groups ``<kind>_x`` and ``<kind>_j``."""
    return (
        rf"(?i:<(?:[\w.-]+:)?(?:{names})(?:\s[^<>]*)?>)(?P<{kind}_x>[^<>]+)(?=</)"
        rf'|(?i:"(?:{names})"\s*:\s*")(?P<{kind}_j>(?:[^"\\]|\\.)+)(?=")'
    ).encode()


_TAGGED: Final = (
    _tagged("description", _DESCRIPTIONS),
    _tagged("user", _USERS),
    _tagged("device", _DEVICES),
)
_LEARN: Final = re.compile(b"|".join(_TAGGED))
_LEAST_LEARNT: Final = 6
"""Characters of a user or a description that are replaced where no tag says what they are."""

_MOST_LEARNT: Final = 4096
_DIGITS_OF_A_BYTE: Final = 2
_UNTOUCHED: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104 - they name no machine


class Pseudonyms:
    """Replaces names, each by the same one wherever it occurs in one recording.

    Numbers are given in order of appearance, so that a list in order stays in order. Hosts keep
    their length where that is possible, and spaces after a name give way. What is
    recognised: phone names with twelve hexadecimal digits anywhere; IP addresses anywhere; the
    inventory's nodes and users anywhere, with the domain that follows a node's name; users,
    descriptions and the names of soft phones where an XML or JSON name says what they are, and
    from then on anywhere.
    """

    def __init__(self, inventory: Inventory) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}
        self._hosts: dict[str, str] = {}
        self._learnt: dict[bytes, bytes] = {}
        self._pattern: re.Pattern[bytes] | None = None
        for node in inventory.nodes:
            self._learn_host(node.name)
        for node in inventory.nodes:
            self._learn_host(node.address)
        accounts = [inventory.platform, inventory.application]
        accounts += [node.platform for node in inventory.nodes if node.platform is not None]
        for account in accounts:
            if account.user.casefold() not in _KNOWN_TO_ALL:
                self._learnt[account.user.encode()] = self._name("user", account.user).encode()

    def edits(self, data: bytes, start: int, end: int) -> list[tuple[int, int, bytes]]:
        """What to replace in *data* from *start* to *end*: from, to, and by what, in order."""
        for match in _LEARN.finditer(data, start, end):
            self._learn(match)
        found = self._compiled().finditer(data, start, end)
        return [(*match.span(), self._other(match)) for match in found]

    # ── learning ──────────────────────────────────────────────────────────────────────────

    def _learn_host(self, name: str) -> None:
        """A host of the inventory, short or with its domain; an address is known by its form."""
        if _is_address(name):
            return
        label, _, domain = name.casefold().partition(".")
        self._hosts.setdefault(label, _host_named(len(self._hosts) + 1, len(label)))
        if domain:
            self._name("domain", domain)
        self._pattern = None

    def _learn(self, match: re.Match[bytes]) -> None:
        for kind in ("description", "user", "device"):
            value = match[f"{kind}_x"] or match[f"{kind}_j"]
            if value is None or len(value) < _LEAST_LEARNT or len(self._learnt) >= _MOST_LEARNT:
                continue
            if value in self._learnt or value.decode("utf-8", "replace").casefold() in (
                *_KNOWN_TO_ALL,
                *self._hosts,
            ):
                continue
            other = self._tag_value(kind, value)
            if other is not None:
                self._learnt[value] = other
                self._pattern = None

    def _compiled(self) -> re.Pattern[bytes]:
        if self._pattern is None:
            known = b"|".join(re.escape(each) for each in sorted(self._learnt, key=len)[::-1])
            hosts = "|".join(re.escape(each) for each in sorted(self._hosts, key=len)[::-1])
            parts: list[bytes] = []
            if known:
                # Not before a colon: `admin:` is the prompt, and a user may be called so.
                parts.append(rb"(?P<learnt>(?<![\w])(?:%b)(?![\w:]))" % known)
            if hosts:
                parts.append(
                    rf"(?P<host>(?i:(?<![0-9A-Za-z])(?:{hosts})(?![0-9A-Za-z])))"
                    r"(?P<domain>(?:\.[A-Za-z0-9-]*[A-Za-z][A-Za-z0-9-]*)*)".encode()
                )
            domains = [name for kind, name in self._given if kind == "domain"]
            if domains:
                listed = "|".join(re.escape(each) for each in sorted(domains, key=len)[::-1])
                parts.append(rf"(?P<alone>(?i:(?<![0-9A-Za-z])(?:{listed})(?![\w-])))".encode())
            flat = rb"(?:%b)(?P<pad> *)" % b"|".join((*parts, *_FLAT))
            self._pattern = re.compile(b"|".join((*_TAGGED, flat)))
        return self._pattern

    # ── replacing ─────────────────────────────────────────────────────────────────────────

    def _other(self, match: re.Match[bytes]) -> bytes:
        groups = match.groupdict()
        for kind in ("description", "user", "device"):
            for form in "xj":
                value = groups.get(f"{kind}_{form}")
                if value is not None:
                    other = self._tag_value(kind, value)
                    if other is None:
                        other = self._compiled().sub(self._other, value)
                    start, end = (at - match.start() for at in match.span(f"{kind}_{form}"))
                    return match[0][:start] + other + match[0][end:]
        # Tables of the platform CLI are read by columns: what follows stays where it was.
        found = match[0][: len(match[0]) - len(match["pad"])]
        other = self._flat(match, found)
        pad = len(match[0]) - len(other)
        return other + b" " * (max(1, pad) if match["pad"] else 0)

    def _flat(self, match: re.Match[bytes], found: bytes) -> bytes:
        groups = match.groupdict()
        text = found.decode("utf-8", "replace")
        if groups.get("learnt") is not None:
            return self._learnt[found]
        if groups.get("host") is not None:
            return self._host(match)
        if groups.get("alone") is not None:
            return self._name("domain", text.casefold()).encode()
        if groups.get("phone") is not None:
            prefix = match["prefix"].decode()
            return (prefix + self._mac(text[len(prefix) :])).encode()
        if groups.get("mac") is not None:
            is_known = ("mac", text.upper()) in self._given
            return self._mac(text).encode() if is_known else found
        return self._address(text).encode()

    def _tag_value(self, kind: str, value: bytes) -> bytes | None:
        text = value.decode("utf-8", "replace")
        if kind == "device":
            soft = _SOFT_PHONE.fullmatch(value)
            return None if soft is None else self._name(soft["prefix"].decode(), text).encode()
        if not text.strip() or (kind == "user" and text.casefold() in _KNOWN_TO_ALL):
            return value
        return self._name(kind, text).encode()

    def _host(self, match: re.Match[bytes]) -> bytes:
        host = self._hosts[match["host"].decode().casefold()]
        labels = match["domain"].decode().split(".")[1:]
        files: list[str] = []
        while labels and labels[-1].casefold() in _FILES:
            files.insert(0, labels.pop())
        if len(labels) > 1:
            domain = self._name("domain", ".".join(labels).casefold())
            return ".".join((host, domain, *files)).encode()
        return ".".join((host, *labels, *files)).encode()

    def _mac(self, text: str) -> str:
        number = self._name("mac", text.upper())
        return number.lower() if text != text.upper() else number

    def _address(self, text: str) -> str:
        if not _is_address(text) or text in _UNTOUCHED or text.startswith("255."):
            return text
        if ":" in text:
            # Fewer than eight groups without "::" are a time or a serial number, and no address.
            is_serial = "::" not in text and all(
                len(group) <= _DIGITS_OF_A_BYTE for group in text.split(":")
            )
            return text if is_serial else self._name("ipv6", text.casefold())
        return self._name("ipv4", text)

    def _name(self, kind: str, original: str) -> str:
        key = (kind, original)
        if key not in self._given:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            self._given[key] = _made(kind, number)
            if kind == "domain":
                self._pattern = None
        return self._given[key]


def _host_named(number: int, length: int) -> str:
    """The name of a host, of *length* characters if these are enough for *number*."""
    prefix = "node-" if length > len("node-") else "n"
    return f"{prefix}{number:0{max(1, length - len(prefix))}d}"


def _made(kind: str, number: int) -> str:
    match kind:
        case "mac":
            return f"02{number:010X}"  # locally administered: no maker's number
        case "ipv4":
            for network in _NETWORKS:
                if number < network.num_addresses - 1:
                    return str(network[number])
                number -= network.num_addresses - 2
            return str(ipaddress.IPv4Address(0xF0000000 + number))  # class E: of nobody
        case "ipv6":
            return str(_NETWORK_6[number])
        case "domain":
            return "example.net" if number == 1 else f"d{number}.example.net"
        case "user" | "description":
            return f"{kind}-{number}"
        case _:
            return f"{kind}USER{number:06d}"


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
