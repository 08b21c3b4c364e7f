"""A conversation with the platform command line, without any I/O: bytes in, actions out.

Nothing is decided before the node has been quiet for a while: the same bytes lead to the same
actions, however they were cut into pieces. Instants are seconds of any one monotonic clock; the
caller calls :meth:`Dialogue.tick` at :attr:`Dialogue.wake_at_s`.

What real nodes print, and the traps: prompts are printed twice, after an erase-line escape, or
before the success word; answers that are typed ahead get lost; pagers come up around the very
command that turns them off (Cisco's CLI references 12.5 and 15; its own test plugin *unicon*).
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.errors import Report, UsageError

__all__ = [
    "Action",
    "Asked",
    "Broken",
    "Dialogue",
    "Expected",
    "Finished",
    "Send",
    "State",
    "plain_text",
]

_PROMPT: Final = "admin:"
_TAIL: Final = 8192
_MAX_NUDGES: Final = 3


class State(Enum):
    """Where the conversation is."""

    STARTING = "starting"
    AT_PROMPT = "at the prompt"
    RUNNING = "running a command"
    PAGER_1 = "at the pager"
    PAGER_2 = "at the file viewer"
    QUESTION = "answering a question"
    DEAD = "dead"


@attrs.frozen
class Send:
    """Write *data* now."""

    data: bytes


@attrs.frozen
class Finished:
    """The prompt is back; *text* is what the command printed, without echo, prompt and pagers.

    *cut* says that a file viewer had to be left, so that the text is not all of it.
    """

    text: str
    cut: bool = False


@attrs.frozen
class Asked:
    """The node asks something that was not expected. Nothing was answered: close the session."""

    question: str
    text: str = ""


@attrs.frozen
class Broken:
    """The conversation is over. Nothing more is sent: close the session."""

    reason: str
    text: str = ""


Action = Send | Finished | Asked | Broken


@attrs.frozen
class Expected:
    """A question that a command is known to ask, and the answer to it.

    Args:
        pattern: A regular expression for the whole last line, case ignored.
        answer: What is typed, character by character.
        enter: Whether Enter follows; single-key questions take none.
    """

    pattern: str
    answer: str
    enter: bool = True

    def matches(self, question: str) -> bool:
        """Whether *question* is this one."""
        return re.fullmatch(self.pattern, question.strip(), re.IGNORECASE) is not None


# ── reading ───────────────────────────────────────────────────────────────────────────────

_PAGER_1: Final = "Press <enter> for 1 line, <space> for one page, or <q> to quit"
_PAGER_1_SHOWN: Final = re.compile(re.escape(_PAGER_1) + r"\Z")
_VIEWER: Final = (
    r"options: q=quit, n=next, p=prev, b=begin, e=end \(lines \d+ - \d+ of \d+\) :[ \t]*"
)
_VIEWER_SHOWN: Final = re.compile(_VIEWER + r"\Z")
_PAGERS: Final = re.compile(re.escape(_PAGER_1) + "|" + _VIEWER)
_ERASE: Final = "\x1b[K"
_ESCAPES: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-JL-~]|\x1b\[[0-9]+K|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][0-9A-B]"
    r"|\x1b[=>78cDEHM]|[\x00\x07]"
)
_QUESTION: Final = re.compile(
    r"\(\s*(?:yes|y)\s*[|/]\s*(?:no|n)\s*\)\s*[?:]*\s*[?:]*\Z"
    r'|Enter "y" followed by return to continue\s*:?\Z',
    re.IGNORECASE,
)
_AT_PROMPT: Final = re.compile(rf"(?:\A|\n){re.escape(_PROMPT)}[ \t]*\Z")
_LEADING_PROMPTS: Final = re.compile(rf"\A(?:\s*{re.escape(_PROMPT)}[ \t]*(?=\n|\Z))*\n*")
_TRAILING_PROMPTS: Final = re.compile(rf"(?:(?:\A|\n){re.escape(_PROMPT)}[ \t\n]*)+\Z")


def _lines(raw: bytes | bytearray) -> str:
    """*raw* with line ends and escapes made simple; erase-line marks and pagers are still there."""
    text = _ESCAPES.sub("", raw.decode("utf-8", "replace"))
    # A pager is erased by a carriage return and an erase-line: what comes next takes its line.
    text = re.sub(r"\r[ ]*\x1b\[K", "\x1b[K", text)
    return re.sub(r"\r*\n|\r", "\n", text)


def plain_text(raw: bytes | bytearray) -> str:
    r"""*raw* as text: no escapes, one kind of line end, pagers gone.

    >>> plain_text(b"a\r\n\x1b[1mPress <enter> for 1 line, <space> for one page, "
    ...            b"or <q> to quit\x1b[0m\r\x1b[Kb\r\n")
    'a\nb\n'
    """
    return _PAGERS.sub("", _lines(raw)).replace(_ERASE, "")


def _echo_of(command: str) -> re.Pattern[str]:
    # A long line is wrapped at the terminal's width, in the middle of a word.
    words = r"\s+".join(r"\s*".join(map(re.escape, word)) for word in command.split())
    return re.compile(rf"(?:\A|\n|{re.escape(_PROMPT)})[ \t]*{words}[ \t]*(?=\n|\Z)")


# ── the engine ────────────────────────────────────────────────────────────────────────────


class Dialogue:
    """One session, from its first byte to its end.

    Args:
        quiet_s: Seconds of silence before a prompt, a question or a pager is believed; over 0.
        grace_s: Further seconds, if a command has printed nothing at all: the success word may
            come after the prompt.
        nudge_s: Silence after the Welcome line before a newline is sent.
        doubt_s: Silence after which an open line that ends in ``?`` or ``:`` is a question.
        key_pause_s: Seconds between the characters of an answer; half of *quiet_s* if not given.
        limit_bytes: A command that prints more than this is broken off.
    """

    def __init__(
        self,
        *,
        quiet_s: float = 0.3,
        grace_s: float = 1.0,
        nudge_s: float = 3.0,
        doubt_s: float = 10.0,
        key_pause_s: float | None = None,
        limit_bytes: int = 16 * 1024 * 1024,
    ) -> None:
        if quiet_s <= 0:
            message = f"quiet_s must be over 0, saw {quiet_s}"
            raise ValueError(message)
        self._quiet_s = quiet_s
        self._grace_s = grace_s
        self._nudge_s = nudge_s
        self._doubt_s = doubt_s
        self._key_pause_s = quiet_s / 2 if key_pause_s is None else key_pause_s
        self._limit = limit_bytes
        self._state = State.STARTING
        self._raw = bytearray()
        self._mark = 0  # what lies before it has been dealt with
        self._quiet_since = 0.0
        self._keys: deque[bytes] = deque()
        self._next_key_at = 0.0
        self._echo: re.Pattern[str] | None = None
        self._questions: list[Expected] = []
        self._nudges = 0
        self._cut = False
        self._wake: float | None = None

    @property
    def state(self) -> State:
        """Where the conversation is."""
        return self._state

    @property
    def wake_at_s(self) -> float | None:
        """When to call :meth:`tick` next, if nothing is fed before; None for never."""
        return self._wake

    @property
    def so_far(self) -> str:
        """What has been printed since the command was sent; evidence for a broken session."""
        return plain_text(self._raw)

    # ── what the caller does ──────────────────────────────────────────────────────────────

    def command(self, text: str, at_s: float, questions: Sequence[Expected] = ()) -> list[Action]:
        """Type *text* and Enter. *questions* are those that it may ask, each once.

        Raises:
            UsageError: *text* has characters that the command line acts on at once (``?``, TAB,
                control characters) or cannot take, or no prompt is there. Nothing was sent.
        """
        if not text.strip() or not all(" " <= c <= "~" for c in text) or "?" in text:
            raise UsageError(
                Report(
                    headline="a command for the platform command line cannot be typed",
                    expected="printable ASCII without '?' and TAB, which act at once",
                    saw=ascii(text[:80]),
                    left="nothing was sent",
                )
            )
        if self._state is not State.AT_PROMPT:
            raise UsageError(
                Report(
                    headline=f"the session is {self._state.value}, not at its prompt",
                    left="nothing was sent",
                )
            )
        self._state = State.RUNNING
        self._raw.clear()
        self._mark = 0
        self._cut = False
        self._echo = _echo_of(text)
        self._questions = list(questions)
        self._hear(at_s)
        return [Send(text.encode("ascii") + b"\n")]

    def feed(self, data: bytes, at_s: float) -> list[Action]:
        """*data* came in at *at_s*."""
        if self._state is State.DEAD or not data:
            return []
        self._raw += data
        if len(self._raw) > self._limit:
            return self._break(f"more than {self._limit} bytes of output")
        if self._state is State.AT_PROMPT:
            return []  # a second prompt, a late word: dropped when the next command echoes
        if self._state in (State.PAGER_1, State.PAGER_2):
            self._state = State.RUNNING if self._echo else State.STARTING
        self._hear(at_s)
        return []

    def closed(self, reason: str = "the session ended") -> list[Action]:
        """The connection is gone."""
        return [] if self._state is State.DEAD else self._break(reason)

    def tick(self, at_s: float) -> list[Action]:
        """Time has come to *at_s*."""
        if self._state in (State.DEAD, State.AT_PROMPT) or self._wake is None or at_s < self._wake:
            return []
        if self._keys:
            return self._type(at_s)
        return self._judge(at_s)

    # ── inside ────────────────────────────────────────────────────────────────────────────

    def _hear(self, at_s: float) -> None:
        self._quiet_since = at_s
        self._wake = self._next_key_at if self._keys else at_s + self._quiet_s

    def _wait(self, seconds: float | None) -> list[Action]:
        """Look again when it has been quiet for *seconds*."""
        self._wake = None if seconds is None else self._quiet_since + seconds
        return []

    def _quiet_for(self, seconds: float, at_s: float) -> bool:
        # The very sum of _wait: a difference could round to just less, and never be reached.
        return at_s >= self._quiet_since + seconds

    def _type(self, at_s: float) -> list[Action]:
        key = self._keys.popleft()
        self._quiet_since = at_s
        if self._keys:
            self._next_key_at = self._wake = at_s + self._key_pause_s
        else:
            self._state = State.RUNNING
            self._wake = at_s + self._quiet_s
        return [Send(key)]

    def _judge(self, at_s: float) -> list[Action]:
        shown = self._tail()
        if _PAGER_1_SHOWN.search(shown):
            return self._leave(State.PAGER_1, b" ")
        if _VIEWER_SHOWN.search(shown):
            self._cut = True
            return self._leave(State.PAGER_2, b"q")
        # The prompt can directly follow an erase-line instead of a line end.
        shown = _PAGERS.sub("", shown).removesuffix(_ERASE).replace(_ERASE, "\n")
        if _AT_PROMPT.search(shown):
            return self._prompt_shown(at_s)
        last = shown.rsplit("\n", 1)[-1].strip()
        if _QUESTION.search(last):
            return self._asked(last, at_s)
        if last.endswith(("?", ":")):
            if not self._quiet_for(self._doubt_s, at_s):
                return self._wait(self._doubt_s)
            return self._asked(last, at_s)
        if self._state is State.STARTING and not last:
            return self._nudge(at_s)
        return self._wait(None)

    def _tail(self) -> str:
        start = len(self._raw) - _TAIL
        if start <= self._mark:
            return _lines(self._raw[self._mark :])
        return _lines(self._raw[start:]).partition("\n")[2]  # what is left of a line is none

    def _leave(self, state: State, key: bytes) -> list[Action]:
        self._state = state
        self._mark = len(self._raw)
        self._wake = None
        return [Send(key)]

    def _prompt_shown(self, at_s: float) -> list[Action]:
        text = plain_text(self._raw)
        if self._echo is not None:
            echo = self._echo.search(text)
            if echo is None:
                return self._wait(None)  # a prompt from before the command
            text = _LEADING_PROMPTS.sub("", text[echo.end() :])
            text = _TRAILING_PROMPTS.sub("", text).strip("\n")
            patience_s = self._quiet_s + self._grace_s
            if not text and not self._quiet_for(patience_s, at_s):
                return self._wait(patience_s)
        else:
            text = _TRAILING_PROMPTS.sub("", text).strip("\n")
        self._state = State.AT_PROMPT
        self._raw.clear()
        self._mark = 0
        self._wake = None
        return [Finished(text, self._cut)]

    def _asked(self, question: str, at_s: float) -> list[Action]:
        expected = next((e for e in self._questions if e.matches(question)), None)
        if expected is None or self._state is State.STARTING or not self._echoed():
            text = plain_text(self._raw)
            self._die()
            return [Asked(question, text)]
        self._questions.remove(expected)
        self._mark = len(self._raw)
        self._state = State.QUESTION
        self._keys.extend(bytes([key]) for key in expected.answer.encode("ascii"))
        if expected.enter:
            self._keys.append(b"\n")
        return self._type(at_s)

    def _echoed(self) -> bool:
        return self._echo is not None and self._echo.search(plain_text(self._raw)) is not None

    def _nudge(self, at_s: float) -> list[Action]:
        if b"Welcome" not in self._raw or self._nudges >= _MAX_NUDGES:
            return self._wait(None)
        if not self._quiet_for(self._nudge_s, at_s):
            return self._wait(self._nudge_s)
        self._nudges += 1
        self._quiet_since = at_s
        self._wake = at_s + self._quiet_s
        return [Send(b"\n")]

    def _break(self, reason: str) -> list[Action]:
        text = plain_text(self._raw[-_TAIL:])
        self._die()
        return [Broken(reason, text)]

    def _die(self) -> None:
        self._state = State.DEAD
        self._keys.clear()
        self._wake = None
