"""The documentation says what the code does: pages, tables, links, examples."""

from __future__ import annotations

import ast
import importlib.util
import re
import tomllib
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs
import pytest

from cucm_certflow import errors
from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.checks.verification import VERIFICATION
from cucm_certflow.cli.output import Exit
from cucm_certflow.cli.words import words_of
from cucm_certflow.cluster import Cluster
from cucm_certflow.commands import ResetPhones, RestartService
from cucm_certflow.core.certificate_guards import CERTIFICATE_GUARDS
from cucm_certflow.core.command_guards import COMMAND_GUARDS
from cucm_certflow.core.entry_guards import ENTRY_GUARDS
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.run_state import CommandMoved
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.findings import Severity
from cucm_certflow.inventory import Inventory
from cucm_certflow.lab import scenario_events, scenario_faults, scenario_tables
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.timing import Timing
from cucm_certflow.names import CertUnit, SecurityMode, Service
from cucm_certflow.observers import Recorded
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.choices import CHOICES
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Requirement
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.trust.model import TrustPolicy
from tests import pages
from tests.journeys.main_job import UNITS, Lab, Story, executed, run_to_the_end, start
from tests.tables.paper import certificate, cluster, with_certificate

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (ROOT / "CHANGELOG.md", *pages.PAGES)


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def _rows(text: str) -> Iterator[list[str]]:
    """The cells of every row of every table, without heads and rules."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if not line.startswith("|") or line.startswith("|---"):
            continue
        if number + 1 < len(lines) and lines[number + 1].startswith("|---"):
            continue
        yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def _section(path: Path, heading: str) -> str:
    text = path.read_text(encoding="utf-8")
    found = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.M | re.S)
    assert found is not None, heading
    return found[1]


# ── the reference ─────────────────────────────────────────────────────────────────────────


def test_the_reference_is_up_to_date() -> None:
    generate = _module(DOCS / "generate.py")
    written = (DOCS / "reference.md").read_text(encoding="utf-8")
    assert written == generate.reference(), "run python docs/generate.py"


def test_generator_says_by_its_exit_status_that_a_page_is_out_of_date(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written = _module(DOCS / "written.py")
    page, other = tmp_path / "page.md", tmp_path / "old.md"

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["docs/generate.py", *words])
        status: int = written.write(lambda: {page: "text\n"}, None, own="*.md")
        return status

    assert run("--check") == 1
    assert "page.md is out of date: run python docs/generate.py" in capsys.readouterr().err
    assert run() == 0
    assert run("--check") == 0
    other.write_text("of a page that is no more", encoding="utf-8")
    assert run("--check") == 1
    assert run() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]


@pytest.mark.parametrize("path", sorted(DOCS.glob("*.py")), ids=lambda path: path.name)
def test_every_generator_writes_in_the_same_way(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "__main__" in text:
        assert "from written import write  # beside this script" in text


def test_the_reference_lists_every_guard_with_its_rule() -> None:
    text = (DOCS / "reference.md").read_text(encoding="utf-8")
    rows = {row[0]: row for row in _rows(text)}
    guards = (*COMMAND_GUARDS.values(), *CERTIFICATE_GUARDS.values(), *ENTRY_GUARDS.values())
    for guard in guards:
        row = rows[f'<a id="{guard.name}"></a>`{guard.name}`']
        assert row[1] == guard.rule
        assert row[3] == str(guard.source)
        assert row[2] != "-", f"{guard.name} is on no edge"


def test_the_reference_has_a_row_for_every_step_of_every_procedure() -> None:
    for procedure in PROCEDURES:
        text = _section(DOCS / "reference.md", f"{procedure.unit}, {procedure.releases}")
        assert [row[1] for row in _rows(text)] == [f"`{row.name}`" for row in procedure.rows]


def test_the_reference_has_every_choice_task_and_requirement() -> None:
    choices = {row[0]: row for row in _rows(_section(DOCS / "reference.md", "Choices"))}
    assert list(choices) == [f"`{choice.name}`" for choice in CHOICES]
    for choice in CHOICES:
        assert choices[f"`{choice.name}`"][4] == str(choice.source)
    heading = "Tasks for the people of other systems"
    tasks = [row[0] for row in _rows(_section(DOCS / "reference.md", heading))]
    assert tasks == [f"`{task.id}`" for task in PARTNER_TASKS]
    needs = {row[0] for row in _rows((DOCS / "reference.md").read_text(encoding="utf-8"))}
    assert {f"`{each.name.lower()}`" for each in Requirement} <= needs


# ── links and paths ───────────────────────────────────────────────────────────────────────


def _anchors(path: Path) -> set[str]:
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    slugs = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    }
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("page", PAGES, ids=pages.name_of)
def test_every_relative_link_resolves(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target, anchor in re.findall(r"\]\(([^)#\s]*)(?:#([^)\s]+))?\)", text):
        if "://" in target:
            continue
        path = (page.parent / target).resolve() if target else page
        assert path.is_file(), f"{page.name}: {target}"
        assert ROOT in path.parents, f"{page.name}: {target}"
        if anchor:
            assert anchor in _anchors(path), f"{page.name}: {target}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=pages.name_of)
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for named in re.findall(r"`([\w./]+(?:\.py|/))`", text):
        places = (
            page.parent / named,
            ROOT / named,
            ROOT / "cucm_certflow" / named,
            ROOT / "cucm_certflow/transports/vos" / named,
        )
        assert any(place.exists() for place in places), f"{page.name}: {named}"


# ── README and examples ───────────────────────────────────────────────────────────────────


def test_python_in_the_pages_compiles() -> None:
    for page in PAGES:
        for block in _blocks(page, "python"):
            compile(block, page.name, "exec")
    assert _blocks(ROOT / "README.md", "python")


def _main(source: str) -> ast.AsyncFunctionDef:
    tree = ast.parse(source)
    return next(node for node in tree.body if isinstance(node, ast.AsyncFunctionDef))


def test_the_example_of_the_readme_is_the_quickstart() -> None:
    (block,) = _blocks(ROOT / "README.md", "python")
    shown = "".join(ast.unparse(node) for node in _main(block).body)
    script = (ROOT / "examples" / "quickstart.py").read_text(encoding="utf-8")
    run = "".join(ast.unparse(node) for node in _main(script).body)
    run = run.replace("Inventory.load(inventory)", "Inventory.load('inventory.toml')")
    assert shown == run.replace("load_words(words)", "load_words('words.toml')")


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (text,) = (block for block in _blocks(ROOT / "README.md", "toml") if "[platform]" in block)
    for variable in re.findall(r'env = "(\w+)"', text):
        monkeypatch.setenv(variable, "a password")
    path = tmp_path / "inventory.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_inventory_of_the_readme_is_one(inventory: Path) -> None:
    loaded = Inventory.load(inventory)
    assert [node.name for node in loaded.nodes] == ["cucm-pub", "cucm-sub1"]
    assert loaded.platform.password.reveal() == "a password"


def test_the_words_of_the_readme_are_words(tmp_path: Path) -> None:
    (text,) = (block for block in _blocks(ROOT / "README.md", "toml") if "[[said]]" in block)
    path = tmp_path / "words.toml"
    path.write_text(text, encoding="utf-8")
    words = words_of((), "", path)
    items = {check.id for check in (*PREFLIGHT, *VERIFICATION)} | {t.id for t in PARTNER_TASKS}
    assert words
    assert {word.item for word in words} <= items


def test_the_quickstart_runs(
    inventory: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quickstart = _module(ROOT / "examples" / "quickstart.py")
    monkeypatch.chdir(inventory.parent)
    items = [check.id for check in PREFLIGHT if check.severity is Severity.CONSENT]
    items += [task.id for task in PARTNER_TASKS if task.id not in items]
    words = inventory.parent / "words.toml"
    words.write_text(
        "".join(f'[[said]]\nitem = "{item}"\nby = "a test"\nwhy = "a lab"\n' for item in items),
        encoding="utf-8",
    )

    async def story() -> None:
        def in_memory(loaded: Inventory) -> Cluster:
            assert loaded.publisher.name == "cucm-pub"
            return start().cluster

        monkeypatch.setattr(quickstart, "connect", in_memory)
        await quickstart.main(str(inventory), str(words))

    run_virtual(story)
    shown = capsys.readouterr().out
    assert "window 2: TVS" in shown
    assert "held\n  phones_back" in shown
    assert (inventory.parent / "CHG1234.journal").exists()


def test_the_readme_has_every_exit_status() -> None:
    rows = {row[0] for row in _rows(_section(ROOT / "README.md", "On the command line"))}
    assert rows == {str(int(status)) for status in Exit}


def test_the_changelog_has_an_unreleased_section() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert text.startswith("# Changelog\n")
    section = text.partition("## [Unreleased]\n")[2].partition("\n## ")[0]
    added = section.partition("### Added\n")[2]
    assert sum(line.startswith("- ") for line in added.splitlines()) > 5


# ── errors, assumptions, lab ──────────────────────────────────────────────────────────────


def test_errors_lists_every_error_with_its_code_and_every_exit_status() -> None:
    tree = {row[0]: row[1] for row in _rows(_section(DOCS / "errors.md", "The tree"))}
    kinds = [getattr(errors, name) for name in errors.__all__ if name != "Report"]
    assert tree == {f"`{kind.__name__}`": kind.code for kind in kinds}
    statuses = list(_rows(_section(DOCS / "errors.md", "Exit statuses of certflow")))
    assert [row[:2] for row in statuses] == [[str(int(s)), f"`{s.name}`"] for s in Exit]
    fields = [row[0] for row in _rows(_section(DOCS / "errors.md", "What an error says"))]
    assert fields == [f"`{field.name}`" for field in attrs.fields(errors.Report)]


def test_every_assumption_that_has_a_name_is_explained() -> None:
    text = (DOCS / "assumptions.md").read_text(encoding="utf-8")
    for name in TrustPolicy._fields:
        assert f"TrustPolicy.{name}`" in text or f"Policy.{name}`" in text, name
    for name in ("tvs_vouches_for_ctl", "vouches_for_itlrecovery", "ctl_judges_itl", "barrier"):
        assert hasattr(Policy(), name)
        assert f"`Policy.{name}`" in text


def test_the_small_scenario_is_one() -> None:
    (text,) = _blocks(DOCS / "lab.md", "toml")
    scenario = Scenario.loads(text)
    assert len(list(scenario.each_phone())) == 22


def test_the_lab_in_memory_runs_as_the_page_says(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    block, driven = _blocks(DOCS / "lab.md", "python")
    monkeypatch.chdir(ROOT)
    exec(compile(block, "lab.md", "exec"), {"__name__": "page"})
    assert "window 1: TVS" in capsys.readouterr().out
    page: dict[str, Any] = {"__name__": "page"}
    exec(compile(driven, "lab.md", "exec"), page)

    async def story() -> None:
        clock = VirtualClock()
        lab = LabCluster(Scenario.load("examples/scenarios/main-job.toml"), clock)
        facts = await page["driven"](lab, clock).discover()
        assert facts.at == clock.now()

    run_virtual(story)


def _toml_value(value: object) -> object:
    """*value*, as a scenario would say it."""
    if isinstance(value, SecurityMode):
        return {SecurityMode.MIXED: "mixed", SecurityMode.NON_SECURE: "non-secure"}[value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_toml_value(item) for item in value]
    if attrs.has(type(value)):
        return {name: _toml_value(item) for name, item in attrs.asdict(value).items()}  # type: ignore[arg-type]  # - attrs' stub wants a class
    return value


@pytest.mark.parametrize(
    ("heading", "kind"),
    [
        ("Top level", Scenario),
        ("[accounts]", scenario_tables.Accounts),
        ("[limits]", scenario_tables.LimitsSpec),
        ("[[nodes]]", scenario_tables.NodeSpec),
        ("[[phones]]", scenario_tables.PhoneSpec),
        ("[timing]", Timing),
        ("[variant]", scenario_tables.VariantSpec),
        ("[[faults]]", scenario_faults.FaultSpec),
        ("[[events]]", scenario_events.EventSpec),
    ],
    ids=lambda value: value.__name__ if isinstance(value, type) else "",
)
def test_every_key_of_a_scenario_is_described_with_its_default(
    heading: str, kind: type[Any]
) -> None:
    rows = {row[0].strip("`"): row[1] for row in _rows(_section(DOCS / "lab.md", heading))}
    fields = {field.name: field.default for field in attrs.fields(kind)}
    shown = {key for key in rows if key in fields}
    assert shown == set(fields)
    for name, default in fields.items():
        text = rows[name].strip("`")
        if default is attrs.NOTHING:
            assert text == "required", name
        elif default is None:
            assert text == "none", name
        elif text != "table":
            value = default.factory() if hasattr(default, "factory") else default
            assert tomllib.loads(f"value = {text}")["value"] == _toml_value(value), name


def test_every_choice_of_a_scenario_is_described() -> None:
    text = _section(DOCS / "lab.md", "[[phones]]")
    for kind in (scenario_tables.HeldLists, scenario_tables.PhoneState):
        assert all(member.value in text for member in kind)
    rows = {row[0] for row in _rows(_section(DOCS / "lab.md", "[[faults]]"))}
    assert {f"`{kind.value}`" for kind in scenario_faults.FaultKind} <= rows


_WEB = "AXL RISPort70 PerfMon Control-Center platform-REST"
_PLACES = {
    "all": "",
    "all but TLS": f"SSH {_WEB} HTTP-6970",
    "web": _WEB,
    "web, HTTP 6970": f"{_WEB} HTTP-6970",
    "web, TLS": f"{_WEB} TLS",
    "SSH, web": f"SSH {_WEB}",
    "SOAP": _WEB.removesuffix(" platform-REST"),
    "RISPort70, PerfMon, Control Center": "RISPort70 PerfMon Control-Center",
    "RISPort70, PerfMon": "RISPort70 PerfMon",
    "RISPort70": "RISPort70",
    "SSH": "SSH",
    "AXL": "AXL",
}
_CALLED = {"platform CLI": "SSH", "TLS handshake": "TLS"}


def test_the_page_says_where_each_fault_strikes() -> None:
    rows = [row for row in _rows(_section(DOCS / "lab.md", "[[faults]]")) if len(row) == 3]
    said = {row[0].strip("`"): set(_PLACES[row[1]].split()) for row in rows if row[1] in _PLACES}
    assert said == {
        kind.value: {
            _CALLED.get(each.value, each.value).replace(" ", "-") for each in kind.interfaces
        }
        for kind in scenario_faults.FaultKind
    }


def test_the_page_says_what_each_event_needs() -> None:
    rows = [row for row in _rows(_section(DOCS / "lab.md", "[[events]]")) if len(row) == 4]
    said = {row[0].strip("`"): (row[1], row[2]) for row in rows if row[0] != "kind"}

    def words(keys: Iterable[str]) -> str:
        return ", ".join(f"`{key}`" for key in keys)

    assert said == {
        kind.value: (words(kind.needs), words(k for k in kind.may_have if k not in kind.needs))
        for kind in scenario_events.EventKind
    }


# ── what the library says, and what the points claim ──────────────────────────────────────


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lab, Story, ClusterFacts]:
    journal = tmp_path_factory.mktemp("docs") / "job.journal"

    async def story() -> tuple[Lab, Story, ClusterFacts]:
        there = start()
        facts = await there.cluster.discover()
        return there, await run_to_the_end(there, journal), facts

    return run_virtual(story)


Told = tuple[Lab, Story, ClusterFacts]


def _example(name: str) -> str:
    text = (DOCS / "concepts.md").read_text(encoding="utf-8")
    found = re.search(rf"^<!-- {name} -->\n```text\n(.*?)\n```$", text, re.M | re.S)
    assert found is not None
    return found[1]


def test_the_refusal_on_the_page_of_concepts_is_what_the_library_says(told: Told) -> None:
    plan = make_plan(told[2], windows=[{CertUnit.CALLMANAGER, CertUnit.TVS}])
    said = "\n".join(str(reason) for reason in plan.refusals)
    # A phone that turns both lists down: which one is named differs from process to process.
    assert _example("refusal") == said.replace("turns down the ITL", "turns down the CTL")


def test_the_hold_on_the_page_of_concepts_is_what_the_library_says(told: Told) -> None:
    assert _example("held") == str(told[1].outcomes[0])


def test_p2_the_plan_says_what_is_restarted_and_who_is_reset(told: Told) -> None:
    plan = told[1].plan
    text = str(plan)
    reset: dict[tuple[int, bool], list[str]] = {}
    for step in plan.steps:
        if isinstance(step.command, RestartService):
            assert str(step.command) in text
        if isinstance(step.command, ResetPhones):
            reset.setdefault((step.window, step.canary), []).extend(step.command.names)
    assert len(reset) == 4
    for names in reset.values():
        assert re.search(rf"^  doDeviceReset, {len(names)} phones.* {names[0]} …$", text, re.M)
    assert text.count("  barrier: every phone in scope") == 2


def test_p5_units_are_done_in_the_order_of_the_document(told: Told) -> None:
    done = [text.split()[-1] for _, text in executed(told[0].lab) if " regen " in text]
    assert list(dict.fromkeys(done)) == [unit.value for unit in UNITS]


def test_p6_nothing_is_sent_before_the_last_was_proved(told: Told) -> None:
    moves = [
        event.record
        for event in told[1].events
        if isinstance(event, Recorded) and isinstance(event.record, CommandMoved)
    ]
    under_way: set[str] = set()
    for move in moves:
        if move.edge == "intend":
            assert not under_way, f"{move.step} while {under_way}"
            under_way.add(move.step)
        elif move.edge.startswith("proved"):
            under_way.remove(move.step)
    assert not under_way


@pytest.mark.parametrize(
    "unit", [CertUnit.TOMCAT, CertUnit.IPSEC, CertUnit.CAPF, CertUnit.CALLMANAGER, CertUnit.TVS]
)
@pytest.mark.parametrize("release", ["9.1", "11.5", "12.5", "14"])
def test_t1_a_certificate_that_a_ca_signed_is_refused(unit: CertUnit, release: str) -> None:
    signed = certificate(f"pub/{unit}", self_signed=False, issuer="CN=Some CA")
    facts = with_certificate(cluster(release), "pub", unit, signed)
    plan = make_plan(facts, units={unit})
    (reason,) = plan.refusals
    assert reason.guard == "self_signed"
    assert "CSR" in reason.unlock
    assert not plan.steps


def _restarts(told: Told) -> list[tuple[str, str]]:
    prefix = "utils service restart "
    return [
        (node, text.removeprefix(prefix))
        for node, text in executed(told[0].lab)
        if text.startswith(prefix)
    ]


def test_t2_tomcat_is_restarted_after_all_nodes_publisher_first(told: Told) -> None:
    texts = executed(told[0].lab)
    every = ["pub", "sub1", "sub2", "sub3", "imp1"]
    regenerated = [node for node, text in texts if text == "set cert regen tomcat"]
    restarted = [node for node, text in texts if text.endswith(Service.TOMCAT)]
    assert regenerated == restarted == every
    last = max(i for i, (_, text) in enumerate(texts) if text == "set cert regen tomcat")
    assert last < next(i for i, (_, text) in enumerate(texts) if text.endswith(Service.TOMCAT))


def test_m3_services_are_restarted_in_order_publisher_first(told: Told) -> None:
    first = [pair for pair in _restarts(told) if pair[1] != Service.TOMCAT][: 3 + 3 + 4 + 2]
    assert first == [
        *((node, Service.CALLMANAGER) for node in ("sub1", "sub2", "sub3")),
        *((node, Service.CTIMANAGER) for node in ("sub1", "sub2", "sub3")),
        *((node, Service.TVS) for node in ("pub", "sub1", "sub2", "sub3")),
        *((node, Service.TFTP) for node in ("sub1", "sub2")),
    ]


def test_v2_tvs_is_restarted_before_tftp_and_the_phones_are_reset_last(told: Told) -> None:
    log = executed(told[0].lab, resets=True)
    begin = max(i for i, (_, text) in enumerate(log) if text == "set cert regen TVS")
    texts = [text.partition(" SEP")[0] for _, text in log[begin + 1 :]]
    assert list(dict.fromkeys(texts)) == [
        f"utils service restart {Service.TVS}",
        f"utils service restart {Service.TFTP}",
        "doDeviceReset",
    ]
