"""Diagrams of state tables, procedures and plans, from the tables alone, as Mermaid and as SVG."""

from cucm_certflow.report.diagrams.graph import Diagram, Edge, Group, Node, NodeKind, Shape
from cucm_certflow.report.diagrams.machines import machine_diagram
from cucm_certflow.report.diagrams.mermaid import to_mermaid
from cucm_certflow.report.diagrams.procedures import procedure_diagram
from cucm_certflow.report.diagrams.svg import to_svg
from cucm_certflow.report.diagrams.windows import plan_diagram

__all__ = [
    "Diagram",
    "Edge",
    "Group",
    "Node",
    "NodeKind",
    "Shape",
    "machine_diagram",
    "plan_diagram",
    "procedure_diagram",
    "to_mermaid",
    "to_svg",
]
