"""What the clients of others did, as a page of the documentation."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from tests.conformance import node_clients

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"

_HEAD: Final = """# Conformance: clients that we did not write

Written by `make conformance PYTEST_ARGS=--write-page`, from a run in which everything passed.
Each client came from the Python package index and was not changed.
It spoke to the lab's servers over real sockets, at the addresses and ports of a real node.
Releases are the lab's: {releases}.

{notes}
"""

_NOTES: Final = """## What they showed

- A Python `True` is no boolean of AXL's schema. ciscoaxl and ciscouctoolkit send it for `isHardReset`, and are used against real nodes, so the lab takes it for true; our own client sends `true`.
- ciscoris and cucmapi put several names into one `Item`, with commas between them. The lab splits them. No document of Cisco's that we know says so; the two clients are our only source.
- ciscoaxl ends its pages of phones at the first `<return/>` that is empty, so `first` and `skip` must be honoured.
- No client checks the node's certificate; ours does.
"""


class Row(NamedTuple):
    """One thing that a client did."""

    client: str
    lab: str
    called: str
    result: str


class Judged:
    """Collects rows while the suite runs."""

    def __init__(self) -> None:
        self.rows: set[Row] = set()

    def note(self, client: str, lab: str, called: str, result: object) -> None:
        """*client* called *called* at a lab whose AXL is *lab*, and got *result*."""
        self.rows.add(Row(client, lab, called, str(result)))

    def page(self) -> str:
        """The page, in Markdown."""
        releases = ", ".join(sorted({row.lab for row in self.rows}))
        parts = [_HEAD.format(releases=releases, notes=_NOTES)]
        for client in sorted({row.client for row in self.rows}):
            parts.append(f"### {client} {_version(client)}\n")
            parts.append("| called | at | result |\n|---|---|---|")
            grouped: dict[tuple[str, str], list[str]] = {}
            for row in sorted(self.rows):
                if row.client == client:
                    grouped.setdefault((row.called, row.result), []).append(row.lab)
            parts += [
                f"| `{called}` | {', '.join(labs)} | {_cell(result)} |"
                for (called, result), labs in grouped.items()
            ]
            parts.append("")
        return "\n".join(parts)


def _version(client: str) -> str:
    if client in node_clients.NAMES:
        return f"{node_clients.version_of(client)} (Node.js)"
    return version(client)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
