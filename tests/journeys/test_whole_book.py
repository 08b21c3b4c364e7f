"""Every certificate, every release, both modes: to its end with nobody lost, or a reason."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from cucm_certflow.checking import preflight
from cucm_certflow.core.planner import make_plan
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, Release
from cucm_certflow.observers import Held, Outcome, Verified
from cucm_certflow.procedures import procedure_for
from cucm_certflow.procedures.releases import EXISTS
from cucm_certflow.testing.virtual import run_virtual
from tests.journeys.main_job import Lab, start
from tests.words import NO_PARTNERS, NOBODY_LOOKED

pytestmark = pytest.mark.slow

RELEASES: Final = ("8.6", "9.1", "10.5", "11.5", "12.0", "12.5", "14", "14SU2", "15")
MODES: Final = ("non-secure", "mixed")


class Combination(NamedTuple):
    unit: CertUnit
    release: str
    mode: str

    def __str__(self) -> str:
        return f"{self.unit} {self.release} {self.mode}"

    @property
    def exists(self) -> bool:
        return Release.parse(self.release) in EXISTS[self.unit].releases


EVERY: Final = tuple(
    Combination(unit, release, mode) for unit in CertUnit for release in RELEASES for mode in MODES
)
THERE: Final = tuple(each for each in EVERY if each.exists)
"""The others are refused: tests/tables/test_everything_at_once.py."""


def scenario_of(release: str, mode: str) -> Scenario:
    """Two CUCM nodes and one of IM and Presence, with phones of each kind."""
    ecdsa = "true" if Release.parse(release).short >= (11, 5) else "false"
    secure = "Encrypted" if mode == "mixed" else "Non Secure"
    return Scenario.loads(f"""
release = "{release}"
mode = "{mode}"
ecdsa = {ecdsa}

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
services = ["callmanager", "tftp", "tvs", "cti", "capf"]

[[nodes]]
name = "sub"
address = "127.0.0.12"

[[nodes]]
name = "imp"
address = "127.0.0.13"
product = "cups"

[[phones]]
count = 3
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["pub", "sub"]

[[phones]]
count = 2
model = "Cisco 7841"
group = ["pub", "sub"]
tftp = ["pub", "sub"]
security = "{secure}"

[[devices]]
kind = "SIPTrunk"
first = "TRUNK1"
node = "sub"
""")


# What is refused on a cluster in which nothing is wrong, and by which guard: in 12.0 each node has
# an ITLRecovery of its own, and nothing says that TVS vouches for a subscriber's new one.
REFUSED: Final = {(CertUnit.ITLRECOVERY, "12.0"): "lifeline"}
CONSENTED: Final = frozenset({"ctl-tokenless"})  # that a token signs the CTL


class Told(NamedTuple):
    there: Lab
    before: CheckReport
    refused: tuple[str, ...]
    outcomes: list[Outcome | None]
    after: CheckReport | None
    lost: list[str]


def words_about(report: CheckReport) -> tuple[Said, ...]:
    """A person's word about everything that only a person can answer."""
    return tuple(
        Said(item=finding.check, by="the tests", why="looked at in the lab")
        for finding in report.open()
        if finding.asked or finding.check in CONSENTED
    )


async def _by_hand(there: Lab, outcome: Outcome | None) -> None:
    """What the person does whom a hold waits for: sign the CTL by the token."""
    assert isinstance(outcome, Held)
    (reason,) = outcome.blocked
    assert reason.guard == "held"
    assert "USB token" in reason.detail
    there.lab.sign_ctl_by_token()
    await there.clock.sleep(30)


async def _told(combination: Combination, folder: Path) -> Told:
    there = start(scenario_of(combination.release, combination.mode))
    facts = await there.cluster.discover()
    units = {combination.unit}
    first = await preflight(facts, there.transport, units=units, clock=there.clock)
    said = (*words_about(first), *NO_PARTNERS)
    report = await preflight(facts, there.transport, units=units, clock=there.clock, said=said)
    plan = make_plan(facts, units=units, preflight=report)
    refused = tuple(blocked.guard for blocked in plan.refusals)
    if refused:
        return Told(there, report, refused, [], None, [])
    path = folder / "journal"
    outcomes: list[Outcome | None] = []
    async with there.cluster.run(plan, journal=path, rescue_kit=folder / "kit") as run:
        outcomes.append(await run.wait())
    while isinstance(outcomes[-1], Held) and len(outcomes) < 3:
        await _by_hand(there, outcomes[-1])
        async with there.cluster.resume(journal=path) as run:
            outcomes.append(await run.wait())
    there.lab.book.back_up()
    asked = await there.cluster.verify(journal=path)
    after = await there.cluster.verify(journal=path, said=words_about(asked))
    lab, memo = there.lab, Memo()
    lost = [
        phone.kind.name
        for index, phone in enumerate(lab.phones)
        if health(lab.layout, lab.kinds, lab.world, index, memo) is not Health.OK
        or not lab.world.phones[index].registered
    ]
    return Told(there, report, (), outcomes, after, lost)


@pytest.mark.parametrize("combination", THERE, ids=str)
def test_it_runs_to_its_end_with_every_check_passed_and_nobody_lost(
    combination: Combination, tmp_path: Path
) -> None:
    told = run_virtual(lambda: _told(combination, tmp_path))
    expected = REFUSED.get((combination.unit, combination.release))
    if expected is not None:
        assert expected in told.refused
        return
    assert told.refused == ()
    assert isinstance(told.outcomes[-1], Verified), told.outcomes[-1]
    assert told.lost == []
    assert told.after is not None
    assert [str(finding) for finding in told.after.open()] == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("release", ["12.5", "14", "15"])
def test_tomcat_and_itlrecovery_in_one_window_run_to_their_end(
    release: str, mode: str, tmp_path: Path
) -> None:
    """Tomcat's restart of TFTP comes before the new ITLRecovery, and rebuilds nothing for it."""

    async def told() -> Outcome | None:
        there = start(scenario_of(release, mode))
        plan = make_plan(
            await there.cluster.discover(),
            units={CertUnit.TOMCAT, CertUnit.ITLRECOVERY},
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        assert len(plan.windows) == 1
        async with there.cluster.run(plan, journal=tmp_path / "journal") as run:
            async with asyncio.timeout(12 * 3600):
                return await run.wait()

    assert isinstance(run_virtual(told), Verified)


def test_every_combination_is_either_run_or_does_not_exist_there() -> None:
    for each in EVERY:
        table = procedure_for(each.unit, Release.parse(each.release))
        assert (table is not None) is each.exists
