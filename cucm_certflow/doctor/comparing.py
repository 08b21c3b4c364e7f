"""What can be said of nodes only beside each other: their clocks, and their names."""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from cucm_certflow.doctor.signs import Area, Sign
from cucm_certflow.doctor.visiting import Visit
from cucm_certflow.facts import ClusterMember, NtpStatus
from cucm_certflow.findings import Verdict
from cucm_certflow.names import Interface

__all__ = ["clock_signs", "name_signs"]

_ALIKE_S: Final = 2.0
"""Clocks that differ from ours by the same, give or take this, are right among themselves."""


# ── clocks ────────────────────────────────────────────────────────────────────────────────


def clock_signs(visits: Sequence[Visit], within_s: float) -> dict[str, Sign]:
    """What the clock of each node that said how it is shows, by node."""
    timed = [visit for visit in visits if visit.status is not None and visit.status.at is not None]
    offsets = [visit.offset_s for visit in timed]
    is_ours = len(timed) > 1 and max(offsets) - min(offsets) <= _ALIKE_S
    found: dict[str, Sign] = {}
    for visit in visits:
        if visit.status is not None:
            verdict, detail, hint = _clock(visit.status, visit.offset_s, within_s, is_ours=is_ours)
            found[visit.node] = Sign(
                area=Area.CLOCK,
                node=visit.node,
                interface=Interface.SSH,
                verdict=verdict,
                detail=detail,
                next=hint,
            )
    return found


def _clock(
    status: NtpStatus, offset_s: float, within_s: float, *, is_ours: bool
) -> tuple[Verdict, str, str]:
    if not status.synchronised:
        hint = "see `utils ntp status` there: its certificates begin when its clock says so"
        return Verdict.FINDING, "it follows no time server", hint
    if status.at is None:
        hint = "compare `utils ntp status` there with this machine's clock"
        return Verdict.UNKNOWN, "it follows a time server, and did not print its time", hint
    followed = f"it follows a time server at stratum {status.stratum}"
    if abs(offset_s) <= within_s:
        off = f"{abs(offset_s):.0f} s off" if offset_s else "and agrees with ours"
        return Verdict.PASS, f"{followed}, {off}", ""
    way = "ahead of" if offset_s > 0 else "behind"
    hint = "see which of both clocks is wrong, and let it follow a time server"
    if is_ours:
        hint = "all nodes agree with each other: set the clock of this machine right"
    detail = f"{followed}, and is {abs(offset_s):.0f} s {way} ours; expected {within_s:.0f} at most"
    return Verdict.FINDING, detail, hint


# ── names ─────────────────────────────────────────────────────────────────────────────────


def name_signs(nodes: Mapping[str, str], members: Sequence[ClusterMember]) -> list[Sign]:
    """Whether inventory and cluster mean the same nodes; nothing if the cluster did not say."""
    if not members:
        return []
    listed = {member.name: member for member in members}
    found: list[Sign] = []
    for member in members:
        if member.name not in nodes:
            hint = f'add to the inventory: [[nodes]] name = "{member.name}"'
            hint += f' address = "{member.address}"'
            words = f"{member.name} is a node of the cluster and is not in the inventory"
            found.append(_name_sign("", words, hint))
    for name, address in nodes.items():
        known = listed.get(name)
        if known is None:
            near = _like(name, listed)
            hint = "take it out, or give it the name that `show network cluster` has"
            hint += f": {near}?" if near else ""
            found.append(_name_sign(name, "the cluster knows no node of this name", hint))
        elif _differ(address, known.address):
            words = f"the inventory says {address}, and the cluster {known.address}"
            hint = "see whether the inventory has mixed up two nodes; behind NAT it may be right"
            found.append(_name_sign(name, words, hint))
    first = next(iter(nodes))
    publisher = next((member.name for member in members if member.is_publisher), "")
    if publisher and publisher in nodes and publisher != first:
        hint = f"put {publisher} first: [[nodes]] begin with the publisher"
        found.append(_name_sign(first, f"{publisher} is the publisher, and not {first}", hint))
    if not found:
        words = f"inventory and cluster have the same {len(members)} nodes"
        found.append(Sign(area=Area.NAMES, node="", verdict=Verdict.PASS, detail=words))
    return found


def _name_sign(node: str, detail: str, hint: str) -> Sign:
    return Sign(area=Area.NAMES, node=node, verdict=Verdict.FINDING, detail=detail, next=hint)


def _like(name: str, listed: Iterable[str]) -> str:
    """The node of the cluster that *name* may mean: without domain, in other case, or misspelt."""
    by_fold = {each.partition(".")[0].casefold(): each for each in listed}
    wanted = name.partition(".")[0].casefold()
    near = difflib.get_close_matches(wanted, by_fold, 1)
    return by_fold[near[0]] if near else ""


def _differ(one: str, other: str) -> bool:
    """Whether both are IP addresses, and not the same; a host name may be anything."""
    try:
        return ipaddress.ip_address(one) != ipaddress.ip_address(other)
    except ValueError:
        return False
