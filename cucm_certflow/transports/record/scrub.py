"""Takes secrets out of what is recorded, before it is written, however they are written or cut."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final, Generic, TypeVar

from cucm_certflow.errors import RecordingError, Report
from cucm_certflow.inventory import Account, Inventory
from cucm_certflow.transports.record.needles import (
    Needle,
    needles_of,
    needles_of_login,
    pattern_of,
    tail_that_could_begin,
)
from cucm_certflow.transports.record.pseudonyms import Pseudonyms

__all__ = ["LEAST_SECRET", "REDACTED", "Scrubber", "Stream"]

T = TypeVar("T")

REDACTED: Final = "<redacted>"
"""Stands where a secret was; the same as in errors and replies of the library."""

LEAST_SECRET: Final = 4
"""Characters of a password that can be told from other text; CUCM itself wants six or more."""

_REDACTED: Final = REDACTED.encode()
_KEY_BEGINS: Final = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_KEY_ENDS: Final = re.compile(rb"-----END (?:[A-Z0-9]+ )*PRIVATE KEY-----")
_MARK_BEGINS: Final = re.compile(
    rb"-(?:-(?:-(?:-(?:-(?:B(?:E(?:G(?:I(?:N(?: [A-Z0-9 ]*-{0,4})?)?)?)?)?)?)?)?)?)?\Z"
)
_LONGEST_MARK: Final = 64
_LONGEST_KEY: Final = 64 << 10
"""Bytes after which a private key without an end is taken for something else."""

_WORD: Final = re.compile(rb"[\w.:@+-]+ *\Z")
_LONGEST_WORD: Final = 255
"""Bytes of a name and the spaces after it; longer ones are none."""

_SECRET_HEADERS: Final = frozenset({"authorization", "proxy-authorization"})
_COOKIE_HEADERS: Final = frozenset({"cookie", "set-cookie"})
_LEAST_COOKIE: Final = 8
_MOST_COOKIES: Final = 64


class Scrubber:
    """What may not be in a recording, and what stands there instead.

    Args:
        inventory: Whose passwords are taken out.
        pseudonyms: Whether names are replaced as well.

    Raises:
        RecordingError: A password is too short to be told from other text.
    """

    def __init__(self, inventory: Inventory, *, pseudonyms: bool = False) -> None:
        self.pseudonyms = Pseudonyms(inventory) if pseudonyms else None
        found: list[Needle] = []
        for account in _accounts(inventory):
            password = account.password.reveal()
            if not password:
                continue
            if len(password) < LEAST_SECRET:
                raise RecordingError(
                    Report(
                        headline=f"the password of {account.user!r} is too short for a recording",
                        expected=f"{LEAST_SECRET} characters or more",
                        left="nothing was recorded, nothing was sent",
                        next="choose a longer password, or go without a recording",
                    )
                )
            found += needles_of(password)
            found += needles_of_login(account.user, password)
        self._needles = tuple(dict.fromkeys(found))
        self._cookies: dict[bytes, None] = {}
        self._all = self._needles
        self._pattern = pattern_of(self._all)

    # ── whole content ─────────────────────────────────────────────────────────────────────

    def data(self, data: bytes) -> bytes:
        """*data* without secrets; all of it, not a piece of a stream.

        What is not text keeps its names: a trust list with others would be none any more.
        """
        done = bytearray()
        at = 0
        spans = self._secrets(data, len(data))
        edits = [(start, end, _REDACTED) for start, end in spans]
        if self.pseudonyms is not None and _is_text(data):
            edits = self.edits(data, len(data))
        for start, end, other in edits:
            done += data[at:start] + other
            at = end
        return bytes(done + data[at:])

    def text(self, text: str) -> str:
        """*text* without secrets."""
        return self.data(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def json(self, value: object) -> object:
        """*value*, made of what JSON has, with every text in it scrubbed, names of members too."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(key)): self.json(inner) for key, inner in value.items()}
            case list() | tuple():
                return [self.json(inner) for inner in value]
            case _:
                return value

    def headers(self, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """HTTP headers without credentials; what cookies hold is taken out from now on."""
        return [(name, self._header(name.casefold(), value)) for name, value in headers]

    def _header(self, name: str, value: str) -> str:
        if name in _SECRET_HEADERS:
            scheme, _, rest = value.partition(" ")
            return f"{scheme} {REDACTED}" if rest else REDACTED
        if name not in _COOKIE_HEADERS:
            return self.text(value)
        parts = value.split(";")
        kept = [self._cookie(part) for part in parts[: 1 if name == "set-cookie" else None]]
        return self.text(";".join((*kept, *parts[len(kept) :])))

    def _cookie(self, pair: str) -> str:
        name, equals, value = pair.partition("=")
        secret = value.strip().strip('"')
        if len(secret) >= _LEAST_COOKIE:
            self._cookies.pop(secret.encode(), None)
            self._cookies[secret.encode()] = None
            if len(self._cookies) > _MOST_COOKIES:
                del self._cookies[next(iter(self._cookies))]
            cookies = [
                tuple((value[i : i + 1],) for i in range(len(value))) for value in self._cookies
            ]
            self._all = (*self._needles, *cookies)
            self._pattern = pattern_of(self._all)
        return f"{name}=redacted" if equals else REDACTED

    # ── streams ───────────────────────────────────────────────────────────────────────────

    def edits(self, data: bytes, end: int) -> list[tuple[int, int, bytes]]:
        """What to replace in *data*: from, to, and by what, in order.

        Secrets that begin before *end*, and names that lie before it.
        """
        found: list[tuple[int, int, bytes]] = []
        at = 0
        for start, stop in (*self._secrets(data, end), (end, end)):
            if self.pseudonyms is not None and at < start:
                found += self.pseudonyms.edits(data, at, start)
            if start < stop:
                found.append((start, stop, _REDACTED))
            at = stop
        return found

    def _secrets(self, data: bytes, end: int) -> list[tuple[int, int]]:
        spans = [] if self._pattern is None else [m.span() for m in self._pattern.finditer(data)]
        for begin in _KEY_BEGINS.finditer(data):
            last = begin.start() + _LONGEST_KEY
            mark = _KEY_ENDS.search(data, begin.end(), last)
            spans.append((begin.start(), mark.end() if mark else min(last, len(data))))
        merged: list[tuple[int, int]] = []
        for start, stop in sorted(spans):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(stop, merged[-1][1]))
            elif start < end:
                merged.append((start, stop))
        return merged

    def doubtful(self, data: bytes) -> int:
        """Where the end of *data* begins that may be a part of a secret, or of a name."""
        first = tail_that_could_begin(data, self._all)
        if self.pseudonyms is not None:
            word = _WORD.search(data[-_LONGEST_WORD:])
            if word is not None:
                first = min(first, len(data) - len(word[0]))
        for begin in _KEY_BEGINS.finditer(data):
            last = begin.start() + _LONGEST_KEY
            if len(data) < last and not _KEY_ENDS.search(data, begin.end()):
                first = min(first, begin.start())
        mark = _MARK_BEGINS.search(data[-_LONGEST_MARK:])
        if mark is not None:
            first = min(first, max(0, len(data) - _LONGEST_MARK) + mark.start())
        return first


