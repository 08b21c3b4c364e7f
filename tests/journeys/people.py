"""What people did without the library, and what it says to the same cluster, for the stories."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from cucm_certflow.core.plan import Plan, TrustKey
from cucm_certflow.core.planner import make_plan
from cucm_certflow.errors import RefusedError
from cucm_certflow.findings import CheckReport, Said, Verdict
from cucm_certflow.lab.physics.judge import Health, health
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.observers import Outcome, Verified
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.procedures.policies import Policy
from tests.journeys.main_job import Lab, executed, start

STORIES_FOLDER: Final = Path(__file__).parents[2] / "examples" / "scenarios" / "stories"
NODES: Final = ("pub", "sub")
_A_MOMENT_S: Final = 60.0
_EVERYBODY_BACK_S: Final = 1200.0


class Story(NamedTuple):
    """A failure that was reported, the scenario that tells it, and both ways that it can go.

    *untold* says why the physics cannot do the damage, where it cannot.
    """

    name: str
    file: str
    prevention: Callable[[Lab, Path], Awaitable[None]]
    damage: Callable[[Lab], Awaitable[None]] | None = None
    untold: str = ""

    def __str__(self) -> str:
        return self.name

    async def goes_wrong(self) -> None:
        """Tell it without the library, on a lab of its own."""
        assert self.damage is not None
        await self.damage(start(Scenario.load(STORIES_FOLDER / self.file)))

    async def is_stopped(self, folder: Path) -> None:
        """Tell it with the library, on a lab of its own."""
        await self.prevention(start(Scenario.load(STORIES_FOLDER / self.file)), folder)


# ── people, without the library ──────────────────────────────────────────────────────────────────


async def regenerate(there: Lab, *units: CertUnit, nodes: Sequence[str] = NODES) -> None:
    """Each of *units* on each of *nodes*, as far as the node owns one, a moment apart."""
    for unit in units:
        for node in nodes:
            if there.lab.layout.has(unit, node):
                there.lab.begin_regenerate(node, unit)
                await there.clock.sleep(_A_MOMENT_S)


async def restart(there: Lab, *services: Service, nodes: Sequence[str] = NODES) -> None:
    """Each of *services* on each of *nodes* that runs it, one after the other."""
    for service in services:
        for node in nodes:
            if service in there.lab.activated(node):
                done = there.lab.begin_restart(node, service)
                await there.clock.sleep((done - there.clock.now()).total_seconds() + 1)


async def update_ctl(there: Lab) -> None:
    there.lab.begin_ctl_update("pub")
    await there.clock.sleep(_A_MOMENT_S)


async def reset_everybody(there: Lab) -> None:
    for phone in there.lab.phones:
        there.lab.reset_phone(phone.kind.name)
    await there.clock.sleep(_EVERYBODY_BACK_S)


async def renew_lists(there: Lab, *units: CertUnit) -> None:
    """Regenerate *units*, restart what uses them, update the CTL if there is one, reset all."""
    await regenerate(there, *units)
    if there.lab.layout.mixed:
        await update_ctl(there)
    await restart(there, Service.TVS, Service.TFTP, Service.CALLMANAGER)
    await reset_everybody(there)


async def delete_trust(there: Lab, node: str, store: str, name: str) -> None:
    there.lab.begin_delete_trust(node, store, name)
    await there.clock.sleep(_A_MOMENT_S)


def fates(there: Lab) -> dict[str, Health]:
    """What the judge says of every phone."""
    lab = there.lab
    return {
        phone.kind.name: health(lab.layout, lab.kinds, lab.world, index)
        for index, phone in enumerate(lab.phones)
    }


def unregistered(there: Lab) -> set[str]:
    table = there.lab.registrations()
    return {name for name, registration in table.items() if not registration.registered}


def secure(there: Lab) -> set[str]:
    return {phone.kind.name for phone in there.lab.phones if phone.kind.secure}


def everybody(there: Lab) -> set[str]:
    return {phone.kind.name for phone in there.lab.phones}


# ── the library ──────────────────────────────────────────────────────────────────────────────────


def words(items: Iterable[str]) -> tuple[Said, ...]:
    return tuple(Said(item=item, by="the tests", why="seen in the lab") for item in items)


def words_on_partners(*, but: str = "") -> tuple[Said, ...]:
    return words(task.id for task in PARTNER_TASKS if task.id != but)


async def looked(there: Lab, *units: CertUnit, unsaid: Iterable[str] = ()) -> CheckReport:
    """A preflight in which a person answers whatever only a person can, but for *unsaid*."""
    first = await there.cluster.preflight(units=units)
    silent = frozenset(unsaid)
    asked = [f.check for f in first.findings if f.asked and f.check not in silent]
    return await there.cluster.preflight(units=units, said=words(asked))


def found(report: CheckReport) -> set[str]:
    """The checks that found fault."""
    return {f.check for f in report.findings if f.verdict is Verdict.FINDING}


async def planned(
    there: Lab,
    *units: CertUnit,
    report: CheckReport,
    windows: Sequence[Iterable[CertUnit]] | None = None,
    policy: Policy | None = None,
    unsaid: str = "",
) -> Plan:
    return make_plan(
        await there.cluster.discover(),
        units=None if windows else units,
        windows=windows,
        policy=policy,
        preflight=report,
        said=words_on_partners(but=unsaid),
    )


async def assert_refused(
    there: Lab, plan: Plan, folder: Path, *, guard: str, subject: str = ""
) -> None:
    """*plan* is refused by *guard*, also when somebody runs it, and nothing was sent."""
    reasons = {(reason.guard, reason.subject if subject else "") for reason in plan.refusals}
    assert (guard, subject) in reasons, plan.refusals
    before = len(there.lab.log)
    with pytest.raises(RefusedError):
        await there.cluster.start(plan, journal=folder / "refused")
    assert len(there.lab.log) == before


async def assert_stopped_by_check(
    there: Lab, folder: Path, check: str, *units: CertUnit, unsaid: Iterable[str] = ()
) -> None:
    """*check* refuses a plan for *units*, though a person answers whatever else is asked."""
    report = await looked(there, *units, unsaid=unsaid)
    plan = await planned(there, *units, report=report)
    await assert_refused(there, plan, folder, guard="preflight", subject=check)


async def run(there: Lab, plan: Plan, journal: Path) -> Outcome | None:
    async with there.cluster.run(plan, journal=journal) as running:
        return await running.wait()


async def assert_done_with_nobody_lost(there: Lab, folder: Path, *units: CertUnit) -> Plan:
    """Preflight, plan and run to the end; every phone is registered and needs no remedy."""
    report = await looked(there, *units)
    plan = await planned(there, *units, report=report)
    assert not plan.is_refused, plan.refusals
    outcome = await run(there, plan, folder / "journal")
    assert isinstance(outcome, Verified), outcome
    await there.clock.sleep(_EVERYBODY_BACK_S)
    assert unregistered(there) == set()
    assert set(fates(there).values()) == {Health.OK}
    return plan


async def entries(there: Lab, store: str, name: str = "") -> list[TrustKey]:
    """The certificates in *store* of any node, or those called *name*, as a clean-up names them."""
    stores = await there.cluster.trust_stores(await there.cluster.discover())
    return sorted(
        {
            TrustKey(entry.store, entry.certificate.fingerprint, entry.name)
            for held in stores.values()
            for entry in held
            if entry.store == store and name in ("", entry.name)
        }
    )


def texts(there: Lab, *, resets: bool = False) -> list[str]:
    """Every changing command that the cluster took, in order."""
    return [text for _, text in executed(there.lab, resets=resets)]
