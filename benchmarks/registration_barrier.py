"""One registration barrier of a large cluster: `python benchmarks/registration_barrier.py`.

A lab cluster in virtual time, with AXL, RISPort70 and PerfMon as real messages. TVS is regenerated;
then every phone is reset by name and has to come back. Printed are the requests by interface, the
most of them in any minute, memory and CPU. Seconds are for reading; nothing is asserted of them.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from cucm_certflow import CertUnit, Held, Policy, Verified, make_plan
from cucm_certflow.core.run_state import CertificateMoved, CommandMoved
from cucm_certflow.findings import CheckReport, Said
from cucm_certflow.lab.messages import LabMessages
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import Interface
from cucm_certflow.observers import Event, Recorded, RegistrationsSeen
from cucm_certflow.procedures.partners import tasks_for
from cucm_certflow.testing.virtual import VirtualClock, VirtualLoop

RIS = "/realtimeservice2/services/RISService70"
PERFMON = "/perfmonservice2/services/PerfmonService"


def scenario(phones: int, off: int, nodes: int) -> Scenario:
    """*phones* phones over *nodes* subscribers and two TFTP nodes; *off* of them without power."""
    lines = [
        'name = "large"',
        'release = "14.0.1.10000-20"',
        "[accounts]",
        'application = { user = "certflow", password = "lab-application" }',
        "[[nodes]]",
        'name = "pub"',
        'address = "127.0.1.1"',
        "publisher = true",
        'services = ["tvs"]',
    ]
    names = [f"sub{number}" for number in range(1, nodes + 1)]
    for number, name in enumerate(names, 2):
        is_tftp = name in names[:2]
        services = '["callmanager", "tvs", "tftp"]' if is_tftp else '["callmanager", "tvs"]'
        lines += ["[[nodes]]", f'name = "{name}"', f'address = "127.0.1.{number}"']
        lines.append(f"services = {services}")
    share = phones // nodes
    for number, name in enumerate(names):
        count = share + (phones - share * nodes if not number else 0) - (off if not number else 0)
        group = f'["{name}", "{names[(number + 1) % nodes]}"]'
        table = [
            "[[phones]]",
            'model = "Cisco 8861"',
            f"group = {group}",
            'tftp = ["sub1", "sub2"]',
        ]
        lines += [*table, f"count = {count}", f'first = "SEP0011{number:02X}000001"']
        if not number and off:
            lines += [*table, f"count = {off}", 'first = "SEP00FF00000001"', 'state = "off"']
    return Scenario.loads("\n".join(lines))


class Told:
    """What the events say of the barrier."""

    def __init__(self) -> None:
        self.resets: list[float] = []
        self.back: list[float] = []
        self.lowest = 10**9

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, RegistrationsSeen):
            self.lowest = min(self.lowest, event.registered)
        if not isinstance(event, Recorded):
            return
        record = event.record
        if isinstance(record, CommandMoved) and "reset" in record.step and record.edge == "intend":
            self.resets.append(record.at.timestamp())
        if isinstance(record, CertificateMoved) and record.edge == "converged":
            self.back.append(record.at.timestamp())


async def story(phones: int, off: int, nodes: int, batch: int) -> Sequence[str]:
    """Run it, and say what was seen."""
    clock = VirtualClock(asyncio.get_running_loop())
    told = Told()
    # fresh_s: a batch of resets, one by one, takes as long as it takes.
    policy = Policy(reset_batch=batch, fresh_s=300.0, barrier_within_s=3600.0)
    async with LabMessages(scenario(phones, off, nodes), clock) as messages:
        began = clock.monotonic()
        facts = await messages.cluster.discover()
        discovered = messages.requests()
        assert not facts.unknown, facts.unknown
        # Preflight and partners are no part of what is measured: said on purpose.
        partners = [
            Said(item=task.id, by="the benchmark", why="there is none in the lab")
            for task in tasks_for({CertUnit.TVS}, facts.release, facts.mode)
        ]
        plan = make_plan(
            facts,
            units={CertUnit.TVS},
            policy=policy,
            preflight=CheckReport(findings=()),
            said=partners,
        )
        plan.raise_if_refused()
        with tempfile.TemporaryDirectory() as folder:
            journal = Path(folder) / "barrier.journal"
            async with messages.cluster.run(plan, journal=journal) as run:
                async for event in run.events():
                    told(event)
            missing: tuple[str, ...] = ()
            if off:
                assert isinstance(run.outcome, Held), run.outcome
                missing = tuple(name for reason in run.outcome.blocked for name in reason.phones)
                resumed = messages.cluster.resume(
                    journal=journal, waive=missing, waived_by="the benchmark"
                )
                async with resumed as run:
                    async for event in run.events():
                        told(event)
        outcome = run.outcome
        assert isinstance(outcome, Verified), outcome
        ris, perfmon = messages.most_in_a_minute(RIS), messages.most_in_a_minute(PERFMON)
        assert ris <= messages.budgets.ris.per_minute
        assert perfmon <= messages.budgets.perfmon.per_minute
        assert len(outcome.left_behind) == off == len(missing)
        lines = [
            f"{len(facts.phones)} phones on {nodes} nodes, {off} of them without power",
            f"named as missing: {len(missing)}, left behind in the end: {len(outcome.left_behind)}",
            f"lowest number registered: {told.lowest}",
            f"first reset to all back: {(told.back[-1] - told.resets[0]) / 60:.0f} virtual minutes",
            f"the whole run: {(clock.monotonic() - began) / 60:.0f} virtual minutes",
            f"requests, by interface: {_by_name(messages.budgets.spent)}",
            f"of these for a discovery: RISPort70 {discovered[RIS]}, PerfMon {discovered[PERFMON]}",
            f"most in any minute: RISPort70 {ris} of {messages.budgets.ris.per_minute}, "
            f"PerfMon {perfmon} of {messages.budgets.perfmon.per_minute}",
        ]
        return lines


def _by_name(spent: Mapping[Interface, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in spent.items())


def main() -> None:
    """Run it, and print what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--phones", type=int, default=40_000)
    parser.add_argument("--off", type=int, default=7, help="phones without power")
    parser.add_argument("--nodes", type=int, default=8, help="subscribers with Cisco CallManager")
    parser.add_argument("--batch", type=int, default=1000, help="phones in one reset command")
    given = parser.parse_args()
    before = time.process_time()
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        lines = runner.run(story(given.phones, given.off, given.nodes, given.batch))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print("\n".join(lines))
    print(f"CPU, lab included: {time.process_time() - before:.0f} s")
    print(f"largest memory, lab included: {usage.ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
