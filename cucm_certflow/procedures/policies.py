"""Choices that sources leave open, each named, with its source and its safe default."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, IntEnum
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures.vocabulary import ANY_RELEASE, ReleaseRange, Source
from cucm_certflow.trust.model import TrustPolicy

__all__ = [
    "CHOICES",
    "CapfWindow",
    "Choice",
    "Evidence",
    "Policy",
    "UnitOrder",
    "choices_for",
    "restarts_callmanager",
    "trust_policy",
]


class CapfWindow(Enum):
    """Whether CAPF, which moves no anchor of the lifeline, has a window of its own (K1)."""

    OWN = "in a window of its own"
    WITH_CALLMANAGER = "in CallManager's window, which saves the phones one reset"


class UnitOrder(Enum):
    """Which of CallManager and TVS changes first; both are safe with a barrier between (D1)."""

    CALLMANAGER_FIRST = "CallManager first (TAC 214231)"
    TVS_FIRST = "TVS first (security guide 12.5 to 15)"


class Evidence(IntEnum):
    """How well a phone is known to have come back; a report never grades above the truth."""

    UNKNOWN = 0
    REGISTERED = 1
    RE_REGISTERED = 2
    """Registered again after our reset, while every TFTP node served the new lists and TVS ran."""

    LIST_MATCH = 3
    """The list that the phone holds was read and is the one served."""


@attrs.frozen(kw_only=True)
class Policy:
    """The choices of one plan. The defaults are the safe ones.

    Attributes:
        order: Which of CallManager and TVS is first when both are asked for.
        barrier: The evidence that a phone needs to pass a barrier; the best that can be read
            below 14 is RE_REGISTERED.
        load_to_register_s: The longest that a phone takes from loading its lists to registering.
            Resets wait for it, so that no phone that loaded old lists registers after them and
            passes for one that came back. Measured nowhere: an assumption.
        barrier_within_s: Seconds from the last reset until missing phones make the run hold.
        poll_every_s: Seconds between two looks at something that takes its time.
        watch_every_s: Seconds between two looks at all registrations while the run goes (P1).
        fresh_s: A fact older than this is read again before it is used.
        reset_batch: Phones in one reset command (security guide: in batches).
        tvs_vouches_for_ctl: None takes the release's default: assumed up to 11.5 (TAC 118893),
            not from 12.0 (FN70613).
        vouches_for_itlrecovery: Whether TVS vouches for a new ITLRecovery; unverified.
        ctl_judges_itl: Whether a CTL's own anchors alone judge what is offered; unverified.
        phones_change_tftp_node: Whether phones may go over to another TFTP node for good while a
            run goes on. Then, up to 11.5, TVS changes in parts in either order: more windows.
        capf: Whether CAPF shares CallManager's window (K1); by default it has its own.
        capf_on_subscribers: Below 14, CAPF is regenerated on subscribers too, where nothing uses
            it (C2; D3: optional). On by default: every certificate is to be up to date (P5).
        callmanager_restarts: CallManager and CTIManager are restarted after CallManager (D7). Off
            is heeded from 14SU1 on, and for the RSA certificate only.
        expired_is_trusted: Phones go on trusting an expired signer or TVS. Unverified; not
            assumed, so that nothing depends on one.
        slow_fresh_s: As *fresh_s*, for what takes long to ask: replication, and backups.
        fall_back_within_s: Seconds for phones to come back to a restarted CallManager before the
            next member of their group is restarted (field notes, §8); after that the run holds.
        trust_watch_s: Seconds for which deleted trust certificates are watched. Certificate
            Change Notification brings its stores into line every 1,800 s (web APIs §1).
        preflight_fresh_s: A preflight older than this does not let a run begin.
        signed_configuration: After a restart of Cisco Tftp one phone's configuration file is read,
            and must be signed with the present CallManager certificate (field notes, §8). The
            file's layout was read off files of public tools only: off if a node's does not read.
        loop_after: The run holds when a phone registered so many times anew without a reset of
            ours (F15: phones in a reset loop).
    """

    order: UnitOrder = UnitOrder.CALLMANAGER_FIRST
    barrier: Evidence = Evidence.RE_REGISTERED
    load_to_register_s: float = 120.0
    barrier_within_s: float = 1800.0
    poll_every_s: float = 15.0
    watch_every_s: float = 60.0
    fresh_s: float = 60.0
    reset_batch: int = 100
    tvs_vouches_for_ctl: bool | None = None
    vouches_for_itlrecovery: bool = False
    ctl_judges_itl: bool = False
    phones_change_tftp_node: bool = False
    capf: CapfWindow = CapfWindow.OWN
    capf_on_subscribers: bool = True
    callmanager_restarts: bool = True
    expired_is_trusted: bool = False
    slow_fresh_s: float = 900.0
    fall_back_within_s: float = 900.0
    trust_watch_s: float = 2100.0
    preflight_fresh_s: float = 14_400.0
    signed_configuration: bool = True
    loop_after: int = 5

    def __attrs_post_init__(self) -> None:
        for name in (
            "barrier_within_s",
            "poll_every_s",
            "watch_every_s",
            "fresh_s",
            "slow_fresh_s",
            "preflight_fresh_s",
            "fall_back_within_s",
            "trust_watch_s",
        ):
            if getattr(self, name) <= 0:
                message = f"{name} must be over 0 seconds, saw {getattr(self, name)}"
                raise ValueError(message)
        if self.reset_batch < 1:
            message = f"reset_batch must be 1 or more, saw {self.reset_batch}"
            raise ValueError(message)
        if self.loop_after < 2:  # noqa: PLR2004 - once is what any phone may do
            message = f"loop_after must be 2 or more, saw {self.loop_after}"
            raise ValueError(message)
        if self.load_to_register_s < 0:
            message = f"load_to_register_s must be 0 or more, saw {self.load_to_register_s}"
            raise ValueError(message)
        if self.fresh_s < self.poll_every_s:
            message = "fresh_s must not be below poll_every_s: nothing would ever be fresh"
            raise ValueError(message)

    def unit_order(self) -> tuple[CertUnit, ...]:
        """The order in which units are put into windows (starting document, P5; D1, D13)."""
        callmanager = (CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA)
        pair = (*callmanager, CertUnit.TVS)
        if self.order is UnitOrder.TVS_FIRST:
            pair = (CertUnit.TVS, *callmanager)
        return (
            CertUnit.TOMCAT,
            CertUnit.TOMCAT_ECDSA,
            CertUnit.IPSEC,
            CertUnit.CUP,
            CertUnit.CUP_ECDSA,
            CertUnit.CUP_XMPP,
            CertUnit.CUP_XMPP_ECDSA,
            CertUnit.CUP_XMPP_S2S,
            CertUnit.CUP_XMPP_S2S_ECDSA,
            CertUnit.CAPF,
            *pair,
            CertUnit.ITLRECOVERY,
        )


def trust_policy(policy: Policy, release: Release) -> TrustPolicy:
    """The assumptions about trust under *release*, where *policy* does not say otherwise."""
    vouches = policy.tvs_vouches_for_ctl
    return TrustPolicy(
        tvs_vouches_for_ctl=release.short < (12, 0) if vouches is None else vouches,
        vouches_for_itlrecovery=policy.vouches_for_itlrecovery,
        ctl_judges_itl=policy.ctl_judges_itl,
        tvs_restarts_itself=release.short >= (14, 0),
        itl_rebuilt_at_once=False,
        localkey=release.short >= (10, 0),
    )


_RESTARTS_OPTIONAL: Final = ((14, 0), 1)
"""From 14SU1 on CallManager need not be restarted after its RSA certificate (D7)."""


def restarts_callmanager(policy: Policy, release: Release) -> bool:
    """Whether CallManager and CTIManager are restarted: *policy* is heeded from 14SU1 on (D7)."""
    first, update = _RESTARTS_OPTIONAL
    may_leave_out = release.short > first or (
        release.short == first and (release.service_update or 0) >= update
    )
    return policy.callmanager_restarts or not may_leave_out


# ── the register of choices ───────────────────────────────────────────────────────────────


@attrs.frozen(kw_only=True)
class Choice:
    """One attribute of :class:`Policy` on which sources disagree, or that nobody has verified.

    Attributes:
        name: The attribute.
        points: The disagreements (D), rules (K), incidents (F) and points that it is about.
        default: What is done if nobody says otherwise, in words.
        alternative: What else may be chosen, in words.
        source: The documents behind it.
        units: The units for which it matters; empty for a clean-up of trust stores.
        releases: The releases under which it matters.
        mode: The mode in which it matters; None for both.
    """

    name: str
    points: tuple[str, ...]
    default: str
    alternative: str
    source: Source
    units: frozenset[CertUnit] = frozenset()
    releases: ReleaseRange = ANY_RELEASE
    mode: SecurityMode | None = None

    def matters_for(self, units: Iterable[CertUnit], release: Release, mode: SecurityMode) -> bool:
        """Whether it makes a difference when *units* change; none: when trust is cleaned up."""
        wanted = frozenset(units)
        return (
            (not self.units.isdisjoint(wanted) if wanted else not self.units)
            and release in self.releases
            and self.mode in (None, mode)
        )

    def differs(self, policy: Policy) -> bool:
        """Whether *policy* has anything but the default."""
        return bool(getattr(policy, self.name) != getattr(Policy(), self.name))

    def in_force(self, policy: Policy) -> str:
        """What *policy* chose, in words: the default's, or the value and what it means."""
        if not self.differs(policy):
            return self.default
        value = getattr(policy, self.name)
        if isinstance(value, Evidence):
            value = value.name.lower()
        elif isinstance(value, Enum):
            value = value.value
        elif isinstance(value, bool):
            value = "yes" if value else "no"
        return f"{value}, not the default: {self.alternative}"


