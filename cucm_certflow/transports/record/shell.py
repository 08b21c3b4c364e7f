"""What is typed and printed on the platform command line, recorded and given again.

Content, each with its ``session``: ``opened`` or ``failed`` (``error``); ``typed`` and ``printed``
(``data``), in the pieces in which they came; ``ended`` (``why``), or ``released`` by us. The login
is not part of it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Final

import attrs

from cucm_certflow.errors import CertflowError, NodeUnreachable, Report
from cucm_certflow.transports.record.document import (
    Direction,
    Entry,
    Layer,
    Recording,
    Tag,
    bytes_to_json,
    error_from_json,
    error_to_json,
)
from cucm_certflow.transports.record.scrub import Stream
from cucm_certflow.transports.record.writer import Writer
from cucm_certflow.transports.vos.session import Ear, Network, Shell

__all__ = ["RecordingShells", "ReplayShells"]


# ── recording ─────────────────────────────────────────────────────────────────────────────


class RecordingShells:
    """Writes down every shell of one node; a hook for ``VosTransport``.

    Args:
        writer: Where it is written.
        node: The node's name.
    """

    def __init__(self, writer: Writer, node: str) -> None:
        self._writer = writer
        self._way = writer.scrubber.text(node)
        self._sessions = count(1)
        self._open: list[_Tape] = []

    async def __call__(self, ear: Ear, network: Network) -> Shell:
        """Open a shell by *network*, and write down what goes to and fro."""
        tape = _Tape(self._writer, self._way, next(self._sessions), ear)
        try:
            tape.shell = await network(tape)
        except CertflowError as error:
            tape.failed(error)
            raise
        tape.note("opened", Direction.IN, {})
        self._open.append(tape)
        return tape

    def flush(self) -> None:
        """Write what is held back yet; before the recording is closed."""
        for tape in self._open:
            tape.flush()


class _Tape:
    """One shell: the ear of the real one, and the shell of the dialogue."""

    def __init__(self, writer: Writer, way: str, session: int, ear: Ear) -> None:
        self.shell: Shell | None = None
        self._writer = writer
        self._way = way
        self._session = session
        self._ear = ear
        self._streams: dict[Direction, Stream[Tag]] = {
            direction: Stream(writer.scrubber) for direction in Direction
        }
        self._is_over = False

    # What comes in.

    def hear(self, data: bytes) -> None:
        self._pass(Direction.IN, data)
        self._ear.hear(data)

    def end(self, why: str) -> None:
        self._over("ended", {"why": self._writer.scrubber.text(why)})
        self._ear.end(why)

    # What goes out.

    def write(self, data: bytes) -> None:
        assert self.shell is not None
        self._pass(Direction.OUT, data)
        self.shell.write(data)

    def abort(self) -> None:
        assert self.shell is not None
        self._over("released", {})
        self.shell.abort()

    async def wait_closed(self) -> None:
        assert self.shell is not None
        await self.shell.wait_closed()

    # What is written down.

    def failed(self, error: CertflowError) -> None:
        scrubbed = self._writer.scrubber.json(error_to_json(error))
        self._over("failed", {"error": scrubbed})

    def _pass(self, direction: Direction, data: bytes) -> None:
        if not self._is_over:
            self._pieces(direction, self._streams[direction].feed(self._writer.tag(), data))

    def _over(self, kind: str, content: dict[str, object]) -> None:
        if not self._is_over:
            self.flush()
            self._is_over = True
            self.note(kind, Direction.OUT if kind == "released" else Direction.IN, content)

    def flush(self) -> None:
        for direction, stream in self._streams.items():
            self._pieces(direction, stream.flush())

    def _pieces(self, direction: Direction, pieces: list[tuple[Tag, bytes]]) -> None:
        kind = "typed" if direction is Direction.OUT else "printed"
        for tag, piece in pieces:
            self.note(kind, direction, {"data": bytes_to_json(piece)}, tag)

    def note(
        self, kind: str, direction: Direction, content: dict[str, object], tag: Tag | None = None
    ) -> None:
        self._writer.write(
            tag or self._writer.tag(),
            Layer.SHELL,
            self._way,
            direction,
            {"kind": kind, "session": self._session, **content},
        )


# ── replaying ─────────────────────────────────────────────────────────────────────────────

_ASTRAY: Final = "what is typed does not come next in the recording"


class ReplayShells:
    """Gives one node's shells again from a recording; a hook for ``VosTransport``.

    The first shell that is opened is the first of the recording, and so on. What is typed must be
    what was typed, in that order; what was printed then comes after it. Anything else ends the
    session, and no further one is opened: from there on the recording tells nothing. Where the
    recording was cut off, nothing more is printed.

    A caller that asks the same in another order, because its pauses are others, can be answered
    with *in_order* False: a command line is then looked for in all of the recording, from its
    beginning, and the last answer to it is given as often as it is asked for.

    Args:
        recording: Its shells are replayed.
        node: The node's name, as the recording has it.
        chunk_bytes: The size into which output is cut; 1 or more. As it came if it is None. A
            piece comes when the last byte of it came.
        pace: What the pauses of the recording are multiplied with; 0 for none at all.
        in_order: Whether commands must come as they did.

    Raises:
        RecordingError: An entry of it does not read.
    """

    def __init__(
        self,
        recording: Recording,
        node: str,
        *,
        chunk_bytes: int | None = None,
        pace: float = 1.0,
        in_order: bool = True,
    ) -> None:
        if chunk_bytes is not None and chunk_bytes < 1:
            message = f"chunk_bytes must be 1 or more, saw {chunk_bytes}"
            raise ValueError(message)
        self._node = node
        self._chunk_bytes = chunk_bytes
        self._pace = pace
        self._is_astray = False
        sessions: dict[int, list[Entry]] = {}
        for entry in recording.of(Layer.SHELL):
            if entry.way == node:
                sessions.setdefault(entry.whole("session"), []).append(entry)
        self._scripts = deque(_Script.of(sessions[number]) for number in sorted(sessions))
        self._commands: dict[bytes, deque[list[_Turn]]] | None = None if in_order else {}
        if self._commands is not None:
            for script in self._scripts:
                for turns in script.take_commands():
                    self._commands.setdefault(turns[0].typed, deque()).append(turns)

    async def __call__(self, ear: Ear, network: Network) -> Shell:
        """Open the next shell of the recording; *network* is not used.

        Raises:
            NodeError: The shell could not be opened then; or there is none left, or an earlier one
                went astray.
        """
        if self._is_astray or not self._scripts:
            saw = _ASTRAY if self._is_astray else "no further session"
            raise NodeUnreachable(
                Report(
                    headline=f"{self._node}: not in the recording", saw=saw, left="nothing was sent"
                )
            )
        script = self._scripts.popleft()
        if script.failed is not None:
            raise error_from_json(script.failed)
        return _ReplayShell(self, script.turns, ear, self._pace)

    def astray(self) -> None:
        """Something was typed that the recording does not have."""
        self._is_astray = True

    def command(self, typed: bytes) -> list[_Turn]:
        """What followed the command line *typed*; nothing if order counts, or it is not there."""
        found = None if self._commands is None else self._commands.get(typed)
        if not found:
            return []
        return found.popleft() if len(found) > 1 else found[0]

    def cut(self, printed: list[tuple[float, bytes]]) -> Iterator[tuple[float, bytes]]:
        """*printed* in pieces of the size that was asked for."""
        if self._chunk_bytes is None:
            yield from printed
            return
        rest = b""
        for at_s, data in printed:
            rest += data
            whole = len(rest) - len(rest) % self._chunk_bytes
            for start in range(0, whole, self._chunk_bytes):
                yield at_s, rest[start : start + self._chunk_bytes]
            rest = rest[whole:]
        if rest:
            yield printed[-1][0], rest


@attrs.define
class _Turn:
    """Something typed, and what was printed after it until something was typed again."""

    typed: bytes
    at_s: float
    printed: list[tuple[float, bytes]] = attrs.field(factory=list[tuple[float, bytes]])
    end: tuple[float, str] | None = None


@attrs.define
class _Script:
    turns: list[_Turn]
    failed: Entry | None = None

    @classmethod
    def of(cls, entries: list[Entry]) -> _Script:
        """The script of one session; RecordingError if an entry does not read."""
        opened_s = next((e.at_s for e in entries if e.kind == "opened"), entries[0].at_s)
        script = cls([_Turn(b"", opened_s)])
        typed = 0
        for entry in entries:
            match entry.kind:
                case "opened" | "released":
                    pass
                case "failed":
                    error_from_json(entry)
                    script.failed = entry
                case "typed" if entry.number == typed:
                    script.turns[-1].typed += entry.data("data")
                case "typed":
                    typed = entry.number
                    script.turns.append(_Turn(entry.data("data"), entry.at_s))
                case "printed":
                    script.turns[-1].printed.append((entry.at_s, entry.data("data")))
                case "ended":
                    script.turns[-1].end = (entry.at_s, entry.text("why"))
                case _:
                    raise entry.wrong("kind")
        return script

    def take_commands(self) -> list[list[_Turn]]:
        """Everything from the first command line on, by command; the beginning is left."""
        turns, self.turns = self.turns, []
        commands: list[list[_Turn]] = []
        for turn in turns:
            if _is_command(turn.typed):
                commands.append([turn])
            elif commands:
                commands[-1].append(turn)
            else:
                self.turns.append(turn)
        return commands


def _is_command(typed: bytes) -> bool:
    """Whether it is a command line, which is typed at once; answers are typed key by key."""
    return len(typed) > 1 and typed.endswith(b"\n")


class _ReplayShell:
    def __init__(self, replay: ReplayShells, turns: list[_Turn], ear: Ear, pace: float) -> None:
        self._replay = replay
        self._turns = deque(turns)
        self._ear = ear
        self._pace = pace
        self._typed = b""
        self._queue: deque[tuple[float, bytes | str]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False
        self._begin(self._turns.popleft())

    def write(self, data: bytes) -> None:
        """Type *data*: what was printed after it begins to come."""
        if self._is_over:
            return
        if _is_command(data):
            turns = self._replay.command(data)
            if turns:
                self._turns = deque(turns)
        self._typed += data
        while self._turns and self._typed.startswith(self._turns[0].typed):
            turn = self._turns.popleft()
            self._typed = self._typed[len(turn.typed) :]
            self._begin(turn)
            if not self._typed:
                return
        if not self._turns or not self._turns[0].typed.startswith(self._typed):
            self.abort()
            self._replay.astray()
            self._ear.end(_ASTRAY)

    def abort(self) -> None:
        """Nothing more comes; idempotent."""
        self._is_over = True
        self._queue.clear()
        if self._timer is not None:
            self._timer.cancel()

    async def wait_closed(self) -> None:
        """It is gone already."""

    def _begin(self, turn: _Turn) -> None:
        now = asyncio.get_running_loop().time()
        events: list[tuple[float, bytes | str]] = [*self._replay.cut(turn.printed)]
        if turn.end is not None:
            events.append(turn.end)
        for at_s, what in events:
            due = now + max(0.0, at_s - turn.at_s) * self._pace
            if self._queue:
                due = max(due, self._queue[-1][0])
            self._queue.append((due, what))
        self._next()

    def _next(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._queue:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._queue[0][0], self._come)

    def _come(self) -> None:
        # What is due at one instant comes at once, and in order.
        due, _ = self._queue[0]
        while self._queue and self._queue[0][0] <= due:
            _, what = self._queue.popleft()
            if isinstance(what, bytes):
                self._ear.hear(what)
            else:
                self._is_over = True
                self._ear.end(what)
        self._next()
