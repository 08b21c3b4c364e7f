"""No password in any byte that is written anywhere, however loudly and badly things go."""

from __future__ import annotations

import asyncio
import base64
import html
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape, quoteattr

import attrs
import pytest

from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.cli.output import Exit
from cucm_certflow.clock import ScaledClock
from cucm_certflow.lab.scenario import AccountSpec, ApplicationSpec, PlatformSpec, Role, Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.procedures.partners import PARTNER_TASKS

pytestmark = pytest.mark.slow

SPEED: Final = 60.0
ROOT: Final = Path(__file__).parents[2]

# Each has characters that URL, XML, JSON and a shell write in another way.
PLATFORM: Final = AccountSpec("administrator", "Pl4t&form <pw> + 100%/ok")
APPLICATION: Final = AccountSpec("certflow", 'App"l1cation&<pw>=/+?')
LIMITED: Final = AccountSpec("reader", "R3ad&Only<>%20pw?/")
WRONG: Final = "Wr0ng&pass<word>+%/="
SECRETS: Final = (PLATFORM.password, APPLICATION.password, LIMITED.password, WRONG)

SCENARIO: Final = """
name = "secrets"
release = "11.5.1.12900-21"
mode = "non-secure"
seed = 5

[[nodes]]
name = "pub"
address = "127.0.0.61"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 2
model = "Cisco 7841"
group = ["pub"]
tftp = ["pub"]

[timing]
restart_s = { tomcat = 20 }
"""


def spellings(secret: str) -> Iterator[tuple[str, bytes]]:
    """Every way in which *secret* may be written, with its name."""
    ways = {
        "plain": secret,
        "repr": repr(secret)[1:-1],
        "JSON": json.dumps(secret)[1:-1],
        "JSON with <\\/>": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "URL": quote(secret, safe=""),
        "URL, path": quote(secret),
        "form": quote_plus(secret),
        "XML": escape(secret),
        "XML, quotes": escape(secret, {'"': "&quot;", "'": "&apos;"}),
        "XML, attribute": quoteattr(secret)[1:-1],
        "HTML": html.escape(secret),
        "hexadecimal": secret.encode().hex(),
        "hexadecimal, with blanks": secret.encode().hex(" "),
    }
    for name, text in ways.items():
        yield name, text.encode()
        yield f"{name}, small", text.lower().encode()
    for user in ("", *(f"{one.user}:" for one in (PLATFORM, APPLICATION, LIMITED))):
        data = f"{user}{secret}".encode()
        yield f"base64 of {user}", base64.b64encode(data).rstrip(b"=")
        yield f"base64 for URLs of {user}", base64.urlsafe_b64encode(data).rstrip(b"=")
    for shift in (1, 2):  # within something longer, whose first bytes are not ours
        yield f"base64 after {shift}", base64.b64encode(b"\0" * shift + secret.encode())[4:-4]


def found_in(data: bytes) -> list[str]:
    """The passwords that are in *data*, and how they are written."""
    small = data.lower()
    return [
        f"{secret[:6]}… as {name}"
        for secret in SECRETS
        for name, text in spellings(secret)
        if text in (small if name.endswith("small") else data)
    ]


