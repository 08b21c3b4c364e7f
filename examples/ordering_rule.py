"""A rule of our own, tried on drawn clusters: once TVS is touched, nobody touches CallManager.

`python examples/ordering_rule.py`, or `pytest examples/ordering_rule.py`. Needs the extra
`testing`. Each example is a whole night in virtual time, on a cluster that does not exist.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings

from cucm_certflow import CertUnit, Policy
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing import Stage, assert_no_phone_lost, play
from cucm_certflow.testing.strategies import clusters

POLICY = Policy()  # the choices of our plan; UnitOrder.TVS_FIRST breaks the rule


async def night(stage: Stage) -> list[str]:
    plan = await stage.plan(CertUnit.CALLMANAGER, CertUnit.TVS, policy=POLICY)
    with TemporaryDirectory() as folder:
        async with stage.cluster.run(plan, journal=Path(folder) / "night.journal") as run:
            await run.wait()  # to the end, or until a person has to decide
    assert_no_phone_lost(stage.lab)
    return [f"{sent.node}: {sent.text}" for sent in stage.lab.log]


@settings(max_examples=30, deadline=None, derandomize=True)
@given(clusters(most_nodes=2, most_groups=2))
def test_callmanager_is_done_before_tvs_is_touched(cluster: Scenario) -> None:
    sent = play(cluster, night)
    touched = [number for number, line in enumerate(sent) if "set cert regen TVS" in line]
    late = [line for line in sent[min(touched, default=len(sent)) :] if "CallManager" in line]
    assert not late, f"after the first TVS: {late}"


if __name__ == "__main__":
    test_callmanager_is_done_before_tvs_is_touched()
    print("the rule held in every cluster")
