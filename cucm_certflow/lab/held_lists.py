"""The trust lists that a scenario puts into the hands of phones, in place of those served."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cucm_certflow.lab.physics.world import Cert, Phone, TrustList, World
from cucm_certflow.lab.scenario import HeldLists, LabPhone

__all__ = ["STRANGER", "foreign", "with_lists"]

STRANGER: Final = "another cluster"
"""The node of certificates that no node of this cluster ever had."""


def with_lists(world: World, phones: Iterable[LabPhone]) -> World:
    """*world* with the lists that the scenario puts into the phones' hands."""

    def held(phone: Phone, lists: HeldLists) -> Phone:
        match lists:
            case HeldLists.SERVED:
                return phone
            case HeldLists.NONE:
                return phone._replace(itl=None, ctl=None)
            case HeldLists.FOREIGN:
                return phone._replace(itl=foreign(phone.itl), ctl=foreign(phone.ctl))

    pairs = zip(world.phones, phones, strict=True)
    return world._replace(phones=tuple(held(phone, given.lists) for phone, given in pairs))


def foreign(held: TrustList | None) -> TrustList | None:
    """The same kind of list with certificates that no node of this cluster ever had."""
    if held is None:
        return None

    def strangers(certs: frozenset[Cert]) -> frozenset[Cert]:
        return frozenset(cert._replace(node=STRANGER) for cert in certs)

    return held._replace(
        signer=held.signer._replace(node=STRANGER),
        sast=strangers(held.sast),
        tftp=strangers(held.tftp),
        ccm=strangers(held.ccm),
        pin=strangers(held.pin),
        capf=strangers(held.capf),
    )
