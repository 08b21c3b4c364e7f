"""The tables of a scenario, one class each: accounts, limits, nodes, phones, variants."""

from __future__ import annotations

import re
from enum import Enum, StrEnum
from typing import Final

import attrs

from cucm_certflow.facts import PhoneSecurity
from cucm_certflow.lab.document import Wrong, WrongValue
from cucm_certflow.names import Product, Service

__all__ = [
    "AccountSpec",
    "Accounts",
    "ApplicationSpec",
    "HeldLists",
    "LimitsSpec",
    "NodeSpec",
    "PhoneSpec",
    "PhoneState",
    "PlatformSpec",
    "Role",
    "VariantSpec",
]

_FEATURES: Final = (Service.CALLMANAGER, Service.TFTP, Service.TVS, Service.CTIMANAGER)
_PROTOCOLS: Final = ("SIP", "SCCP")
_PHONE_NAME: Final = re.compile(r"([A-Z]{3})([0-9A-F]{12})")
_DEVICE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,128}")  # SEP…, CSF…, an analogue port


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


@attrs.frozen
class AccountSpec:
    """A user name and the password of a toy."""

    user: str
    password: str = attrs.field(repr=False)


class Role(StrEnum):
    """What an application account may do, named as the administration of CUCM names it."""

    AXL = "Standard AXL API Access"
    AXL_READ_ONLY = "Standard AXL Read Only API Access"
    CCM_ADMIN = "Standard CCM Admin Users"
    SERVER_MONITORING = "Standard CCM Server Monitoring"
    SUPER_USERS = "Standard CCM Super Users"


