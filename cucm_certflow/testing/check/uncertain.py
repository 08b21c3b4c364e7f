"""What nobody knows of CUCM, as variants in which a plan is explored."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Final, NamedTuple

import attrs

from cucm_certflow.core.plan import Plan
from cucm_certflow.lab.physics.world import Variant
from cucm_certflow.names import CertUnit, SecurityMode

__all__ = [
    "UNCERTAIN",
    "Reading",
    "Uncertainty",
    "combinations_of",
    "library_reading",
    "readings_for",
]

_REACHED: Final = "reaches_tvs"
"""The one flag that is the phones', and not of :class:`Variant`."""


def _has(plan: Plan, unit: CertUnit) -> bool:
    return any(key.unit is unit for key in plan.certificates)


def _signs_node_by_node(plan: Plan) -> bool:
    """Whether nodes sign their ITL with ITLRecovery, each with its own: so in 12.0 to 12.4.

    A phone that goes from one TFTP node to another then asks about a signer that nobody changed.
    """
    signers = {
        node.itlrecovery
        for node in plan.trust.tftp_nodes
        if node.itl_signer is CertUnit.ITLRECOVERY
    }
    return len(signers) > 1


_SO: Final[Mapping[str, Callable[[Plan], bool]]] = {
    "there is no CTL": lambda plan: plan.facts.mode is not SecurityMode.MIXED,
    "no phone asks TVS": lambda plan: not any(p.security_by_default for p in plan.facts.phones),
    "no phone is secure": lambda plan: not any(p.is_secure for p in plan.facts.phones),
    "ITLRecovery is not regenerated, and is one for all nodes": lambda plan: (
        not _has(plan, CertUnit.ITLRECOVERY) and not _signs_node_by_node(plan)
    ),
    "TVS is not regenerated": lambda plan: not _has(plan, CertUnit.TVS),
    "CAPF is not regenerated": lambda plan: not _has(plan, CertUnit.CAPF),
    "nothing in the lists has expired": lambda plan: not plan.trust.expired,
    "the release has no ITLRecovery": lambda plan: all(
        node.itlrecovery is None for node in plan.trust.nodes
    ),
    "ITLRecovery signs the CTL": lambda plan: plan.trust.ctl_signer is CertUnit.ITLRECOVERY,
    "nothing that is regenerated stands in a list": lambda plan: (
        not any(plan.procedures[key.unit].moves_lists for key in plan.certificates)
    ),
}
"""What can make something uncertain no matter, in words, and when it is so."""

_ALWAYS: Final = ("nothing that is regenerated stands in a list",)
"""What makes anything no matter."""


@attrs.frozen
class Uncertainty:
    """Something that nobody knows of CUCM.

    Attributes:
        title: Of its section in docs/assumptions.md.
        flag: Of the physics' ``Variant``, or ``reaches_tvs``.
        unkind: The value that costs phones more.
        yes: What is so if the flag is set.
        no: What is so if it is not.
        unless: Where it makes no difference to a plan.
    """

    title: str
    flag: str
    unkind: bool
    yes: str
    no: str
    unless: tuple[str, ...] = ()

    def words(self, value: bool) -> str:  # noqa: FBT001 - the value of a flag
        """What is so, in words."""
        return self.yes if value else self.no


UNCERTAIN: Final[tuple[Uncertainty, ...]] = (
    Uncertainty(
        "TVS vouches for a CTL",
        "tvs_vouches_for_ctl",
        unkind=False,
        yes="TVS vouches for a CTL",
        no="TVS vouches for no CTL",
        unless=(
            "there is no CTL",
            "no phone asks TVS",
        ),
    ),
    Uncertainty(
        "TVS vouches for a new ITLRecovery",
        "vouches_for_itlrecovery",
        unkind=False,
        yes="TVS vouches for a new ITLRecovery",
        no="TVS vouches for no new ITLRecovery",
        unless=("ITLRecovery is not regenerated, and is one for all nodes",),
    ),
    Uncertainty(
        "A CTL judges the ITL",
        "ctl_strict",
        unkind=True,
        yes="a phone with a CTL counts the CTL's anchors alone",
        no="a phone counts the anchors of both its lists",
        unless=("there is no CTL",),
    ),
    Uncertainty(
        "What TVS presents",
        "tvs_restarts_itself",
        unkind=True,
        yes="TVS presents a new certificate at once",
        no="TVS presents a new certificate after its restart",
        unless=("TVS is not regenerated",),
    ),
    Uncertainty(
        "When TFTP rebuilds the ITL",
        "itl_rebuilt_at_once",
        unkind=True,
        yes="TFTP rebuilds the ITL unasked, at once",
        no="TFTP rebuilds the ITL when it is restarted",
    ),
    Uncertainty(
        "Every phone with Security By Default reaches TVS",
        _REACHED,
        unkind=False,
        yes="every phone reaches TVS on port 2445",
        no="no phone reaches TVS on port 2445 (a firewall, or the TLS version)",
        unless=("no phone asks TVS",),
    ),
    Uncertainty(
        "An expired certificate is believed by nobody",
        "expired_is_refused",
        unkind=True,
        yes="no phone believes an expired certificate",
        no="phones believe expired certificates",
        unless=("nothing in the lists has expired",),
    ),
    Uncertainty(
        "TVS vouches for what CallManager presents",
        "tvs_vouches_for_registration",
        unkind=False,
        yes="a secure phone asks TVS about the certificate that CallManager presents",
        no="a secure phone goes by its lists alone when it registers",
        unless=(
            "no phone is secure",
            "no phone asks TVS",
        ),
    ),
    Uncertainty(
        "The CTL names ITLRecovery",
        "ctl_lists_itlrecovery",
        unkind=False,
        yes="the CTL names ITLRecovery as second anchor",
        no="the CTL has one anchor alone",
        unless=(
            "there is no CTL",
            "the release has no ITLRecovery",
            "ITLRecovery signs the CTL",
        ),
    ),
    Uncertainty(
        "An LSC is still trusted",
        "capf_of_ctl_must_be_current",
        unkind=True,
        yes="a secure phone does not register while its CTL names a CAPF that is gone",
        no="a secure phone registers whatever CAPF its CTL names",
        unless=(
            "there is no CTL",
            "CAPF is not regenerated",
            "no phone is secure",
        ),
    ),
)
"""Every flag of the physics' ``Variant``, and what keeps phones from TVS."""


