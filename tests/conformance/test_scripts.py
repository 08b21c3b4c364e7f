"""Scripts over the real Netmiko and the real Ansible, unmodified, against the lab's servers.

What they lose there is what the same script loses in memory, with the stand-in.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from cucm_certflow.cli.documents import DocumentKind, as_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.scripts import ScriptLab
from tests.documents import document

EXAMPLE: Final = Path(__file__).parents[2] / "examples" / "replay_script"
SCENARIO: Final = EXAMPLE / "cluster.toml"
PROBE: Final = Path(__file__).parent / "scripts" / "probe.py"
PORT: Final = "2222"
HOSTS: Final = ("127.0.0.21", "127.0.0.22")
SPEED: Final = 30
PASSWORD: Final = Scenario.load(SCENARIO).accounts.platform.password
_PATIENCE_S: Final = 600


def on_the_wires(
    folder: Path,
    *command: str,
    speed: float = SPEED,
    settle_s: float = 0,
    cwd: Path = EXAMPLE,
) -> tuple[subprocess.CompletedProcess[str], dict[str, Any]]:
    """What `certflow lab … -- command` said, and its verdict."""
    verdict = folder / "verdict.json"
    lab = [sys.executable, "-m", "cucm_certflow", "lab", str(SCENARIO)]
    lab += ["--folder", str(folder / "lab"), "--lab-speed", str(speed), "--ssh-port", PORT]
    lab += ["--settle", str(settle_s), "--verdict", str(verdict), "--json", "--", *command]
    root = str(EXAMPLE.parents[1])
    done = subprocess.run(
        lab,
        check=False,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        cwd=cwd,
        env=os.environ | {"CUCM_PASSWORD": PASSWORD, "PYTHONPATH": root, "HOME": str(folder)},
    )
    print(done.stderr)
    return done, document(verdict.read_text(encoding="utf-8"), "verdict")


def in_memory(script: str) -> dict[str, Any]:
    with ScriptLab(Scenario.load(SCENARIO)) as lab:
        lab.run(EXAMPLE / "scripts" / script, *HOSTS)
    read: dict[str, Any] = document(as_document(DocumentKind.VERDICT, lab.verdict()), "verdict")
    return read


def losses(verdict: Mapping[str, Any]) -> set[tuple[str, str, str, str]]:
    """Every phone that is lost: what it needs, and by which command on which node it is lost."""
    return {
        (phone, loss["remedy"], loss["by"]["node"], loss["by"]["text"])
        for loss in verdict["losses"]
        for phone in loss["phones"]
    }


def commands(verdict: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(each["node"], each["text"]) for each in verdict["commands"]]


@pytest.mark.parametrize("script", ["regenerate.py", "regenerate_in_order.py"])
def test_a_netmiko_script_loses_on_the_wires_what_it_loses_in_memory(
    script: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUCM_PASSWORD", PASSWORD)
    wait = ("--wait", str(1200 / SPEED))
    path = str(EXAMPLE / "scripts" / script)
    done, verdict = on_the_wires(tmp_path, sys.executable, path, *HOSTS, "--port", PORT, *wait)
    expected = in_memory(script)
    assert commands(verdict) == commands(expected)
    assert losses(verdict) == losses(expected)
    assert not verdict["earlier"]
    lost = script == "regenerate.py"
    assert len(losses(verdict)) == (60 if lost else 0)
    assert done.returncode == (Exit.LEFT_BEHIND if lost else Exit.DONE)


def test_netmiko_returns_on_the_wires_what_the_stand_in_returns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    done, _ = on_the_wires(
        tmp_path, sys.executable, str(PROBE), HOSTS[0], PORT, speed=1, cwd=tmp_path
    )
    assert done.returncode in (Exit.DONE, Exit.LEFT_BEHIND), done.stderr
    real = [line for line in done.stderr.splitlines() if line.startswith(tuple("'\"TF0123456789"))]
    capsys.readouterr()
    with ScriptLab(Scenario.load(SCENARIO)) as lab:
        lab.run(PROBE, HOSTS[0], PORT)
    ours = capsys.readouterr().out.splitlines()
    assert len(ours) == 24
    assert real == ours


def test_an_ansible_playbook_loses_what_the_script_with_the_same_order_loses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUCM_PASSWORD", PASSWORD)
    ansible = Path(sys.executable).with_name("ansible-playbook")
    assert ansible.exists() or shutil.which("ansible-playbook")
    done, verdict = on_the_wires(
        tmp_path,
        str(ansible),
        "regenerate.yml",
        settle_s=1200,
        cwd=EXAMPLE / "ansible",
    )
    assert "failed=0" in done.stderr
    expected = in_memory("regenerate.py")
    assert sorted(commands(verdict)) == sorted(commands(expected))
    assert losses(verdict) == losses(expected)
    assert done.returncode == Exit.LEFT_BEHIND
