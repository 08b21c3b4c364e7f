"""Plans as people read them: what they say is what was read before, and nothing is left out."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from markdown_it import MarkdownIt
from typer.testing import CliRunner

from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.planning import Form, plan_as
from cucm_certflow.commands import ResetPhones
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.facts import Certificate
from cucm_certflow.findings import Said
from cucm_certflow.names import CertUnit
from cucm_certflow.report.plan_markdown import plan_as_markdown
from tests.documents import document
from tests.golden.plans import FOLDER, PLANS, files
from tests.tables.paper import cluster

ROOT: Final = Path(__file__).parents[2]
SMALL: Final = ("--twin", str(ROOT / "examples" / "scenarios" / "small.toml"))


@cache
def plan(name: str) -> Plan:
    return PLANS[name]()


@cache
def told(name: str, form: Form) -> str:
    return plan_as(plan(name), form)


def read(name: str) -> dict[str, Any]:
    return document(told(name, Form.JSON), "plan")


def unescaped(text: str) -> str:
    """Markdown with its escapes and code spans as a viewer shows them."""
    return re.sub(r"\\([^A-Za-z0-9\s])", r"\1", text.replace("`", ""))


every_plan = pytest.mark.parametrize("name", PLANS)


def test_every_golden_plan_reads_as_it_was_approved() -> None:
    wanted = files()
    assert {path.name for path in FOLDER.iterdir()} == {path.name for path in wanted}
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, "run python -m tests.golden.plans"


def test_the_golden_plans_are_of_every_sort() -> None:
    plans = {name: plan(name) for name in PLANS}
    assert any(each.is_refused for each in plans.values())
    assert any(each.waived for each in plans.values())
    assert any(each.said for each in plans.values())
    assert any(each.entries for each in plans.values())
    assert any(each.not_awaited for each in plans.values())
    assert len({each.facts.release.short for each in plans.values()}) == 3
    assert len({each.facts.mode for each in plans.values()}) == 2


@every_plan
def test_every_step_stands_in_all_three_forms(name: str) -> None:
    text, markdown = told(name, Form.TEXT), told(name, Form.MARKDOWN)
    windows = {each["number"]: each for each in read(name)["windows"]}
    parts = re.split(r"^window \d+: .*$", text, flags=re.MULTILINE)[1:]
    for step in plan(name).steps:
        (line,) = [row for row in markdown.splitlines() if row.startswith(f"| `{step.id}` |")]
        assert str(step.command) in line
        assert f"| {step.command.node} |" in line

        (found,) = [each for each in windows[step.window + 1]["steps"] if each["id"] == step.id]
        assert (found["node"], found["command"]) == (step.command.node, str(step.command))
        assert (found["source"], found["proof"]) == (str(step.row.source), step.row.proof.value)
        assert found["why"]

        if isinstance(step.command, ResetPhones):
            assert found["phones"]["count"] == len(step.command.names)
            assert found["resets"] == list(step.command.names)
            assert sum(kind["count"] for kind in found["phones"]["kinds"]) == len(
                step.command.names
            )
            continue
        blocks = parts[step.window].split(f"  {step.command}\n    on     ")[1:]
        assert any(step.command.node in block.splitlines()[0].split(", ") for block in blocks)
        assert all(f"    source {step.row.source}" in text for _ in blocks)


@every_plan
def test_phones_that_are_reset_are_counted_once_a_wave_in_the_text(name: str) -> None:
    resets = [step for step in plan(name).steps if isinstance(step.command, ResetPhones)]
    counted = re.findall(r"^  doDeviceReset, (\d+) phones", told(name, Form.TEXT), re.MULTILINE)
    assert sum(map(int, counted)) == sum(len(getattr(step.command, "names", ())) for step in resets)


@every_plan
def test_every_refusal_finding_word_task_and_choice_stands_in_all_three_forms(name: str) -> None:
    it, found = plan(name), read(name)
    text, markdown = told(name, Form.TEXT), unescaped(told(name, Form.MARKDOWN))
    assert [each["detail"] for each in found["refusals"]] == [r.detail for r in it.refusals]
    assert [task["id"] for task in found["tasks"]] == [task.id for task in it.tasks]
    assert found["fingerprint"] == it.fingerprint
    open_ones = [f for f in it.preflight.findings if f.stops] if it.preflight else []
    said = [words for each in it.said for words in (each.item, each.by, each.why)]
    for words in (
        it.fingerprint,
        *(refusal.detail for refusal in it.refusals),
        *(refusal.unlock for refusal in it.refusals),
        *(finding.check for finding in open_ones),
        *(finding.detail for finding in open_ones),
        *said,
        *it.waived,
        *it.left_alone,
        *(task.question for task in it.tasks),
        *(line for task in it.tasks for line in task.instructions),
        *(choice["in_force"] for choice in found["choices"]),
        *(each["value"] for each in found["other_policy"]),
        *(outlook.reason for outlook in it.outlooks),
        *(each["what"] for each in found["not_done"]),
        *(unit for each in found["not_asked"] for unit in (each["unit"], *each["nodes"])),
    ):
        assert words in text
        assert words.replace("`", "") in markdown


def test_a_refused_plan_says_so_before_its_steps_in_markdown_and_last_in_the_terminal() -> None:
    markdown = told("11.5-mixed-refused", Form.MARKDOWN)
    places = [markdown.index(words) for words in ("**REFUSED**", "## Refused", "## Window")]
    assert places == sorted(places)
    text = told("11.5-mixed-refused", Form.TEXT)
    assert text.index("\nwindow 1") < text.index("\nREFUSED, nothing was sent:")


def test_a_plan_that_nobody_looked_at_before_does_not_pass_for_one_that_may_run() -> None:
    assert "nobody looked before, and a run asks for that" in told("11.5-mixed", Form.MARKDOWN)
    assert "\npreflight: nobody looked" in told("11.5-mixed", Form.TEXT)
    assert read("11.5-mixed")["preflight"] is None


def test_who_answered_a_finding_is_told_and_what_is_open_is_marked() -> None:
    answered = {each["check"]: each["answer"] for each in read("15-mixed-answered")["judged"]}
    assert answered["phones-registered"] == "its phones are waived by name"
    assert answered["security-by-default"].startswith("lifted by A. Person: ")
    assert all(answered.values())
    left = [each for each in read("11.5-mixed-refused")["judged"] if not each["answer"]]
    assert left
    assert told("11.5-mixed-refused", Form.MARKDOWN).count("**open**") == len(left)
    assert told("11.5-mixed-refused", Form.TEXT).count(": OPEN\n") == len(left)


@every_plan
def test_what_is_not_asked_for_and_what_is_make_up_the_cluster(name: str) -> None:
    it = plan(name)
    asked = {(key.unit.value, key.node) for key in it.certificates}
    left = {(each["unit"], node) for each in read(name)["not_asked"] for node in each["nodes"]}
    have = {(unit.value, node.name) for node in it.facts.nodes for unit in node.certificates}
    assert asked.isdisjoint(left)
    assert asked | left == have


@every_plan
def test_no_window_ends_before_the_budgets_of_its_steps(name: str) -> None:
    for window in read(name)["windows"]:
        budgets = sum(step["within_s"] for step in window["steps"])
        barrier = window["barrier"]["within_s"] if window["barrier"] else 0.0
        assert window["at_most_s"] >= budgets + barrier


# ── the same facts give the same text ─────────────────────────────────────────────────────

_DIGESTS: Final = """
import hashlib
from cucm_certflow.cli.planning import Form, plan_as
from tests.golden.plans import PLANS
for name, make in PLANS.items():
    plan = make()
    for form in Form:
        print(name, form, hashlib.sha256(plan_as(plan, form).encode()).hexdigest())