class Reading(NamedTuple):
    """What is taken to be so, in one variant."""

    name: str
    variant: Variant
    reached: bool = True
    title: str = ""
    """Of the one assumption that is otherwise; empty for the library's own, and for corners."""

    assumed: str = ""
    """What the library takes to be so instead, in words."""

    def value(self, each: Uncertainty) -> bool:
        """What is so of *each*."""
        found: bool = self.reached if each.flag == _REACHED else getattr(self.variant, each.flag)
        return found

    def where(self, name: str, each: Uncertainty, *, value: bool) -> Reading:
        """The same reading under *name*, but for *each*."""
        if each.flag == _REACHED:
            return self._replace(name=name, reached=value)
        return self._replace(name=name, variant=self.variant._replace(**{each.flag: value}))


def library_reading(plan: Plan) -> Reading:
    """What the library itself takes to be so in *plan*; what it reads, it takes as it was read."""
    trust = plan.trust.policy
    return Reading(
        "as the library assumes",
        Variant(
            tvs_restarts_itself=trust.tvs_restarts_itself,
            itl_rebuilt_at_once=trust.itl_rebuilt_at_once,
            vouches_for_itlrecovery=trust.vouches_for_itlrecovery,
            tvs_vouches_for_ctl=trust.tvs_vouches_for_ctl,
            ctl_strict=trust.ctl_judges_itl,
            tvs_vouches_for_registration=True,
            ctl_lists_itlrecovery=plan.trust.ctl_has_recovery or not plan.trust.mixed,
            expired_is_refused=not plan.policy.expired_is_trusted,
            capf_of_ctl_must_be_current=True,
        ),
    )


def _no_matter(plan: Plan, each: Uncertainty) -> str:
    """Why *each* makes no difference to *plan*; empty if it may make one."""
    return next((why for why in (*each.unless, *_ALWAYS) if _SO[why](plan)), "")


def readings_for(plan: Plan) -> tuple[tuple[Reading, ...], tuple[tuple[Uncertainty, str], ...]]:
    """The readings in which *plan* is explored, and what is left out of them, with the reason.

    The library's own, each uncertainty the other way round, and all kind and all unkind at once.
    """
    base = library_reading(plan)
    left_out = tuple((each, why) for each in UNCERTAIN if (why := _no_matter(plan, each)))
    out = {each.flag for each, _ in left_out}
    matter = [each for each in UNCERTAIN if each.flag not in out]
    return tuple(_distinct(base, matter)), left_out


def combinations_of(
    base: Reading, sturdy: Sequence[Uncertainty], known: Collection[Reading]
) -> Iterator[tuple[frozenset[str], Reading]]:
    """Two and more of *sturdy* otherwise than in *base* at once, the fewest first.

    Args:
        base: The library's own reading.
        sturdy: The uncertainties of which each alone does no harm.
        known: Readings that need not be given again.

    Yields:
        The flags that are otherwise, and the reading.
    """
    seen = {(each.variant, each.reached) for each in known}
    for size in range(2, len(sturdy) + 1):
        for some in combinations(sturdy, size):
            reading = base
            for each in some:
                reading = reading.where("", each, value=not base.value(each))
            if (reading.variant, reading.reached) in seen:
                continue
            yield (
                frozenset(each.flag for each in some),
                reading._replace(
                    name=", and ".join(each.words(not base.value(each)) for each in some),
                    title="one of these at least: " + "; ".join(each.title for each in some),
                    assumed="; ".join(each.words(base.value(each)) for each in some),
                ),
            )


def _distinct(base: Reading, matter: list[Uncertainty]) -> Iterator[Reading]:
    seen = {(base.variant, base.reached)}
    yield base
    corners: list[Reading] = []
    for name, unkind in (("all that is unkind at once", True), ("all that is kind", False)):
        corner = base
        for each in matter:
            corner = corner.where(name, each, value=each.unkind is unkind)
        corners.append(corner)
    singles = [
        base.where(each.words(not base.value(each)), each, value=not base.value(each))._replace(
            title=each.title, assumed=each.words(base.value(each))
        )
        for each in matter
    ]
    for reading in (*singles, *corners):
        if (reading.variant, reading.reached) not in seen:
            seen.add((reading.variant, reading.reached))
            yield reading
