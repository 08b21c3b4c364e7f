"""A diagram as Mermaid text, which GitHub, GitLab and many wikis and tickets draw."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cucm_certflow.report.diagrams.graph import Diagram, Node, NodeKind, Shape

__all__ = ["to_mermaid"]

_LINE: Final = "<br/>"
# Mermaid reads labels as Markdown and as HTML, and has an escape of its own: #35; is "#". In
# diagrams of states labels are not quoted: there, signs of its grammar count as well.
_IN_QUOTES: Final = re.compile(r"""[#&"<>`*\\%$]""")
_UNQUOTED: Final = re.compile(r"""[#&"<>`*\\%$:;{}\[\]]""")
_LIST: Final = re.compile(r"^(\s*\d+)([.)])|^(\s*)([-+])(?=\s)")
_PLAIN_ID: Final = re.compile(r"^[A-Z][A-Z_]*$")
_SHAPES: Final[Mapping[NodeKind, tuple[str, str]]] = {
    NodeKind.STATE: ("[", "]"),
    NodeKind.FINAL: ("([", "])"),
    NodeKind.STEP: ("[", "]"),
    NodeKind.BY_HAND: ("[[", "]]"),
    NodeKind.BARRIER: ("{{", "}}"),
}


def to_mermaid(diagram: Diagram) -> str:
    """*diagram* as a ``stateDiagram-v2`` or a ``flowchart``: the same text for the same diagram.

    Whatever stands in a title or a line is escaped. Pure.
    """
    lines = ["---", f"title: {json.dumps(diagram.title, ensure_ascii=False)}", "---"]
    draw = _machine if diagram.shape is Shape.MACHINE else _flowchart
    return "\n".join([*lines, *draw(diagram)]) + "\n"


def _escaped(text: str, special: re.Pattern[str] = _UNQUOTED) -> str:
    """*text* on one line of a label; nothing in it means anything to Mermaid."""
    words = special.sub(lambda found: f"#{ord(found[0])};", " ".join(text.split()))
    # With nothing between, a backslash and an n would be a new line.
    words = words.replace("#92;", "#92;#8203;")
    return _LIST.sub(_no_list, words)


def _no_list(found: re.Match[str]) -> str:
    before, sign = (found[1], found[2]) if found[2] else (found[3], found[4])
    return f"{before}#{ord(sign)};"


def _said(diagram: Diagram) -> Iterator[str]:
    yield f"    accTitle: {_escaped(diagram.title)}"
    yield f"    accDescr: {_escaped(diagram.description)}"


def _ids(nodes: Iterable[Node]) -> dict[str, str]:
    """What Mermaid calls each node: its id if that is a plain word in capitals, else a number.

    Words in capitals are none of Mermaid's own.
    """
    return {
        node.id: node.id if _PLAIN_ID.match(node.id) else f"n{number}"
        for number, node in enumerate(nodes, 1)
    }


def _machine(diagram: Diagram) -> Iterator[str]:
    ids = _ids(diagram.nodes)
    yield "stateDiagram-v2"
    yield from _said(diagram)
    for node in diagram.nodes:
        yield f'    state "{_escaped(node.title)}" as {ids[node.id]}'
    if diagram.initial:
        yield f"    [*] --> {ids[diagram.initial]}"
    for edge in diagram.edges:
        label = f" : {_escaped(edge.label)}" if edge.label else ""
        yield f"    {ids[edge.source]} --> {ids[edge.dest]}{label}"
    for node in diagram.nodes:
        if node.kind is NodeKind.FINAL:
            yield f"    {ids[node.id]} --> [*]"
    for node in diagram.nodes:
        notes = list(_asked(diagram, node))
        if notes:
            yield f"    note right of {ids[node.id]}"
            yield from (f"        {each}" for each in notes)
            yield "    end note"
    yield from (f"    %% {_escaped(note)}" for note in diagram.notes)


def _asked(diagram: Diagram, node: Node) -> Iterator[str]:
    """What the edges that leave *node* ask."""
    for edge in diagram.edges:
        if edge.source == node.id and edge.trigger:
            guards = ", ".join(edge.guards) or "nothing is asked"
            does = f", {edge.note}" if edge.note else ""
            yield _escaped(f"{edge.label} ({edge.trigger}{does}): {guards}")


def _flowchart(diagram: Diagram) -> Iterator[str]:
    ids = _ids(diagram.nodes)
    yield "flowchart TB"
    yield from _said(diagram)
    drawn: set[str] = set()
    groups = {group.id: group for group in diagram.groups}
    for node in diagram.nodes:
        if not node.group:
            yield f"    {_box(node, ids)}"
        elif node.group not in drawn:
            drawn.add(node.group)
            group = groups[node.group]
            title = _quoted((group.title, *group.lines))
            yield f"    subgraph g{len(drawn)}[{title}]"
            members = [each for each in diagram.nodes if each.group == node.group]
            yield from (f"        {_box(each, ids)}" for each in members)
            yield "    end"
    for edge in diagram.edges:
        label = f"|{_quoted([edge.label])}|" if edge.label else ""
        yield f"    {ids[edge.source]} -->{label} {ids[edge.dest]}"
    if diagram.notes:
        yield f"    notes[{_quoted(diagram.notes)}]"
        yield "    style notes fill:none,stroke-dasharray:4"


def _box(node: Node, ids: Mapping[str, str]) -> str:
    head = f"{node.tag}: {node.title}" if node.tag else node.title
    where = (f"where: {node.lane}",) if node.lane else ()
    opened, closed = _SHAPES[node.kind]
    return f"{ids[node.id]}{opened}{_quoted((head, *where, *node.lines))}{closed}"


def _quoted(lines: Iterable[str]) -> str:
    return '"' + _LINE.join(_escaped(line, _IN_QUOTES) for line in lines) + '"'
