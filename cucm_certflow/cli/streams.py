"""Standard streams that cost nobody a run: closed ones, readers that left, narrow alphabets."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, TextIO

from cucm_certflow.cli.output import Exit

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

__all__ = ["go_on_unread", "standard_streams"]

_ESCAPED: Final = "certflow-escaped"
_outputs: Final[list[_Output]] = []


class _Output(io.RawIOBase):
    """A standard output that has a reader, or had one.

    When nobody can read it any more, a command that only looks has nothing left to do. One that
    changes a cluster has, and goes on unread.
    """

    goes_on = False

    def __init__(self, descriptor: int, name: str) -> None:
        self._descriptor = descriptor
        self._called = name

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer, /) -> int | None:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return None  # as io.RawIOBase has it
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._descriptor)  # what is still buffered must not fail once more
            os.close(nowhere)
            self._say(error)
            if self.goes_on:
                return memoryview(data).nbytes
            lost = error.errno == errno.EPIPE
            raise SystemExit(Exit.UNREAD if lost else Exit.USAGE) from None

    def _say(self, error: OSError) -> None:
        if self._called == "stderr" or (error.errno == errno.EPIPE and not self.goes_on):
            return
        reason = error.strerror or str(error)
        what = f"the output cannot be written any more: {reason}"
        if self.goes_on:
            what += "; the work goes on without it, `certflow status` shows a run by its journal"
        with contextlib.suppress(OSError, ValueError):
            print(what, file=sys.stderr, flush=True)


def go_on_unread() -> None:
    """From now on nothing ends because nobody reads what is printed."""
    for each in _outputs:
        each.goes_on = True


@contextlib.contextmanager
def standard_streams() -> Iterator[None]:
    """Standard streams as a command line needs them, until the block is left.

    A descriptor that is closed is the null device, so that no journal is opened in its place.
    Characters that the encoding of the terminal lacks are escaped as in JSON.
    """
    codecs.register_error(_ESCAPED, _escaped)
    for descriptor in (0, 1, 2):
        _not_closed(descriptor)
    before = sys.stdin, sys.stdout, sys.stderr
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - it is a descriptor, and stays open
    sys.stdout = _writing(sys.stdout, 1, "stdout")
    sys.stderr = _writing(sys.stderr, 2, "stderr")
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            sys.stdin, sys.stdout, sys.stderr = before
            _outputs.clear()


def _not_closed(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, os.O_RDWR)
        os.dup2(opened, descriptor)  # also where they are the same: commands of ours inherit it
        if opened != descriptor:
            os.close(opened)


def _writing(stream: TextIO | None, descriptor: int, name: str) -> TextIO:
    """*stream* through an :class:`_Output`; as it is if it belongs to no descriptor."""
    try:
        behind = descriptor if stream is None else stream.fileno()
    except (OSError, ValueError):
        assert stream is not None
        return stream
    if stream is not None:
        stream.flush()
    output = _Output(behind, name)
    _outputs.append(output)
    return io.TextIOWrapper(
        io.BufferedWriter(output),
        encoding=stream.encoding if stream is not None else "utf-8",
        errors=_ESCAPED,
        line_buffering=name == "stderr" or output.isatty(),
        write_through=name == "stderr",
    )


def _escaped(error: UnicodeError) -> tuple[str, int]:
    r"""Characters that cannot be written, as ``\uXXXX``: what JSON reads, and a person can."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end
