"""Passwords come from the file, the environment or a person, and show nowhere."""

from __future__ import annotations

import getpass
import io
import os
import pty
import select
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from cucm_certflow import Inventory
from cucm_certflow.cli.asking import ask_on_terminal
from cucm_certflow.cli.output import Exit
from cucm_certflow.errors import InventoryError
from tests.line.calls import INVENTORY, command, environment, process

ASKS = INVENTORY.replace('"lab-platform"', "{ prompt = true }").replace(
    '"lab-application"', '{ env = "APPLICATION_PASSWORD" }'
)
TYPED = "typed-by-a-person"

# Who opens a terminal first in a new session gets it: from then on Ctrl-C there is a signal.
_AT_ITS_TERMINAL = (
    "import os, sys; os.open(os.ttyname(0), os.O_RDWR); os.execv(sys.argv[1], sys.argv[1:])"
)


def _asker(answers: dict[str, str]) -> tuple[Callable[[str], str], list[str]]:
    asked: list[str] = []

    def ask(account: str) -> str:
        asked.append(account)
        return answers.get(account, TYPED)

    return ask, asked


def test_a_password_is_asked_for_once_for_each_account_that_wants_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("APPLICATION_PASSWORD", "from-the-environment")
    own = '\nplatform = { user = "other", password = { prompt = true } }\n'
    ask, asked = _asker({"nodes[0].platform account 'other'": "of-the-node"})
    loaded = Inventory.loads(ASKS + own + '\n[[nodes]]\nname = "sub"\n', ask=ask)
    assert asked == ["nodes[0].platform account 'other'", "platform account 'administrator'"]
    assert loaded.platform.password.reveal() == TYPED
    assert loaded.application.password.reveal() == "from-the-environment"
    own_account = loaded.nodes[0].platform
    assert own_account is not None
    assert own_account.password.reveal() == "of-the-node"
    for secret in (TYPED, "from-the-environment", "of-the-node"):
        assert secret not in repr(loaded)


def test_without_somebody_to_ask_the_library_says_so_and_reads_no_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(InventoryError, match=r"platform.password") as error:
        Inventory.loads(ASKS)
    assert "there is nobody to ask" in error.value.report.saw


@pytest.mark.parametrize(
    ("password", "saw"),
    [
        ("{ env = 'NO_SUCH_VARIABLE' }", "environment variable NO_SUCH_VARIABLE is not set"),
        ("{ env = 'EMPTY_VARIABLE' }", "environment variable EMPTY_VARIABLE is empty"),
        ("{ prompt = true }", "nothing was typed"),
        ("{ prompt = false }", "expected a text"),
        ("{ file = 'x' }", "expected a text"),
        ("''", "expected a text"),
        ("7", "expected a text"),
    ],
)
def test_a_password_that_is_none_is_refused_by_its_place(
    password: str, saw: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPTY_VARIABLE", "")
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    text = INVENTORY.replace('"lab-platform"', password)
    with pytest.raises(InventoryError, match=r"inventory: platform\.password") as error:
        Inventory.loads(text, ask=lambda _: "")
    assert saw in error.value.report.saw


def test_a_broken_inventory_shows_its_line_without_what_may_be_a_password() -> None:
    text = INVENTORY.replace('"lab-platform"', '"lab-platform')
    with pytest.raises(InventoryError) as error:
        Inventory.loads(text)
    assert "line 4" in error.value.report.saw
    assert "password = …" in error.value.report.saw
    assert "lab-platform" not in str(error.value)


def test_without_a_terminal_the_way_by_the_environment_is_named(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(ASKS)
    done = process("discover", "-i", str(path), APPLICATION_PASSWORD="x-of-the-app")
    assert done.returncode == Exit.USAGE
    assert "the password of the platform account 'administrator' cannot be asked for" in done.stderr
    assert 'password = { env = "NAME" }' in done.stderr
    assert "Traceback" not in done.stderr


def test_a_terminal_that_would_show_the_password_is_not_typed_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def shown(prompt: str, stream: io.TextIOBase) -> str:
        warnings.warn("it would be shown", getpass.GetPassWarning, stacklevel=1)
        return TYPED

    monkeypatch.setattr(getpass, "getpass", shown)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(InventoryError, match="cannot be asked for") as error:
        ask_on_terminal("platform account 'a'")
    assert error.value.report.saw == "the terminal would show what is typed"


def _at_a_terminal(path: Path, typed: bytes) -> tuple[int, str, str]:
    """The exit status of ``certflow discover`` where a person types, what showed, and stdout."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", _AT_ITS_TERMINAL, *command("discover", "-i", str(path))],
        stdin=follower,
        stdout=subprocess.PIPE,
        stderr=follower,
        env=environment(APPLICATION_PASSWORD="x-of-the-app"),
        start_new_session=True,
    ) as run:
        os.close(follower)
        shown = b""
        deadline = time.monotonic() + 60
        written = False
        while time.monotonic() < deadline:
            ready, _, _ = select.select([leader], [], [], 0.2)
            if ready:
                try:
                    data = os.read(leader, 4096)
                except OSError:
                    break
                if not data:
                    break
                shown += data
                if b"password of the" in shown and shown.endswith(b": ") and not written:
                    os.write(leader, typed)
                    written = True
            elif run.poll() is not None:
                break
        assert run.stdout is not None
        out = run.stdout.read().decode()
        run.wait(60)
    os.close(leader)
    return run.returncode, shown.decode(), out


def test_a_person_at_a_terminal_is_asked_and_what_is_typed_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(ASKS)
    status, shown, out = _at_a_terminal(path, f"{TYPED}\n".encode())
    assert "password of the platform account 'administrator': " in shown
    assert status == Exit.NODE, shown  # it went on to the node, which does not answer
    assert TYPED not in shown + out
    assert "password of the" not in out


@pytest.mark.parametrize(("typed", "status"), [(b"\x03", Exit.INTERRUPTED), (b"\x04", Exit.USAGE)])
def test_a_person_may_leave_at_the_prompt(typed: bytes, status: Exit, tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(ASKS)
    ended, shown, _ = _at_a_terminal(path, typed)
    assert ended == status, shown
    assert "Traceback" not in shown
