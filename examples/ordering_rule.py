"""A rule of your own, tested over clusters that nobody has thought of: the night shift's order.

`python examples/ordering_rule.py` tells some stories and says whether the rule held in all of them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings

from cucm_certflow import CertUnit
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing import Stage, assert_no_phone_lost, assert_order, play
from cucm_certflow.testing.strategies import clusters


@settings(max_examples=15, derandomize=True, deadline=None)
@given(clusters(most_nodes=3, wrong=False, off=False))
def test_phones_are_called_only_after_every_tftp_is_restarted(scenario: Scenario) -> None:
    """Our rule: nobody is called before the last Cisco Tftp has its new list."""

    async def night(stage: Stage) -> None:
        plan = await stage.plan(CertUnit.TVS)
        assert not plan.is_refused
        with tempfile.TemporaryDirectory() as folder:
            async with stage.cluster.run(plan, journal=Path(folder) / "night.journal") as run:
                await run.wait()
        assert_order(stage.lab, "utils service restart Cisco Tftp", "doDeviceReset")
        assert_no_phone_lost(stage.lab)

    play(scenario, night)


if __name__ == "__main__":
    test_phones_are_called_only_after_every_tftp_is_restarted()
    print("the rule held in every story that was told")
