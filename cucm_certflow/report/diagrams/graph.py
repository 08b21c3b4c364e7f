"""A diagram as a value: what is in it and what follows what; no word about how it is drawn."""

from __future__ import annotations

from enum import Enum

import attrs

__all__ = ["Diagram", "Edge", "Group", "Node", "NodeKind", "Shape"]


class Shape(Enum):
    """How the parts of a diagram stand to each other."""

    MACHINE = "state machine"
    """States, and edges between any two of them."""

    LANES = "lanes"
    """Steps in their order, each in the lane of where it is done."""


class NodeKind(Enum):
    """What a node is."""

    STATE = "state"
    FINAL = "final state"
    STEP = "step"
    BY_HAND = "step by hand"
    BARRIER = "barrier"


@attrs.frozen(kw_only=True)
class Node:
    """A state, a step or a barrier.

    Attributes:
        id: Unique in the diagram.
        title: What is read first.
        tag: A few words above the title, such as its number.
        lines: What is to be known about it, a sentence each.
        lane: Where it is done, one of the diagram's lanes; empty for states and barriers.
        group: The id of the group that it is in; empty if in none.
    """

    id: str
    title: str
    kind: NodeKind
    tag: str = ""
    lines: tuple[str, ...] = ()
    lane: str = ""
    group: str = ""


@attrs.frozen(kw_only=True)
class Edge:
    """That *dest* can follow, or follows, *source*.

    Attributes:
        label: Its name; empty where the order says it all.
        trigger: What makes it be tried.
        guards: The names of the guards that may say no.
        note: What else it does.
    """

    source: str
    dest: str
    label: str = ""
    trigger: str = ""
    guards: tuple[str, ...] = ()
    note: str = ""


@attrs.frozen(kw_only=True)
class Group:
    """Nodes that belong together: a wave, or a window."""

    id: str
    title: str
    lines: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Diagram:
    """Nodes and edges with a title. It checks itself when it is made.

    Attributes:
        title: One line.
        description: For those who cannot see the picture: what is in it, in a sentence or two.
        lanes: In the order in which they stand; every lane of a node is one of them.
        initial: The id of the state in which a machine begins.
        notes: What is said under the picture, a sentence each.
    """

    shape: Shape
    title: str
    description: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    groups: tuple[Group, ...] = ()
    lanes: tuple[str, ...] = ()
    initial: str = ""
    notes: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        ids = [node.id for node in self.nodes]
        groups = {group.id for group in self.groups}
        faults = [f"{each} is there twice" for each in sorted(set(ids)) if ids.count(each) > 1]
        for edge in self.edges:
            strangers = {edge.source, edge.dest} - set(ids)
            faults += [f"an edge names {each}, which is no node" for each in sorted(strangers)]
            if edge.source == edge.dest:
                faults.append(f"{edge.source} follows itself")
        for node in self.nodes:
            if node.lane and node.lane not in self.lanes:
                faults.append(f"{node.id} is in the lane {node.lane}, which there is not")
            if node.group and node.group not in groups:
                faults.append(f"{node.id} is in the group {node.group}, which there is not")
        if self.initial and self.initial not in ids:
            faults.append(f"it begins in {self.initial}, which is no node")
        if faults:
            raise ValueError("; ".join(faults))
