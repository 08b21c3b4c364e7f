"""What the clients of others did, as a page of the documentation."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from tests.conformance import node_clients

PAGE: Final = Path(__file__).parents[2] / "docs" / "conformance.md"

_HEAD: Final = """# Conformance: clients that we did not write

Written by `make conformance PYTEST_ARGS=--write-page`, from a run in which everything passed.

Each client came from a package registry and was not changed.
It spoke to the lab's servers over real sockets, at the paths and the port of a real node; the lab's releases had AXL {releases}.
Besides, Cisco's own AXL schemas, as two of the clients bring them, judge each request of our AXL client, each answer of the lab, and the lab's WSDL file; nothing of them is in this repository.
The schemas of the other four services are the lab's own, written from the published names and types.
Scripts over Netmiko and Ansible are run against the lab's command line beside them, see [replaying scripts](replaying-scripts.md).

## What they taught us

- **Nodes without a matching device.** The lab's answer had an empty `CmDevices`; cucmapi then fails, and a response of a real cluster, as a test of another public project keeps it, fits `xsi:nil` only. The lab now sends nil.
- **Several names in one item.** ciscoris and cucmapi put all names into one `Item`, with commas. No document that we know says so; the lab takes it from them.
- **A slash at the end.** cisco-perfmon asks `…/PerfmonService/`. The lab takes it, and the same at the other services but AXL, whose slash matters.
- **RISPort70's devices** did not pass the published schema at first: an empty `H323Trunk`, no `LinesStatus` to `DownloadServer`, addresses without `Attribute`. They do now.
- **`True`.** Python's is no boolean of AXL's schema. ciscoaxl and ciscouctoolkit send it all the same, and the lab takes it (`axl_takes_python_booleans`); ours sends `true`.
- **No tag with an empty boolean.** `<tftpDefault/>` among the returned tags is not valid, though other empty tags are: the type allows six texts, and none of them is empty.
- **Pages of phones.** ciscoaxl goes on until an answer has no phone: without `skip` it would never end.
- **StateInfo.** cisco-risport sends it back without escaping it, so its second page is the first once more. What a real node makes of it is not known.
- **Identity.** As they come, none of these clients checks the node's certificate; ours does.

Not among them: ciscocucmapi 0.0.2 cannot be imported by a Python that we support.
ciscoris is installed without its pins, which are of 2019.

## What was called

"At" is the AXL version of the lab's release.
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

    def lines(self) -> list[str]:
        """A line for each client."""
        found = []
        for client in sorted({row.client for row in self.rows}):
            rows = [row for row in self.rows if row.client == client]
            called, labs = {row.called for row in rows}, sorted({row.lab for row in rows})
            found.append(f"{client} {_version(client)}: {len(called)} calls at {', '.join(labs)}")
        return found

    def page(self) -> str:
        """The page, in Markdown."""
        releases = ", ".join(sorted({row.lab for row in self.rows}))
        parts = [_HEAD.format(releases=releases)]
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
