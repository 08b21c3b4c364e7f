"""The main job against a lab cluster of real servers on loopback: `make demo`.

An 11.5 mixed-mode cluster with 300 phones comes up in a process of its own: SSH command lines,
HTTPS with AXL and RISPort70, and trust lists over HTTP. The library discovers it, plans, runs
until the barrier holds, waives by name, resumes and verifies. Its clock runs LAB_SPEED times as
fast as the machine's; socket time-outs stay real.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from cucm_certflow import (
    CertUnit,
    Cluster,
    Evidence,
    Held,
    Inventory,
    Policy,
    Run,
    Verified,
    connect,
    make_plan,
)
from cucm_certflow.cli.output import exit_of_outcome
from cucm_certflow.clock import ScaledClock
from cucm_certflow.core.run_state import CommandMoved
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.findings import Finding, Said, Verdict
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import Service
from cucm_certflow.observers import Event, Outcome, Recorded, RegistrationsSeen
from cucm_certflow.procedures.partners import tasks_for

LAB_SPEED = 30.0
SCENARIO = Path(__file__).parent / "scenarios" / "main-job.toml"
UNITS = (CertUnit.TOMCAT, CertUnit.CALLMANAGER, CertUnit.TVS)


def say(text: str = "") -> None:
    print(text, flush=True)


def title(text: str) -> None:
    say(f"\n── {text} " + "─" * max(0, 90 - len(text)))


@contextlib.contextmanager
def lab(folder: Path) -> Iterator[Path]:
    """The lab in a process of its own; gives the inventory that it writes."""
    command = [sys.executable, "-m", "cucm_certflow", "lab", str(SCENARIO)]
    command += ["--folder", str(folder), "--lab-speed", str(LAB_SPEED), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line:
                raise SystemExit(f"the lab did not start (exit status {process.wait()})")
            yield Path(json.loads(line)["ready"])
        finally:
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=10)  # the verdict may be longer than the pipe
            process.kill()


class Told:
    """Prints events as they come, and keeps what the summary needs."""

    def __init__(self) -> None:
        self.curve: list[tuple[float, int]] = []
        self.restarts: list[str] = []
        self.ctl: list[str] = []
        self._began: float | None = None

    def __call__(self, event: Event) -> None:
        """Take one event."""
        seconds = event.at.timestamp()
        self._began = self._began or seconds
        if isinstance(event, RegistrationsSeen):
            if not self.curve or self.curve[-1][1] != event.registered:
                self.curve.append((seconds - self._began, event.registered))
            return
        if isinstance(event, Recorded) and isinstance(event.record, CommandMoved):
            record = event.record
            if record.edge == "intend":
                say(f"  {event.at:%H:%M:%S}  {record.step:<44} {record.detail}")
            elif record.edge not in ("replied", "proved"):
                say(f"  {event.at:%H:%M:%S}  {record.step:<44} {record.to.value}")
            if record.edge.startswith("proved"):
                if ".restart-" in record.step:
                    self.restarts.append(record.detail)
                if ".ctl-update" in record.step:
                    self.ctl.append(record.detail)


async def follow(run: Run, told: Told) -> Outcome:
    async for event in run.events():
        told(event)
    return await run.wait()


def show_curve(curve: list[tuple[float, int]], total: int) -> None:
    """The registration curve: a line for every five lab minutes, its lowest point."""
    lowest: dict[int, int] = {}
    for seconds, registered in curve:
        minute = int(seconds // 300) * 5
        lowest[minute] = min(registered, lowest.get(minute, total))
    for minute, registered in lowest.items():
        say(f"  {minute:>4} min  {registered:>3} {'█' * round(registered / total * 60)}")


def show_serials(before: ClusterFacts, after: ClusterFacts) -> None:
    for old in before.nodes:
        new = next(node for node in after.nodes if node.name == old.name)
        for unit in UNITS:
            if unit in old.certificates:
                was, now = old.certificates[unit].serial, new.certificates[unit].serial
                say(f"  {old.name:<6} {unit:<12} {was[:16]:<16} > {now[:16]}")


def show_outcome(outcome: Verified) -> None:
    counts = dict.fromkeys(Evidence, 0)
    for grade in outcome.grades.values():
        counts[grade] += 1
    for grade, count in counts.items():
        if count:
            say(f"  {count:>3} phones: {grade.name.lower()}")
    say(f"  {outcome}".replace("\n", "\n  "))


def show_forced() -> None:
    """The refused order, forced in the lab's physics: none of the library's rules is asked."""
    scenario = Scenario.load(SCENARIO)
    layout = scenario.layout()
    kinds = tuple(phone.kind for phone in scenario.each_phone())
    world = actions.initial(layout, kinds)
    for unit in (CertUnit.CALLMANAGER, CertUnit.TVS):
        for node in layout.nodes:
            if layout.has(unit, node.name):
                world = actions.regenerate(layout, world, unit, node.name)
    world = actions.update_ctl(layout, world)
    for service in (Service.CALLMANAGER, Service.TVS, Service.TFTP):
        for node in layout.nodes:
            if layout.runs(service, node.name):
                world = actions.restart(layout, world, service, node.name, kinds)
    world = actions.reset_phones(layout, kinds, world)
    memo = Memo()
    verdicts = [health(layout, kinds, world, index, memo) for index in range(len(kinds))]
    for verdict in Health:
        say(f"  {verdicts.count(verdict):>3} phones: {verdict.value}")


def answered(findings: Iterable[Finding]) -> list[Said]:
    """What a person who went and looked says about *findings*; nobody else can say so."""
    return [
        Said(item=finding.check, by="the demonstration", why="looked at: it may be so in the lab")
        for finding in findings
    ]


async def story(cluster: Cluster, journal: Path) -> int:
    title("discover, over SSH, AXL, RISPort70 and HTTP 6970")
    before = await cluster.discover()
    registered = sum(r.registered for r in before.registrations.values())
    say(f"  {before.release}, {before.mode.name.lower()} mode, {len(before.nodes)} nodes")
    say(f"  {registered} of {len(before.phones)} phones registered")
    for text in before.unknown:
        say(f"  unknown: {text}")

    title("CallManager and TVS in one window: refused")
    refused = make_plan(before, windows=[{CertUnit.CALLMANAGER, CertUnit.TVS}])
    for reason in refused.refusals:
        say(f"  {reason}")

    title("the same order, forced in the physics")
    show_forced()

    title("preflight")
    policy = Policy(barrier_within_s=600, fresh_s=60 * LAB_SPEED, slow_fresh_s=900 * LAB_SPEED)
    looked = await cluster.preflight(units=UNITS, facts=before, policy=policy)
    for finding in looked.in_order():
        if finding.verdict is not Verdict.PASS:
            say(f"  {finding}")
    words = answered(looked.open())
    looked = await cluster.preflight(units=UNITS, facts=before, policy=policy, said=words)
    assert not looked.open(), looked
    say(f"\n  {len(words)} of these were answered by a person; other systems: there are none")

    title("the plan")
    partners = [
        Said(item=task.id, by="the demonstration", why="the lab has no such system")
        for task in tasks_for(UNITS, before.release, before.mode)
    ]
    plan = make_plan(before, units=UNITS, policy=policy, preflight=looked, said=partners)
    say(str(plan))
    plan.raise_if_refused()

    title("run, without a waiver")
    told = Told()
    async with cluster.run(plan, journal=journal) as run:
        outcome = await follow(run, told)
    assert isinstance(outcome, Held), outcome
    say(f"\n  exit status would be {int(exit_of_outcome(outcome))}: {outcome}")

    names = [name for reason in outcome.blocked for name in reason.phones]
    title(f"resume, with {len(names)} phones waived by name")
    async with cluster.resume(journal=journal, waive=names, waived_by="the demonstration") as run:
        outcome = await follow(run, told)
    assert isinstance(outcome, Verified), outcome

    title("serials before and after")
    after = await cluster.discover()
    show_serials(before, after)
    title("the CTL, read back before any restart")
    for detail in told.ctl:
        say(f"  {detail}")
    title("every restart, in order")
    for detail in told.restarts:
        say(f"  {detail}")
    title("phones registered (lowest in each five minutes of the lab)")
    show_curve(told.curve, len(before.phones))
    title("verify, from the outside")
    report = await cluster.verify(journal=journal)
    say("what only a person can answer, or has to do:")
    for finding in report.open():
        say(f"  {finding.check}: {finding.unlock}")
    # A person goes and looks; nobody else can say so.
    words = answered(report.open())
    report = await cluster.verify(journal=journal, said=words)
    say("\n".join(f"  {finding}" for finding in report.in_order()))
    title("outcome")
    show_outcome(outcome)
    assert report.is_verified
    assert not after.unknown
    return int(exit_of_outcome(outcome))


async def main(inventory: Path, journal: Path) -> int:
    clock = ScaledClock(LAB_SPEED)
    loaded = Inventory.load(inventory)
    async with connect(loaded, clock=clock) as cluster:
        return await story(cluster, journal)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keep", type=Path, help="keep inventory and journal in this folder")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="certflow-demo-"))
    began = time.monotonic()
    try:
        say(f"lab clock: {LAB_SPEED:g} times real time")
        with lab(folder) as written:
            status = asyncio.run(main(written, folder / "demo.journal"))
    finally:
        if arguments.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    say(f"\ncertflow would end with exit status {status}: done, with phones left behind")
    say(f"{time.monotonic() - began:.0f} s of real time")
    # The demonstration itself succeeded if it got here with the outcome that it is meant to show.
    sys.exit(0 if status == 5 else 1)
