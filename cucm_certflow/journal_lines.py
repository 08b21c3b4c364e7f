"""What the lines of a journal hold, as JSON and back: the wish, the records, and the notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, override

from cucm_certflow.codec import fact_converter, list_from_json, list_to_json
from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.plan import CertificateKey, Plan, TrustKey
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import (
    Acknowledged,
    Beliefs,
    CertificateMoved,
    CommandMoved,
    Ended,
    EntryMoved,
    Ordered,
    Record,
    Scheduled,
    Waived,
)
from cucm_certflow.facts import ClusterFacts, ListView, TrustEntry
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.names import CertUnit
from cucm_certflow.notes import (
    CertificateNoted,
    Migrated,
    Note,
    PhonesGraded,
    RegistrationsNoted,
    ReplyNoted,
    Stood,
)
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.trust.phone import Holding, PhoneClass, order_of

__all__ = ["CONVERTER", "Wish", "line_from_json", "note_to_json", "record_to_json"]


@attrs.frozen(kw_only=True)
class Wish:
    """What a plan was made from, besides facts."""

    windows: tuple[tuple[CertUnit, ...], ...] | None
    units: tuple[CertUnit, ...] | None
    policy: Policy
    waive: tuple[str, ...] = ()
    preflight: CheckReport | None = None
    said: tuple[Said, ...] = ()
    cleanup: tuple[TrustKey, ...] = ()
    stores: Mapping[str, tuple[TrustEntry, ...]] = attrs.field(
        factory=dict[str, tuple[TrustEntry, ...]]
    )
    """For a clean-up: what to delete, and what was in each node's trust stores."""

    @classmethod
    def of(cls, plan: Plan) -> Wish:
        """The wish that leads to *plan* again."""
        given = plan.given
        units = tuple(dict.fromkeys(key.unit for key in plan.certificates))
        return cls(
            windows=tuple(window.units for window in plan.windows) if given else None,
            units=None if given else units,
            policy=plan.policy,
            waive=tuple(sorted(plan.waived)),
            preflight=plan.preflight,
            said=plan.said[len(plan.preflight.said) if plan.preflight else 0 :],
            cleanup=plan.entries,
            stores=plan.stores,
        )

    def plan(self, facts: ClusterFacts, procedures: Iterable[Procedure] = PROCEDURES) -> Plan:
        """The plan for *facts*."""
        if self.cleanup:
            return plan_cleanup(
                facts, self.stores, delete=self.cleanup, policy=self.policy, said=self.said
            )
        return make_plan(
            facts,
            units=self.units,
            windows=self.windows,
            policy=self.policy,
            waive=self.waive,
            preflight=self.preflight,
            said=self.said,
            procedures=procedures,
        )


# ── how values are written ────────────────────────────────────────────────────────────────


def _converter() -> Converter:
    converter = fact_converter()
    converter.register_unstructure_hook(CertificateKey, lambda key: [key.unit.value, key.node])
    converter.register_structure_hook(
        CertificateKey, lambda value, _: CertificateKey(CertUnit(value[0]), value[1])
    )
    converter.register_unstructure_hook(TrustKey, list)
    converter.register_structure_hook(TrustKey, lambda value, _: TrustKey(*value))
    for moved in (CommandMoved, CertificateMoved):
        converter.register_structure_hook(
            moved,
            make_dict_structure_fn(moved, converter, beliefs=override(omit=True)),
        )
    return converter


def _beliefs_to_json(beliefs: Beliefs | None) -> list[Any] | None:
    """Each list once, and holdings by number: many phones hold few lists."""
    if beliefs is None:
        return None
    lists: dict[ListView, int] = {}

    def number(view: ListView | None) -> int:
        return -1 if view is None else lists.setdefault(view, len(lists))

    classes = [
        [
            [list(phone.group), phone.security_by_default, phone.secure],
            sorted([number(h.itl), number(h.ctl)] for h in sorted(belief, key=order_of)),
        ]
        for phone, belief in beliefs
    ]
    return [[list_to_json(view) for view in lists], classes]


def _beliefs_from_json(value: Any) -> Beliefs | None:  # noqa: ANN401 - it comes from JSON
    if value is None:
        return None
    lists = [list_from_json(view) for view in value[0]]

    def view(number: int) -> ListView | None:
        return None if number < 0 else lists[number]

    return tuple(
        (
            PhoneClass(tuple(group), by_default, secure),
            frozenset(Holding(view(itl), view(ctl)) for itl, ctl in holdings),
        )
        for (group, by_default, secure), holdings in value[1]
    )


CONVERTER: Final = _converter()
"""For everything in a journal."""

_KINDS: Final[dict[str, type[Record]]] = {
    "command": CommandMoved,
    "certificate": CertificateMoved,
    "entry": EntryMoved,
    "waived": Waived,
    "acknowledged": Acknowledged,
    "ordered": Ordered,
    "scheduled": Scheduled,
    "ended": Ended,
}
_NOTES: Final[dict[str, type[Note]]] = {
    "seen": CertificateNoted,
    "graded": PhonesGraded,
    "registrations": RegistrationsNoted,
    "reply": ReplyNoted,
    "stood": Stood,
    "migrated": Migrated,
}


def record_to_json(record: Record) -> dict[str, Any]:
    """*record* as the body of a line."""
    kind = next(name for name, cls in _KINDS.items() if type(record) is cls)
    if isinstance(record, CommandMoved | CertificateMoved):
        body = CONVERTER.unstructure(attrs.evolve(record, beliefs=None))
        body["beliefs"] = _beliefs_to_json(record.beliefs)
    else:
        body = CONVERTER.unstructure(record)
        if isinstance(record, Waived):
            body["names"] = sorted(record.names)
    return {"kind": kind, **body}


def note_to_json(note: Note) -> dict[str, Any]:
    """*note* as the body of a line."""
    kind = next(name for name, cls in _NOTES.items() if type(note) is cls)
    return {"kind": kind, **CONVERTER.unstructure(note)}


def line_from_json(value: dict[str, Any]) -> Record | Note:
    """What the body of a line holds; whatever is wrong with it raises."""
    body = dict(value)
    kind = body.pop("kind")
    if kind in _NOTES:
        note: Note = CONVERTER.structure(body, _NOTES[kind])
        return note
    cls = _KINDS[kind]
    beliefs = _beliefs_from_json(body.pop("beliefs", None))
    record: Record = CONVERTER.structure(body, cls)
    if isinstance(record, CommandMoved | CertificateMoved):
        return attrs.evolve(record, beliefs=beliefs)
    return record
