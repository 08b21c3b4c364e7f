"""`certflow diagram`: pictures on the terminal and in files, and what is said of a wrong call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
from defusedxml.ElementTree import fromstring
from typer.testing import CliRunner, Result

from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from tests.documents import document

SMALL: Final = str(Path(__file__).parents[2] / "examples" / "scenarios" / "small.toml")
KIND: Final = ("ITLRecovery", "--release", "12.5", "--mode", "mixed")
WINDOWS: Final = ("windows", "--scenario", SMALL)


def _diagram(*words: str) -> Result:
    return CliRunner().invoke(app, ["diagram", *words])


@pytest.mark.parametrize(
    ("words", "head", "title"),
    [
        (("command",), "stateDiagram-v2", "States of a command"),
        (("certificate",), "stateDiagram-v2", "States of a certificate"),
        (("entry",), "stateDiagram-v2", "States of a trust entry"),
        (KIND, "flowchart TB", "ITLRecovery under release 12.5, mixed mode"),
        ((*WINDOWS, "-u", "CallManager", "-u", "TVS"), "flowchart TB", "Windows of a plan"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_everything_is_drawn_in_both_formats(words: tuple[str, ...], head: str, title: str) -> None:
    mermaid, svg = _diagram(*words), _diagram(*words, "--format", "svg")
    assert (mermaid.exit_code, svg.exit_code) == (Exit.DONE, Exit.DONE)
    assert mermaid.stdout.splitlines()[3] == head
    assert (fromstring(svg.stdout)[0].text or "").startswith(title)


def test_a_kind_is_found_in_lower_case() -> None:
    assert _diagram("itlrecovery", *KIND[1:]).stdout == _diagram(*KIND).stdout


def test_the_policy_of_a_plan_shows_in_its_windows() -> None:
    words = (*WINDOWS, "-u", "CallManager", "-u", "TVS")
    first, other = _diagram(*words).stdout, _diagram(*words, "--tvs-first").stdout
    assert first.index("set cert regen CallManager") < first.index("set cert regen TVS")
    assert other.index("set cert regen TVS") < other.index("set cert regen CallManager")


def test_a_file_is_written_once_and_again_only_by_force(tmp_path: Path) -> None:
    target = tmp_path / "command.svg"
    first = _diagram("command", "--out", str(target))
    assert (first.exit_code, first.stdout) == (Exit.DONE, f"{target}: States of a command\n")
    drawn = target.read_text(encoding="utf-8")
    assert drawn == _diagram("command", "--format", "svg").stdout
    target.write_text("mine", encoding="utf-8")
    again = _diagram("command", "--out", str(target))
    assert again.exit_code == Exit.USAGE
    assert "there is a file of that name already" in again.stderr
    assert "--force" in again.stderr
    assert target.read_text(encoding="utf-8") == "mine"
    assert _diagram("command", "--out", str(target), "--force").exit_code == Exit.DONE
    assert target.read_text(encoding="utf-8") == drawn


def test_the_format_goes_by_the_option_before_the_name_of_the_file(tmp_path: Path) -> None:
    _diagram("entry", "--out", str(tmp_path / "a.mmd"))
    _diagram("entry", "--out", str(tmp_path / "b.svg"), "--format", "mermaid")
    first, second = ((tmp_path / name).read_text(encoding="utf-8") for name in ("a.mmd", "b.svg"))
    assert first == second == _diagram("entry").stdout


def test_a_refused_plan_is_drawn_and_ends_as_refused() -> None:
    refused = _diagram(*WINDOWS, "-w", "CallManager,TVS")
    assert refused.exit_code == Exit.REFUSED
    assert "REFUSED, nothing is sent: exclusion" in refused.stdout


def test_the_document_has_the_diagram_and_the_drawing(tmp_path: Path) -> None:
    told = document(_diagram("certificate", "--json").stdout, "diagram")
    assert [node["id"] for node in told["diagram"]["nodes"]][:2] == ["PLANNED", "REGENERATING"]
    assert told["text"] == _diagram("certificate").stdout
    assert (told["format"], told["out"], told["refusals"]) == ("mermaid", None, [])
    target = str(tmp_path / "a.svg")
    kept = document(_diagram("certificate", "--json", "--out", target).stdout, "diagram")
    assert (kept["format"], kept["out"], kept["text"]) == ("svg", target, None)
    refused = document(_diagram(*WINDOWS, "-w", "CallManager,TVS", "--json").stdout, "diagram")
    assert any(each.startswith("exclusion: ") for each in refused["refusals"])


def test_a_plan_that_is_too_large_for_mermaid_is_said_to_be(tmp_path: Path) -> None:
    scenario = tmp_path / "large.toml"
    more = "".join(
        f'[[nodes]]\nname = "sub{number:02}"\naddress = "127.0.1.{number}"\n'
        'services = ["callmanager", "tftp", "tvs"]\n'
        for number in range(1, 41)
    )
    small = Path(SMALL).read_text(encoding="utf-8").replace('release = "11.5"', 'release = "14"')
    scenario.write_text(small + more, encoding="utf-8")
    kinds = ("-u", "tomcat", "-u", "ipsec")
    large = _diagram("windows", "--scenario", str(scenario), *kinds)
    assert large.exit_code == Exit.DONE
    assert "--format svg has no such limit" in large.stderr
    assert "limit" not in large.stdout
    assert _diagram("windows", "--scenario", str(scenario), *kinds, "--format", "svg").stderr == ""


@pytest.mark.parametrize(
    ("words", "status", "says"),
    [
        (("comand",), Exit.USAGE, "did you mean 'command'?"),
        (("CallManager",), Exit.USAGE, "it needs --release and --mode"),
        (("TVS", "--mode", "mixed"), Exit.USAGE, "it needs --release"),
        (("TVS", "--release", "eleven", "--mode", "mixed"), Exit.USAGE, "eleven"),
        (("TVS", "--release", "11.5", "--mode", "open"), Exit.USAGE, "there is no mode 'open'"),
        (("ITLRecovery", "--release", "9.1", "--mode", "mixed"), Exit.REFUSED, "does not exist"),
        (("windows", "-u", "TVS"), Exit.USAGE, "--scenario FILE"),
        (WINDOWS, Exit.USAGE, "say once what is to be regenerated"),
        (("windows", "--scenario", "none.toml", "-u", "TVS"), Exit.USAGE, "there is no such file"),
        ((*WINDOWS, "-u", "TVS", "--mode", "mixed"), Exit.USAGE, "leave out --mode"),
        (("command", "--token"), Exit.USAGE, "leave out --token"),
        (("command", "-u", "TVS"), Exit.USAGE, "for the windows of a plan only"),
        ((*KIND, "--scenario", SMALL), Exit.USAGE, "for the windows of a plan only"),
        (("command", "--force"), Exit.USAGE, "there is none"),
        (("command", "--out", "none/a.svg"), Exit.USAGE, "does not exist"),
        (("command", "--out", "."), Exit.USAGE, ".: it is a folder"),
    ],
    ids=lambda value: " ".join(value).replace(SMALL, "small") if isinstance(value, tuple) else "",
)
def test_a_wrong_call_says_what_to_do(
    words: tuple[str, ...],
    status: Exit,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    told = _diagram(*words)
    assert (told.exit_code, told.stdout) == (status, "")
    assert says in told.stderr
    assert "nothing was" in told.stderr
    assert not list(tmp_path.iterdir())
    error: dict[str, Any] = document(_diagram(*words, "--json").stdout, "error")
    assert error["report"]["headline"]
