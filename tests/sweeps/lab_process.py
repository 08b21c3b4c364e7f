"""A lab as a process of its own, which also writes down what it took.

``python -m tests.sweeps.lab_process SCENARIO FOLDER SPEED`` is ``certflow lab``, and appends a line
to ``FOLDER/taken`` for each changing command as soon as the cluster takes it: node, tab, command.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from cucm_certflow.clock import ScaledClock
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers

_EVERY_S = 0.02


async def _main(scenario: Path, folder: Path, speed: float) -> None:
    clock = ScaledClock(speed)
    folder.mkdir(parents=True, exist_ok=True)
    async with LabServers(Scenario.load(scenario), clock=clock, folder=folder) as lab:
        print("ready", flush=True)
        told = 0
        with (folder / "taken").open("a") as file:
            while True:
                log = lab.cluster.log
                for entry in log[told:]:
                    print(entry.node, entry.text, sep="\t", file=file, flush=True)
                told = len(log)
                await asyncio.sleep(_EVERY_S)


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3])))
