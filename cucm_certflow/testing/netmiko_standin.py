"""What a script sees when it imports ``netmiko``, and a lab's command line is at the other end.

Names, arguments and behaviour are those that Netmiko 4 documents; nothing of it is needed, or used.
What is not here raises :class:`NotInStandIn`, which says what is.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final, NoReturn, Protocol, Self

from cucm_certflow.errors import Report

__all__ = ["DEVICE_TYPES", "Line", "NotInStandIn", "Site", "modules"]

DEVICE_TYPES: Final = ("generic", "generic_termserver", "terminal_server")
"""Netmiko's drivers that expect no router's prompt: the others wait for ``#``, ``>`` or ``$``."""

_LINE_FEEDS: Final = re.compile("\r\r\r\n|\r\r\n|\r\n|\n\r|\r")
_ESCAPES: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_ECHO_WITHIN_S: Final = 10.0
_IGNORED: Final = (
    *("secret", "verbose", "global_delay_factor", "use_keys", "allow_agent", "ssh_strict"),
    *("system_host_keys", "conn_timeout", "auth_timeout", "banner_timeout", "blocking_timeout"),
    *("timeout", "session_timeout", "keepalive", "fast_cli", "port", "encoding"),
)
"""Arguments of a connection that change nothing in a lab."""

_INSTEAD: Final = "run the real Netmiko against the lab's servers: certflow lab SCENARIO -- COMMAND"


class NotInStandIn(NotImplementedError):
    """A script wants what the stand-in does not have; the text says what it has.

    What the script had sent before, the lab has done.
    """


class Line(Protocol):
    """A session at the command line of a node."""

    @property
    def is_open(self) -> bool:
        """Whether anything can be typed."""
        ...

    def read(self) -> str:
        """What has been printed since the last time; empty if nothing."""
        ...

    def write(self, text: str) -> None:
        """Type *text*.

        Raises:
            OSError: The session has ended.
        """
        ...

    def close(self) -> None:
        """Go away."""
        ...


class Site(Protocol):
    """Where the nodes are, and whose time passes."""

    def dial(self, host: str, user: str, password: str) -> Line | str:
        """A session on the node at *host*; or, if the account is not let in, why.

        Raises:
            ConnectionError: Nobody answers there.
        """
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...


# ── Netmiko's exceptions, by its names ────────────────────────────────────────────────────


class NetmikoBaseException(Exception):
    """Beneath all but the two that Netmiko derives from Paramiko's."""


class ConnectionException(NetmikoBaseException):
    """The connection failed."""


class WriteException(NetmikoBaseException):
    """Nothing can be written; here a session that has ended is an OSError, as over SSH."""


class ReadException(NetmikoBaseException):
    """Reading failed."""


class ReadTimeout(ReadException):
    """What was waited for did not come in time."""


class NetmikoTimeoutException(Exception):
    """Nobody answers at that address."""


class NetmikoAuthenticationException(Exception):
    """The account is not let in."""


_EXCEPTIONS: Final[Mapping[str, type[Exception]]] = {
    **{
        kind.__name__: kind
        for kind in (
            NetmikoBaseException,
            ConnectionException,
            WriteException,
            ReadException,
            ReadTimeout,
            NetmikoTimeoutException,
            NetmikoAuthenticationException,
        )
    },
    "NetMikoTimeoutException": NetmikoTimeoutException,
    "NetMikoAuthenticationException": NetmikoAuthenticationException,
}


# ── the connection ────────────────────────────────────────────────────────────────────────


class _Log:
    """Netmiko's ``session_log``: what was read, in a file by that name."""

    def __init__(self, target: object, mode: str) -> None:
        if not (target is None or isinstance(target, str | Path)):
            _refuse("session_log", "the name of a file")
        self._path = None if target is None else Path(target)
        if self._path is not None and mode != "append":
            self._path.write_text("", encoding="utf-8")

    def write(self, text: str) -> None:
        if self._path is not None and text:
            with self._path.open("a", encoding="utf-8") as file:
                file.write(text)


