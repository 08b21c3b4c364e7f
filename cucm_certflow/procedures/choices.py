"""The register of choices: where sources disagree or are silent, what is done, and what else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures.policies import Evidence, Policy
from cucm_certflow.procedures.vocabulary import ANY_RELEASE, ReleaseRange, Source

__all__ = ["CHOICES", "Choice", "choices_for"]


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
        elif isinstance(value, Mapping):
            value = ", ".join(f"{name} {kind.value}" for name, kind in sorted(value.items()))
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
_OURS: Final = Source(_GUIDE, "Certificates", "in batches; how is our choice")

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
        name="canary",
        points=("D17", "F34"),
        default="one phone of each kind is reset first, and the others when these are back",
        alternative="all at once in batches, or the others only when a person says so",
        source=_OURS,
        units=_LISTED,
    ),
    Choice(
        name="canary_within_s",
        points=("K2",),
        default="900 s from the canaries' reset until a missing one makes the run hold",
        alternative="another time to wait, in seconds",
        source=_OURS,
        units=_LISTED,
    ),
    Choice(
        name="batches_by",
        points=("D17", "F34"),
        default="batches go by name, over all pools and groups",
        alternative="a batch keeps to one CallManager group, or to one device pool; phones are "
        "reset by name all the same: a pool's reset takes its gateways and trunks too",
        source=Source(_NOTES, "§8", "select by pool, reset by phone name"),
        units=_LISTED,
    ),
    Choice(
        name="failure_limit",
        points=("K2", "F34"),
        default="no number of phones that are not back stops the next batch, before the barrier",
        alternative="so many phones may fail to come back before the next batch is not sent",
        source=_OURS,
        units=_LISTED,
    ),
    Choice(
        name="phone_back_within_s",
        points=("K2",),
        default="a phone that is not back 900 s after its reset has failed",
        alternative="another time, in seconds; how long phones take is documented nowhere",
        source=_OURS,
        units=_LISTED,
    ),
    Choice(
        name="batch_waits",
        points=("D17",),
        default="a batch does not wait for the one before to be back: 40,000 phones in batches of "
        "100 would take a day or more",
        alternative="each batch waits for the one before",
        source=_OURS,
        units=_LISTED,
    ),
    Choice(
        name="plateau_s",
        points=("P3", "K2"),
        default="a barrier holds early when for 900 s no phone has come back",
        alternative="another time, in seconds; secure phones retry after some 10 minutes",
        source=_OURS,
        units=_LISTED,
    ),
    Choice(
        name="not_awaited",
        points=("P3", "K2"),
        default="Jabber and third-party phones, told by their model, are not waited for",
        alternative="those and the named ones are not: MRA, SRST, in a call",
        source=Source(_NOTES, "§8", "classes that the barrier cannot wait for"),
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
