"""What the help of each command teaches: its place in a change, what it changes, how it ends."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from cucm_certflow.cli.output import Exit

__all__ = ["LESSONS", "MEANINGS", "START", "Lesson", "start_epilog"]

MEANINGS: Final[Mapping[Exit, str]] = {
    Exit.DONE: "everything asked for was done and verified",
    Exit.USAGE: "the call, a file or an argument was wrong; nothing was sent",
    Exit.REFUSED: "refused by a safety rule; nothing was sent",
    Exit.HELD: "held: a person must decide; the journal resumes the run",
    Exit.LEFT_BEHIND: "done and verified, but phones that nothing waited for are not back",
    Exit.NODE: "a node, or the way to it, failed",
    Exit.PAUSED: "interrupted; the journal resumes the run",
    Exit.NOT_VERIFIED: "something is not as it should be, or could not be seen",
    Exit.ABORTED: "a person ended the run for good; what it leaves is named",
    Exit.HANGS: "it holds if CUCM is as the library assumes; what it hangs on is named",
    Exit.NOT_COVERED: "nothing wrong was found, and not all was looked at",
    Exit.BUG: "a bug of certflow; the journal resumes the run",
    Exit.INTERRUPTED: "interrupted where there is nothing to resume; nothing was changed",
    Exit.UNREAD: "nobody read the output to its end; only where nothing is changed",
}
"""What each exit status means, whichever command it comes from."""

START: Final = (
    "certflow lab examples/scenarios/small.toml     (a terminal of its own)",
    "certflow discover -i lab/inventory.toml",
    "certflow plan -i lab/inventory.toml -u CallManager",
)
"""What a newcomer types first, on a cluster of real servers on the same machine."""

_NOTHING: Final = "nothing"
_WIDTH: Final = 78
_RUN: Final = (Exit.HELD, Exit.LEFT_BEHIND, Exit.NODE, Exit.PAUSED, Exit.ABORTED)


class Lesson(NamedTuple):
    """What the help of one command says beside its sentence and its options.

    *changes* is what it changes, and where. *exits* are those beside 0, 2, 70 and 130. *meanings*
    say what a status means of this command, where that is not what it means of all.
    """

    panel: str
    changes: str
    exits: tuple[Exit, ...]
    examples: tuple[str, ...]
    meanings: Mapping[Exit, str] = {}

    @property
    def only_looks(self) -> bool:
        """Whether it has nothing left to do when nobody reads what it prints."""
        return self.changes == _NOTHING

    def statuses(self) -> Mapping[Exit, str]:
        """Every exit status of the command, and what it means here."""
        ends = {Exit.DONE, Exit.USAGE, *self.exits, Exit.BUG, Exit.INTERRUPTED}
        if self.only_looks:
            ends.add(Exit.UNREAD)
        return {each: self.meanings.get(each, MEANINGS[each]) for each in sorted(ends)}

    def epilog(self) -> str:
        """The end of the command's help."""
        return _paragraphs(
            textwrap.fill(f"Changes: {self.changes}.", _WIDTH),
            _listed("Examples:", self.examples),
            _listed("Exit status:", _lines(self.statuses())),
        )


def start_epilog() -> str:
    """The end of the help of certflow itself."""
    return _paragraphs(
        _listed("Where to start:", START),
        "A cluster of yours needs an inventory file; these change nothing there.",
        _listed("Exit status:", _lines(MEANINGS)),
    )


def _lines(statuses: Mapping[Exit, str]) -> Iterator[str]:
    return (f"{int(status):>3}  {meaning}" for status, meaning in statuses.items())


