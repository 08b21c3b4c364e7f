"""The node's end of a terminal: keys come in, text goes out; no socket in between."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final

__all__ = ["HungUp", "Interrupted", "Reset", "Terminal"]

_ERASE: Final = ("\x7f", "\b")
_CTRL_C: Final = "\x03"
_CTRL_D: Final = "\x04"
_PAGE_LINES: Final = 24
_PAGER: Final = (
    "\x1b[1mPress <enter> for 1 line, <space> for one page, or <q> to quit\x1b[0m"  # pager 1
)
_VIEW_LINES: Final = 20


class HungUp(Exception):
    """The line is dead: the client went away, or the node dropped it."""


class Reset(HungUp):
    """The node's end of the connection is reset, in the middle of whatever was going on."""


class Interrupted(Exception):
    """Ctrl-C was typed at a question."""


class Terminal:
    """What is typed, in order, and how text is printed: CRLF, echo, the two pagers.

    Args:
        send: Takes what goes to the client.
    """

    def __init__(self, send: Callable[[str], None]) -> None:
        self._send = send
        self._keys: deque[str] = deque()
        self._arrived = asyncio.Event()
        self._is_dead = False
        self.pages = True
        """Whether pager 1 stops after each page (``set cli pagination``)."""

    # ── the client's side ─────────────────────────────────────────────────────────────────

    def feed(self, text: str) -> None:
        """Take what the client typed."""
        self._keys.extend(text)
        self._arrived.set()

    def hang_up(self) -> None:
        """The client is gone: whoever reads gets :class:`HungUp`."""
        self._is_dead = True
        self._arrived.set()

    # ── the node's side ───────────────────────────────────────────────────────────────────

    async def read_key(self) -> str:
        """The next key.

        Raises:
            HungUp: nobody will type any more.
        """
        while not self._keys:
            if self._is_dead:
                raise HungUp
            self._arrived.clear()
            await self._arrived.wait()
        return self._keys.popleft()

    async def stay_silent(self) -> None:
        """Take keys, and never answer again; only the client ends it.

        Raises:
            HungUp: always, in the end.
        """
        while True:
            await self.read_key()

    def drop_typed(self) -> None:
        """Lose what was typed ahead, as real nodes do when they ask something."""
        self._keys.clear()

    def write(self, text: str) -> None:
        """Print *text*; a line feed becomes CRLF."""
        if not self._is_dead:
            self._send(text.replace("\n", "\r\n"))

    def print(self, *lines: str) -> None:
        """Print lines, without a pager."""
        self.write("".join(f"{line}\n" for line in lines))

    async def read_line(
        self, *, on_help: Callable[[str], None] | None = None, echo: bool = True
    ) -> str:
        """A line, echoed as it is typed; ``?`` calls *on_help* at once, with what is before it.

        Raises:
            HungUp: nobody will type any more, or Ctrl-D was typed on an empty line.
            Interrupted: Ctrl-C was typed.
        """
        typed = ""
        while True:
            key = await self.read_key()
            if key in "\r\n":
                if key == "\r" and self._keys and self._keys[0] == "\n":
                    self._keys.popleft()
                self.write("\n")
                return typed
            if key == _CTRL_C:
                raise Interrupted
            if key == _CTRL_D and not typed:
                raise HungUp
            if key in _ERASE:
                if typed:
                    typed = typed[:-1]
                    self.write("\b \b" if echo else "")
            elif key == "?" and on_help is not None:
                on_help(typed)
            elif key.isprintable():
                typed += key
                if echo:
                    self.write(key)

    async def ask_line(self, question: str, *, echo: bool = True) -> str:
        """Ask; the answer is a line. What was typed before the question is lost."""
        self.write(question)
        self.drop_typed()
        return await self.read_line(echo=echo)

    async def ask_key(self, question: str) -> str:
        """Ask; the answer is one key, without Enter."""
        self.write(question)
        self.drop_typed()
        key = await self.read_key()
        if key == _CTRL_C:
            raise Interrupted
        self.write(f"{key}\n" if key.isprintable() else "\n")
        return key

    async def page(self, text: str) -> None:
        """Print *text* through pager 1, if it is on."""
        left = _PAGE_LINES
        lines = text.splitlines()
        for index, line in enumerate(lines):
            self.print(line)
            left -= 1
            if left or not self.pages or index == len(lines) - 1:
                continue
            self.write(_PAGER)
            self.drop_typed()
            while (key := await self.read_key()) not in "\r\n q\x03":
                pass
            self.write("\r\x1b[K")
            if key in "q\x03":
                return
            left = _PAGE_LINES if key == " " else 1

    async def view(self, text: str) -> None:
        """Show *text* through pager 2, which pagination off does not switch off.

        It never ends by itself: only ``q`` ends it.
        """
        lines = text.splitlines()
        first = 0
        while True:
            shown = lines[first : first + _VIEW_LINES]
            self.print(*shown)
            if first + _VIEW_LINES >= len(lines):
                self.print("", "end of the file reached")
            last = first + len(shown)
            self.write(
                "\x1b[1m\noptions: q=quit, n=next, p=prev, b=begin, e=end "
                f"(lines {first + 1} - {last} of {len(lines)}) : \x1b[0m"
            )
            self.drop_typed()
            key = await self.read_key()
            self.write("\n")
            end = max(0, len(lines) - _VIEW_LINES)
            match key:
                case "q" | "\x03":
                    return
                case "n":
                    first = min(first + _VIEW_LINES, end)
                case "p":
                    first = max(first - _VIEW_LINES, 0)
                case "b":
                    first = 0
                case "e":
                    first = end
                case _:
                    pass
