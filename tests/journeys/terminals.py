"""Another process on a terminal of its own, of a size that a test chooses."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

__all__ = ["OnTerminal", "on_terminal", "plain_of"]

ROOT: Final = Path(__file__).parents[2]
_WITHIN_S: Final = 120.0
_CONTROLS: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


def plain_of(text: str) -> str:
    """*text* without what moves the cursor, colours, or hides."""
    return _CONTROLS.sub("", text)


class OnTerminal:
    """A process whose three streams are one terminal."""

    def __init__(self, words: Sequence[str], columns: int, lines: int, **environment: str) -> None:
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        env |= {"TERM": "xterm-256color", "PYTHONUTF8": "1", "PYTHONPATH": str(ROOT), **environment}
        self.process = subprocess.Popen(
            [sys.executable, *words], stdin=slave, stdout=slave, stderr=slave, env=env, cwd=ROOT
        )
        os.close(slave)
        self._read: list[bytes] = []
        self._reader = threading.Thread(target=self._drain, daemon=True)
        self._reader.start()

    def _drain(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65536)
            except OSError:  # Linux: the other end is closed
                return
            if not data:
                return
            self._read.append(data)

    @property
    def text(self) -> str:
        """Everything that was written to the terminal so far."""
        return b"".join(self._read).decode(errors="replace")

    def wait_for(self, words: str) -> None:
        """Wait until *words* were written, whatever colours are between them."""
        until = time.monotonic() + _WITHIN_S
        while words not in plain_of(self.text):
            assert time.monotonic() < until, plain_of(self.text)[-3000:]
            assert self.process.poll() is None or words in plain_of(self.text), self.text[-3000:]
            time.sleep(0.05)

    def interrupt(self) -> None:
        """As Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for its end, and for what it wrote; its exit status."""
        status = self.process.wait(_WITHIN_S)
        self._reader.join(10)
        return status

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join(10)
        os.close(self._master)


@contextlib.contextmanager
def on_terminal(
    *words: str, columns: int = 100, lines: int = 40, **environment: str
) -> Iterator[OnTerminal]:
    there = OnTerminal(words, columns, lines, **environment)
    try:
        yield there
    finally:
        there.close()
