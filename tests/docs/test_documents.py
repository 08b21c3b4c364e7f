"""Documents for machines: one schema a kind, current, and every command keeps to it."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Final

import attrs
import jsonschema  # type: ignore[import-untyped]  # - it has no types, and its stubs are a package
import pytest
from typer.main import get_command
from typer.testing import CliRunner

import cucm_certflow.cli
from cucm_certflow.cli.app import app
from cucm_certflow.cli.doctoring import doctor_document
from cucm_certflow.cli.documents import (
    LEFT_OUT,
    TAGGED,
    DocumentKind,
    as_document,
    error_document,
    fields_of,
    print_document,
)
from cucm_certflow.cli.following import follow
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.planner import make_plan
from cucm_certflow.doctor.signs import Area, DoctorReport, Sign
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.findings import Verdict
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Outcome, Paused, Verified
from cucm_certflow.testing.virtual import EPOCH, run_virtual
from tests.documents import SCHEMAS, document, documents, validator
from tests.journeys.main_job import start
from tests.journeys.test_crashes import SMALL
from tests.words import NO_PARTNERS, NOBODY_LOOKED

DOCS: Final = Path(__file__).parents[2] / "docs"


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("schemas", DOCS / "schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where the types that it defines are looked up
    spec.loader.exec_module(module)
    return module


# ── the schemas ───────────────────────────────────────────────────────────────────────────


def test_the_schemas_are_up_to_date_and_there_is_no_other_file() -> None:
    wanted: Mapping[Path, str] = _generator().files()
    assert {path.name for path in wanted} == {path.name for path in SCHEMAS.iterdir()}
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, "run python docs/schemas.py"


@pytest.mark.parametrize("kind", list(DocumentKind))
def test_a_schema_lets_no_field_in_that_it_does_not_name(kind: DocumentKind) -> None:
    name, _, version = kind.value.partition("/")
    assert int(version) > 0
    schema = json.loads((SCHEMAS / f"{name}.json").read_text(encoding="utf-8"))
    assert schema["title"] == kind.value
    for body in schema.get("oneOf", [schema]):
        assert body["additionalProperties"] is False
        assert body["properties"]["schema"] == {"const": kind.value}
        assert set(body["required"]) == set(body["properties"])
    for each in schema["$defs"].values():
        assert each.get("additionalProperties", False) is False


def test_the_page_has_every_kind() -> None:
    text = (DOCS / "json.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+/\d+)` \|", text, re.MULTILINE)) == sorted(
        kind.value for kind in DocumentKind
    )


def test_a_strange_field_is_noticed() -> None:
    told = document(as_document(DocumentKind.ERROR, error_document(UsageError(_REPORT))), "error")
    with pytest.raises(jsonschema.ValidationError, match="'more' was unexpected"):
        validator("error").validate({**told, "more": 1})


def test_no_field_is_hidden_by_what_every_document_says() -> None:
    for kind in TAGGED:
        assert attrs.has(kind)
        assert not {"schema", "type"} & set(fields_of(kind))
    assert {name for kind in TAGGED for name in LEFT_OUT & {f.name for f in attrs.fields(kind)}}


def test_documents_are_written_in_one_place() -> None:
    folder = Path(cucm_certflow.cli.__path__[0])
    calls = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("dumps", "dump")
    }
    assert calls == {"documents.py"}


def test_the_same_value_is_the_same_text() -> None:
    value = {"b": frozenset({"y", "x"}), "a": EPOCH}
    text = as_document(DocumentKind.LAB, value)
    assert text == as_document(DocumentKind.LAB, dict(reversed(value.items())))
    assert text == f'{{"a": "{EPOCH.isoformat()}", "b": ["x", "y"], "schema": "lab/1"}}'


# ── what the commands print ───────────────────────────────────────────────────────────────

_REPORT: Final = Report(headline="something is wrong", left="nothing was sent")


def _printed(*words: str) -> list[dict[str, Any]]:
    return documents(CliRunner().invoke(app, [*words, "--json"]).stdout)


async def _followed(journal: Path, *, pause: bool) -> tuple[Exit, Outcome | None]:
    there = start(Scenario.loads(SMALL))
    plan = make_plan(
        await there.cluster.discover(),
        units=(CertUnit.TVS,),
        preflight=NOBODY_LOOKED,
        said=NO_PARTNERS,
    )
    async with there.cluster.run(plan, journal=journal) as run:
        if pause:
            (order,) = _printed("pause", "-j", str(journal), "--by", "ann", "--why", "late")
            assert (order["schema"], order["kind"], order["why"]) == ("order/1", "pause", "late")
        status = await follow(run, journal=journal, clock=there.clock, json=True, plain=False)
        return status, run.outcome


def test_a_run_tells_events_and_its_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "a.journal"
    status, outcome = run_virtual(lambda: _followed(journal, pause=False))
    assert (status, type(outcome)) == (Exit.DONE, Verified)
    lines = documents(capsys.readouterr().out)
    assert {each["schema"] for each in lines[:-1]} == {"event/1"}
    assert {each["type"] for each in lines} >= {"Recorded", "Replied", "RegistrationsSeen"}
    records = {each["record"]["type"] for each in lines if each["type"] == "Recorded"}
    assert {"CommandMoved", "CertificateMoved"} <= records
    assert (lines[-1]["schema"], lines[-1]["type"]) == ("outcome/1", "Verified")
    assert lines[-1]["grades"]


def test_what_people_ask_of_a_run_is_told_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "a.journal"
    status, outcome = run_virtual(lambda: _followed(journal, pause=True))
    assert (status, type(outcome)) == (Exit.PAUSED, Paused)
    lines = documents(capsys.readouterr().out)
    assert (lines[-1]["schema"], lines[-1]["type"]) == ("outcome/1", "Paused")
    (order,) = [each["record"] for each in lines if each.get("record", {}).get("type") == "Ordered"]
    assert order["order"]["by"] == "ann"
    (stands,) = _printed("status", "-j", str(journal))
    assert (stands["schema"], stands["wish"]) == ("status/1", "pause")
    people = ("--by", "ann", "--why", "it rings")
    (refused,) = _printed("approve", "1.reset", "-j", str(journal), *people)
    assert (refused["schema"], refused["error"]) == ("error/1", "NotWaiting")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("explain", "TVS", "--release", "eleven", "--mode", "mixed"), "CF100"),
        (("status", "-j", "none.journal"), "CF1"),
        (("check", "none.toml", "-u", "TVS"), "CF1"),
        (("discover", "-i", "none.toml"), "CF1"),
        (("lab", "none.toml", "--lab-speed", "0"), "CF1"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_an_error_is_a_document(words: tuple[str, ...], code: str) -> None:
    (told,) = _printed(*words)
    assert told["schema"] == "error/1"
    assert told["code"].startswith(code)
    assert told["report"]["headline"]


def test_every_document_of_every_test_is_held_against_its_schema(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(jsonschema.ValidationError):
        print_document(DocumentKind.LAB, {"ready": "inventory.toml", "speed": 1.0})
    assert capsys.readouterr().out == ""


def test_every_command_has_documents() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]  # - it is a group
    assert len(commands) > 15
    for name, command in commands.items():
        assert any("--json" in each.opts for each in command.params), name


def test_the_report_of_a_journal_and_a_diagram_are_told_in_documents(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "a.journal"
    run_virtual(lambda: _followed(journal, pause=False))
    capsys.readouterr()
    (report,) = _printed("report", "-j", str(journal))
    assert report["schema"] == "report/1"
    assert Path(report["report"]).is_file()
    (diagram,) = _printed("diagram", "command")
    assert diagram["schema"] == "diagram/1"


def test_what_a_doctor_saw_is_a_document() -> None:
    sign = Sign(area=Area.CLOCK, node="pub", verdict=Verdict.UNKNOWN, detail="no answer")
    report = DoctorReport(at=EPOCH, took_s=1.5, signs=(sign,), unseen=("time zones",))
    told = document(as_document(DocumentKind.DOCTOR, doctor_document(report)), "doctor")
    assert told["signs"][0]["verdict"] == "unknown"
    assert (told["is_well"], told["can_be_driven"]) == (False, True)