@attrs.frozen
class PlatformSpec(AccountSpec):
    """The platform administrator.

    Attributes:
        privilege: Of ``set account name``: 0 may read, 1 may read and write. Over SSH, 0 may not
            give `set` and what drives services and lists.
    """

    privilege: int = attrs.field(default=1, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.privilege not in (0, 1):
            raise WrongValue(Wrong("privilege", f"expected 0 or 1, saw {self.privilege}"))


@attrs.frozen
class ApplicationSpec(AccountSpec):
    """An application user.

    Attributes:
        roles: What it may do. Not given: all that any interface of the lab asks for.
    """

    roles: tuple[Role, ...] = attrs.field(default=tuple(Role), kw_only=True)


@attrs.frozen(kw_only=True)
class Accounts:
    """``[accounts]``.

    Attributes:
        platform: The platform administrator: SSH, and the platform REST.
        application: The application user whom the inventory names: AXL and serviceability.
        others: More application users.
    """

    platform: PlatformSpec = PlatformSpec("administrator", "lab-platform")
    application: ApplicationSpec = ApplicationSpec("axladmin", "lab-application")
    others: tuple[ApplicationSpec, ...] = ()

    @property
    def applications(self) -> tuple[ApplicationSpec, ...]:
        """All application users."""
        return (self.application, *self.others)

    def __attrs_post_init__(self) -> None:
        names = [account.user for account in self.applications]
        for index, name in enumerate(names[1:]):
            if name in names[: index + 1]:
                raise WrongValue(Wrong(f"others[{index}].user", f"{name} is there twice"))


@attrs.frozen(kw_only=True)
class LimitsSpec:
    """``[limits]``: how much a cluster answers.

    Attributes:
        ris_per_minute: Device queries to RISPort70 in a minute of lab time, by all applications
            together. Real clusters: 15, and 18 at most.
        perfmon_per_minute: Requests to PerfMon in a minute of lab time, by all applications
            together. Real clusters: 50, and 80 at most.
        axl_answer_mb: How large an answer of AXL may be, in megabytes (1,000,000 bytes); over 0.
    """

    ris_per_minute: int = 15
    perfmon_per_minute: int = 50
    axl_answer_mb: float = 8.0

    def __attrs_post_init__(self) -> None:
        wrongs = [
            Wrong(key, f"expected 0 or more, saw {getattr(self, key)}")
            for key in ("ris_per_minute", "perfmon_per_minute")
            if getattr(self, key) < 0
        ]
        if self.axl_answer_mb <= 0:
            wrongs.append(Wrong("axl_answer_mb", f"expected over 0, saw {self.axl_answer_mb}"))
        if wrongs:
            raise WrongValue(*wrongs)


@attrs.frozen(kw_only=True)
class NodeSpec:
    """One of ``[[nodes]]``; the publisher comes first.

    Attributes:
        name: As CUCM knows it.
        address: A loopback address, for example 127.0.0.11.
        publisher: Whether it is the publisher.
        product: ``callmanager``, or ``cups`` for IM and Presence, where nothing is activated by a
            choice.
        services: What is activated beside what runs anyway: ``callmanager``, ``tftp``, ``tvs``,
            ``cti``, on the publisher also ``capf``; or CUCM's own names for them. Not given: the
            first four, or none on IM and Presence.
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
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,63}", self.name):
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
            if service is Service.CAPF and not self.publisher:
                reason = f"{service.value} runs on the publisher only"
                raise WrongValue(Wrong(f"services[{index}]", reason))
            if service not in (*_FEATURES, Service.CAPF):
                reason = f"{service.value} is not activated by a choice: it is where it must be"
                raise WrongValue(Wrong(f"services[{index}]", reason))
        if self.product is Product.CALLMANAGER and not (self.activated or self.publisher):
            raise WrongValue(Wrong("services", "only a publisher can do without any"))
        if self.product is Product.IM_PRESENCE and (self.services or self.publisher):
            raise WrongValue(
                Wrong("product", "an IM and Presence node is no publisher, and chooses no services")
            )


@attrs.frozen(kw_only=True)
class PhoneSpec:
    """One of ``[[phones]]``: *count* phones that are alike.

    Attributes:
        count: How many; 1 or more. Not with *names*.
        model: As CUCM prints it.
        group: Their CallManager group in order, by node name.
        tftp: Their TFTP nodes in order, by node name.
        first: The name of the first; the others count on from it. Not given: they count on from
            the phones of the table before, the first of all being SEP001122330001.
        names: The name of each, in place of *count* and *first*: real ones do not count on.
        security: ``Non Secure``, ``Authenticated`` or ``Encrypted``.
        protocol: ``SIP`` or ``SCCP``, as the database has it: the lab's phones behave alike.
        pool: Their device pool; all phones of a pool have one CallManager group. Not given: one
            for each group, ``DP_1`` for the first.
        profile: The name of their security profile. Not given: that of model and security.
        security_by_default: Whether they hold an ITL and ask TVS.
        web: Whether their own web pages can be read.
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
    names: tuple[str, ...] = ()
    security: PhoneSecurity = PhoneSecurity.NON_SECURE
    protocol: str = "SIP"
    pool: str | None = None
    profile: str | None = None
    security_by_default: bool = True
    web: bool = False
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
        if self.names and (self.count != 1 or self.first is not None):
            raise WrongValue(Wrong("names", "say how many there are: no count, and no first"))
        for index, name in enumerate(self.names):
            if not _DEVICE_NAME.fullmatch(name):
                reason = f"expected a device's name, saw {name!r:.40}"
                raise WrongValue(Wrong(f"names[{index}]", reason))
        if self.protocol not in _PROTOCOLS:
            reason = f"expected one of {', '.join(_PROTOCOLS)}; saw {self.protocol!r:.40}"
            raise WrongValue(Wrong("protocol", reason))
        for key in ("pool", "profile"):
            if (given := getattr(self, key)) is not None and not given.strip():
                raise WrongValue(Wrong(key, "expected a name"))
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
    ``vouches_for_itlrecovery`` false, ``expired_is_refused`` true; the others as the physics has
    them.

    Attributes:
        expired_is_refused: Nobody believes an expired certificate: no signer, TVS or CallManager.
        capf_of_ctl_must_be_current: A secure phone cannot register while its CTL names a CAPF that
            is no more (TAC 225746).
        phones_reset_by_themselves: From 14 on: the cluster resets all phones when a certificate of
            TVS, CAPF or TFTP (CallManager, ITLRecovery) changes, as it does where the enterprise
            parameter Phone Interaction on Certificate Update has its default.
        phones_reset_every_7_minutes: Phones reset again and again while a multi-server certificate
            is shown (CSCup28852).
        axl_takes_python_booleans: Whether AXL takes ``True`` for ``true``, which is not in its
            schema and which public clients send. Nobody has said what a real node does.
    """

    tvs_restarts_itself: bool | None = None
    itl_rebuilt_at_once: bool = False
    vouches_for_itlrecovery: bool = False
    tvs_vouches_for_ctl: bool | None = None
    ctl_strict: bool = False
    tvs_vouches_for_registration: bool = True
    ctl_lists_itlrecovery: bool = True
    expired_is_refused: bool = True
    capf_of_ctl_must_be_current: bool = True
    phones_reset_by_themselves: bool = False
    phones_reset_every_7_minutes: bool = False
    axl_takes_python_booleans: bool = True
