"""``certflow lab`` with somebody's script, and what it says in the end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cucm_certflow.cli.output import Exit
from tests.documents import document, documents
from tests.lab.small import OFF, SMALL

# Addresses that no other test uses.
CLUSTER = SMALL.replace("127.0.0.", "127.0.31.")
LOCKED = '\n[[events]]\nkind = "phones locked"\nat_s = 0\n'

# As somebody would write it who knows only SSH: all certificates, then the restarts.
SCRIPT = """
import asyncio, os, tomllib
import asyncssh

async def node(entry, commands):
    connection = await asyncssh.connect(
        entry["address"], entry["ssh_port"], username="administrator", password="lab-platform",
        known_hosts=None, config=[], client_keys=None,
    )
    async with connection, connection.create_process(term_type="vt100") as shell:
        await shell.stdout.readuntil("\\radmin:")
        for command in commands:
            shell.stdin.write(command + "\\n")
            if "regen" in command:
                await shell.stdout.readuntil("(yes|no)? ")
                shell.stdin.write("yes\\n")
            text = await shell.stdout.readuntil("admin:")
            print(entry["name"], command, text.count("[STARTED]"))

async def main():
    with open(os.environ["CERTFLOW_LAB_INVENTORY"], "rb") as file:
        nodes = tomllib.load(file)["nodes"][:2]
    both = ["set cert regen CallManager", "set cert regen TVS"]
    for entry in nodes:
        await node(entry, both)
    for entry in nodes:
        await node(entry, ["utils service restart Cisco Trust Verification Service"])

asyncio.run(main())
"""


def lab(folder: Path, *more: str, scenario: str = CLUSTER) -> list[str]:
    path = folder / "scenario.toml"
    path.write_text(scenario, encoding="utf-8")
    command = [sys.executable, "-m", "cucm_certflow", "lab", str(path)]
    return [*command, "--folder", str(folder / "lab"), "--lab-speed", "20", *more]


def run(folder: Path, *more: str, scenario: str = CLUSTER) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        lab(folder, *more, scenario=scenario),
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_a_script_that_loses_phones_ends_with_the_verdict_and_its_status(tmp_path: Path) -> None:
    written = tmp_path / "verdict.json"
    more = ("--settle", "60", "--verdict", str(written), "--", sys.executable, "-c", SCRIPT)
    done = run(tmp_path, *more)
    assert done.returncode == Exit.LEFT_BEHIND, done.stderr
    assert "sub utils service restart Cisco Trust Verification Service" in done.stdout
    assert "lost: 6 of 6 phones" in done.stdout
    assert "lost by: utils service restart Cisco Trust Verification Service on sub" in done.stdout
    verdict: dict[str, Any] = document(written.read_text(encoding="utf-8"), "verdict")
    assert sum(len(loss["phones"]) for loss in verdict["losses"]) == 6
    assert [each["text"] for each in verdict["commands"]] == [
        "set cert regen CallManager",
        "set cert regen TVS",
        "set cert regen CallManager",
        "set cert regen TVS",
        "utils service restart Cisco Trust Verification Service",
        "utils service restart Cisco Trust Verification Service",
    ]


@pytest.mark.slow
def test_a_clean_verdict_leaves_the_status_to_the_script(tmp_path: Path) -> None:
    program = "import sys; print('busy'); sys.exit(7)"
    done = run(tmp_path, "--settle", "0", "--json", "--", sys.executable, "-c", program)
    assert done.returncode == 7
    assert "busy" in done.stderr  # what others print is not among our documents
    assert "ended with exit status 7" in done.stderr
    ready, verdict = documents(done.stdout)
    assert ready["ready"].endswith("inventory.toml")
    assert verdict["losses"] == []
    assert verdict["missing"] == [{"phones": [OFF], "was": False, "why": "it is off"}]


@pytest.mark.slow
def test_a_verdict_that_cannot_be_written_is_printed_and_said(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere" / "verdict.json"
    program = (sys.executable, "-c", "")
    done = run(tmp_path, "--settle", "0", "--verdict", str(nowhere), "--", *program)
    assert done.returncode == Exit.USAGE
    assert "lost: none of 6 phones" in done.stdout
    assert str(nowhere) in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_a_program_that_cannot_be_started_is_a_mistake_in_the_call(tmp_path: Path) -> None:
    done = run(tmp_path, "--", str(tmp_path / "nothing-there"))
    assert done.returncode == Exit.USAGE
    assert "nothing-there" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("way", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("more", "status", "words"),
    [("", Exit.DONE, "lost: none of 6"), (LOCKED, Exit.LEFT_BEHIND, "lost: 6 of 6 phones")],
    ids=["clean", "lost"],
)
def test_whoever_ends_the_lab_is_told_the_verdict(
    way: signal.Signals, more: str, status: Exit, words: str, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        lab(tmp_path, scenario=CLUSTER + more), stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready: ")
        process.send_signal(way)
        out, _ = process.communicate(timeout=60)
    assert words in out
    assert process.returncode == status


@pytest.mark.slow
def test_a_signal_ends_the_script_too(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    program = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    process = subprocess.Popen(
        lab(tmp_path, "--", sys.executable, "-c", program), stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("ready: ")
        while not (told.exists() and told.read_text(encoding="utf-8")):
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert "lost: none of 6 phones" in out
    assert process.returncode == 128 + signal.SIGTERM
    with pytest.raises(ProcessLookupError):
        os.kill(int(told.read_text(encoding="utf-8")), 0)


@pytest.mark.parametrize("wrong", [("--lab-speed", "0"), ("--settle", "-1")])
def test_a_figure_out_of_range_starts_nothing(wrong: tuple[str, str], tmp_path: Path) -> None:
    done = run(tmp_path, *wrong)
    assert done.returncode == Exit.USAGE
    assert not (tmp_path / "lab").exists()
