"""Plays a node to the dialogue engine, on a clock of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cucm_certflow.transports.vos.dialogue import Action, Dialogue, Expected, Finished, Send, State

FIXTURES = Path(__file__).parent / "fixtures"
QUIET_S = 0.3


def raw_fixture(name: str) -> bytes:
    """The transcript without its two comment lines."""
    return (FIXTURES / f"{name}.txt").read_bytes().split(b"\n", 2)[2]


class Talk:
    """A dialogue and the instant that it is."""

    def __init__(self, dialogue: Dialogue | None = None) -> None:
        self.dialogue = dialogue or Dialogue(quiet_s=QUIET_S)
        self.now = 100.0
        self.actions: list[Action] = []

    def at_prompt(self) -> Talk:
        self.hear(b"admin:")
        assert self.dialogue.state is State.AT_PROMPT
        self.actions.clear()
        return self

    def type(self, command: str, questions: Sequence[Expected] = ()) -> Talk:
        self.actions += self.dialogue.command(command, self.now, questions)
        return self

    def pieces(self, pieces: Iterable[bytes]) -> Talk:
        """Pieces with hardly any time between them."""
        for piece in pieces:
            self.now += 0.001
            self.actions += self.dialogue.feed(piece, self.now)
        return self

    def hear(self, data: bytes) -> Talk:
        return self.pieces([data]).rest()

    def rest(self, at_most_s: float = 30.0) -> Talk:
        """Let time pass until the engine waits for the node, or for *at_most_s*."""
        end = self.now + at_most_s
        while (wake := self.dialogue.wake_at_s) is not None and wake <= end:
            self.now = max(self.now, wake)
            self.actions += self.dialogue.tick(self.now)
        return self

    @property
    def sent(self) -> bytes:
        return b"".join(action.data for action in self.actions if isinstance(action, Send))

    @property
    def last(self) -> Action | None:
        return self.actions[-1] if self.actions else None

    @property
    def text(self) -> str:
        assert isinstance(self.last, Finished), self.last
        return self.last.text


def split_command(raw: bytes) -> tuple[str, bytes]:
    """A captured session as what was typed and what came back; bodies alone have no command."""
    first, _, rest = raw.partition(b"\n")
    if first.startswith(b"admin:"):
        return first.removeprefix(b"admin:").decode("utf-8").strip(), rest
    return "show something", raw


def stream_of(command: str, body: bytes) -> bytes:
    """What a node sends for *command*: echo, output with CRLF, prompt."""
    lines = body.replace(b"\r\n", b"\n").rstrip(b"\n").replace(b"\n", b"\r\n")
    if lines.endswith(b"\nadmin:"):
        lines = lines.removesuffix(b"admin:").rstrip()
    return command.encode("ascii") + b"\r\n" + lines + b"\r\nadmin:"


def printed(name: str) -> str:
    """The output of the captured command, as the engine hands it on."""
    command, body = split_command(raw_fixture(name))
    talk = Talk().at_prompt().type(command)
    return talk.hear(stream_of(command, body)).text
