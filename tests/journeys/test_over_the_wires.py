"""The main job over real SSH, HTTPS and HTTP, by the command line and by the demonstration."""

from __future__ import annotations

import asyncio
import base64
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.cli.output import Exit
from cucm_certflow.clock import ScaledClock, SystemClock
from cucm_certflow.core.run_state import CertificateMoved, CommandMoved, Record
from cucm_certflow.discovery import discover
from cucm_certflow.journal import Journal
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers import LabServers
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.testing.virtual import run_virtual
from cucm_certflow.transports.record import RecordedClock, Recording, ReplayTransport
from tests.documents import document
from tests.journeys.main_job import executed, run_to_the_end, start

ROOT = Path(__file__).parents[2]
SPEED = 60.0

SMALL = """
name = "wires"
release = "11.5.1.12900-21"
mode = "mixed"
seed = 11

[[nodes]]
name = "pub"
address = "127.0.0.31"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[nodes]]
name = "sub1"
address = "127.0.0.32"
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 4
first = "SEP001122330001"
model = "Cisco 7841"
group = ["pub", "sub1"]
tftp = ["sub1", "pub"]

[accounts]
platform = { user = "administrator", password = "lab-platform" }
application = { user = "certflow", password = "lab-application" }
"""


# ── the demonstration ─────────────────────────────────────────────────────────────────────


def _records(journal: Path) -> tuple[Record, ...]:
    opened = Journal.open(journal)
    opened.close()
    return opened.records


def _sent(records: tuple[Record, ...]) -> list[tuple[str, str]]:
    """Each command that was meant to be sent: its step and its words, in order."""
    return [
        (record.step, record.detail)
        for record in records
        if isinstance(record, CommandMoved) and record.edge == "intend"
    ]


def _barriers(records: tuple[Record, ...]) -> list[str]:
    return [
        str(record.certificate)
        for record in records
        if isinstance(record, CertificateMoved) and record.edge == "converged"
    ]


