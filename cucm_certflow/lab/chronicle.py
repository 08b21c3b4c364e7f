"""What a lab remembers of its story: each change on which a phone's way back may depend, and why.

It is raw material, kept so that nothing is judged while the story is told; a phone costs one entry
whenever it takes other lists.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from cucm_certflow.lab.physics.world import TrustList, World

if TYPE_CHECKING:
    from cucm_certflow.lab.happenings import Happened

__all__ = ["Cause", "Change", "Chronicle", "Executed", "ListsChanged", "SceneryChanged"]


class Executed(NamedTuple):
    """A changing command that the cluster took: when, on which node, and its text."""

    at: datetime
    node: str
    text: str


Cause: TypeAlias = "Executed | Happened"
"""What a change came of: a command, or an event of the scenario."""


class SceneryChanged(NamedTuple):
    """Something beside the phones has changed: certificates, processes, lists served.

    ``cause`` is None for what nobody commanded, and for what somebody did by hand.
    """

    at: datetime
    cause: Cause | None
    scenery: World


class ListsChanged(NamedTuple):
    """The phone at ``place`` in the scenario's order holds other lists than before."""

    at: datetime
    cause: Cause | None
    place: int
    itl: TrustList | None
    ctl: TrustList | None


Change: TypeAlias = SceneryChanged | ListsChanged


class Chronicle:
    """The changes of one story, in order.

    Args:
        first: The world, phones included, with which it begins.
    """

    def __init__(self, first: World) -> None:
        self.first = first
        self._changes: list[Change] = []

    @property
    def changes(self) -> tuple[Change, ...]:
        """All of them until now."""
        return tuple(self._changes)

    def begin(self, first: World) -> None:
        """The story begins here, with *first*: what was arranged before is not part of it."""
        self.first = first
        self._changes.clear()

    def scenery(self, at: datetime, cause: Cause | None, scenery: World) -> None:
        """Put down that from now on the world without its phones is so."""
        last = self._changes[-1] if self._changes else None
        if isinstance(last, SceneryChanged) and (last.at, last.cause) == (at, cause):
            self._changes.pop()  # one act in several strokes: nobody saw what was in between
        self._changes.append(SceneryChanged(at, cause, scenery))

    def lists(
        self,
        at: datetime,
        cause: Cause | None,
        place: int,
        itl: TrustList | None,
        ctl: TrustList | None,
    ) -> None:
        """Put down that from now on the phone at *place* holds these lists."""
        self._changes.append(ListsChanged(at, cause, place, itl, ctl))
