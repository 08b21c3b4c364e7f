"""Choices that sources leave open, each named, with its source and its safe default."""

from __future__ import annotations

from enum import Enum, IntEnum

import attrs

from cucm_certflow.names import CertUnit, Release
from cucm_certflow.trust.model import TrustPolicy

__all__ = ["Evidence", "Policy", "UnitOrder", "trust_policy"]


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

    def __attrs_post_init__(self) -> None:
        for name in ("barrier_within_s", "poll_every_s", "watch_every_s", "fresh_s"):
            if getattr(self, name) <= 0:
                message = f"{name} must be over 0 seconds, saw {getattr(self, name)}"
                raise ValueError(message)
        if self.reset_batch < 1:
            message = f"reset_batch must be 1 or more, saw {self.reset_batch}"
            raise ValueError(message)
        if self.load_to_register_s < 0:
            message = f"load_to_register_s must be 0 or more, saw {self.load_to_register_s}"
            raise ValueError(message)
        if self.fresh_s < self.poll_every_s:
            message = "fresh_s must not be below poll_every_s: nothing would ever be fresh"
            raise ValueError(message)

    def unit_order(self) -> tuple[CertUnit, ...]:
        """The order in which units are put into windows (starting document, P5)."""
        pair = (CertUnit.CALLMANAGER, CertUnit.TVS)
        if self.order is UnitOrder.TVS_FIRST:
            pair = (CertUnit.TVS, CertUnit.CALLMANAGER)
        return (CertUnit.TOMCAT, *pair, CertUnit.ITLRECOVERY)


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