@pytest.mark.slow
def test_the_demonstration_does_the_main_job_as_it_is_done_in_memory(tmp_path: Path) -> None:
    demo = [sys.executable, str(ROOT / "examples" / "demo.py"), "--keep", str(tmp_path / "demo")]
    done = subprocess.run(demo, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for words in (
        "295 of 300 phones registered",
        "window 2: TVS",
        "exit status would be 4: held",
        "11 phones in scope are not back",
        "resume, with 11 phones waived by name",
        "the CTL on sub1, sub2 holds all present CallManager certificates",
        "289 phones: re_registered",
        "verified, 11 phones left behind",
        "exit status 5",
    ):
        assert words in done.stdout, words
    assert "lab-platform" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr

    async def in_memory() -> None:
        there = start()
        await run_to_the_end(there, tmp_path / "memory.journal", policy=Policy())

    run_virtual(in_memory)
    wires = _records(tmp_path / "demo" / "demo.journal")
    memory = _records(tmp_path / "memory.journal")
    assert _sent(wires) == _sent(memory)
    assert _barriers(wires) == _barriers(memory)


# ── the command line against a lab of its own ─────────────────────────────────────────────


async def _certflow(*arguments: str) -> tuple[int, str, str]:
    """Run the command line in a process of its own; its exit status and what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cucm_certflow",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 200)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


def _in_lab(
    tmp_path: Path,
    story: Callable[[LabCluster, list[str]], Awaitable[None]],
    *,
    scenario: str = SMALL,
) -> None:
    """Tell *story* with the lab up: the cluster, and the options that reach it."""

    async def main() -> None:
        clock = ScaledClock(SPEED)
        loaded = Scenario.loads(scenario)
        async with LabServers(loaded, clock=clock, folder=tmp_path / "lab") as lab:
            inventory = str(tmp_path / "lab" / "inventory.toml")
            await story(lab.cluster, ["-i", inventory, "--lab-speed", str(SPEED)])

    asyncio.run(main())


UNITS = ["-u", "tomcat", "-u", "CallManager", "-u", "TVS"]


def _words(where: list[str]) -> list[str]:
    """A file with a person's word about everything that only a person can answer."""
    path = Path(where[1]).with_name("words.toml")
    items = [check.id for check in PREFLIGHT if check.asked] + [task.id for task in PARTNER_TASKS]
    said = "".join(
        f'[[said]]\nitem = "{item}"\nby = "the test"\nwhy = "seen in the lab"\n' for item in items
    )
    path.write_text(said)
    return ["--words", str(path)]


def _regenerated(lab: LabCluster) -> list[tuple[str, str]]:
    return [pair for pair in executed(lab) if "regen" in pair[1]]


def _left_to_people(report: dict[str, Any]) -> list[str]:
    """What *report* leaves open; nothing of it is for a machine to see, or to have done."""
    left = [
        finding
        for finding in report["findings"]
        if finding["verdict"] != "pass" and finding["severity"] != "warning"
    ]
    # No scenario takes a backup by itself, and without a preflight there is no baseline.
    by_hand = {"backup-after", "devices-back"}
    seen = [one for one in left if not one["asked"] and one["check"] not in by_hand]
    assert not seen, seen
    return [finding["check"] for finding in left]


def _say(items: list[str]) -> list[str]:
    words = [word for item in items for word in ("--say", f"{item}=seen in the lab")]
    return [*words, "--by", "the test"]


@pytest.mark.parametrize("moment", ["set cert regen CallManager", "utils service restart Cisco T"])
def test_killed_during_a_command_the_run_resumes_and_regenerates_nothing_twice(
    moment: str, tmp_path: Path
) -> None:
    journal = str(tmp_path / "killed.journal")

    async def story(lab: LabCluster, where: list[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cucm_certflow", "run"),
            *(*where, "-j", journal, *UNITS, *_words(where)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(100):
            while not any(text.startswith(moment) for _, text in executed(lab)):
                await asyncio.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        assert await process.wait() == -signal.SIGKILL
        status, out, err = await _certflow("resume", *where, "-j", journal)
        assert status == Exit.DONE, out[-2000:] + err
        regenerated = _regenerated(lab)
        assert len(regenerated) == len(set(regenerated)) == 6
        look = ("verify", *where, "-j", journal, "--json")
        status, out, _ = await _certflow(*look)
        assert status == Exit.NOT_VERIFIED, out
        for_people = _left_to_people(document(out, "verify"))
        status, out, _ = await _certflow(*look, *_say(for_people))
        assert status == Exit.DONE, out

    _in_lab(tmp_path, story)


@pytest.mark.slow
def test_a_run_is_paused_and_aborted_from_other_processes_and_has_one_driver(
    tmp_path: Path,
) -> None:
    journal, people = str(tmp_path / "told.journal"), ["--by", "ann", "--why", "the night is over"]

    async def story(lab: LabCluster, where: list[str]) -> None:
        asked = ["-j", journal, *people]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cucm_certflow", "run"),
            *(*where, "-j", journal, *UNITS, *_words(where)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(100):
            while not any("regen CallManager" in text for _, text in executed(lab)):
                await asyncio.sleep(0.01)
        status, out, _ = await _certflow("status", "-j", journal)
        assert status == Exit.DONE, out
        assert f"driven by process {process.pid} of" in out
        status, _, err = await _certflow("resume", *where, "-j", journal)
        assert status == Exit.USAGE
        assert "JournalInUse" in err
        assert f"process {process.pid} of" in err
        copy = str(tmp_path / "copy.journal")
        shutil.copy(journal, copy)
        status, out, err = await _certflow("resume", *where, "-j", copy)
        assert status == Exit.USAGE, out
        assert "ClusterInUse" in err
        status, out, err = await _certflow("pause", *asked)
        assert status == Exit.DONE, err
        printed, _ = await asyncio.wait_for(process.communicate(), 150)
        assert process.returncode == Exit.PAUSED, printed[-2000:]
        assert b"paused at a safe point, by ann: the night is over" in printed
        texts = [text for _, text in executed(lab)]
        assert texts.count("utils ctl update CTLFile") == 1  # what was half-way is finished
        assert not any("regen TVS" in text for text in texts)
        status, _, err = await _certflow("approve", "1.reset", *asked)
        assert status == Exit.USAGE
        assert "NotWaiting" in err
        status, out, err = await _certflow("abort", *where, *asked)
        assert status == Exit.ABORTED, out + err
        assert "not begun, its certificate is the old one" in out
        assert "reset 4 phones by name" in out
        status, _, err = await _certflow("resume", *where, "-j", journal)
        assert status == Exit.USAGE
        assert "RunFinished" in err
        status, out, _ = await _certflow("status", "-j", journal)
        assert status == Exit.ABORTED
        assert sum("regen" in text for _, text in executed(lab)) == 4

    _in_lab(tmp_path, story)


def test_plan_and_discover_speak_json_and_change_nothing(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        status, out, _ = await _certflow("discover", *where, "--json")
        assert status == Exit.DONE
        facts = document(out, "facts")
        assert [node["name"] for node in facts["nodes"]] == ["pub", "sub1"]
        status, out, _ = await _certflow("plan", *where, *UNITS, *_words(where), "--json")
        assert status == Exit.DONE
        assert [w["units"] for w in document(out, "plan")["windows"]] == [
            ["tomcat", "CallManager"],
            ["TVS"],
        ]
        status, out, _ = await _certflow("plan", *where, "-w", "CallManager,TVS")
        assert status == Exit.REFUSED
        assert "exclusion" in out
        assert "lifeline" in out
        journal = str(tmp_path / "never.journal")
        status, _, err = await _certflow("run", *where, "-w", "CallManager,TVS", "-j", journal)
        assert status == Exit.REFUSED
        assert "nothing was sent" in err
        assert not Path(journal).exists()
        assert executed(lab, resets=True) == []

    _in_lab(tmp_path, story)


def test_preflight_clean_up_and_remedies_look_and_change_nothing(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        status, out, err = await _certflow("preflight", *where, *UNITS, "--json")
        assert status == Exit.REFUSED, err
        looked = document(out, "preflight")
        assert looked["open"]
        left = {f["check"] for f in looked["findings"] if f["verdict"] == "finding"}
        assert left <= {"expiry-monitor-running", "capf-running"}
        asked = {finding["check"] for finding in looked["findings"] if finding["asked"]}
        assert {"no-upgrade", "itlrecovery-exported"} <= asked
        status, out, _ = await _certflow("preflight", *where, *UNITS, *_words(where))
        assert status == Exit.DONE, out
        assert "said by the test about no-upgrade: seen in the lab" in out
        status, out, err = await _certflow("plan", *where, "--expiring", "1")
        assert status == Exit.USAGE
        assert "no certificate expires within 1 days" in err
        status, out, err = await _certflow("cleanup", *where, "--json")
        assert status == Exit.DONE, err
        assert document(out, "plan")["windows"][0]["steps"] == []
        status, out, err = await _certflow("cleanup", *where, "--delete", "tomcat-trust/none.pem")
        assert status == Exit.USAGE
        assert "no trust store has what is to be deleted" in err
        status, out, err = await _certflow(
            "remedies", *where, "--phone", "SEP001122330001", "--json"
        )
        assert status == Exit.DONE, err
        remedies = document(out, "remedies")["remedies"]
        assert remedies[0]["works"] is True  # a phone without lists takes the first that it meets
        assert remedies[-1]["kind"]
        status, _, err = await _certflow("remedies", *where, "--phone", "SEPFFFFFFFFFFFF")
        assert status == Exit.USAGE
        assert "no such phone" in err
        assert executed(lab, resets=True) == []

    _in_lab(tmp_path, story)


# ── bad input ─────────────────────────────────────────────────────────────────────────────


async def _fails(
    lab: LabCluster, arguments: list[str], status: Exit, *words: str
) -> tuple[str, str]:
    """The call ends with *status*, says *words*, and nothing else happens."""
    got, out, err = await _certflow(*arguments)
    assert got == status, out + err
    for word in words:
        assert word in out + err, f"{word!r} is missing in:\n{out}{err}"
    assert "Traceback" not in out + err
    for secret in ("lab-platform", "lab-application", "wrong-password"):
        assert secret not in out + err
    assert executed(lab, resets=True) == []
    return out, err


def test_a_wrong_password_is_tried_once_and_on_no_other_node(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        inventory = Path(where[1])
        inventory.write_text(inventory.read_text().replace("lab-platform", "wrong-password"))
        call = ["discover", *where]
        await _fails(lab, call, Exit.NODE, "AuthenticationFailed", "CF302", "next")

    _in_lab(tmp_path, story)


def test_an_application_account_that_is_refused_stops_before_any_change(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        inventory = Path(where[1])
        inventory.write_text(inventory.read_text().replace("lab-application", "wrong-password"))
        journal = str(tmp_path / "never.journal")
        call = ["run", *where, *UNITS, "-j", journal]
        await _fails(lab, call, Exit.NODE, "AuthenticationFailed", "application")
        assert not Path(journal).exists()

    _in_lab(tmp_path, story)


def test_an_unknown_host_key_stops_before_the_password_leaves(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        known = Path(where[1]).with_name("known_hosts")
        lines = known.read_text().splitlines()
        names = [line.split(" ", 1)[0] for line in lines]
        keys = [line.split(" ", 1)[1] for line in lines]
        swapped = zip(names, reversed(keys), strict=True)
        known.write_text("".join(f"{name} {key}\n" for name, key in swapped))
        await _fails(lab, ["discover", *where], Exit.NODE, "IdentityNotTrusted", "host key")

    _in_lab(tmp_path, story)


FAULT = '\n[[faults]]\nkind = "unknown layout"\ncommand = "{command}"\nnode = "{node}"\n'


def test_a_node_in_an_unknown_layout_refuses_the_plan(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        call = ["plan", *where, *UNITS]
        await _fails(lab, call, Exit.REFUSED, "facts_known", "sub1", "never read as yes or no")

    fault = FAULT.format(command="show cert own CallManager", node="sub1")
    _in_lab(tmp_path, story, scenario=SMALL + fault)


def test_what_one_interface_garbles_another_one_answers(tmp_path: Path) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        status, out, err = await _certflow("plan", *where, *UNITS, *_words(where))
        assert status == Exit.DONE, out + err
        assert "ServiceOn              Control Center, else platform CLI" in out
        assert executed(lab) == []

    fault = FAULT.format(command="utils service list", node="sub1")
    _in_lab(tmp_path, story, scenario=SMALL + fault)


def test_an_unknown_answer_to_a_change_is_in_doubt_and_looked_after(tmp_path: Path) -> None:
    journal = str(tmp_path / "doubt.journal")

    async def story(lab: LabCluster, where: list[str]) -> None:
        call = ["run", *where, "-u", "tomcat", "-j", journal, *_words(where)]
        status, out, err = await _certflow(*call)
        assert status == Exit.DONE, out + err
        assert "in doubt" in out
        regenerated = _regenerated(lab)
        assert len(regenerated) == len(set(regenerated)) == 2

    fault = FAULT.format(command="set cert regen tomcat", node="sub1")
    _in_lab(tmp_path, story, scenario=SMALL + fault)


def test_a_recorded_discovery_can_be_sent_to_us_and_replayed(tmp_path: Path) -> None:
    recording = tmp_path / "cluster.jsonl"

    async def story(lab: LabCluster, where: list[str]) -> None:
        status, out, err = await _certflow("discover", *where, "--json", "--record", str(recording))
        assert status == Exit.DONE, out + err
        facts = document(out, "facts")
        text = recording.read_text()
        token = base64.b64encode(b"certflow:lab-application").decode()
        for secret in ("lab-platform", "lab-application", token):
            assert secret not in text
        assert "Basic <redacted>" in text
        assert not re.search(r"JSESSIONIDSSO=[0-9A-F]", text)
        loaded = Recording.load(recording)
        clock = RecordedClock(loaded, SystemClock())
        names = [node.name for node in loaded.inventory().nodes]
        again = await discover(ReplayTransport(loaded, clock), names, clock)
        assert [node.name for node in again.nodes] == [node["name"] for node in facts["nodes"]]
        for node, told in zip(again.nodes, facts["nodes"], strict=True):
            serials = {unit: each.serial for unit, each in node.certificates.items()}
            assert serials == {u: each["serial"] for u, each in told["certificates"].items()}
        assert len(again.phones) == len(facts["phones"]) == 4
        assert again.unknown == ()
        status, _, err = await _certflow("discover", *where, "--record", str(recording))
        assert status == Exit.USAGE  # a recording is never overwritten
        assert "cluster.jsonl" in err

    _in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["plan", "-u", "tomcta"], Exit.USAGE, ["tomcta", "tomcat"]),
        (["plan"], Exit.USAGE, ["say once what is to be regenerated"]),
        (["plan", "-u", "TVS", "--waive", "SEP1"], Exit.USAGE, ["SEP1"]),
        (["plan", "-u", "TVS", "--barrier-within", "0"], Exit.USAGE, ["barrier_within_s"]),
        (["resume", "-j", "missing.journal"], Exit.USAGE, ["JournalError", "missing.journal"]),
        (["verify", "-j", "missing.journal"], Exit.USAGE, ["JournalError"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_call_says_what_was_expected_and_seen(
    arguments: list[str], status: Exit, words: list[str], tmp_path: Path
) -> None:
    async def story(lab: LabCluster, where: list[str]) -> None:
        await _fails(lab, [arguments[0], *where, *arguments[1:]], status, *words)

    _in_lab(tmp_path, story)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[nodes]]\nname = 3\n", ["nodes[0].name"]),
        ("[[nodes]]\nname = 'pub'\nadress = 'x'\n", ["nodes[0].adress", "address"]),
        ("[[nodes]\n", ["line 1"]),
        ("[[nodes]]\nname = 'pub'\n[platform]\nuser = 'a'\n", ["platform.password"]),
    ],
)
def test_an_inventory_with_a_mistake_names_its_place(
    text: str, words: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(text)
    status, out, err = asyncio.run(_certflow("discover", "-i", str(path)))
    assert status == Exit.USAGE
    for word in words:
        assert word in err
    assert "Traceback" not in out + err


def test_a_scenario_with_a_mistake_names_its_place(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(SMALL.replace('group = ["pub", "sub1"]', 'group = ["pub", "sub9"]'))
    status, out, err = asyncio.run(_certflow("lab", str(path), "--folder", str(tmp_path / "lab")))
    assert status == Exit.USAGE
    assert "phones[0].group" in err
    assert "sub9" in err
    assert "Traceback" not in out + err


@pytest.mark.slow
def test_the_example_of_the_readme_runs_as_it_stands_against_real_servers(tmp_path: Path) -> None:
    # The example knows nothing of labs; only its clock is faster.
    hurry = (
        "import functools, runpy, sys; import cucm_certflow;"
        "from cucm_certflow.clock import ScaledClock;"
        "connect = cucm_certflow.connect; clock = ScaledClock(15);"
        "cucm_certflow.connect = functools.partial(connect, clock=clock);"
        "script = sys.argv.pop(1); runpy.run_path(script, run_name='__main__')"
    )

    async def story(lab: LabCluster, where: list[str]) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", hurry, str(ROOT / "examples" / "quickstart.py"), where[1]),
            _words(where)[1],
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), 400)
        text = out.decode()
        assert process.returncode == 0, text[-3000:]
        assert text.rstrip().endswith("verified")
        regenerated = _regenerated(lab)
        assert len(regenerated) == len(set(regenerated)) == 4

    _in_lab(tmp_path, story)
