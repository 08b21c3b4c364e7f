"""The tables of a scenario, one class each: accounts, nodes, phones, variants, faults."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.facts import PhoneSecurity
from cucm_certflow.lab.document import Wrong, WrongValue
from cucm_certflow.names import Product, Service

__all__ = [
    "AccountSpec",
    "Accounts",
    "FaultKind",
    "FaultSpec",
    "HeldLists",
    "NodeSpec",
    "PhoneSpec",
    "PhoneState",
    "VariantSpec",
]

_FEATURES: Final = (Service.CALLMANAGER, Service.TFTP, Service.TVS, Service.CTIMANAGER)
_PHONE_NAME: Final = re.compile(r"([A-Z]{3})([0-9A-F]{12})")


class PhoneState(Enum):
    """How phones are when the story begins."""

    ON = "on"
    OFF = "off"
    IN_A_CALL = "in a call"


class HeldLists(Enum):
    """The trust lists that phones hold when the story begins."""

    SERVED = "served"
    """Those that their first TFTP node serves."""

    NONE = "none"
    """None: they take the first that they are offered."""

    FOREIGN = "foreign"
    """Those of another cluster: they trust nobody here, and stay registered if they need no TLS."""


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
        lists: ``served``, ``none`` or ``foreign``: which trust lists they hold at the beginning.
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
    lists: HeldLists = HeldLists.SERVED
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
