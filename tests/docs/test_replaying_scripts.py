"""The page about other people's scripts, and the example that it points to, say what happens."""

from __future__ import annotations

import re
import runpy
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cucm_certflow.cli.app import app
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing import netmiko_standin, verdict
from cucm_certflow.testing.scripts import ScriptLab
from tests.lab.small import HandClock, scenario

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "replaying-scripts.md"
EXAMPLE = ROOT / "examples" / "replay_script"
README = EXAMPLE / "README.md"


def blocks(path: Path, language: str) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def executed(block: str) -> dict[str, Any]:
    page: dict[str, Any] = {"__name__": "page"}
    exec(compile(block, PAGE.name, "exec"), page)
    return page


def test_the_test_of_the_page_passes_as_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("CUCM_PASSWORD", "")
    test, _, _ = blocks(PAGE, "python")
    executed(test)["test_the_script_loses_no_phone"]()
    with pytest.raises(AssertionError, match="lost: 60 of 60 phones"):
        executed(test.replace("regenerate_in_order", "regenerate"))[
            "test_the_script_loses_no_phone"
        ]()


def test_the_person_of_the_page_logs_in_and_resets_the_phones(tmp_path: Path) -> None:
    _, person, _ = blocks(PAGE, "python")
    script = tmp_path / "asks.py"
    script.write_text(
        "import getpass\n"
        "from netmiko import ConnectHandler\n"
        "ConnectHandler(device_type='generic', host='pub', username='administrator',\n"
        "               password=getpass.getpass())\n"
        "input('Reset all phones: ')\n",
        encoding="utf-8",
    )
    with ScriptLab(scenario(), person=executed(person)["person"]) as lab:
        lab.run(script)
    assert len(lab.verdict().commands) == 6
    assert lab.verdict().is_clean


def test_the_function_of_the_page_names_the_phones_to_walk_to() -> None:
    _, _, function = blocks(PAGE, "python")
    lab = LabCluster(scenario(more='\n[[events]]\nkind = "phones locked"\nat_s = 0\n'), HandClock())
    assert len(executed(function)["phones_to_walk_to"](lab)) == 6


def test_the_event_of_the_page_is_that_of_the_example() -> None:
    (event,) = tomllib.loads(blocks(PAGE, "toml")[0])["events"]
    told = tomllib.loads((EXAMPLE / "cluster.toml").read_text(encoding="utf-8"))
    assert event in told["events"]


def test_the_page_lists_what_the_stand_in_has() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (types,) = re.findall(r"^- device types: (.*?)\. ", text, re.MULTILINE)
    (methods,) = re.findall(r"^- methods: (.*)\.$", text, re.MULTILINE)
    own = vars(netmiko_standin.BaseConnection)
    has = {name for name in own if not name.startswith("_") and callable(own[name])}
    assert set(re.findall(r"`(\w+)`", methods)) == has
    assert tuple(re.findall(r"`(\w+)`", types)) == netmiko_standin.DEVICE_TYPES


def test_the_words_of_the_report_are_those_of_the_page() -> None:
    source = Path(verdict.__file__).read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(rows) == 7
    for words in rows:
        assert words in source


def test_every_call_of_certflow_is_one() -> None:
    """What the calls do is tried in tests/conformance/test_scripts.py."""
    calls = [
        line.removeprefix("$ certflow ")
        for path in (PAGE, README)
        for block in blocks(path, "console")
        for line in block.splitlines()
        if line.startswith("$ certflow ")
    ]
    assert len(calls) == 3
    group: Any = typer.main.get_command(app)
    for call in calls:
        name, *arguments = shlex.split(call)
        context = group.commands[name].make_context(name, arguments)
        folder = EXAMPLE / "ansible" if "ansible-playbook" in call else ROOT
        assert Scenario.load(folder / context.params["scenario"]).name == "two-nodes"
        program, what, *_ = context.params["command"]
        assert program in ("python", "ansible-playbook")
        assert (folder / what).exists()


def test_the_example_prints_what_its_readme_says(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUCM_PASSWORD", "")
    runpy.run_path(str(EXAMPLE / "replay.py"), run_name="__main__")
    assert blocks(README, "text") == [capsys.readouterr().out]
