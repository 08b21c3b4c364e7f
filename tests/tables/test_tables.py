"""The tables as data: what they refuse to be, and what their guards may answer."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, TypeVar

import attrs
import pytest

from cucm_certflow.commands import Regenerate, Reply, ReplyKind, ResetPhones
from cucm_certflow.core.certificate_guards import CERTIFICATE_GUARDS
from cucm_certflow.core.command_guards import COMMAND_GUARDS
from cucm_certflow.core.decide import Decision, Tables, decide
from cucm_certflow.core.entry_guards import ENTRY_GUARDS
from cucm_certflow.core.machine import Evaluator, interpret, why_not
from cucm_certflow.core.plan import CertificateKey, Plan, Step
from cucm_certflow.core.run_state import CommandProgress, RunState, apply, begin
from cucm_certflow.core.states import (
    Blocked,
    CertificateState,
    CommandState,
    Edge,
    Guard,
    Table,
)
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY, LOOK
from cucm_certflow.core.view import View
from cucm_certflow.facts import CertificateOf, Fact, Facts, Known, Query, ReplyTo, Unknown
from cucm_certflow.lab.observe import certificate_of
from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.names import CertUnit, ListKind, Product, Service
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.vocabulary import (
    Condition,
    Exposure,
    LocalkeyReset,
    Need,
    PhoneReset,
    Procedure,
    Proof,
    RegenerateUnit,
    ReleaseRange,
    Requirement,
    RestartOf,
    Row,
    Source,
    Stage,
)
from tests.proof.runs import BOTH, R11_5, homed, layout_of, planned

ValueT = TypeVar("ValueT")

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)
ELSEWHERE: Final = Source("another document", "§1")
ANYWHERE: Final = frozenset({"facts_known", "lists_served"})


def _first(procedure: Procedure) -> str:
    """The unit, and the first release of its table."""
    major, minor = procedure.releases.first
    return f"{procedure.unit} {major}.{minor}"


ROWS: Final = [
    pytest.param(procedure, row, id=f"{_first(procedure)} {row.name}")
    for procedure in PROCEDURES
    for row in procedure.rows
]
every_row = pytest.mark.parametrize(("procedure", "row"), ROWS)
every_procedure = pytest.mark.parametrize(
    "procedure", [pytest.param(procedure, id=_first(procedure)) for procedure in PROCEDURES]
)


# ── tables of states ──────────────────────────────────────────────────────────────────────


class Light(Enum):
    RED = "red"
    GREEN = "green"
    OFF = "off"


def _free(name: str, source: Light, dest: Light, *guards: Guard[str]) -> Edge[str, Light]:
    return Edge(name=name, trigger="go", source=source, dest=dest, guards=guards)


def _lights(*edges: Edge[str, Light], final: frozenset[Light] | None = None) -> Table[str, Light]:
    ends = frozenset({Light.OFF}) if final is None else final
    return Table(name="lights", states=Light, initial=Light.RED, final=ends, edges=edges)


def _guard(name: str, check: Callable[[str], Any]) -> Guard[str]:
    return Guard(name, "a rule", check)


_START: Final = _free("start", Light.RED, Light.GREEN)
_STOP: Final = _free("stop", Light.GREEN, Light.OFF)

SEEDED: Final = {
    "sound": (_lights(_START, _STOP), ()),
    "unreachable": (_lights(_START, final=frozenset({Light.GREEN, Light.OFF})), ("OFF is unr",)),
    "trap": (
        _lights(_START, _STOP, final=frozenset()),
        ("OFF is a trap",),
    ),
    "final with an exit": (
        _lights(_START, _STOP, _free("again", Light.OFF, Light.RED)),
        ("OFF is final and has an exit",),
    ),
    "shadowed": (
        _lights(_START, _free("leap", Light.RED, Light.OFF), _STOP),
        ("leap is shadowed by start",),
    ),
    "duplicate": (
        _lights(_START, _free("start", Light.GREEN, Light.OFF)),
        ("start is there twice",),
    ),
}


@pytest.mark.parametrize("table", [COMMAND, CERTIFICATE, ENTRY], ids=lambda table: table.name)
def test_every_table_is_without_fault(table: Table[View, Any]) -> None:
    assert table.lint() == ()


@pytest.mark.parametrize("fault", SEEDED)
def test_lint_finds_each_seeded_fault(fault: str) -> None:
    table, expected = SEEDED[fault]
    found = table.lint()
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


@pytest.mark.parametrize("fault", [name for name in SEEDED if name != "sound"])
def test_table_with_a_fault_cannot_be_evaluated(fault: str) -> None:
    table, expected = SEEDED[fault]
    with pytest.raises(ValueError, match=expected[0]):
        Evaluator[str, Light](table)


def test_guard_that_raises_stops_the_evaluation() -> None:
    def broken(view: str) -> Blocked | None:
        raise ZeroDivisionError(view)

    table = _lights(_free("start", Light.RED, Light.GREEN, _guard("broken", broken)), _STOP)
    with pytest.raises(ZeroDivisionError, match="the view"):
        Evaluator[str, Light](table).fire(Light.RED, "go", "the view")
    with pytest.raises(ZeroDivisionError):
        why_not(table, Light.RED, "go", "the view")


@pytest.mark.parametrize("answer", [True, False, "", "yes", [], [1], 0, 1], ids=repr)
def test_guard_that_answers_anything_but_none_never_lets_through(answer: object) -> None:
    # transitions compares by == True: "yes" would block, and a bare True would pass.
    table = _lights(_free("start", Light.RED, Light.GREEN, _guard("odd", lambda _: answer)), _STOP)
    edge, _ = Evaluator[str, Light](table).fire(Light.RED, "go", "")
    assert edge is None
    assert interpret(table, Light.RED, "go", "")[0] is None


def test_trigger_without_an_edge_is_no_error() -> None:
    table = _lights(_START, _STOP)
    assert Evaluator[str, Light](table).fire(Light.OFF, "go", "") == (None, ())
    assert Evaluator[str, Light](table).fire(Light.RED, "no such trigger", "") == (None, ())


def test_every_guard_of_the_tables_is_in_its_register_under_its_name() -> None:
    registers: tuple[tuple[Table[View, Any], Mapping[str, Guard[View]]], ...] = (
        (COMMAND, COMMAND_GUARDS),
        (CERTIFICATE, CERTIFICATE_GUARDS),
        (ENTRY, ENTRY_GUARDS),
    )
    for table, register in registers:
        used = {guard.name: guard for edge in table.edges for guard in edge.guards}
        assert used == dict(register)
        assert all(guard.rule and str(guard.source) for guard in used.values())


# ── guards ────────────────────────────────────────────────────────────────────────────────


def _plan(*, mixed: bool = True) -> Plan:
    layout, kinds = layout_of(R11_5, mixed=mixed), (homed("sub", secure=mixed),)
    return planned(layout, kinds, units=BOTH | {CertUnit.TOMCAT})


def _view(
    plan: Plan,
    subject: Step | CertificateKey,
    facts: Facts | None = None,
    state: RunState | None = None,
) -> View:
    return View(plan, state or begin(plan), facts or {}, NOW).of(subject)


class _Silent(Mapping[Query, Fact]):
    """Every question has been asked, and nobody answers."""

    def __getitem__(self, query: Query) -> Fact:
        return Unknown("no answer", NOW, "nobody")

    def __iter__(self) -> Iterator[Query]:
        return iter(())

    def __len__(self) -> int:
        return 0


@pytest.mark.parametrize("mixed", [False, True], ids=["non-secure", "mixed"])
@pytest.mark.parametrize("facts", [{}, _Silent()], ids=["nothing asked", "nothing answered"])
def test_guard_without_facts_says_no_by_its_own_name_or_says_yes(mixed: bool, facts: Facts) -> None:
    plan = _plan(mixed=mixed)
    answers = [
        (guard.name, guard.check(_view(plan, step, facts)))
        for guard in COMMAND_GUARDS.values()
        for step in plan.steps
    ]
    answers += [
        (guard.name, guard.check(_view(plan, key, facts)))
        for guard in CERTIFICATE_GUARDS.values()
        for key in plan.certificates
    ]
    said_no = {name for name, blocked in answers if blocked is not None}
    for name, blocked in answers:
        assert blocked is None or blocked.guard in {name, *ANYWHERE}
    # Unknown is never yes: whoever needs an observation says no.
    assert said_no >= {
        "baseline_known",
        "databases_have_it",
        "lifeline",
        "phones_can_be_called",
        "phones_back",
        "replication_good",
        "secure_phones_can_register",
        "service_is_up",
        "shown_done",
        "shown_not_done",
        "still_shown",
    }


def test_without_a_reply_an_intended_command_stays_intended() -> None:
    plan = _plan()
    step = plan.steps[0]
    state = begin(plan)
    state = state._replace(steps=(CommandProgress(CommandState.INTENDED, 1), *state.steps[1:]))
    evaluator = Evaluator[View, CommandState](COMMAND)

    def fired(facts: Facts) -> str | None:
        edge, _ = evaluator.fire(CommandState.INTENDED, LOOK, _view(plan, step, facts, state))
        return edge.name if edge else None

    query = ReplyTo(step.id, 1)
    assert fired({}) is None
    assert fired({query: Unknown("not yet", NOW)}) is None
    for kind, name in (
        (ReplyKind.ACCEPTED, "replied"),
        (ReplyKind.REFUSED, "refused"),
        (ReplyKind.LOST, "lost"),
    ):
        assert fired({query: Known(Reply(kind), NOW)}) == name


def test_certificate_that_shows_its_old_self_again_is_not_verified() -> None:
    plan = _plan(mixed=False)
    key = CertificateKey(CertUnit.TVS, "pub")
    step = next(s for s in plan.steps if s.command == Regenerate("pub", CertUnit.TVS))
    old, new = (certificate_of(Cert(CertUnit.TVS, "pub", generation)) for generation in (1, 2))
    state = begin(plan)
    proved = CommandProgress(CommandState.PROVED, 1, NOW, old.fingerprint, NOW)
    state = state._replace(
        steps=(*state.steps[: step.index], proved, *state.steps[step.index + 1 :])
    )
    check = CERTIFICATE_GUARDS["still_shown"].check
    query = CertificateOf("pub", CertUnit.TVS)
    assert check(_view(plan, key, {query: Known(new, NOW)}, state)) is None
    blocked = check(_view(plan, key, {query: Known(old, NOW)}, state))
    assert blocked is not None
    assert blocked.retry_at is None
    assert "a person" in blocked.unlock


def test_why_not_gives_every_reason_at_once_and_fires_nothing() -> None:
    plan = _plan()
    state = begin(plan)
    reset = next(step for step in plan.steps if isinstance(step.command, ResetPhones))
    reasons = why_not(COMMAND, CommandState.PLANNED, LOOK, _view(plan, reset, {}, state))
    assert [reason.guard for reason in reasons] == [
        # It may be proved already, or may be sent: why neither is so.
        "step_before_proved",
        "entry_is_gone",
        "stage_reached",
        "step_before_proved",
        "databases_have_it",
        "phones_can_be_called",
        "boots_are_over",
        "baseline_known",
    ]
    assert all(reason.subject == reset.id for reason in reasons)
    assert state == begin(plan)
    # The run itself hears the first reason of each edge alone.
    _, first = Evaluator[View, CommandState](COMMAND).fire(
        CommandState.PLANNED, LOOK, _view(plan, reset, {}, state)
    )
    assert first == (reasons[0], reasons[2])


def test_guard_that_raises_goes_through_decide() -> None:
    def broken(view: View) -> Blocked | None:
        raise ZeroDivisionError(view.subject)

    begin_edge = next(edge for edge in CERTIFICATE.edges if edge.name == "begin")
    guards = (Guard("broken", "a rule", broken), *begin_edge.guards)
    mutant = attrs.evolve(
        CERTIFICATE,
        edges=tuple(
            attrs.evolve(edge, guards=guards) if edge is begin_edge else edge
            for edge in CERTIFICATE.edges
        ),
    )
    tables = Tables(
        Evaluator[View, CommandState](COMMAND), Evaluator[View, CertificateState](mutant)
    )
    plan = _plan()
    with pytest.raises(ZeroDivisionError, match="pub/"):
        decide(plan, begin(plan), {}, NOW, tables)


def test_unanswered_questions_are_asked_again_and_nothing_is_sent() -> None:
    plan = _plan()
    state = begin(plan)
    decisions: list[Decision] = []
    for _ in range(20):
        decision = decide(plan, state, _Silent(), NOW)
        decisions.append(decision)
        if decision.record is None:
            break
        state = apply(plan, state, decision.record)
    last = decisions[-1]
    assert last.record is None
    assert last.wake_at is not None
    assert last.wants
    assert all(decision.command is None for decision in decisions)


# ── procedures ────────────────────────────────────────────────────────────────────────────


def _set(value: ValueT, **columns: object) -> ValueT:
    """A copy of a frozen *value* with other *columns*, past its self-checks."""
    other = copy.copy(value)
    for name, column in columns.items():
        object.__setattr__(other, name, column)
    return other


def _with_row(procedure: Procedure, row: Row, **columns: object) -> Procedure:
    rows = tuple(_set(row, **columns) if other is row else other for other in procedure.rows)
    return _set(procedure, rows=rows)


OTHER_ROW: Final[dict[str, Callable[[Row], object]]] = {
    "name": lambda row: f"{row.name}-again",
    "stage": lambda row: Stage.CTL if row.stage is not Stage.CTL else Stage.RESTART,
    "does": lambda row: (
        LocalkeyReset(ListKind.CTL) if row.does != LocalkeyReset(ListKind.CTL) else PhoneReset()
    ),
    "proof": lambda row: (
        Proof.RESTARTED if row.proof is not Proof.RESTARTED else Proof.NEW_CERTIFICATE
    ),
    "within_s": lambda row: row.within_s + 1,
    "settle_s": lambda row: row.settle_s + 1,
    "wave": lambda row: row.wave + 1,
    "when": lambda row: (
        Condition.NON_SECURE_MODE if row.when is Condition.ALWAYS else Condition.ALWAYS
    ),
    "requires": lambda row: row.requires ^ {Requirement.NO_BACKUP_RUNNING},
}
_EXPOSURE: Final = Exposure(
    phones=Need.EVERY_PHONE, when=Condition.ALWAYS, remedy="a remedy", source=ELSEWHERE
)
OTHER_PROCEDURE: Final[dict[str, Callable[[Procedure], object]]] = {
    "unit": lambda p: CertUnit.CAPF if p.unit is not CertUnit.CAPF else CertUnit.TVS,
    "releases": lambda p: ReleaseRange((9, 0), (9, 99)),
    "products": lambda p: p.products ^ {Product.CALLMANAGER},
    "rows": lambda p: p.rows[:-1],
    "publisher_only": lambda p: not p.publisher_only,
    "never_with": lambda p: p.never_with ^ {CertUnit.CAPF},
    "joins": lambda p: CertUnit.CAPF if p.joins is None else None,
    "idle_on_subscribers": lambda p: not p.idle_on_subscribers,
    "may_join": lambda p: CertUnit.TVS if p.may_join is None else None,
    "unless": lambda p: Condition.CTL_BY_HAND if p.unless is None else None,
    "exposures": lambda p: (*p.exposures, _EXPOSURE),
    "protocol": lambda p: p.protocol + 1,
}


@every_row
@pytest.mark.parametrize("column", OTHER_ROW)
def test_digest_changes_with_every_semantic_column_of_a_row(
    procedure: Procedure, row: Row, column: str
) -> None:
    other = _with_row(procedure, row, **{column: OTHER_ROW[column](row)})
    assert other.digest() != procedure.digest()


@every_procedure
@pytest.mark.parametrize("column", OTHER_PROCEDURE)
def test_digest_changes_with_every_semantic_column_of_a_procedure(
    procedure: Procedure, column: str
) -> None:
    other = _set(procedure, **{column: OTHER_PROCEDURE[column](procedure)})
    assert other.digest() != procedure.digest()


OTHER_EXPOSURE: Final[dict[str, Callable[[Exposure], object]]] = {
    "phones": lambda e: next(need for need in Need if need is not e.phones),
    "when": lambda e: Condition.CTL_BY_HAND if e.when is Condition.ALWAYS else Condition.ALWAYS,
    "remedy": lambda e: f"{e.remedy} or another",
    "until": lambda e: "" if e.until else "regenerate",
}
WORDS: Final = {"source", "consumers"}
"""Columns of a procedure that say something and change nothing."""


@pytest.mark.parametrize("column", OTHER_EXPOSURE)
def test_digest_changes_with_every_semantic_column_of_an_exposure(column: str) -> None:
    exposed = [procedure for procedure in PROCEDURES if procedure.exposures]
    assert exposed
    for procedure in exposed:
        first, *others = procedure.exposures
        changed = _set(first, **{column: OTHER_EXPOSURE[column](first)})
        other = _set(procedure, exposures=(changed, *others))
        assert other.digest() != procedure.digest()


@every_procedure
def test_digest_does_not_change_when_a_citation_is_mended(procedure: Procedure) -> None:
    other = attrs.evolve(
        procedure,
        source=ELSEWHERE,
        consumers=("somebody else",),
        rows=tuple(attrs.evolve(row, source=ELSEWHERE) for row in procedure.rows),
        exposures=tuple(attrs.evolve(e, source=ELSEWHERE) for e in procedure.exposures),
    )
    assert other.digest() == procedure.digest()


def test_no_column_is_forgotten_by_these_tests() -> None:
    columns = {field.name for field in attrs.fields(Row)} - {"source"}
    assert columns == set(OTHER_ROW)
    assert {f.name for f in attrs.fields(Procedure)} - WORDS == set(OTHER_PROCEDURE)
    assert {f.name for f in attrs.fields(Exposure)} - {"source"} == set(OTHER_EXPOSURE)


@every_row
def test_row_has_a_source_and_a_budget_above_its_settle_time(
    procedure: Procedure, row: Row
) -> None:
    assert row.source.document
    assert 0 < row.settle_s < row.within_s


def _row(name: str = "regenerate", **columns: object) -> Row:
    usual: dict[str, Any] = {
        "stage": Stage.REGENERATE,
        "does": RegenerateUnit(CertUnit.TVS),
        "proof": Proof.NEW_CERTIFICATE,
        "within_s": 600,
        "settle_s": 180,
        "source": ELSEWHERE,
        **columns,
    }
    return Row(name=name, **usual)


@pytest.mark.parametrize(("settle_s", "within_s"), [(600, 600), (601, 600), (0, 600), (-1, 600)])
def test_row_whose_budget_does_not_cover_its_settle_time_is_refused(
    settle_s: float, within_s: float
) -> None:
    with pytest.raises(ValueError, match="settle_s < within_s"):
        _row(settle_s=settle_s, within_s=within_s)


_RESTART: Final = _row("restart", stage=Stage.RESTART, does=RestartOf(Service.TVS))
_RESET: Final = _row("reset", stage=Stage.RESET, does=PhoneReset())


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ((_row(), _row()), "same name"),
        ((_RESTART, _RESET), "first row must regenerate"),
        ((_row(), _RESET, _RESTART), "out of order"),
        ((_row(), _row("second", wave=1), _RESTART), "out of order"),
        ((_row(), _row("third", wave=2)), "without gaps"),
    ],
    ids=["two of a name", "no regeneration", "reset before restart", "waves mixed", "wave missing"],
)
def test_procedure_refuses_rows_that_make_no_sense(rows: tuple[Row, ...], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Procedure(
            unit=CertUnit.TVS,
            releases=ReleaseRange((11, 0), (11, 99)),
            products=frozenset({Product.CALLMANAGER}),
            rows=rows,
            source=ELSEWHERE,
        )
