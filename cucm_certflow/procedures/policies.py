"""Choices that sources leave open, each named, with its source and its safe default."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, IntEnum
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, Release
from cucm_certflow.procedures.vocabulary import Stage
from cucm_certflow.trust.model import TrustPolicy

__all__ = [
    "BatchesBy",
    "Canary",
    "CapfWindow",
    "Evidence",
    "NotAwaited",
    "Policy",
    "UnitOrder",
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


class Canary(Enum):
    """Whether a few phones are reset before all the others, and have to come back first."""

    OFF = "all phones in batches, without canaries"
    WAVE = "one phone of each kind first, and the others when these are back"
    CONFIRMED = "one phone of each kind first, and the others when a person says so"


class BatchesBy(Enum):
    """What a batch of resets never mixes; phones are reset by name whichever it is."""

    NAME = "names in order"
    GROUP = "CallManager group"
    POOL = "device pool"


class NotAwaited(Enum):
    """Classes of phones that no barrier can wait for (field notes, §8)."""

    MRA = "registers over Expressway (MRA)"
    JABBER = "is a Jabber client"
    THIRD_PARTY = "is a third-party SIP phone"
    SRST = "is with an SRST gateway"
    IN_A_CALL = "is in a call"


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
        canary: Whether one phone of each kind (model, protocol, CallManager group, security profile)
            is reset first, and the others only when all of these are back by the evidence of
            *barrier*. A kind of which nobody is expected back has none.
        canary_within_s: Seconds from the canaries' reset until a missing one makes the run hold. A
            secure phone that could not register comes by its own retry after some 10 minutes.
        batches_by: Whether a batch keeps to one CallManager group, or to one device pool. The
            canaries are of all.
        phone_back_within_s: Seconds from its reset after which a phone that is not back has failed.
        failure_limit: Phones of a window's wave that may have failed; one more, and the next batch
            is not sent, and the run holds with their names. None: no limit before the barrier.
        batch_waits: The next batch is sent only when the one before is back, but for as many phones
            as *failure_limit* allows. Off by default: a boot takes minutes, and 40,000 phones in
            batches of 100 would take a day or more.
        plateau_s: A barrier holds before *barrier_within_s* when phones are missing and for so many
            seconds none has come back. More than the 10 minutes after which secure phones retry.
        not_awaited: Phones that nothing waits for, by name, each with its class. Jabber and
            third-party phones are told by their model; the others a person has to name. They are
            reset like all, the lifeline counts them, and the outcome names those that are not back.
        phone_pages: Each phone that has registered again is asked, over HTTP and without a password,
            for the log on its own web page: which lists it holds, and whether its last update of
            them failed. What it does not show stays at what its registration shows. Off by default:
            the pages' form is unverified, and this machine has to reach the phones' network.
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
        approve: The stages that wait for a person's approval, once in each window: ``regenerate``,
            ``ctl``, ``restart``, ``reset``.
        approval_within_s: Seconds that a run waits for an approval; after that it holds.
        anchors_sent_again: Whether a command that can change what phones trust is sent a second
            time by itself, once it was seen that the first one never took effect. If not, that
            waits for an approval.
        run_within_s: Seconds from the beginning, or from the last time that it was told to go on,
            after which the run holds at the next safe point. None: no limit.
        lease_s: A command that was decided on longer ago than this is not sent: whoever slept in
            between (a laptop) looks again first.
        stands_still_s: Seconds in which a run that waits for what has no limit of its own (a
            service that is to run, an answer) writes nothing down; after that it holds.
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
    canary: Canary = Canary.WAVE
    canary_within_s: float = 900.0
    batches_by: BatchesBy = BatchesBy.NAME
    phone_back_within_s: float = 900.0
    failure_limit: int | None = None
    batch_waits: bool = False
    plateau_s: float = 900.0
    phone_pages: bool = False
    not_awaited: Mapping[str, NotAwaited] = attrs.field(factory=dict[str, NotAwaited])
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
    approve: frozenset[Stage] = frozenset()
    approval_within_s: float = 14_400.0
    anchors_sent_again: bool = True
    run_within_s: float | None = None
    lease_s: float = 60.0
    stands_still_s: float = 3600.0
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
            "canary_within_s",
            "phone_back_within_s",
            "plateau_s",
            "approval_within_s",
            "run_within_s",
            "lease_s",
            "stands_still_s",
        ):
            value = getattr(self, name)
            if value is not None and value <= 0:
                message = f"{name} must be over 0 seconds, saw {value}"
                raise ValueError(message)
        if self.reset_batch < 1:
            message = f"reset_batch must be 1 or more, saw {self.reset_batch}"
            raise ValueError(message)
        if self.failure_limit is not None and self.failure_limit < 0:
            message = f"failure_limit must be 0 or more, or None, saw {self.failure_limit}"
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
