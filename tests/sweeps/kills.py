"""``kill -9`` of real processes over real sockets, at moments that chance draws, then resume."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.cli.output import Exit
from cucm_certflow.errors import CertflowError
from cucm_certflow.journal import Journal
from cucm_certflow.procedures.partners import PARTNER_TASKS

__all__ = ["SPEED", "Kill", "Killed", "kill_all", "kills"]

SPEED: Final = 600.0
RECORDS: Final = 100
"""About how many lines the journal of the whole run has."""

_SCENARIO: Final = Path(__file__).with_name("kill.toml")
_ROOT: Final = Path(__file__).parents[2]
_FIRST_ADDRESS: Final = 71
_LIMIT_S: Final = 120.0
_TRIES: Final = 6
_ENDED: Final = (Exit.DONE, Exit.LEFT_BEHIND)


class Kill(NamedTuple):
    """One story: the process dies *delay_s* after its journal has *lines* lines.

    With 0 lines it dies so long after its start: in discovery, preflight or the rescue kit.
    """

    number: int
    lines: int
    delay_s: float

    def __str__(self) -> str:
        return f"kill {self.number}: {self.delay_s:.2f} s after line {self.lines}"


class Killed(NamedTuple):
    """What became of one: the exit statuses after the kill, and what went wrong."""

    kill: Kill
    lines: int
    statuses: tuple[int, ...]
    regenerated: int
    wrong: tuple[str, ...]

    def __str__(self) -> str:
        then = ", ".join(Exit(status).name for status in self.statuses)
        return (
            f"{self.kill}: died with {self.lines} lines, then {then}; "
            f"{self.regenerated} regenerations"
        )


def kills(count: int, seed: int) -> list[Kill]:
    """*count* moments: one before the journal, the others anywhere in it."""
    chance = random.Random(seed)
    lines = [0, *(chance.randrange(1, RECORDS) for _ in range(count - 1))]
    return [
        Kill(number, line, chance.uniform(0.5, 2.5) if line == 0 else chance.uniform(0.0, 0.15))
        for number, line in enumerate(lines)
    ]


async def kill_all(chosen: Sequence[Kill], folder: Path, *, at_once: int) -> list[Killed]:
    """Tell all of them, *at_once* at the same time, each with a lab of its own."""
    slots: asyncio.Queue[int] = asyncio.Queue()
    for slot in range(at_once):
        slots.put_nowait(slot)

    async def one(kill: Kill) -> Killed:
        slot = await slots.get()
        try:
            return await _told(kill, folder / str(kill.number), _FIRST_ADDRESS + 2 * slot)
        finally:
            slots.put_nowait(slot)

    return list(await asyncio.gather(*map(one, chosen)))


async def _process(*arguments: str, out: Path) -> asyncio.subprocess.Process:
    with out.open("ab") as file:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, cwd=_ROOT, stdout=file, stderr=file
        )


async def _certflow(*arguments: str, out: Path) -> int:
    process = await _process("cucm_certflow", *arguments, out=out)
    try:
        return await asyncio.wait_for(process.wait(), _LIMIT_S)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def _words(folder: Path) -> Path:
    items = [check.id for check in PREFLIGHT if check.asked] + [task.id for task in PARTNER_TASKS]
    text = "".join(f'[[said]]\nitem = "{i}"\nby = "the test"\nwhy = "seen"\n' for i in items)
    (folder / "words.toml").write_text(text)
    return folder / "words.toml"


def _count(journal: Path) -> int:
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


async def _told(kill: Kill, folder: Path, address: int) -> Killed:
    folder.mkdir(parents=True)
    text = _SCENARIO.read_text().replace("ADDRESS1", str(address))
    scenario = folder / "scenario.toml"
    scenario.write_text(text.replace("ADDRESS2", str(address + 1)))
    at_lab = folder / "lab"
    lab = await _process(
        "tests.sweeps.lab_process", str(scenario), str(at_lab), str(SPEED), out=folder / "lab.out"
    )
    try:
        async with asyncio.timeout(_LIMIT_S):
            while not (at_lab / "taken").exists():
                assert lab.returncode is None, (folder / "lab.out").read_text()
                await asyncio.sleep(0.02)
        return await _killed(kill, folder, at_lab)
    finally:
        lab.terminate()
        await lab.wait()


async def _killed(kill: Kill, folder: Path, at_lab: Path) -> Killed:
    where = ("-i", str(at_lab / "inventory.toml"), "--lab-speed", str(SPEED))
    words = ("--words", str(_words(folder)))
    out = folder / "certflow.out"

    def begin(number: int) -> tuple[Path, tuple[str, ...]]:
        journal = folder / f"{number}.journal"
        units = ("-u", "CallManager", "-u", "TVS")
        return journal, ("run", *where, *units, *words, "-j", str(journal))

    journal, call = begin(1)
    process = await _process("cucm_certflow", *call, out=out)
    async with asyncio.timeout(_LIMIT_S):
        while _count(journal) < kill.lines and process.returncode is None:
            await asyncio.sleep(0.005)
    await asyncio.sleep(kill.delay_s)
    wrong: list[str] = []
    if process.returncode is None:
        os.kill(process.pid, signal.SIGKILL)
    if await process.wait() != -signal.SIGKILL:
        wrong.append(f"it had ended before, with {process.returncode}")
    lines = _count(journal)
    if not lines:
        journal, call = begin(2)
    statuses: list[int] = []
    for _ in range(_TRIES):
        resume = ("resume", *where, "-j", str(journal))
        statuses.append(await _certflow(*(resume if _count(journal) else call), out=out))
        if statuses[-1] != Exit.HELD:
            break
    if statuses[-1] not in _ENDED:
        wrong.append(f"it ended with {statuses[-1]}: {out.read_text()[-1500:]}")
    taken = (at_lab / "taken").read_text().splitlines()
    regenerated = Counter(line for line in taken if "\tset cert regen" in line)
    wrong += [f"{line}: {times} times" for line, times in regenerated.items() if times > 1]
    try:
        Journal.open(journal).close()
    except CertflowError as error:
        wrong.append(f"the journal does not read: {error}")
    return Killed(kill, lines, tuple(statuses), regenerated.total(), tuple(wrong))
