"""``certflow doctor``: whether everything that a run needs of each node can be had."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import attrs
import typer

from cucm_certflow.cli.common import (
    InventoryOption,
    JsonOption,
    PseudonymsOption,
    RecordOption,
    SpeedOption,
    with_cluster,
)
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.cluster import Cluster
from cucm_certflow.doctor import DoctorReport
from cucm_certflow.doctor.signs import Sign

__all__ = ["DoctorDocument", "doctor_command", "doctor_document"]


@attrs.frozen(kw_only=True)
class DoctorDocument:
    """What was looked at, for machines.

    Attributes:
        is_well: Whether everything is as it must be; what is unknown is not.
        can_be_driven: Whether every node is reached, known, and lets both accounts do their work.
        at: When the looking began.
        took_s: How long it took, in seconds of the clock.
        signs: What each look showed.
        unseen: What nothing that only looks can show, in words.
    """

    is_well: bool
    can_be_driven: bool
    at: datetime
    took_s: float
    signs: tuple[Sign, ...]
    unseen: tuple[str, ...]


def doctor_command(
    inventory: InventoryOption,
    within: Annotated[
        float, typer.Option("--within", help="Real seconds for each node; all at the same time.")
    ] = 120.0,
    clock_within: Annotated[
        float, typer.Option("--clock-within", help="Seconds that a node's clock may be off.")
    ] = 60.0,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
    record: RecordOption = None,
    pseudonyms: PseudonymsOption = False,
) -> None:
    """Check reachability, credentials, privileges, clock and name of every node. Changes nothing.

    Run it a day before the change, from where the run will be. Each finding says what to do.
    An account that one node refuses is not tried on another.
    """

    async def work(cluster: Cluster) -> Exit:
        # In the lab a look that takes a real second is *lab_speed* seconds old when it is there.
        slack_s = clock_within * max(1.0, lab_speed)
        report = await cluster.doctor(node_within_s=within, clock_within_s=slack_s)
        if json:
            print_document(DocumentKind.DOCTOR, doctor_document(report))
        else:
            print(report)
        if report.is_well:
            return Exit.DONE
        return Exit.NOT_VERIFIED if report.can_be_driven else Exit.NODE

    with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


def doctor_document(report: DoctorReport) -> DoctorDocument:
    """*report* for machines."""
    return DoctorDocument(
        is_well=report.is_well,
        can_be_driven=report.can_be_driven,
        at=report.at,
        took_s=report.took_s,
        signs=report.signs,
        unseen=report.unseen,
    )
