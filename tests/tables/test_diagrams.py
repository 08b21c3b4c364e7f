"""Diagrams against the tables that they are made from: nothing is missing, and nothing overlaps."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pytest
from defusedxml.ElementTree import fromstring

from cucm_certflow.commands import ByHand, ResetPhones
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.states import Table
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.explain import Explanation, explanation_of
from cucm_certflow.procedures.vocabulary import Condition
from cucm_certflow.report.diagrams import (
    Diagram,
    Edge,
    Group,
    Node,
    NodeKind,
    Shape,
    machine_diagram,
    plan_diagram,
    procedure_diagram,
    to_mermaid,
    to_svg,
)
from cucm_certflow.report.diagrams.layered import Link, layered
from cucm_certflow.report.diagrams.lettering import text_width, wrapped
from cucm_certflow.testing.check.miniature import facts_of_all
from tests.pictures import SVG, Box, check_document, check_places

_EXAMPLES: Final = Path(__file__).parents[2] / "examples" / "scenarios"
SCENARIOS: Final = (
    _EXAMPLES / "main-job.toml",
    _EXAMPLES / "small.toml",
    _EXAMPLES / "stories" / "f18-subscriber-with-one-of-its-own.toml",
)
TABLES: Final[tuple[Table[Any, Any], ...]] = (COMMAND, CERTIFICATE, ENTRY)


def _states(table: Table[Any, Any]) -> list[Enum]:
    kind: type[Enum] = table.states
    return list(kind)


def _told() -> Iterator[Explanation]:
    """Every procedure in every mode, under the first and the last of its releases."""
    for procedure in PROCEDURES:
        for release in {procedure.releases.first, procedure.releases.last}:
            for mode in SecurityMode:
                for token in (False, True):
                    told = explanation_of(procedure.unit, Release(*release), mode, token_ctl=token)
                    if not told.refused:
                        yield told


TOLD: Final = [told for _, told in sorted({told.title: told for told in _told()}.items())]


def _plan(scenario: Path, *units: CertUnit, together: bool = False) -> Plan:
    facts = facts_of_all(Scenario.load(scenario))
    return make_plan(
        facts,
        units=None if together else units,
        windows=[units] if together else None,
    )


PLANS: Final = [
    *(_plan(path, CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.TOMCAT) for path in SCENARIOS[:2]),
    _plan(SCENARIOS[2], CertUnit.ITLRECOVERY, CertUnit.CALLMANAGER, CertUnit.CAPF),
]
HOSTILE: Final = (
    '%%{init: {}}%% "; end',
    "- <b>&amp;#35;</b> `x` \\n 1.",
    "한국어 " * 30,
    "x" * 300,
)


def _hostile(shape: Shape) -> Diagram:
    machine = shape is Shape.MACHINE
    first, second = (
        Node(
            id=each,
            title=f"1. {each} {HOSTILE[0]}",
            kind=NodeKind.STATE if machine else NodeKind.STEP,
            lines=() if machine else HOSTILE,
            lane="" if machine else "end",
            group="" if machine else "g",
        )
        for each in ("end", "n1")
    )
    return Diagram(
        shape=shape,
        title=HOSTILE[1],
        description=HOSTILE[0],
        nodes=(first, second),
        edges=(Edge(source="end", dest="n1", label=HOSTILE[0], trigger="t", guards=HOSTILE[:1]),),
        groups=() if machine else (Group(id="g", title=HOSTILE[0], lines=HOSTILE),),
        lanes=() if machine else ("end",),
        initial="end" if machine else "",
        notes=HOSTILE,
    )


DIAGRAMS: Final = [
    *map(machine_diagram, TABLES),
    *map(procedure_diagram, TOLD),
    *map(plan_diagram, PLANS),
    *map(_hostile, Shape),
]


def _named(diagram: Diagram) -> str:
    return f"{diagram.title}, {diagram.shape.value} of {len(diagram.nodes)}"


# ── what a picture says ───────────────────────────────────────────────────────────────────


def _words(text: str) -> str:
    """*text* without spaces: where it was broken into lines makes no difference."""
    return re.sub(r"\s+", "", text)


def _drawn(diagram: Diagram) -> str:
    """Everything that the SVG of *diagram* says, top to bottom as it was drawn."""
    root = fromstring(to_svg(diagram))
    return _words("".join(each.text or "" for each in root.iter(f"{SVG}text")))


def _unescaped(text: str) -> str:
    decoded = re.sub(r"#(\d+);", lambda found: chr(int(found[1])), text)
    return html.unescape(decoded).replace("\u200b", "")


def _written(diagram: Diagram) -> str:
    return _words(_unescaped(to_mermaid(diagram).replace("<br/>", "\n")))


BOTH: Final[tuple[Callable[[Diagram], str], ...]] = (_drawn, _written)


@pytest.mark.parametrize("says", BOTH)
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_state_edge_and_guard_is_there(
    table: Table[Any, Any], says: Callable[[Diagram], str]
) -> None:
    text = says(machine_diagram(table))
    for state in _states(table):
        assert _words(state.value) in text
    for edge in table.edges:
        asked = ", ".join(guard.name for guard in edge.guards) or "nothing is asked"
        assert edge.trigger in text
        assert _words(asked) in text
        # Once as the label of its arrow, and once where it says what it asks.
        assert len(re.findall(edge.name, text)) >= 2
    emitting = sum(edge.emits for edge in table.edges)
    assert text.count("sendsthecommand") == emitting


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_machine_has_an_arrow_for_every_edge_and_one_to_begin(table: Table[Any, Any]) -> None:
    diagram = machine_diagram(table)
    root = fromstring(to_svg(diagram))
    assert len(list(root.iter(f"{SVG}polygon"))) == len(table.edges) + 1
    lines = to_mermaid(diagram).splitlines()
    arrows = [line.strip() for line in lines if " --> " in line]
    assert arrows[0] == f"[*] --> {table.initial.name}"
    assert arrows[1 : len(table.edges) + 1] == [
        f"{edge.source.name} --> {edge.dest.name} : {edge.name}" for edge in table.edges
    ]
    assert arrows[len(table.edges) + 1 :] == [
        f"{state.name} --> [*]" for state in _states(table) if state in table.final
    ]


@pytest.mark.parametrize("says", BOTH)
@pytest.mark.parametrize("told", TOLD, ids=lambda told: told.title)
def test_every_row_is_there_with_all_that_it_says(
    told: Explanation, says: Callable[[Diagram], str]
) -> None:
    table = told.procedure
    assert table is not None
    diagram = procedure_diagram(told)
    text = says(diagram)
    steps = [node for node in diagram.nodes if node.kind is not NodeKind.BARRIER]
    assert [node.title for node in steps] == [row.name for row in told.rows]
    for number, row in enumerate(told.rows, 1):
        what, where = told.doing(row)
        parts = [f"{number}, {row.stage.value}", what, where, f"proof: {row.proof.value}"]
        parts += [f"within {row.within_s:g} s", f"source: {row.source}"]
        parts += [f"before: {each.value}" for each in row.requires]
        if row.when is not Condition.ALWAYS:
            parts.append(f"when: {row.when.value}")
        for part in parts:
            assert _words(part) in text, part
    for row in told.left_out:
        assert _words(f"Left out here: {row.name}, only when {row.when.value}") in text
    for exposure in told.exposures:
        assert _words(exposure.remedy) in text
    waves = {row.wave for row in told.rows}
    barriers = [node for node in diagram.nodes if node.kind is NodeKind.BARRIER]
    assert len(barriers) == (len(waves) if table.moves_lists else 0)


def test_a_procedure_that_there_is_not_is_not_drawn() -> None:
    told = explanation_of(CertUnit.ITLRECOVERY, Release.parse("9.1"), SecurityMode.MIXED)
    with pytest.raises(ValueError, match="it does not exist there"):
        procedure_diagram(told)


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{len(plan.steps)} steps")
def test_every_step_of_a_plan_stands_in_the_lane_of_its_node(plan: Plan) -> None:
    diagram = plan_diagram(plan)
    steps = [node for node in diagram.nodes if node.kind is not NodeKind.BARRIER]
    covered = [number for node in steps for number in _numbers(node.tag)]
    assert covered == [step.index + 1 for step in plan.steps]
    for node in steps:
        for number in _numbers(node.tag):
            step = plan.steps[number - 1]
            assert node.group == f"window-{step.window + 1}"
            resets = isinstance(step.command, ResetPhones)
            assert node.lane == ("the phones" if resets else step.command.node)
            assert node.title == step.row.name
            assert (node.kind is NodeKind.BY_HAND) == isinstance(step.command, ByHand)
    assert len(diagram.edges) == len(diagram.nodes) - 1


@pytest.mark.parametrize("plan", PLANS, ids=lambda plan: f"{len(plan.steps)} steps")
def test_a_barrier_follows_every_reset_of_a_plan(plan: Plan) -> None:
    nodes = plan_diagram(plan).nodes
    for before, after in zip(nodes, (*nodes[1:], None), strict=True):
        if before.lane == "the phones":
            assert after is not None
            assert after.kind is NodeKind.BARRIER
    waves = {
        (step.window, step.row.wave)
        for step in plan.steps
        if any(plan.procedures[key.unit].moves_lists for key in step.certificates)
    }
    assert sum(node.kind is NodeKind.BARRIER for node in nodes) == len(waves)


def test_a_refused_plan_is_drawn_and_says_first_that_it_is_refused() -> None:
    plan = _plan(SCENARIOS[1], CertUnit.CALLMANAGER, CertUnit.TVS, together=True)
    assert plan.is_refused
    diagram = plan_diagram(plan)
    for refusal, note in zip(plan.refusals, diagram.notes, strict=False):
        assert note.startswith(f"REFUSED, nothing is sent: {refusal.guard}: ")
    for says in BOTH:
        assert "REFUSED,nothingissent:exclusion" in says(diagram)


def _numbers(tag: str) -> range:
    first, *last = re.findall(r"\d+", tag)
    return range(int(first), int(last[0] if last else first) + 1)


# ── what a picture looks like ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("diagram", DIAGRAMS, ids=_named)
def test_no_two_texts_overlap_none_is_cut_and_none_lies_on_a_border(diagram: Diagram) -> None:
    check_places(to_svg(diagram))


@pytest.mark.parametrize("diagram", DIAGRAMS, ids=_named)
def test_a_picture_says_what_it_is_and_needs_nothing_from_elsewhere(diagram: Diagram) -> None:
    title, description = check_document(to_svg(diagram))
    assert (title, description) == (diagram.title, diagram.description)


@pytest.mark.parametrize("diagram", DIAGRAMS, ids=_named)
def test_the_same_diagram_gives_the_same_bytes(diagram: Diagram) -> None:
    assert to_svg(diagram) == to_svg(diagram)
    assert to_mermaid(diagram) == to_mermaid(diagram)


def test_two_pictures_in_one_page_have_different_ids() -> None:
    ids = [re.findall(r' id="([^"]+)"', to_svg(diagram)) for diagram in DIAGRAMS]
    flat = [each for pair in ids for each in pair]
    assert len(set(flat)) == len(flat)


# ── Mermaid, as far as its grammar can be held to without it ──────────────────────────────

_ARROW: Final = re.compile(r'^(\w+) -->(?:\|"[^"<>`]*"\|)? (\w+)$')
_FLOW_NODE: Final = re.compile(
    r'^(\w+)(?:\[\[?|\(\[|\{\{)"((?:[^"<>`*%$\\]|<br/>)*)"(?:\]\]?|\]\)|\}\})$'
)


@pytest.mark.parametrize(
    "diagram",
    [each for each in DIAGRAMS if each.shape is Shape.LANES],
    ids=_named,
)
def test_a_flowchart_has_nothing_but_nodes_arrows_and_groups(diagram: Diagram) -> None:
    lines = [line.strip() for line in to_mermaid(diagram).splitlines()]
    assert lines[0] == lines[2] == "---"
    assert lines[3] == "flowchart TB"
    nodes: list[str] = []
    arrows = depth = 0
    for line in lines[6:]:
        assert not re.search(r"%%|&(?!amp;)", line)
        if line.startswith("subgraph "):
            assert _FLOW_NODE.match(line.removeprefix("subgraph "))
            depth += 1
        elif line == "end":
            depth -= 1
        elif found := _ARROW.match(line):
            assert {found[1], found[2]} <= set(nodes)
            arrows += 1
        elif line != "style notes fill:none,stroke-dasharray:4":
            found = _FLOW_NODE.match(line)
            assert found, line
            nodes.append(found[1])
        assert depth in (0, 1)
    assert depth == 0
    assert arrows == len(diagram.edges)
    assert len(set(nodes)) == len(nodes) == len(diagram.nodes) + bool(diagram.notes)


@pytest.mark.parametrize(
    "diagram",
    [each for each in DIAGRAMS if each.shape is Shape.MACHINE],
    ids=_named,
)
def test_a_machine_has_nothing_but_states_arrows_and_notes(diagram: Diagram) -> None:
    lines = [line.strip() for line in to_mermaid(diagram).splitlines()]
    assert lines[3] == "stateDiagram-v2"
    states: list[str] = []
    inside = False
    for line in lines[6:]:
        if line == "end note":
            inside = False
        elif inside:
            assert not re.search(r'[:"<>`{}\[\]]|%%', line)
        elif found := re.match(r'^state "[^"<>`:{}]+" as (\w+)$', line):
            states.append(found[1])
        elif found := re.match(r"^note right of (\w+)$", line):
            assert found[1] in states
            inside = True
        elif line.startswith("%% "):
            assert "{" not in line
        else:
            found = re.match(r"^(\w+|\[\*\]) --> (\w+|\[\*\])( : [^:\"<>`{}\[\]]+)?$", line)
            assert found, line
            assert {found[1], found[2]} <= {*states, "[*]"}
    assert not inside
    assert len(states) == len(diagram.nodes)


# ── the parts ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("width", [1.0, 30.0, 100.0, 1000.0])
@pytest.mark.parametrize("text", [*HOSTILE, "", "restart-location-bandwidth-manager"])
def test_lines_are_no_wider_than_asked_and_nothing_is_lost(text: str, width: float) -> None:
    lines = wrapped(text, 11, width)
    assert _words("".join(lines)) == _words(text)
    for line in lines:
        assert text_width(line, 11) <= width or len(line) == 1


def test_a_long_word_is_broken_after_a_hyphen() -> None:
    assert wrapped("restart-callmanager", 13, 110, bold=True) == ("restart-", "callmanager")


def test_places_of_any_graph_are_apart() -> None:
    names = [f"s{number}" for number in range(12)]
    links = [
        Link(names[a], names[b], 40, 12) for a in range(12) for b in range(12) if (a * b) % 5 == 2
    ]
    links += [Link(names[0], name) for name in names[1:]]
    layout = layered(
        dict.fromkeys(names, (80.0, 30.0)), [each for each in links if each[0] != each[1]]
    )
    places = [*layout.nodes.values(), *(each for each in layout.labels if each.height)]
    boxes = [
        Box(p.x - p.width / 2, p.y - p.height / 2, p.x + p.width / 2, p.y + p.height / 2)
        for p in places
    ]
    for number, box in enumerate(boxes):
        assert not any(box.touches(other) for other in boxes[:number])
    assert all(len(route) >= 2 for route in layout.routes)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"edges": (Edge(source="a", dest="b"),)}, "an edge names b, which is no node"),
        ({"edges": (Edge(source="a", dest="a"),)}, "a follows itself"),
        ({"initial": "b"}, "it begins in b, which is no node"),
        ({"nodes": (Node(id="a", title="a", kind=NodeKind.STEP),) * 2}, "a is there twice"),
        (
            {"nodes": (Node(id="a", title="a", kind=NodeKind.STEP, lane="x"),)},
            "a is in the lane x, which there is not",
        ),
        (
            {"nodes": (Node(id="a", title="a", kind=NodeKind.STEP, group="x"),)},
            "a is in the group x, which there is not",
        ),
    ],
)
def test_a_diagram_that_does_not_hold_together_is_not_made(
    changes: dict[str, Any], says: str
) -> None:
    good: dict[str, Any] = {
        "shape": Shape.LANES,
        "title": "t",
        "description": "d",
        "nodes": (Node(id="a", title="a", kind=NodeKind.STEP),),
        "edges": (),
    }
    assert Diagram(**good).title == "t"
    with pytest.raises(ValueError, match=says):
        Diagram(**good | changes)