class BaseConnection:
    """A session that a script holds, as Netmiko's drivers ``generic`` and ``terminal_server``.

    These prepare nothing: ``base_prompt`` stays empty, and pagination is as it was.
    """

    RETURN = "\n"
    RESPONSE_RETURN = "\n"
    _site: Site

    def __init__(
        self,
        ip: str = "",
        host: str = "",
        username: str = "",
        password: str | None = None,
        *,
        device_type: str = "",
        global_cmd_verify: bool | None = None,
        read_timeout_override: float | None = None,
        session_log: str | None = None,
        session_log_file_mode: str = "write",
        **settings: object,
    ) -> None:
        strange = sorted(set(settings) - set(_IGNORED))
        if strange:
            _refuse(f"the argument {strange[0]}", ", ".join(_arguments()))
        if device_type not in DEVICE_TYPES:
            _refuse(f"device_type {device_type!r}", ", ".join(DEVICE_TYPES))
        self.host = host or ip
        self.username, self.password, self.device_type = username, password, device_type
        self.base_prompt = ""
        self.global_cmd_verify = global_cmd_verify
        self.read_timeout_override = read_timeout_override
        self._kept = ""
        self._log = _Log(session_log, session_log_file_mode)
        try:
            line = self._site.dial(self.host, username, password or "")
        except ConnectionError as error:
            raise NetmikoTimeoutException(f"TCP connection to device failed. {error}") from None
        if isinstance(line, str):
            raise NetmikoAuthenticationException(f"Authentication to device failed. {line}")
        self._line = line
        self.write_channel(self.RETURN)
        self._site.sleep(0.1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.disconnect()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        methods = (each for each in vars(BaseConnection) if not each.startswith("_"))
        _refuse(f"{name} of a connection", ", ".join(sorted(methods)))

    def is_alive(self) -> bool:
        """Whether the session can still be written to."""
        return self._line.is_open

    def disconnect(self) -> None:
        """Close the session; idempotent."""
        self._line.close()

    # ── the channel ───────────────────────────────────────────────────────────────────────

    def write_channel(self, out_data: str) -> None:
        """Type *out_data*, as it is.

        Raises:
            OSError: The session has ended, by the script or by the node.
        """
        self._line.write(out_data)

    def read_channel(self) -> str:
        """What has come and was not read; empty if nothing, also when the session has ended."""
        text = self._line.read()
        if "\n" in text and text.endswith("\r"):  # half a line feed, perhaps
            self._site.sleep(0.01)
            text += self._line.read()
        text = self.normalize_linefeeds(text)
        self._log.write(text)
        text, self._kept = self._kept + text, ""
        return text

    def read_until_pattern(
        self,
        pattern: str = "",
        read_timeout: float = 10.0,
        re_flags: int = 0,
        max_loops: int | None = None,
    ) -> str:
        """Read up to *pattern*, and keep what comes after it; 0 s is for ever.

        Raises:
            ReadTimeout: It did not come within *read_timeout* seconds.
        """
        _warn_of_loops(max_loops)
        output = ""

        def come() -> str | None:
            nonlocal output
            output += self.read_channel()
            found = re.search(pattern, output, re_flags)
            if found is None:
                return None
            self._kept = output[found.end() :]
            return output[: found.end()]

        limit_s = self._limit(read_timeout) or None
        return self._wait(come, limit_s=limit_s, every_s=0.01, what=repr(pattern))

    def read_until_prompt(
        self,
        read_timeout: float = 10.0,
        read_entire_line: bool = False,
        re_flags: int = 0,
        max_loops: int | None = None,
    ) -> str:
        """Read up to ``base_prompt``; as :meth:`read_until_pattern`."""
        pattern = re.escape(self.base_prompt) + (".*" if read_entire_line else "")
        return self.read_until_pattern(pattern, read_timeout, re_flags, max_loops)

    def read_until_prompt_or_pattern(
        self,
        pattern: str = "",
        read_timeout: float = 10.0,
        read_entire_line: bool = False,
        re_flags: int = 0,
        max_loops: int | None = None,
    ) -> str:
        """Read up to ``base_prompt`` or *pattern*; as :meth:`read_until_pattern`."""
        prompt = re.escape(self.base_prompt) + (".*" if read_entire_line else "")
        either = f"(?:{prompt}|{pattern})" if pattern else prompt
        return self.read_until_pattern(either, read_timeout, re_flags, max_loops)

    def read_channel_timing(
        self,
        last_read: float = 2.0,
        read_timeout: float = 120.0,
        delay_factor: float | None = None,
        max_loops: int | None = None,
    ) -> str:
        """Read until something has come, and then nothing for *last_read* seconds.

        Raises:
            ReadTimeout: That was not so within *read_timeout* seconds; 0 is for ever.
        """
        _warn_of_loops(delay_factor, max_loops)
        output = ""

        def come() -> str | None:
            nonlocal output
            self._site.sleep(0.1)
            text = self.read_channel()
            if not text and output:
                self._site.sleep(last_read)
                text = self.read_channel()
                if not text:
                    return output
            output += text
            return None

        limit_s = self._limit(read_timeout) or None
        return self._wait(come, limit_s=limit_s, every_s=0, what="an end of the output")

    def clear_buffer(
        self, backoff: bool = True, backoff_max: float = 3.0, delay_factor: float | None = None
    ) -> str:
        """Read what is there, until for a moment nothing comes."""
        output, pause_s = "", 0.1
        for _ in range(10):
            self._site.sleep(pause_s)
            text = self.read_channel()
            if not text:
                break
            output += self.strip_ansi_escape_codes(text)
            pause_s = min(2 * pause_s, backoff_max) if backoff else pause_s
        return output

    # ── prompts and commands ──────────────────────────────────────────────────────────────

    def find_prompt(self, delay_factor: float = 1.0, pattern: str | None = None) -> str:
        """Type Enter; the last line of what comes, whatever it is.

        Raises:
            ValueError: Nothing came.
        """
        self.clear_buffer()
        self.write_channel(self.RETURN)
        if pattern:
            text = self.read_until_pattern(pattern).strip()
        else:
            pause_s = 0.25 * delay_factor
            self._site.sleep(pause_s)
            text = self.read_channel().strip()
            for _ in range(13):
                if text:
                    break
                self.write_channel(self.RETURN)
                self._site.sleep(pause_s)
                text = self.read_channel().strip()
                pause_s = pause_s * 2 if pause_s <= 3 else pause_s + 1  # noqa: PLR2004 - Netmiko's
        self.clear_buffer()
        prompt = text.rsplit(self.RESPONSE_RETURN, maxsplit=1)[-1].strip()
        if not prompt:
            raise ValueError(f"Unable to find prompt: {prompt}")
        return prompt

    def set_base_prompt(
        self,
        pri_prompt_terminator: str = "#",
        alt_prompt_terminator: str = ">",
        delay_factor: float = 1.0,
        pattern: str | None = None,
    ) -> str:
        """Find the prompt, and keep it without its last character, the terminator.

        Raises:
            ReadTimeout: Neither terminator came: a node's is ``:``.
        """
        ends = [each for each in (pri_prompt_terminator, alt_prompt_terminator) if each]
        if pattern is None and ends:
            pattern = "|".join(map(re.escape, ends))
        prompt = self.find_prompt(delay_factor, pattern)
        if prompt[-1] not in ends:
            raise ValueError(f"Router prompt not found: {prompt!r}")
        self.base_prompt = prompt[:-1] or prompt
        return self.base_prompt

    def send_command(
        self,
        command_string: str,
        expect_string: str | None = None,
        read_timeout: float = 10.0,
        delay_factor: float | None = None,
        max_loops: int | None = None,
        auto_find_prompt: bool = True,
        strip_prompt: bool = True,
        strip_command: bool = True,
        normalize: bool = True,
        *,
        cmd_verify: bool = True,
        **parsing: object,
    ) -> str:
        """Type a command, and read until *expect_string*, or the prompt that there was before.

        Raises:
            ReadTimeout: It did not come within *read_timeout* seconds, or the echo within 10 s.
        """
        _refuse_parsing(parsing)
        _warn_of_loops(delay_factor, max_loops)
        pattern = self._expected(auto_find_prompt) if expect_string is None else expect_string
        began = self._site.monotonic()
        output = self._type(command_string, normalize, self._verifies(cmd_verify))

        def come() -> str | None:
            nonlocal output
            if output and re.search(pattern, output):
                return output
            self._site.sleep(0.025)
            output += self.read_channel()
            return None

        limit_s = self._limit(read_timeout)
        self._wait(come, limit_s=limit_s, every_s=0, what=repr(pattern), began=began)
        return self._stripped(output, command_string, strip_command, strip_prompt)

    send_command_expect = send_command

    def send_command_timing(
        self,
        command_string: str,
        last_read: float = 2.0,
        read_timeout: float = 120.0,
        delay_factor: float | None = None,
        max_loops: int | None = None,
        strip_prompt: bool = True,
        strip_command: bool = True,
        normalize: bool = True,
        *,
        cmd_verify: bool = False,
        **parsing: object,
    ) -> str:
        """Type a command, and read until nothing has come for *last_read* seconds.

        Raises:
            ReadTimeout: It went on for *read_timeout* seconds, or no echo came within 10 s.
        """
        _refuse_parsing(parsing)
        _warn_of_loops(delay_factor, max_loops)
        output = self._type(command_string, normalize, self._verifies(cmd_verify))
        output += self.read_channel_timing(last_read, read_timeout)
        return self._stripped(output, command_string, strip_command, strip_prompt)

    def send_multiline(
        self, commands: Sequence[str | Sequence[str]], multiline: bool = True, **kwargs: Any
    ) -> str:
        """Commands one by one: texts, or pairs of a text and what to expect after it."""
        if multiline:
            kwargs = {"strip_prompt": False, "strip_command": False, **kwargs}
        given = kwargs.pop("expect_string", None)
        usual = given or self._expected(bool(kwargs.get("auto_find_prompt", True)))
        pairs = [(each, "") if isinstance(each, str) else tuple(each) for each in commands]
        return "".join(
            self.send_command(text, expect_string=end or usual, **kwargs) for text, end in pairs
        )

    def send_multiline_timing(
        self, commands: Sequence[str], multiline: bool = True, **kwargs: Any
    ) -> str:
        """Commands one by one, as :meth:`send_command_timing`."""
        if multiline:
            kwargs = {"strip_prompt": False, "strip_command": False, **kwargs}
        return "".join(self.send_command_timing(text, **kwargs) for text in commands)

    # ── texts ─────────────────────────────────────────────────────────────────────────────

    def normalize_linefeeds(self, a_string: str) -> str:
        """Every kind of line feed as one."""
        return _LINE_FEEDS.sub(self.RESPONSE_RETURN, a_string)

    def normalize_cmd(self, command: str) -> str:
        """*command* with one Enter at its end."""
        return command.rstrip() + self.RETURN

    def strip_ansi_escape_codes(self, string_buffer: str) -> str:
        """Without colours and cursor movements."""
        return _ESCAPES.sub("", string_buffer)

    def strip_prompt(self, a_string: str) -> str:
        """Without the last line, if ``base_prompt`` is in it; an empty one always is."""
        before, _, last = a_string.rpartition(self.RESPONSE_RETURN)
        return before if self.base_prompt in last else a_string

    def strip_command(self, command_string: str, output: str) -> str:
        """Without the first line, if it is the echo of the command."""
        output = output.replace("\b", "")
        if output.startswith(command_string.strip()):
            return output.partition(self.RESPONSE_RETURN)[2]
        return output

    # ── ours ──────────────────────────────────────────────────────────────────────────────

    def _limit(self, read_timeout: float) -> float:
        return self.read_timeout_override or read_timeout

    def _wait(
        self,
        come: Callable[[], str | None],
        *,
        limit_s: float | None,
        every_s: float,
        what: str,
        began: float | None = None,
    ) -> str:
        """What *come* returns in the end.

        Raises:
            ReadTimeout: It was None for *limit_s* seconds; None is for ever.
        """
        began = self._site.monotonic() if began is None else began
        while limit_s is None or self._site.monotonic() - began < limit_s:
            text = come()
            if text is not None:
                return text
            self._site.sleep(every_s)
        raise ReadTimeout(f"Pattern not detected: {what} in output, within {limit_s:g} s.")

    def _expected(self, finds: bool) -> str:
        return re.escape((self.find_prompt() if finds else self.base_prompt).strip())

    def _verifies(self, cmd_verify: bool) -> bool:
        return cmd_verify if self.global_cmd_verify is None else self.global_cmd_verify

    def _type(self, command: str, normalize: bool, verify: bool) -> str:
        """Type it; what was read while its echo was waited for, from the echo on."""
        text = self.normalize_cmd(command) if normalize else command
        self.write_channel(text)
        echo = text.strip()
        if not (echo and verify):
            return ""
        read = self.read_until_pattern(re.escape(echo), _ECHO_WITHIN_S)
        return echo if read.count(echo) == 1 else read

    def _stripped(self, output: str, command: str, echo: bool, prompt: bool) -> str:
        if echo and command:
            output = self.strip_command(command, output)
        return self.strip_prompt(output) if prompt else output


# ── the module ────────────────────────────────────────────────────────────────────────────


class _Module(ModuleType):
    """A module that says what it has, when it is asked for something else."""

    def __init__(self, name: str, contents: Mapping[str, object]) -> None:
        super().__init__(name, "A lab's stand-in for it.")
        self.__path__ = []
        self.__all__ = sorted(contents)
        for each, value in contents.items():
            setattr(self, each, value)

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        _refuse(f"{self.__name__}.{name}", ", ".join(self.__all__))


def modules(site: Site) -> Mapping[str, ModuleType]:
    """``netmiko`` and its parts for *site*, by the names that a script imports them by."""

    class Connection(BaseConnection):
        _site = site

    def connect_handler(*args: Any, **settings: Any) -> BaseConnection:
        """A connection, by ``device_type``, ``host``, ``username``, ``password``."""
        return Connection(*args, **settings)

    parts = {"exceptions": _Module("netmiko.exceptions", _EXCEPTIONS)}
    contents = {
        "BaseConnection": BaseConnection,
        "ConnectHandler": connect_handler,
        "Netmiko": connect_handler,
        **_EXCEPTIONS,
        **parts,
    }
    return {"netmiko": _Module("netmiko", contents)} | {
        part.__name__: part for part in parts.values()
    }


def _arguments() -> list[str]:
    named = ("device_type", "host", "ip", "username", "password", "global_cmd_verify")
    return [*named, "read_timeout_override", "session_log", "session_log_file_mode", *_IGNORED]


def _refuse_parsing(parsing: Mapping[str, object]) -> None:
    """TextFSM, TTP and Genie are not here; a False that turns one off is."""
    for name, value in parsing.items():
        if value:
            _refuse(f"the argument {name} of a command", "the text as the node prints it")


def _refuse(what: str, known: str) -> NoReturn:
    report = Report(headline=f"the stand-in has no {what}", expected=known, next=_INSTEAD)
    raise NotInStandIn(f"{report}")


def _warn_of_loops(*given: object) -> None:
    if any(each is not None for each in given):
        text = "Netmiko 4 ignores delay_factor and max_loops: use read_timeout"
        warnings.warn(text, DeprecationWarning, stacklevel=3)