class Stream(Generic[T]):
    """One stream of bytes in tagged pieces; a secret in it is found however it was cut.

    The end of what came is held back as long as it could be the beginning of a secret, and comes
    out under the tag that it went in with. What stands for a secret has the tag of its beginning.
    """

    def __init__(self, scrubber: Scrubber) -> None:
        self._scrubber = scrubber
        self._held: list[tuple[T, bytes]] = []

    def feed(self, tag: T, data: bytes) -> list[tuple[T, bytes]]:
        """*data* came; what can be written now."""
        self._held.append((tag, data))
        joined = b"".join(piece for _, piece in self._held)
        return self._pass(joined, self._scrubber.doubtful(joined))

    def flush(self) -> list[tuple[T, bytes]]:
        """No more will come; what was held back."""
        joined = b"".join(piece for _, piece in self._held)
        return self._pass(joined, len(joined))

    def _pass(self, joined: bytes, end: int) -> list[tuple[T, bytes]]:
        edits = self._scrubber.edits(joined, end)
        end = max([end, *(stop for _, stop, _ in edits)])
        ready: list[tuple[T, bytes]] = []
        held: list[tuple[T, bytes]] = []
        begin = 0
        for tag, piece in self._held:
            after = begin + len(piece)
            done = _edited(joined, begin, min(after, end), edits)
            if done:
                ready.append((tag, done))
            if after > end:
                held.append((tag, joined[max(begin, end) : after]))
            begin = after
        self._held = held
        return ready


def _edited(data: bytes, begin: int, end: int, edits: list[tuple[int, int, bytes]]) -> bytes:
    """*data* from *begin* to *end* with *edits*; each is where it begins."""
    done = bytearray()
    at = begin
    for start, stop, other in edits:
        if stop <= begin or start >= end:
            continue
        if start >= begin:
            done += data[at:start] + other
        at = min(stop, end)
    return bytes(done + data[at:end])


def _is_text(data: bytes) -> bool:
    try:
        data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return False
    return b"\0" not in data


def _accounts(inventory: Inventory) -> list[Account]:
    own = [node.platform for node in inventory.nodes if node.platform is not None]
    return [inventory.platform, inventory.application, *own]