def _listed(title: str, lines: Iterable[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _paragraphs(*texts: str) -> str:
    return "\n" + "\n\n".join(texts) + "\n"


LESSONS: Final[Mapping[str, Lesson]] = {
    "doctor": Lesson(
        panel="Look",
        changes=_NOTHING,
        exits=(Exit.NODE, Exit.NOT_VERIFIED),
        examples=(
            "certflow doctor -i inventory.toml",
            "certflow doctor -i inventory.toml --json",
        ),
        meanings={
            Exit.DONE: "every node and every way to it is as it must be",
            Exit.NODE: "a node, or a way to it, cannot be used, or could not be looked at",
            Exit.NOT_VERIFIED: "every way can be used; a clock or a name is not as it must be",
        },
    ),
    "discover": Lesson(
        panel="Look",
        changes=_NOTHING,
        exits=(Exit.NODE,),
        examples=(
            "certflow discover -i inventory.toml",
            "certflow discover -i inventory.toml --out twin.toml",
        ),
        meanings={
            Exit.DONE: "everything was read",
            Exit.NODE: "a node failed, or something could not be read; it is named",
        },
    ),
    "preflight": Lesson(
        panel="Look",
        changes=_NOTHING,
        exits=(Exit.REFUSED, Exit.NODE),
        examples=(
            "certflow preflight -i inventory.toml -u CallManager -u TVS",
            "certflow preflight -i inventory.toml -u TVS --questions words.toml",
        ),
        meanings={
            Exit.DONE: "nothing is open",
            Exit.REFUSED: "a finding or an unknown is open: a plan would be refused",
        },
    ),
    "plan": Lesson(
        panel="Plan",
        changes=_NOTHING,
        exits=(Exit.REFUSED, Exit.NODE),
        examples=(
            "certflow plan -i inventory.toml -u CallManager -u TVS --words words.toml",
            "certflow plan -i inventory.toml -u TVS --format markdown --out ticket.md",
            "certflow plan --twin twin.toml -u TVS",
        ),
        meanings={
            Exit.DONE: "it may be run",
            Exit.REFUSED: "it may not be run; the reasons say why",
        },
    ),
    "check": Lesson(
        panel="Plan",
        changes=_NOTHING,
        exits=(Exit.REFUSED, Exit.HELD, Exit.HANGS, Exit.NOT_COVERED),
        examples=(
            "certflow check examples/scenarios/main-job.toml -u CallManager -u TVS",
            "certflow check examples/scenarios/small.toml -u TVS --faults 0",
        ),
        meanings={
            Exit.DONE: "the plan holds, whichever way CUCM is",
            Exit.REFUSED: "the plan is refused, or a story of it loses a phone",
            Exit.HELD: "a story of the plan ends in a hold",
        },
    ),
    "rehearse": Lesson(
        panel="Plan",
        changes="nothing on any cluster; with --journal it writes that file",
        exits=(Exit.REFUSED, Exit.HELD, Exit.LEFT_BEHIND),
        examples=(
            "certflow rehearse twin.toml -u CallManager -u TVS --words words.toml",
            "certflow rehearse twin.toml -u TVS --measured CHG1.journal",
        ),
        meanings={
            Exit.DONE: "the rehearsal was verified, and no phone is lost",
            Exit.HELD: "the rehearsal was held: the run would be",
            Exit.LEFT_BEHIND: "the rehearsal leaves phones behind",
        },
    ),
    "run": Lesson(
        panel="Run",
        changes="certificates, services and phones of the cluster, as the plan says; it writes "
        "the journal and the rescue kit",
        exits=(Exit.REFUSED, *_RUN),
        examples=(
            "certflow run -i inventory.toml -u TVS -j CHG1.journal --words words.toml",
            "certflow run -i inventory.toml -u TVS -j CHG1.journal --approve reset",
        ),
    ),
    "resume": Lesson(
        panel="Run",
        changes="what the journal's plan has left to do",
        exits=(Exit.REFUSED, *_RUN),
        examples=(
            "certflow resume -i inventory.toml -j CHG1.journal",
            "certflow resume -i inventory.toml -j C1.journal --say uccx-trust=no --by Ann",
        ),
    ),
    "status": Lesson(
        panel="Run",
        changes=_NOTHING,
        exits=(Exit.HELD, Exit.PAUSED, Exit.ABORTED),
        examples=(
            "certflow status -j CHG1.journal",
            "certflow status -j CHG1.journal --json",
        ),
        meanings={
            Exit.DONE: "the run is going on, or was verified",
            Exit.HELD: "nobody drives the run, and it waits for a person",
            Exit.PAUSED: "nobody drives the run; the journal resumes it",
        },
    ),
    "pause": Lesson(
        panel="Run",
        changes="nothing on the cluster; leaves an order beside the journal, and the run stops at "
        "its next safe point",
        exits=(),
        examples=("certflow pause -j CHG1.journal --by Ann --why 'the night is over'",),
        meanings={Exit.DONE: "the order was given"},
    ),
    "approve": Lesson(
        panel="Run",
        changes="nothing by itself; leaves an order beside the journal, and the run goes on",
        exits=(),
        examples=("certflow approve 1.reset -j CHG1.journal --by Ann --why 'they ring'",),
        meanings={Exit.DONE: "the order was given"},
    ),
    "abort": Lesson(
        panel="Run",
        changes="ends the run for good; what is half-way is finished first where it must be",
        exits=_RUN,
        examples=(
            "certflow abort -j CHG1.journal --by Ann --why 'no time'",
            "certflow abort -i inventory.toml -j CHG1.journal --by Ann --why 'no time'",
        ),
        meanings={Exit.DONE: "the order was given to the process that drives the run"},
    ),
    "verify": Lesson(
        panel="Afterwards",
        changes=_NOTHING,
        exits=(Exit.NODE, Exit.NOT_VERIFIED),
        examples=(
            "certflow verify -i inventory.toml -j CHG1.journal",
            "certflow verify -i inventory.toml -j C1.journal --say uccx-trust=no --by Ann",
        ),
        meanings={Exit.DONE: "all that the run was to leave is there"},
    ),
    "cleanup": Lesson(
        panel="Afterwards",
        changes="nothing without --journal; with it, trust certificates are deleted",
        exits=(Exit.REFUSED, *_RUN),
        examples=(
            "certflow cleanup -i inventory.toml",
            "certflow cleanup -i inventory.toml -j CLEAN1.journal",
        ),
    ),
    "remedies": Lesson(
        panel="Afterwards",
        changes=_NOTHING,
        exits=(Exit.NODE,),
        examples=(
            "certflow remedies -i inventory.toml --phone SEP001122334455",
            "certflow remedies -i inventory.toml --phone SEP1 --itl ITL.tlv --tftp pub",
        ),
        meanings={Exit.DONE: "the ways are printed, best first"},
    ),
    "report": Lesson(
        panel="Afterwards",
        changes="nothing but the file that --out names, JOURNAL.html if it is not given",
        exits=(),
        examples=(
            "certflow report -j CHG1.journal",
            "certflow report -j CHG1.journal --out CHG1.html --force",
        ),
        meanings={Exit.DONE: "the report is written"},
    ),
    "explain": Lesson(
        panel="Lab and learning",
        changes=_NOTHING,
        exits=(Exit.REFUSED,),
        examples=(
            "certflow explain CallManager --release 12.5 --mode mixed",
            "certflow explain TVS --release 14 --mode nonsecure",
        ),
        meanings={
            Exit.DONE: "the procedure is printed",
            Exit.REFUSED: "there is no procedure for that; the reason is printed",
        },
    ),
    "diagram": Lesson(
        panel="Lab and learning",
        changes=_NOTHING,
        exits=(Exit.REFUSED,),
        examples=(
            "certflow diagram command --out command.svg",
            "certflow diagram ITLRecovery --release 12.5 --mode mixed",
            "certflow diagram windows --scenario examples/scenarios/small.toml -u TVS",
        ),
        meanings={
            Exit.DONE: "it is drawn",
            Exit.REFUSED: "there is no such procedure, or the plan that is drawn is refused",
        },
    ),
    "lab": Lesson(
        panel="Lab and learning",
        changes="nothing outside this machine; writes inventory.toml and known_hosts to --folder",
        exits=(Exit.LEFT_BEHIND, Exit.NODE),
        examples=(
            "certflow lab examples/scenarios/small.toml",
            "certflow lab examples/scenarios/small.toml --ssh-port 2222 -- ./script.sh",
        ),
        meanings={
            Exit.DONE: "no phone is lost; with a command after --: the status of that command",
            Exit.LEFT_BEHIND: "phones are lost, or registered ones are not back",
            Exit.NODE: "an address or a port cannot be had",
            Exit.INTERRUPTED: "interrupted before it was ready, or twice: there is no verdict",
        },
    ),
}
"""By the name of the command, in the order of a change."""