"""


@pytest.mark.parametrize("seed", ["0", "1"])
def test_the_same_facts_give_the_same_text_byte_for_byte(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _DIGESTS],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"{name} {form} {hashlib.sha256(told(name, form).encode()).hexdigest()}"
        for name in PLANS
        for form in Form
    ]


# ── Markdown takes nothing from a cluster as mark-up ──────────────────────────────────────

INLINE: Final = ("text", "code_inline", "text_special")
"""How words are shown within a line; all else is the structure of the page."""


def shown(markdown: str) -> list[tuple[str, str]]:
    """What a viewer makes of *markdown*, in order: each element, and its text."""
    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    tokens = reader.parse(markdown)
    flat = [inner for token in tokens for inner in (token, *(token.children or ()))]
    return [(token.type, token.content) for token in flat if token.type != "inline"]


NASTY: Final = (
    "a|b",
    "**bold** _low_ [link](http://x) <img src=x onerror=alert(1)>",
    "line\nbreak\r\n# heading",
    "`code` and ``more``",
    "back\\slash|pipe `x|y\\`",
    "\x1b[31mred\x1b[0m \u202egpj.exe",
    "&lt;b&gt; ~~gone~~ $x$",
)


@pytest.mark.parametrize("words", NASTY)
def test_no_text_of_a_cluster_becomes_mark_up(words: str) -> None:
    facts = cluster("12.5")
    phones = tuple(attrs.evolve(phone, model=words) for phone in facts.phones)
    said = [Said(item="no-upgrade", by=words, why=words)]
    markdown, plain = (
        plan_as_markdown(make_plan(each, units={CertUnit.CALLMANAGER}, said=told_by))
        for each, told_by in (
            (attrs.evolve(facts, phones=phones), said),
            (facts, [Said(item="no-upgrade", by="ann", why="seen")]),
        )
    )
    unread = attrs.evolve(facts, unknown=(words,))
    markdown += plan_as_markdown(make_plan(unread, units={CertUnit.CALLMANAGER}))
    plain += plan_as_markdown(
        make_plan(attrs.evolve(facts, unknown=("x",)), units={CertUnit.CALLMANAGER})
    )
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", markdown)
    assert [line.split(" ")[0] for line in markdown.splitlines()] == [
        line.split(" ")[0] for line in plain.splitlines()
    ]
    kinds = shown(markdown)
    assert [kind for kind, _ in kinds if kind not in INLINE] == [
        kind for kind, _ in shown(plain) if kind not in INLINE
    ]
    assert not {kind for kind, _ in kinds} & {"html_block", "html_inline", "link_open", "image"}
    read_back = " ".join(text for kind, text in kinds if kind in ("text", "code_inline"))
    visible = re.sub(r"[\s\x00-\x1f\u202e]+", " ", words).replace("`", "").strip()
    assert " ".join(visible.split()) in " ".join(read_back.replace("`", "").split())


def test_nothing_of_a_cluster_moves_the_cursor_of_a_terminal() -> None:
    facts = cluster("12.5")
    phones = tuple(attrs.evolve(phone, model=NASTY[5]) for phone in facts.phones)
    facts = attrs.evolve(facts, phones=phones, unknown=(NASTY[5],))
    for each in (attrs.evolve(facts, unknown=()), facts):
        text = plan_as(make_plan(each, units={CertUnit.CALLMANAGER}), Form.TEXT)
        assert "red" in text
        assert all(character.isprintable() for line in text.splitlines() for character in line)


def test_every_step_is_a_row_of_a_table_as_a_viewer_shows_it() -> None:
    for name in PLANS:
        rows = [text for kind, text in shown(told(name, Form.MARKDOWN)) if kind == "code_inline"]
        for step in plan(name).steps:
            assert step.id in rows
            assert str(step.command) in rows


def test_a_certificate_of_which_nobody_knows_when_it_is_over_is_listed_first() -> None:
    facts = cluster("12.5")
    node = facts.nodes[0]
    units = dict(node.certificates)
    units[CertUnit.IPSEC] = Certificate(fingerprint="f", serial="1")
    facts = attrs.evolve(facts, nodes=(attrs.evolve(node, certificates=units), *facts.nodes[1:]))
    made = make_plan(facts, units={CertUnit.TVS})
    found = document(plan_as(made, Form.JSON), "plan")["not_asked"]
    assert found
    known = [each["first_over"] for each in found if each["first_over"] is not None]
    assert known == sorted(known)
    nulls = [each["first_over"] is None for each in found]
    assert nulls == sorted(nulls, reverse=True)


# ── the command ───────────────────────────────────────────────────────────────────────────


def certflow(*words: str) -> Any:  # noqa: ANN401 - click's own type
    return CliRunner().invoke(app, ["plan", *words])


def test_a_plan_is_made_from_a_twin_without_a_cluster(tmp_path: Path) -> None:
    shown = certflow(*SMALL, "-u", "TVS")
    assert shown.exit_code == Exit.DONE
    assert shown.stdout.startswith("release 11.5, mixed mode\n2 nodes, 12 phones\n")
    ticket = tmp_path / "ticket.md"
    written = certflow(*SMALL, "-u", "TVS", "--format", "markdown", "--out", str(ticket))
    assert (written.exit_code, written.stdout) == (Exit.DONE, f"the plan is in {ticket}\n")
    assert ticket.read_text(encoding="utf-8").startswith("# Plan for the certificates")
    told_to_machines = certflow(*SMALL, "-u", "TVS", "--format", "json").stdout
    assert told_to_machines == certflow(*SMALL, "-u", "TVS", "--json").stdout
    assert document(told_to_machines, "plan")["phones_in_all"] == 12


def test_a_refused_plan_is_written_down_and_the_status_says_so(tmp_path: Path) -> None:
    ticket = tmp_path / "ticket.md"
    words = (*SMALL, "-w", "CallManager,TVS", "--format", "markdown", "-o", str(ticket))
    assert certflow(*words).exit_code == Exit.REFUSED
    assert "**exclusion**" in ticket.read_text(encoding="utf-8")


def test_a_file_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    ticket = tmp_path / "ticket.md"
    ticket.write_text("mine", encoding="utf-8")
    result = certflow(*SMALL, "-u", "TVS", "--out", str(ticket), "--json")
    assert result.exit_code == Exit.USAGE
    assert document(result.stdout, "error")["report"]["next"] == "give another name"
    assert ticket.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    "words",
    [("-u", "TVS"), (*SMALL, "-i", "inventory.toml", "-u", "TVS"), SMALL, (*SMALL, "-u", "XYZ")],
)
def test_a_call_that_says_too_little_or_too_much_is_a_mistake(words: tuple[str, ...]) -> None:
    result = certflow(*words)
    assert result.exit_code == Exit.USAGE
    assert "nothing was sent" in result.output