@pytest.mark.parametrize(
    ("name", "text"),
    [pair for pair in spellings(APPLICATION.password) if not pair[0].endswith("small")],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_search_finds_every_spelling(name: str, text: bytes) -> None:
    assert found_in(b"before " + text + b" after"), name


async def _loud(
    folder: Path, where: Path, *arguments: str, passwords: Mapping[str, str]
) -> tuple[int, bytes]:
    """One process, all of whose files are in *folder*; its exit status and what it printed."""
    folder.mkdir()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.sweeps.loud", "debug.log", *arguments),
        cwd=folder,
        env={
            "PATH": os.defpath,
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONASYNCIODEBUG": "1",
            "PYTHONFAULTHANDLER": "1",
            **{name: str(folder) for name in ("HOME", "TMPDIR", "XDG_RUNTIME_DIR")},
            **passwords,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 200)
    (folder / "stdout").write_bytes(out)
    (folder / "stderr").write_bytes(err)
    assert process.returncode is not None
    assert where.exists()
    return process.returncode, out + err


def _scenario() -> Scenario:
    accounts = attrs.evolve(
        Scenario.loads(SCENARIO).accounts,
        platform=PlatformSpec(PLATFORM.user, PLATFORM.password),
        application=ApplicationSpec(APPLICATION.user, APPLICATION.password),
        others=(ApplicationSpec(LIMITED.user, LIMITED.password, roles=(Role.CCM_ADMIN,)),),
    )
    return attrs.evolve(Scenario.loads(SCENARIO), accounts=accounts)


def _without_passwords(inventory: str) -> str:
    """The lab's *inventory*, with what the environment has in place of passwords."""
    for name in ("platform", "application"):
        variable = f'{{ env = "{name.upper()}_PASSWORD" }}'
        inventory, count = re.subn(
            rf"(?s)(\[{name}\].*?\npassword = )[^\n]*", rf"\1{variable}", inventory, count=1
        )
        assert count == 1
    assert found_in(inventory.encode()) == []
    return inventory


def _words(folder: Path) -> list[str]:
    items = [check.id for check in PREFLIGHT if check.asked] + [task.id for task in PARTNER_TASKS]
    items.append("two-callmanagers")  # there is one node
    text = "".join(f'[[said]]\nitem = "{i}"\nby = "the test"\nwhy = "seen"\n' for i in items)
    (folder / "words.toml").write_text(text)
    return ["--words", str(folder / "words.toml")]


def test_no_password_is_in_any_byte_that_is_written(tmp_path: Path) -> None:
    right = {"PLATFORM_PASSWORD": PLATFORM.password, "APPLICATION_PASSWORD": APPLICATION.password}
    written = tmp_path / "written"
    written.mkdir()

    async def story() -> None:
        at_lab = tmp_path / "lab"
        async with LabServers(_scenario(), clock=ScaledClock(SPEED), folder=at_lab):
            inventory, limited = at_lab / "ours.toml", at_lab / "limited.toml"
            text = _without_passwords((at_lab / "inventory.toml").read_text())
            inventory.write_text(text)
            limited.write_text(text.replace(f'"{APPLICATION.user}"', f'"{LIMITED.user}"'))
            where = ["-i", str(inventory), "--lab-speed", str(SPEED)]
            words = _words(tmp_path)

            async def loud(name: str, *arguments: str, **other: str) -> tuple[int, bytes]:
                passwords = {**right, **other}
                return await _loud(written / name, inventory, *arguments, passwords=passwords)

            run = ("run", *where, "-u", "TVS", "-j", "a.journal", *words, "--record", "a.jsonl")
            status, said = await loud("run", *run)
            assert status == Exit.DONE, said.decode()[-3000:]
            status, said = await loud("platform", "discover", *where, PLATFORM_PASSWORD=WRONG)
            assert status == Exit.NODE
            assert b"AuthenticationFailed" in said
            wrong = {"APPLICATION_PASSWORD": WRONG}
            record = ("--record", "b.jsonl", "--json")
            status, said = await loud("application", "discover", *where, *record, **wrong)
            assert status == Exit.NODE
            assert b"AuthenticationFailed" in said
            status, said = await loud(
                "role",
                *("discover", "-i", str(limited), "--lab-speed", str(SPEED)),
                APPLICATION_PASSWORD=LIMITED.password,
            )
            assert b"lacks the role" in said
            for name in ("PLATFORM_PASSWORD", "APPLICATION_PASSWORD"):
                status, said = await loud(f"raise {name}", "raise", str(inventory), **{name: WRONG})
                assert status == 1
                assert b"AuthenticationFailed" in said
                assert b"self = " in said  # the variables of the frames

    asyncio.run(story())
    files = sorted(path for path in written.rglob("*") if path.is_file())
    sizes = {str(path.relative_to(written)): path.stat().st_size for path in files}
    print(f"\n{len(files)} files, {sum(sizes.values())} bytes searched")
    for name in ("run/a.journal", "run/a.jsonl", "run/debug.log", "raise PLATFORM_PASSWORD/stderr"):
        assert sizes[name] > 1000, name
    assert any(name.startswith("run/a.journal.rescue/") for name in sizes)
    log = (written / "run" / "debug.log").read_bytes()
    for logger in (b"asyncssh", b"httpcore", b"httpx"):
        assert b"DEBUG:" + logger in log or b"INFO:" + logger in log
    found = {
        str(path.relative_to(written)): spelt
        for path in files
        if (spelt := [*found_in(path.read_bytes()), *found_in(str(path).encode())])
    }
    assert found == {}


def test_no_file_name_and_no_two_secrets_hide_each_other() -> None:
    for one, other in itertools.permutations(SECRETS, 2):
        assert one not in other
