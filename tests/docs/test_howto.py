"""The how-to pages do what they say: their commands run on a lab on loopback, their code runs."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import runpy
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from cucm_certflow import CertUnit, RefusedError, Said, status_of
from cucm_certflow.cli.output import Exit
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.testing import Stage, play
from tests.pages import DOCS, ROOT, blocks, commands, run_session

SCENARIO: Final = Path(__file__).with_name("howto.toml")
SMALL: Final = ROOT / "examples" / "scenarios" / "small.toml"
SPEED: Final = 60
_WITHIN_S: Final = 600
# A page says what is typed for a real cluster; the hours of this one pass faster.
_CERTFLOW: Final = f"""#!/bin/sh
case "$*" in
*" -i "*) exec "{sys.executable}" -m cucm_certflow "$@" --lab-speed {SPEED} ;;
*) exec "{sys.executable}" -m cucm_certflow "$@" ;;
esac
"""


def environment(folder: Path) -> dict[str, str]:
    """In which `certflow` is the one of this checkout, on the lab's clock."""
    path = os.pathsep.join([str(folder / "bin"), os.environ["PATH"]])
    return {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "COLUMNS": "100"}


@contextmanager
def lab(folder: Path, more: str = "") -> Iterator[None]:
    """A lab on loopback in a process of its own; its inventory is in *folder*."""
    told = folder / "told.toml"
    told.write_text(SCENARIO.read_text(encoding="utf-8") + more, encoding="utf-8")
    program = folder / "bin" / "certflow"
    program.parent.mkdir()
    program.write_text(_CERTFLOW, encoding="utf-8")
    program.chmod(0o755)
    command = [sys.executable, "-m", "cucm_certflow", "lab", str(told), "--folder", str(folder)]
    command += ["--lab-speed", str(SPEED), "--json"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=environment(folder), cwd=folder
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert '"ready"' in line, line or "the lab did not start"
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


def typed(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )


def run_page(page: str, folder: Path) -> None:
    """Run the commands of *page*, one after the other in one shell, in *folder*."""
    shown = list(commands(DOCS / page))
    assert shown
    first = f'PATH="{folder / "bin"}:$PATH"'
    run_session(shown, cwd=folder, env=environment(folder), before=first)


@pytest.mark.slow
def test_change_window_page_takes_a_cluster_from_ticket_to_ticket(tmp_path: Path) -> None:
    with lab(tmp_path):
        run_page("howto-change-window.md", tmp_path)


PREPARED: Final = """
certflow preflight -i inventory.toml -u CallManager -u TVS --questions words.toml > /dev/null
sed -i 's/^by = ""/by = "A. Person"/; s/^why = ""/why = "looked at"/' words.toml
"""
AWAY: Final = """
[[events]]
kind = "phones away"
command = "doDeviceReset"
nth = 2
share = 0.2
"""


@pytest.mark.slow
def test_recovery_page_goes_from_a_killed_process_to_phones_left_behind(tmp_path: Path) -> None:
    with lab(tmp_path, AWAY):
        typed(PREPARED, tmp_path)
        run_page("howto-recover.md", tmp_path)


# ── Ansible ───────────────────────────────────────────────────────────────────────────────

PLAYBOOKS: Final = ROOT / "examples" / "ansible"


def filled(value: Any, names: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of any playbook
    """*value* of a playbook with its templates evaluated to what they stand for."""
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    if isinstance(value, str) and "{{" in value:
        native = pytest.importorskip("jinja2.nativetypes", reason="the extra report brings Jinja2")
        return native.NativeEnvironment().from_string(value).render(names)
    return value


def play_of(playbook: str) -> Any:  # noqa: ANN401 - YAML
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the playbooks")
    (found,) = yaml.safe_load((PLAYBOOKS / playbook).read_text(encoding="utf-8"))
    return found


def played(playbook: str, folder: Path, **given: object) -> dict[str, int]:
    """The exit status of each task: its command is run, and its conditions are kept.

    What Ansible's command module does, and what it does with a module that says WANT_JSON, is
    written down here: Ansible itself is not among what the tests need.
    """
    played = play_of(playbook)
    assert (played["hosts"], played["connection"]) == ("localhost", "local")
    names: dict[str, Any] = {**played["vars"], **given}
    statuses: dict[str, int] = {}
    for task in played["tasks"]:
        module = next(key for key in task if key.startswith(("ansible.builtin.", "certflow_")))
        arguments = filled(task[module], names)
        argv = arguments.get("argv")
        if module.startswith("certflow_"):
            file = folder / "arguments.json"
            file.write_text(json.dumps(arguments), encoding="utf-8")
            argv = [sys.executable, str(PLAYBOOKS / "library" / f"{module}.py"), str(file)]
        done = typed(shlex.join(argv), folder)
        lines = done.stdout.splitlines()
        assert all(isinstance(json.loads(line), dict) for line in lines), done.stderr
        print(task["name"], done.returncode, done.stdout[-2000:])  # for a reader of a failure
        statuses[task["name"]] = done.returncode
        names[task["register"]] = {"rc": done.returncode, "stdout_lines": lines}
        condition = task.get("failed_when", f"{task['register']}.rc != 0")
        if filled(f"{{{{ {condition} }}}}", names):
            break
    return statuses


@pytest.mark.slow
def test_playbooks_hold_go_on_and_verify_as_honestly_as_the_command(tmp_path: Path) -> None:
    given = {"cucm": "inventory.toml", "words": "words.toml", "journal": "CHG1234.journal"}
    # Longer than the 900 s after which the run holds.
    with lab(tmp_path, f"{AWAY}for_s = 1500\n"):
        typed(PREPARED, tmp_path)
        # Up to the run all is well; it holds for phones that are away, and the playbook fails.
        # The module goes by this machine's clock, and the lab's runs away from it.
        changed = {"units": ["-u", "TVS"], "clock_within": 1_000_000}
        statuses = played("regenerate.yml", tmp_path, **given, **changed)
        assert list(statuses.values()) == [0, 0, 0, Exit.HELD]
        # A person waits until they are back, and the journal goes on.
        whole = "certflow discover -i inventory.toml | grep -q '8 of 8 phones registered'"
        typed(f"until {whole}; do sleep 1; done", tmp_path)
        assert played("resume.yml", tmp_path, **given) == {"Resume": Exit.DONE}
        # What nobody has said after the change is not verified.
        again = played("verify.yml", tmp_path, **given)
        assert list(again.values()) == [Exit.NOT_VERIFIED]
        items = ("backup-after", "directory-tested", "list-on-a-phone")
        said = [f'[[said]]\nitem = "{item}"\nby = "A. Person"\nwhy = "seen"\n' for item in items]
        (tmp_path / "after.toml").write_text("\n".join(said), encoding="utf-8")
        again = played("verify.yml", tmp_path, **given, after="after.toml")
        assert list(again.values()) == [Exit.DONE]
        shutil.copy(PLAYBOOKS / "library" / "certflow_doctor.py", tmp_path)
        run_page("howto-ansible.md", tmp_path)


def test_module_fails_with_the_words_of_the_library(tmp_path: Path) -> None:
    module = PLAYBOOKS / "library" / "certflow_doctor.py"
    (tmp_path / "bin").mkdir()
    for given, words in (({"inventory": "none.toml"}, "none.toml"), ({}, "inventory")):
        (tmp_path / "arguments.json").write_text(json.dumps(given), encoding="utf-8")
        done = typed(f"{sys.executable} {module} arguments.json", tmp_path)
        said = json.loads(done.stdout)
        assert done.returncode == 1
        assert said["failed"] is True
        assert words in said["msg"]


@pytest.mark.parametrize("playbook", ["regenerate.yml", "resume.yml", "verify.yml"])
def test_every_task_says_when_it_has_changed_something_and_when_it_has_failed(
    playbook: str,
) -> None:
    for task in play_of(playbook)["tasks"]:
        if "certflow_doctor" not in task:
            assert {"name", "register", "changed_when", "failed_when"} <= set(task)


def test_snippets_of_the_ansible_page_are_those_of_the_playbooks_or_parse() -> None:
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the playbooks")
    tasks = play_of("regenerate.yml")["tasks"]
    for block in blocks(DOCS / "howto-ansible.md", "yaml"):
        (task,) = yaml.safe_load(block)
        same = [each for each in tasks if each["name"] == task["name"]]
        assert not same or all(same[0][key] == task[key] for key in task if key != "environment")


# ── embedding ─────────────────────────────────────────────────────────────────────────────


def test_code_of_the_embedding_page_runs_on_a_lab(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {"__name__": "page"}
    code = blocks(DOCS / "howto-embed.md", "python")
    before = {name: logging.getLogger(name).level for name in ("", "transitions", "asyncssh")}
    try:
        for block in code:
            exec(compile(block, "howto-embed.md", "exec"), names)
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
    test = names["test_our_service_regenerates_and_loses_nobody"]
    assert callable(test)
    test(tmp_path)


def test_code_of_the_embedding_page_that_no_lab_in_memory_reaches(tmp_path: Path) -> None:
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks(DOCS / "howto-embed.md", "python"):
        if "basicConfig" not in block:
            exec(compile(block, "howto-embed.md", "exec"), names)
    read = {"cucm-pub/host-key": None, "cucm-sub1/host-key": None}.get

    def vault(key: str) -> str | None:
        return read(key, f"secret of {key}") if key in ("platform", "application") else None

    inventory = names["from_vault"](vault)  # type: ignore[operator]  # - from a page
    assert inventory.publisher.name == "cucm-pub"
    assert "secret" not in repr(inventory)

    async def story(stage: Stage) -> None:
        plan = await stage.plan(CertUnit.TVS)
        journal = str(tmp_path / "night.journal")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60), stage.cluster.run(plan, journal=journal) as run:
                await run.wait()
        await names["until_four"](stage.cluster, journal)  # type: ignore[operator]  # - from a page
        assert status_of(journal).ended == "verified"

    play(SMALL, story)
    one, other = names["two_ways"](inventory)  # type: ignore[operator]  # - from a page
    assert one.transport is not other.transport


def test_example_of_two_clusters_in_one_loop_resumes_the_one_that_was_cancelled() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "embed.py")],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["north: verified", "south: verified"]
    assert "service: south: the time is over; its journal goes on" in done.stderr
    assert "transitions" not in done.stderr


