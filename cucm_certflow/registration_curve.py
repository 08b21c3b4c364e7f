"""The registration curve of a run: how many phones are registered, in all and per node."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from cucm_certflow.facts import Registration
from cucm_certflow.notes import RegistrationsNoted
from cucm_certflow.observers import RegistrationsSeen

__all__ = ["RegistrationCurve"]


class RegistrationCurve:
    """Makes a point of the curve of each look at all registrations.

    Args:
        total: How many phones there are.
    """

    def __init__(self, total: int) -> None:
        self._total = total
        self._last: Mapping[str, int] | None = None

    def saw(
        self, table: Mapping[str, Registration], at: datetime, *, unasked: int
    ) -> tuple[RegistrationsSeen, RegistrationsNoted | None]:
        """Count registrations as they were at *at*.

        Args:
            table: By phone.
            at: When.
            unasked: How often phones have registered anew without a reset of ours.

        Returns:
            What is told of it, and what is noted: None if it equals the point before.
        """
        by_node: dict[str, int] = {}
        for registration in table.values():
            if registration.registered:
                by_node[registration.node] = by_node.get(registration.node, 0) + 1
        registered = sum(by_node.values())
        seen = RegistrationsSeen(
            at=at, registered=registered, total=self._total, by_node=by_node, unasked=unasked
        )
        if by_node == self._last:
            return seen, None
        self._last = by_node
        noted = RegistrationsNoted(
            at=at,
            registered=registered,
            total=self._total,
            by_node=dict(sorted(by_node.items())),
            unasked=unasked,
        )
        return seen, noted
