"""Runs both scripts against a lab in memory and shows which phones each loses: `replay.py`.

Neither Netmiko nor a network is needed, and half an hour of waiting takes a moment.
"""

from __future__ import annotations

import os
from pathlib import Path

from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.scripts import ScriptLab

HERE = Path(__file__).parent

if __name__ == "__main__":
    scenario = Scenario.load(HERE / "cluster.toml")
    os.environ["CUCM_PASSWORD"] = scenario.accounts.platform.password
    for script in ("regenerate.py", "regenerate_in_order.py"):
        print(f"── {script}")
        with ScriptLab(scenario) as lab:
            lab.run(HERE / "scripts" / script, "pub", "sub")
        print(lab.verdict())
