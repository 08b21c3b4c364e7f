"""What people say when a run begins or goes on, as the records that its journal gets of it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from cucm_certflow.core.phone_names import check_names
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.run_state import Acknowledged, Record, Scheduled, Waived
from cucm_certflow.findings import Said
from cucm_certflow.procedures.maintenance import Maintenance

__all__ = ["Opening"]


class Opening:
    """What people say now, about a plan whose run begins or goes on.

    Args:
        plan: Whose run it is.
        waive: Phones taken out of scope now, by name.
        waived_by: Who says so, and when anything may be changed.
        said: What they say about partner tasks, or about phones that may be left behind.
        maintenance: When anything may be changed from now on; as it was if not given.

    Raises:
        UsageError: A waived name is not a phone of the plan. Nothing was sent.
    """

    def __init__(
        self,
        plan: Plan,
        *,
        waive: Iterable[str],
        waived_by: str,
        said: Iterable[Said],
        maintenance: Maintenance | None,
    ) -> None:
        self._phones = frozenset(phone.name for phone in plan.facts.phones)
        self._waive = frozenset(waive)
        self._waived_by = waived_by
        self._said = tuple(said)
        self._maintenance = maintenance
        check_names(self._waive, self._phones, "a waiver names a phone that the plan does not have")

    def records(self, at: datetime) -> tuple[Record, ...]:
        """The records of it, said at *at*, in the order in which they are written."""
        records: list[Record] = []
        by = self._waived_by
        if self._waive:
            records.append(Waived(names=self._waive, at=at, by=by))
        for word in self._said:
            if word.item in self._phones:
                names = frozenset({word.item})
                records.append(Waived(names=names, at=at, by=word.by, reason=word.why))
            else:
                records.append(Acknowledged(said=word, at=at))
        if self._maintenance is not None:
            records.append(Scheduled(maintenance=self._maintenance, at=at, by=by))
        return tuple(records)