_PAIR: Final = frozenset({CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA, CertUnit.TVS})
_SIGNERS: Final = frozenset(
    {CertUnit.CALLMANAGER, CertUnit.CALLMANAGER_ECDSA, CertUnit.ITLRECOVERY}
)
_LISTED: Final = _PAIR | {CertUnit.ITLRECOVERY, CertUnit.CAPF}
_GUIDE: Final = "Cisco security guide 14SU2"
_NOTES: Final = "field notes"

CHOICES: Final[tuple[Choice, ...]] = (
    Choice(
        name="order",
        points=("D1", "D2", "V1"),
        default="CallManager first, TVS last, with a verified barrier between",
        alternative="TVS first, as the security guide has it, with the same barrier between",
        source=Source("Cisco TAC 214231 and security guide 14SU2", "Certificates"),
        units=_PAIR,
    ),
    Choice(
        name="barrier",
        points=("D19", "K2"),
        default="a phone has to register anew after our reset, with every list served new",
        alternative="registered is the least that opens a barrier, a list match the most: from 14, "
        "where it can be read",
        source=Source("Cisco TAC 117598 and release notes 14", "", "registered is not converged"),
        units=_LISTED,
    ),
    Choice(
        name="barrier_within_s",
        points=("P3", "K2"),
        default="1,800 s from the last reset until missing phones make the run hold",
        alternative="another time to wait, in seconds; how long phones take is documented nowhere",
        source=Source(_NOTES, "§6", "not found in any source: a parameter"),
        units=_LISTED,
    ),
    Choice(
        name="load_to_register_s",
        points=("D19", "K2"),
        default="a phone is taken to register within 120 s of loading its lists",
        alternative="another time, in seconds; measured nowhere",
        source=Source(_NOTES, "§6", "not found in any source: an assumption"),
        units=_LISTED,
    ),
    Choice(
        name="reset_batch",
        points=("D17", "F34"),
        default="phones alone are reset, by name, 100 at a time",
        alternative="another size of a batch",
        source=Source(_GUIDE, "Certificates", "in batches; the size is our choice"),
        units=_LISTED,
    ),
    Choice(
        name="capf",
        points=("K1",),
        default="CAPF has a window of its own",
        alternative="CAPF shares CallManager's window, which saves the phones one reset",
        source=Source(_NOTES, "K1", "CAPF moves no anchor of the lifeline"),
        units=frozenset({CertUnit.CAPF}),
    ),
    Choice(
        name="capf_on_subscribers",
        points=("C2", "D3", "P5"),
        default="CAPF is regenerated on subscribers too, although nothing uses it there",
        alternative="CAPF is regenerated on the publisher alone",
        source=Source("Cisco TAC 214231 and 217138", "CAPF", "below 14"),
        units=frozenset({CertUnit.CAPF}),
        releases=ReleaseRange((8, 0), (13, 99)),
    ),
    Choice(
        name="callmanager_restarts",
        points=("M3", "D7"),
        default="CallManager and CTIManager are restarted after CallManager's certificate",
        alternative="they are left out, from 14SU1 on and after the RSA certificate alone",
        source=Source("Cisco TAC 214231 and security guide 14SU2", "Certificates"),
        units=frozenset({CertUnit.CALLMANAGER}),
        releases=ReleaseRange((14, 0), (15, 99)),
    ),
    Choice(
        name="fall_back_within_s",
        points=("K8",),
        default="the next member of a group is restarted when the phones are back on the one "
        "before, and the run holds if they are not within 900 s",
        alternative="another time to wait, in seconds",
        source=Source(_NOTES, "§8", "wait for phones to fall back; the time is our choice"),
        units=_LISTED,
    ),
    Choice(
        name="phones_change_tftp_node",
        points=("D1",),
        default="phones keep to their TFTP node while a run goes on",
        alternative="phones may go over to another TFTP node for good: TVS changes in parts",
        source=Source(_NOTES, "trust model §4.3", "derived; more windows"),
        units=_PAIR,
        releases=ReleaseRange((8, 0), (11, 99)),
    ),
    Choice(
        name="tvs_vouches_for_ctl",
        points=("D18", "F4"),
        default="TVS is taken to vouch for a CTL up to 11.5, not from 12.0",
        alternative="yes or no under every release",
        source=Source("Cisco TAC 118893 and field notice FN70613", "", "they contradict"),
        units=_SIGNERS,
        mode=SecurityMode.MIXED,
    ),
    Choice(
        name="vouches_for_itlrecovery",
        points=("D12", "D20"),
        default="TVS is not taken to vouch for a new ITLRecovery",
        alternative="TVS vouches for it; unverified",
        source=Source(_NOTES, "trust model", "no source says so"),
        units=frozenset({CertUnit.ITLRECOVERY}),
    ),
    Choice(
        name="ctl_judges_itl",
        points=("D18",),
        default="a phone judges a list by the anchors of both lists that it holds",
        alternative="a CTL's own anchors alone judge what is offered; unverified",
        source=Source("Cisco security guide 12.5(1)SU6", "Default Security", "not settled"),
        units=_LISTED,
        mode=SecurityMode.MIXED,
    ),
    Choice(
        name="expired_is_trusted",
        points=("F1", "K3"),
        default="phones are not taken to trust an expired signer, or an expired TVS",
        alternative="phones go on trusting it; unverified",
        source=Source(_NOTES, "trust model", "no source says so"),
        units=_LISTED,
    ),
    Choice(
        name="signed_configuration",
        points=("A1", "D19"),
        default="after a restart of Cisco Tftp one phone's configuration is read, and must be "
        "signed with the present CallManager certificate",
        alternative="it is not read; the file's layout was never seen on a real node",
        source=Source(_NOTES, "§8", "TFTP serves newly signed configuration before going on"),
        units=_LISTED,
    ),
    Choice(
        name="loop_after",
        points=("F15",),
        default="the run holds when a phone registered 5 times anew without a reset of ours",
        alternative="another number of times",
        source=Source("Cisco TAC 118731", "CSCup28852", "the number is our choice"),
        units=_LISTED,
    ),
    Choice(
        name="trust_watch_s",
        points=("X5", "D14"),
        default="what was deleted from trust stores is watched for 2,100 s, lest it come back",
        alternative="another time, in seconds",
        source=Source(_NOTES, "web APIs §1", "stores are brought into line every 1,800 s"),
    ),
)
"""Every attribute of :class:`Policy` that carries a disagreement or an uncertainty.

The others are how often to look, and how old an answer may be.
"""


def choices_for(
    units: Iterable[CertUnit], release: Release, mode: SecurityMode
) -> tuple[Choice, ...]:
    """The choices that make a difference when *units* change, in the register's order.

    Without units: those of a clean-up of trust stores.
    """
    wanted = frozenset(units)
    return tuple(choice for choice in CHOICES if choice.matters_for(wanted, release, mode))
