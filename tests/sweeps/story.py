"""A run from its beginning to where nobody can take it further, whatever happens in between."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Awaitable, Callable, Iterator
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import attrs

from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.errors import CertflowError, RunFinished
from cucm_certflow.journal import Journal
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.faults import Exchange
from cucm_certflow.lab.physics.judge import Health
from cucm_certflow.lab.scenario import PhoneState, Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Held, LeftBehind, Outcome, Verified
from cucm_certflow.procedures.policies import Evidence, Policy
from tests.sweeps.truth import disorders, lies, lost, regenerated_twice, sent_again, strangers
from tests.sweeps.world import Died, Moment, Process, World
from tests.words import NO_PARTNERS, NOBODY_LOOKED

__all__ = ["SUBJECTS", "Crash", "End", "Subject", "Told", "subject", "tell"]

SCENARIOS: Final = Path(__file__).parent / "scenarios"
NAME: Final = "CHG1.journal"
TRIES: Final = 8
_LOOKS_AGAIN_AFTER_S: Final = 900.0
POLICY: Final = Policy(poll_every_s=30.0, barrier_within_s=600.0, watch_every_s=600.0)
"""Nothing of it is about safety: shorter stories are told sooner."""


class Subject(NamedTuple):
    """A cluster, and what is to be regenerated on it."""

    scenario: Scenario
    units: tuple[CertUnit, ...]


def _read(name: str, *units: CertUnit) -> Subject:
    return Subject(Scenario.load(SCENARIOS / f"{name}.toml"), units)


_C, _T, _I = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY
SUBJECTS: Final = (
    _read("11.5-non-secure", _C, _T, _I),
    _read("11.5-mixed", _C, _T),
    _read("12.5-mixed", _C, _T, _I),
    _read("14-automatic-resets", CertUnit.TOMCAT, _C, _T),
    _read("15-mixed", CertUnit.CAPF, _C, _T),
)
"""The five clusters of the sweeps."""


def subject(name: str) -> Subject:
    """The one of :data:`SUBJECTS` with this name."""
    return next(each for each in SUBJECTS if each.scenario.name == name)


class Crash(NamedTuple):
    """Where a process of the story dies, and how it leaves the journal.

    *process* and *boundary* are numbers, from 0. *torn* is what was, or would have been, in the
    journal had the process lived a little longer; a part of it is there, without its end. *then*
    is the boundary at which the process that goes on dies as well, if it comes to it.
    *forged* is what the journal is instead, and *meanwhile* what somebody else does to the cluster
    then, whatever a real crash could leave: for stories that must not go well.
    """

    process: int
    boundary: int
    torn: bytes | None = None
    away_s: float = 5.0
    then: int | None = None
    forged: bytes | None = None
    meanwhile: Callable[[LabCluster], None] | None = None


class End(Enum):
    """How a story ends."""

    FINISHED = "finished"
    HELD = "held"
    REFUSED = "refused"


@attrs.frozen(kw_only=True)
class Told:
    """A whole story.

    Attributes:
        end: How it ended.
        why: What it held for, or was refused for; empty if it finished.
        wrong: Every claim that did not hold, in words. Empty, or something is broken.
        lives: The boundaries of each process.
        exchanges: Everything that was asked of the cluster.
        journal: The bytes of the last journal.
        died: Whether the crash came about.
        torn: Whether the journal was left with a line that has no end.
        behind: How many phones were left behind.
        sent_again: How many commands were sent more than once, none of them a regeneration.
    """

    end: End
    why: str
    wrong: tuple[str, ...]
    lives: tuple[tuple[Moment, ...], ...]
    exchanges: tuple[Exchange, ...]
    journal: bytes
    died: bool
    torn: bool
    behind: int
    sent_again: int

    @property
    def digest(self) -> str:
        """SHA-256 of the journal."""
        return hashlib.sha256(self.journal).hexdigest()


class _Person:
    """Who lifts what a person lifts: waives the phones that cannot come, and looks again later.

    Whoever is off, in a call without end, or holds the lists of another cluster cannot come. It
    never waives another phone: a run that loses one does not get away with it.
    """

    def __init__(self, lab: LabCluster, tries: int) -> None:
        self.waived: set[str] = set()
        self._lab = lab
        self._tries = tries

    def _away(self) -> Iterator[str]:
        world, foreign = self._lab.world, strangers(self._lab)
        for index, phone in enumerate(self._lab.phones):
            held = world.phones[index]
            in_call = phone.state is PhoneState.IN_A_CALL and phone.call_s is None
            if not held.on or phone.kind.name in foreign or in_call:
                yield phone.kind.name

    def lifts(self, outcome: Held) -> frozenset[str] | None:
        """Whom to waive now, perhaps nobody; None if there is nothing more to try."""
        named = {name for reason in outcome.blocked for name in reason.phones}
        absent = named & frozenset(self._away()) - self.waived
        if absent:
            self.waived |= absent
            return frozenset(absent)
        self._tries -= 1
        return frozenset() if self._tries >= 0 else None


class _Telling:
    """One story while it is told."""

    def __init__(
        self,
        what: Subject,
        folder: Path,
        crash: Crash | None,
        policy: Policy,
        seed: int,
        tries: int,
    ) -> None:
        self.world = World(what.scenario, folder)
        self.what = what
        self.crash = crash
        self.policy = policy
        self.person = _Person(self.world.lab, tries)
        self.lives: list[tuple[Moment, ...]] = []
        self.plan: Plan | None = None
        self.died = self.torn = False
        self.begun = 0
        self.chance = random.Random(seed)

    def live(self, main: Callable[[Process], Awaitable[Outcome | None]]) -> Outcome | None:
        """One process; None if it died, after which the disk is as the crash leaves it."""
        here: list[Process] = []

        async def kept(process: Process) -> Outcome | None:
            here.append(process)
            return await main(process)

        crash, number = self.crash, len(self.lives)
        dies_at = None
        if crash is not None:
            dies_at = {crash.process: crash.boundary, crash.process + 1: crash.then}.get(number)
        try:
            return self.world.live(kept, dies_at=dies_at)
        except Died:
            assert crash is not None
            self.died = True
            if number == crash.process:
                self._leave(crash, here[0].moments)
            self.world.rest(crash.away_s)
            return None
        finally:
            self.lives.append(tuple(here[0].moments))

    def _leave(self, crash: Crash, moments: list[Moment]) -> None:
        """Make of the journal, and of the cluster, what *crash* says."""
        if crash.meanwhile is not None:
            crash.meanwhile(self.world.lab)
        if crash.forged is not None:
            self.journal.write_bytes(crash.forged)
            for lock in self.world.folder.glob("*.lock"):
                lock.unlink()  # it would say that the journal is an old copy
        if crash.torn:
            self._tear(moments, crash.torn)

    def _tear(self, moments: list[Moment], whole: bytes) -> None:
        """Leave what was synced, and a part of what comes next, without its end."""
        path = self.journal
        if not path.exists():
            return
        synced, written = moments[-1].synced, moments[-1].written
        end = whole.find(b"\n", max(written - 1, synced))
        limit = len(whole) if end < 0 else end
        if limit <= synced + 1:
            return
        cut = self.chance.randrange(synced + 1, limit + 1)
        if whole[cut - 1 : cut] == b"\n":
            cut -= 1
        path.write_bytes(whole[:cut])
        self.torn = True

    @property
    def journal(self) -> Path:
        return self.world.folder / f"{self.begun}-{NAME}"

    # ── the two things that a person starts ───────────────────────────────────────────────

    async def begin(self, process: Process) -> Outcome | None:
        facts = await process.cluster.discover()
        plan = make_plan(
            facts,
            units=self.what.units,
            policy=self.policy,
            preflight=NOBODY_LOOKED,
            said=NO_PARTNERS,
        )
        plan.raise_if_refused()
        self.plan = plan
        async with process.cluster.run(plan, journal=self.journal) as run:
            return await run.wait()

    async def resume(self, process: Process, waive: frozenset[str]) -> Outcome | None:
        again = process.cluster.resume(journal=self.journal, waive=waive, waived_by="the person")
        async with again as run:
            return await run.wait()

    def is_begun(self) -> bool:
        """Whether there is a journal that can be resumed; one without a first line is left."""
        if not self.journal.exists():
            return False
        try:
            Journal.open(self.journal).close()
        except CertflowError:
            if self.journal.read_bytes().count(b"\n"):
                raise
            return False
        return True

    def to_the_end(self) -> tuple[Outcome | None, CertflowError | None]:
        waive: frozenset[str] = frozenset()
        outcome: Outcome | None = None
        try:
            while True:
                if self.is_begun():
                    outcome = self.live(partial(self.resume, waive=waive))
                else:
                    self.begun += 1
                    outcome = self.live(self.begin)
                if outcome is None:
                    continue  # it died
                if not isinstance(outcome, Held):
                    return outcome, None
                lifted = self.person.lifts(outcome)
                if lifted is None:
                    return outcome, None
                if not lifted:
                    self.world.rest(_LOOKS_AGAIN_AFTER_S)
                waive = lifted
        except RunFinished as error:
            # It died after its last line: whoever resumes it learns only that it was verified.
            if not self.died:
                return outcome, error
            behind = (
                LeftBehind(name=name, evidence=Evidence.UNKNOWN, remedy="")
                for name in sorted(self.person.waived)
            )
            return Verified(left_behind=tuple(behind)), None
        except CertflowError as error:
            return outcome, error


def tell(
    what: Subject,
    folder: Path,
    *,
    crash: Crash | None = None,
    policy: Policy = POLICY,
    seed: int = 0,
    tries: int = TRIES,
    others_may_lose: bool = False,
) -> Told:
    """Tell the story of *what* to its end, and judge it.

    Args:
        what: The cluster, and what is to be regenerated.
        folder: An empty one.
        crash: What kills a process of it.
        policy: Of the plan.
        seed: Of what chance decides about the crash.
        tries: How often the person tries again where waiting is all that there is to do.
        others_may_lose: Whether somebody else meddles with what phones trust: the phones are then
            not the run's to keep, and what counts is what it says about them.

    Raises:
        Exception: What is no CertflowError, and came out of the library.
    """
    telling = _Telling(what, folder, crash, policy, seed, tries)
    outcome, error = telling.to_the_end()
    lab, plan = telling.world.lab, telling.plan
    wrong = regenerated_twice(lab)
    waived = telling.person.waived
    if isinstance(outcome, Verified) and error is None:
        assert plan is not None
        end, why = End.FINISHED, ""
        wrong += lies(outcome, plan, lab)
    elif error is not None:
        end, why = End.REFUSED, f"{error.code} {error.report.headline}"
    else:
        end, why = (
            End.HELD,
            "; ".join(sorted({reason.guard for reason in outcome.blocked}))
            if isinstance(outcome, Held)
            else str(outcome),
        )
    if plan is not None:
        wrong += [f"out of order: {text}" for text in disorders(plan, lab.log)]
    # Half-way through ITLRecovery's window from 12.0 on, the tables allow what localkey cures.
    half_way = end is not End.FINISHED and _I in what.units and lab.layout.signer_is_itlrecovery
    allow = Health.NEEDS_LOCALKEY if half_way else Health.OK
    if not others_may_lose:
        wrong += [f"lost: {name}" for name in lost(lab, waived, allow)]
    journal = telling.journal
    return Told(
        end=end,
        why=why,
        wrong=tuple(wrong),
        lives=tuple(telling.lives),
        exchanges=lab.exchanges,
        journal=journal.read_bytes() if journal.exists() else b"",
        died=telling.died,
        torn=telling.torn,
        behind=len(outcome.left_behind) if isinstance(outcome, Verified) else 0,
        sent_again=sent_again(plan, lab.log) if plan is not None else 0,
    )
