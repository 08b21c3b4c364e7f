"""Scenarios: a lab cluster in TOML, from its nodes and phones to the faults that strike it.

Every table and key is an attribute of a class below, with its unit and default; ``[timing]`` is in
:mod:`cucm_certflow.lab.timing`. An example is ``examples/scenarios/main-job.toml``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import attrs

from cucm_certflow.errors import Report, ScenarioError
from cucm_certflow.facts import Phone, PhoneSecurity
from cucm_certflow.lab.document import (
    Wrong,
    WrongValue,
    parse,
    strict_converter,
    structure,
    suggestion,
)
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind, Variant
from cucm_certflow.lab.timing import Timing
from cucm_certflow.names import Product, Release, SecurityMode, Service

__all__ = [
    "AccountSpec",
    "Accounts",
    "FaultKind",
    "FaultSpec",
    "LabPhone",
    "NodeSpec",
    "PhoneSpec",
    "PhoneState",
    "Scenario",
    "VariantSpec",
]

_SHORT: Final[Mapping[str, Service]] = {
    "callmanager": Service.CALLMANAGER,
    "tftp": Service.TFTP,
    "tvs": Service.TVS,
    "cti": Service.CTIMANAGER,
    "tomcat": Service.TOMCAT,
    "haproxy": Service.HAPROXY,
}
_FEATURES: Final = (Service.CALLMANAGER, Service.TFTP, Service.TVS, Service.CTIMANAGER)
_PHONE_NAME: Final = re.compile(r"([A-Z]{3})([0-9A-F]{12})")


class PhoneState(Enum):
    """How phones are when the story begins."""

    ON = "on"
    OFF = "off"
    IN_A_CALL = "in a call"


class FaultKind(Enum):
    """What goes wrong with a command, or with a look."""

    LOST_REPLY = "lost reply"
    """It was done, and nothing came back."""

    LOST_COMMAND = "lost command"
    """It was not done, and nothing came back."""

    LATE = "late"
    """Nothing came back, and it is done ``late_s`` later."""

    UNKNOWN_LAYOUT = "unknown layout"
    """It was done, and what came back is of a form that nobody knows."""

    REFUSED = "refused"
    """The node said no, and did nothing."""


@attrs.frozen
class AccountSpec:
    """A user name and the password of a toy."""

    user: str
    password: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Accounts:
    """``[accounts]``: platform administrator (SSH), application user (AXL, serviceability)."""

    platform: AccountSpec = AccountSpec("administrator", "lab-platform")
    application: AccountSpec = AccountSpec("axladmin", "lab-application")


@attrs.frozen(kw_only=True)
class NodeSpec:
    """One of ``[[nodes]]``; the publisher comes first.

    Attributes:
        name: As CUCM knows it.
        address: A loopback address, for example 127.0.0.11.
        publisher: Whether it is the publisher.
        product: ``callmanager``, or ``cups`` for IM and Presence, which has Tomcat only.
        services: What is activated beside Tomcat: ``callmanager``, ``tftp``, ``tvs``, ``cti``, or
            CUCM's own names for them. Not given: all four, or none on IM and Presence.
    """

    name: str
    address: str
    publisher: bool = False
    product: Product = Product.CALLMANAGER
    services: tuple[Service, ...] | None = None

    @property
    def activated(self) -> tuple[Service, ...]:
        """The feature services that run here."""
        if self.product is Product.IM_PRESENCE:
            return ()
        return _FEATURES if self.services is None else self.services

    def __attrs_post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", self.name):
            raise WrongValue(Wrong("name", f"expected a host name, saw {self.name!r:.40}"))
        octets = self.address.split(".")
        if (
            len(octets) != 4  # noqa: PLR2004 - of IPv4
            or octets[0] != "127"
            or not all(octet.isdecimal() and int(octet) < 1 << 8 for octet in octets)
        ):
            raise WrongValue(
                Wrong("address", f"expected a loopback address, saw {self.address!r:.40}")
            )
        for index, service in enumerate(self.services or ()):
            if service not in _FEATURES:
                reason = f"{service.value} is not activated by a choice: it is where it must be"
                raise WrongValue(Wrong(f"services[{index}]", reason))
        if self.product is Product.CALLMANAGER and not (self.activated or self.publisher):
            raise WrongValue(Wrong("services", "only a publisher can do without any"))
        if self.product is Product.IM_PRESENCE and (self.services or self.publisher):
            raise WrongValue(
                Wrong("product", "an IM and Presence node is no publisher and has Tomcat only")
            )


@attrs.frozen(kw_only=True)
class PhoneSpec:
    """One of ``[[phones]]``: *count* phones that are alike.

    Attributes:
        count: How many; 1 or more.
        model: As CUCM prints it.
        group: Their CallManager group in order, by node name.
        tftp: Their TFTP nodes in order, by node name.
        first: The name of the first; the others count on from it. Not given: they count on from
            the phones of the table before, the first of all being SEP001122330001.
        security: ``Non Secure``, ``Authenticated`` or ``Encrypted``.
        security_by_default: Whether they hold an ITL and ask TVS.
        reaches_tvs: False if a firewall or their TLS version keeps them from TVS.
        state: ``on``, ``off`` or ``in a call``.
        call_s: With ``in a call``: when the call ends, in seconds from the beginning of the story.
            Not given: never.
    """

    model: str
    group: tuple[str, ...]
    tftp: tuple[str, ...]
    count: int = 1
    first: str | None = None
    security: PhoneSecurity = PhoneSecurity.NON_SECURE
    security_by_default: bool = True
    reaches_tvs: bool = True
    state: PhoneState = PhoneState.ON
    call_s: float | None = None

    def __attrs_post_init__(self) -> None:
        if self.count < 1:
            raise WrongValue(Wrong("count", f"expected 1 or more, saw {self.count}"))
        if self.first is not None and not _PHONE_NAME.fullmatch(self.first):
            reason = f"expected a name such as SEP001122330001, saw {self.first!r:.40}"
            raise WrongValue(Wrong("first", reason))
        for key in ("group", "tftp"):
            names = getattr(self, key)
            if not names:
                raise WrongValue(Wrong(key, "expected the name of one node or more"))
            if len(set(names)) != len(names):
                raise WrongValue(Wrong(key, "names a node twice"))
        if self.call_s is not None and (self.state is not PhoneState.IN_A_CALL or self.call_s <= 0):
            reason = "is for phones whose state is 'in a call', and over 0"
            raise WrongValue(Wrong("call_s", reason))


@attrs.frozen(kw_only=True)
class VariantSpec:
    """``[variant]``: what is uncertain about real clusters (:class:`~.physics.world.Variant`).

    Not given: ``tvs_restarts_itself`` from 14 on; ``tvs_vouches_for_ctl`` below 12;
    ``vouches_for_itlrecovery`` false; the others as the physics has them.
    """

    tvs_restarts_itself: bool | None = None
    itl_rebuilt_at_once: bool = False
    vouches_for_itlrecovery: bool = False
    tvs_vouches_for_ctl: bool | None = None
    ctl_strict: bool = False
    tvs_vouches_for_registration: bool = True
    ctl_lists_itlrecovery: bool = True


@attrs.frozen(kw_only=True)
class FaultSpec:
    """One of ``[[faults]]``.

    Attributes:
        kind: What goes wrong.
        command: The command as it is typed (``set cert regen CallManager``), or its beginning, in
            whole words. ``doDeviceReset`` for resets; for looks ``show cert own``, ``show itl``,
            ``show ctl``, ``utils service list``, ``selectCmDeviceExt`` and ``https 8443``.
        node: On which node; not given: on any.
        nth: On the first such command (1), the second (2), and so on.
        late_s: With ``late``: how much later it is done.
    """

    kind: FaultKind
    command: str
    node: str | None = None
    nth: int = 1
    late_s: float = 120.0

    def __attrs_post_init__(self) -> None:
        if not self.command.strip():
            raise WrongValue(Wrong("command", "expected a command, or its beginning"))
        if self.nth < 1:
            raise WrongValue(Wrong("nth", f"expected 1 or more, saw {self.nth}"))
        if self.late_s < 0:
            raise WrongValue(Wrong("late_s", f"expected 0 or more, saw {self.late_s}"))


class LabPhone(NamedTuple):
    """One phone of a scenario: as the database has it, as the physics has it, and how it begins."""

    device: Phone
    kind: PhoneKind
    state: PhoneState
    call_s: float | None


@attrs.frozen(kw_only=True)
class Scenario:
    """A lab cluster.

    Attributes:
        release: ``11.5``, or the whole version: ``11.5.1.12900-21``.
        nodes: The publisher first.
        name: Of the cluster.
        domain: Of the nodes' full names.
        mode: ``non-secure`` or ``mixed``.
        seed: Of everything that chance decides.
    """

    release: Release
    nodes: tuple[NodeSpec, ...]
    name: str = "lab"
    domain: str = "lab.example"
    mode: SecurityMode = SecurityMode.NON_SECURE
    seed: int = 1
    accounts: Accounts = Accounts()
    timing: Timing = attrs.field(factory=Timing)
    variant: VariantSpec = VariantSpec()
    phones: tuple[PhoneSpec, ...] = ()
    faults: tuple[FaultSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        wrongs = [*self._wrong_nodes(), *self._wrong_phones(), *self._wrong_names()]
        if wrongs:
            raise WrongValue(*wrongs)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a scenario file.

        Raises:
            ScenarioError: The file cannot be read, is not TOML, or is wrong; the report names the
                places.
        """
        target = Path(path)
        try:
            text = target.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            report = Report(
                headline="the scenario cannot be read", saw=str(error), source=str(path)
            )
            raise ScenarioError(report) from error
        return cls.loads(text, source=str(path))

    @classmethod
    def loads(cls, text: str, *, source: str = "") -> Self:
        """Read a scenario from *text*; *source* is named in errors.

        Raises:
            ScenarioError: As :meth:`load`.
        """
        return structure(parse(text, source), cls, _RULES, source)

    # ── what the rest of the lab is built from ────────────────────────────────────────────

    @property
    def is_mixed(self) -> bool:
        """Whether the cluster is in mixed mode."""
        return self.mode is SecurityMode.MIXED

    def node(self, name: str) -> NodeSpec:
        """The node called *name*; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def layout(self) -> Layout:
        """The cluster as the physics has it."""
        given = self.variant
        by_itself, for_ctl = given.tvs_restarts_itself, given.tvs_vouches_for_ctl
        return Layout(
            nodes=tuple(
                Node(
                    node.name,
                    node.publisher,
                    callmanager=Service.CALLMANAGER in node.activated,
                    tftp=Service.TFTP in node.activated,
                    tvs=Service.TVS in node.activated,
                )
                for node in self.nodes
            ),
            release=self.release.short,
            mixed=self.is_mixed,
            variant=Variant(
                tvs_restarts_itself=self.release >= (14, 0) if by_itself is None else by_itself,
                itl_rebuilt_at_once=given.itl_rebuilt_at_once,
                vouches_for_itlrecovery=given.vouches_for_itlrecovery,
                tvs_vouches_for_ctl=self.release < (12, 0) if for_ctl is None else for_ctl,
                ctl_strict=given.ctl_strict,
                tvs_vouches_for_registration=given.tvs_vouches_for_registration,
                ctl_lists_itlrecovery=given.ctl_lists_itlrecovery,
            ),
        )

    def each_phone(self) -> Iterator[LabPhone]:
        """Every phone, with its name, in the order of the document."""
        prefix, number = "SEP", 0x001122330001
        for spec in self.phones:
            if spec.first is not None:
                prefix, number = spec.first[:3], int(spec.first[3:], 16)
            for _ in range(spec.count):
                device = Phone(
                    name=f"{prefix}{number:012X}",
                    model=spec.model,
                    group=spec.group,
                    security=spec.security,
                    security_by_default=spec.security_by_default,
                )
                kind = PhoneKind(
                    name=device.name,
                    group=spec.group,
                    tftp=spec.tftp,
                    secure=device.is_secure,
                    asks_tvs=spec.security_by_default,
                    reaches_tvs=spec.reaches_tvs,
                )
                yield LabPhone(device, kind, spec.state, spec.call_s)
                number += 1

    # ── what contradicts what ─────────────────────────────────────────────────────────────

    def _wrong_nodes(self) -> Iterator[Wrong]:
        if self.release < (8, 0):
            yield Wrong("release", f"expected 8.0 or later, saw {self.release}")
        if not self.nodes:
            yield Wrong("nodes", "expected one [[nodes]] or more")
        for index, node in enumerate(self.nodes):
            before = self.nodes[:index]
            if node.publisher != (index == 0):
                yield Wrong(
                    f"nodes[{index}].publisher", "the first node, and only it, is publisher"
                )
            for key in ("name", "address"):
                if getattr(node, key) in (getattr(other, key) for other in before):
                    yield Wrong(f"nodes[{index}].{key}", f"{getattr(node, key)} is there twice")

    def _wrong_phones(self) -> Iterator[Wrong]:
        needs = (("group", Service.CALLMANAGER), ("tftp", Service.TFTP))
        names = [node.name for node in self.nodes]
        for index, spec in enumerate(self.phones):
            for key, service in needs:
                for place, name in enumerate(getattr(spec, key)):
                    path = f"phones[{index}].{key}[{place}]"
                    if name not in names:
                        yield Wrong(path, f"no node is called {name!r}{suggestion(name, names)}")
                    elif service not in self.node(name).activated:
                        yield Wrong(path, f"{service.value} is not activated on {name}")
            if spec.security is not PhoneSecurity.NON_SECURE and not self.is_mixed:
                yield Wrong(f"phones[{index}].security", "phones are secure in mixed mode only")
        seen: set[str] = set()
        for phone in self.each_phone():
            if phone.device.name in seen:
                yield Wrong("phones", f"two phones are called {phone.device.name}")
                return
            seen.add(phone.device.name)

    def _wrong_names(self) -> Iterator[Wrong]:
        names = [node.name for node in self.nodes]
        used = [(f"timing.ctl_lag_s.{name}", name) for name in self.timing.ctl_lag_s]
        for index, fault in enumerate(self.faults):
            if fault.node is not None:
                used.append((f"faults[{index}].node", fault.node))
        for path, name in used:
            if name not in names:
                yield Wrong(path, f"no node is called {name!r}{suggestion(name, names)}")


_MODES: Final = {"non-secure": SecurityMode.NON_SECURE, "mixed": SecurityMode.MIXED}


def _word(value: object, words: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the mapping
    if not isinstance(value, str) or value not in words:
        reason = f"expected one of {', '.join(words)}; saw {value!r:.40}{suggestion(value, words)}"
        raise WrongValue(Wrong("", reason))
    return words[value]


def _release(value: object, _: object) -> Release:
    try:
        return Release.parse(value if isinstance(value, str) else "")
    except ValueError:
        reason = f"expected a text such as '11.5' or '11.5.1.12900-21', saw {value!r:.40}"
        raise WrongValue(Wrong("", reason)) from None


_RULES: Final = strict_converter()
_RULES.register_structure_hook(Release, _release)
_RULES.register_structure_hook(SecurityMode, lambda value, _: _word(value, _MODES))
_RULES.register_structure_hook(
    Service,
    lambda value, _: _word(
        value, {**_SHORT, **{service.value: service for service in _SHORT.values()}}
    ),
)
