"""Maintenance windows: when a run may change anything, in the time zone of those who agreed on it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

__all__ = ["Maintenance", "MaintenanceWindow"]

_FORM: Final = "2026-03-01 22:00 to 2026-03-02 04:00 Europe/Berlin"
_TEXT: Final = re.compile(
    r"\s*(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)\s+(?:to|until)\s+(\d{4}-\d\d-\d\d[T ]\d\d:\d\d)\s+(\S+)\s*"
)


@attrs.frozen(kw_only=True)
class MaintenanceWindow:
    """From *opens* to *closes*, both aware instants; *zone* is the name of the zone they are shown in.

    Raises:
        ValueError: It ends before it starts, an instant is not aware, or nobody knows the zone.
    """

    opens: datetime
    closes: datetime
    zone: str = "UTC"

    def __attrs_post_init__(self) -> None:
        if self.opens.tzinfo is None or self.closes.tzinfo is None:
            message = "the instants of a maintenance window must be aware: say their time zone"
            raise ValueError(message)
        if self.closes <= self.opens:
            message = f"the maintenance window ends before it starts: {self}"
            raise ValueError(message)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``2026-03-01 22:00 to 2026-03-02 04:00 Europe/Berlin``: times of that zone's clocks.

        Raises:
            ValueError: It is not of that form, the zone is unknown, it ends before it starts, or a
                time does not exist there, or exists twice, because clocks are put forward or back.
        """
        found = _TEXT.fullmatch(text)
        if found is None:
            message = f"expected for example {_FORM!r}, saw {text!r:.80}"
            raise ValueError(message)
        zone = _zone(found[3])
        opens, closes = (_instant(found[part], zone) for part in (1, 2))
        return cls(opens=opens, closes=closes, zone=found[3])

    def __str__(self) -> str:
        zone = _zone(self.zone)
        opens, closes = (each.astimezone(zone) for each in (self.opens, self.closes))
        return f"{opens:%Y-%m-%d %H:%M} to {closes:%Y-%m-%d %H:%M} {self.zone}"


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f"nobody here knows the time zone {name!r:.60}; expected one as Europe/Berlin"
        raise ValueError(message) from None


def _instant(text: str, zone: ZoneInfo) -> datetime:
    """The instant at which the clocks of *zone* show *text*."""
    try:
        local = datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError as error:
        message = f"{text!r} is no time: {error}"
        raise ValueError(message) from None
    instant = local.astimezone(UTC)
    if instant.astimezone(zone).replace(fold=0) != local.replace(fold=0):
        message = f"{text} does not exist in {zone.key}: clocks are put forward then"
        raise ValueError(message)
    if local.replace(fold=1).utcoffset() != local.utcoffset():
        message = f"{text} exists twice in {zone.key}: clocks are put back then; say it in UTC"
        raise ValueError(message)
    return instant


@attrs.frozen(kw_only=True)
class Maintenance:
    """When a run may change anything, and how long things took before.

    Nothing is begun that cannot be finished before a window closes: what was measured is taken at
    its longest, what was not at the longest that its row reckons with.

    Attributes:
        windows: In order; between them, and after the last, the run holds at a safe point.
        measured_s: The longest that rows of the procedures took in earlier journals, by the name of
            the row, with seconds; ``barrier`` is the wait for the phones.
    """

    windows: tuple[MaintenanceWindow, ...]
    measured_s: tuple[tuple[str, float], ...] = ()

    def __attrs_post_init__(self) -> None:
        if not self.windows:
            message = "a maintenance without a window would never let anything begin"
            raise ValueError(message)
        for before, after in zip(self.windows, self.windows[1:], strict=False):
            if after.opens < before.closes:
                message = f"maintenance windows overlap or are out of order: {before}; {after}"
                raise ValueError(message)

    def open_at(self, now: datetime) -> MaintenanceWindow | None:
        """The window that is open at *now*; None if none is."""
        return next((each for each in self.windows if each.opens <= now < each.closes), None)

    def next_after(self, now: datetime) -> MaintenanceWindow | None:
        """The first window that opens later than *now*."""
        return next((each for each in self.windows if each.opens > now), None)

    def fits(self, now: datetime, seconds: float) -> bool:
        """Whether *seconds* from *now* on end within the window that is open."""
        window = self.open_at(now)
        return window is not None and now + timedelta(seconds=seconds) <= window.closes
