"""``certflow doctor``: whether everything that a run needs of each node can be had."""

from __future__ import annotations

from typing import Annotated

import typer

from cucm_certflow.cli.common import (
    InventoryOption,
    JsonOption,
    PseudonymsOption,
    RecordOption,
    SpeedOption,
    with_cluster,
)
from cucm_certflow.cli.output import Exit, as_json
from cucm_certflow.cluster import Cluster
from cucm_certflow.doctor import DoctorReport

__all__ = ["doctor_command"]


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

    Run it a day before the change, from where the run will be. Each finding says what to do. One
    login for each node and interface; an account that one node refuses is not tried on another.
    Exit status 0: all is well. 6: a node or a way to it is not usable, or could not be looked at.
    8: every way is good, and a clock or a name is not as it must be.
    """

    async def work(cluster: Cluster) -> Exit:
        report = await cluster.doctor(node_within_s=within, clock_within_s=clock_within)
        print(as_json(_document(report)) if json else report)
        if report.is_well:
            return Exit.DONE
        return Exit.NOT_VERIFIED if report.can_be_driven else Exit.NODE

    with_cluster(inventory, lab_speed, work, json=json, record=record, pseudonyms=pseudonyms)


def _document(report: DoctorReport) -> dict[str, object]:
    return {
        "is_well": report.is_well,
        "can_be_driven": report.can_be_driven,
        "at": report.at,
        "took_s": report.took_s,
        "signs": report.signs,
        "unseen": report.unseen,
    }