def test_example_of_a_night_as_a_script_ends_with_the_status_of_its_outcome(tmp_path: Path) -> None:
    night = runpy.run_path(str(ROOT / "examples" / "change_window.py"))["night"]

    async def story(stage: Stage) -> list[int]:
        units = {CertUnit.CALLMANAGER, CertUnit.TVS}
        report = await stage.cluster.preflight(units=units)
        items = [each.check for each in report.open()] + [task.id for task in PARTNER_TASKS]
        said = [Said(item=item, by="a test", why="a lab") for item in items]
        journal = tmp_path / "night.journal"
        with pytest.raises(RefusedError):
            await night(stage.cluster, journal, ())
        assert not journal.exists()
        statuses = [await night(stage.cluster, journal, said)]
        seen = await stage.cluster.verify(journal=journal)
        after = [Said(item=each.check, by="a test", why="seen") for each in seen.open()]
        statuses.append(await night(stage.cluster, journal, said, after=after))
        return statuses

    # What nobody has looked at after the change is not verified; then somebody has.
    assert play(SMALL, story) == [Exit.NOT_VERIFIED, Exit.DONE]


def test_example_of_a_night_does_not_begin_on_a_cluster_that_is_not_well(tmp_path: Path) -> None:
    night = runpy.run_path(str(ROOT / "examples" / "change_window.py"))["night"]

    async def story(stage: Stage) -> int:
        status: int = await night(stage.cluster, tmp_path / "night.journal", ())
        assert list(stage.lab.log) == []
        return status

    text = SMALL.read_text(encoding="utf-8") + '\n[health]\nntp_unsynchronised = ["sub"]\n'
    assert play(text, story) == Exit.NODE
