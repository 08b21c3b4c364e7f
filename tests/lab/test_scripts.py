"""Other people's scripts on a lab in memory, and the stand-in for Netmiko that they meet there."""

from __future__ import annotations

import asyncio
import builtins
import getpass
import importlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cucm_certflow.errors import UsageError
from cucm_certflow.testing.scripts import NotInStandIn, ScriptLab
from tests.lab.small import SMALL, scenario

TVS = "Cisco Trust Verification Service"
PROMPT = "admin:"


@pytest.fixture
def lab() -> Iterator[ScriptLab]:
    with ScriptLab(scenario()) as entered:
        yield entered


def netmiko() -> Any:
    """As a script has it."""
    return importlib.import_module("netmiko")


def connect(host: str = "pub", **settings: Any) -> Any:
    given = {"username": "administrator", "password": "lab-platform", "device_type": "generic"}
    return netmiko().ConnectHandler(**{"host": host, **given, **settings})


def at_the_prompt(host: str = "pub", **settings: Any) -> Any:
    connection = connect(host, **settings)
    connection.read_until_pattern(PROMPT, read_timeout=30)
    connection.send_command("set cli pagination off", expect_string=PROMPT)
    return connection


def texts(lab: ScriptLab) -> list[str]:
    return [executed.text for executed in lab.lab.log]


# ── time ──────────────────────────────────────────────────────────────────────────────────


def test_an_hour_of_the_scripts_time_is_the_labs_and_takes_a_moment(lab: ScriptLab) -> None:
    begin, now = lab.lab.now, time.time()
    elapsed = time.monotonic()
    time.sleep(3600)
    assert (lab.lab.now - begin).total_seconds() == 3600
    assert time.time() - now == pytest.approx(3600)
    assert time.monotonic() - elapsed == pytest.approx(3600)


def test_everything_is_as_before_when_the_lab_is_left() -> None:
    before = (time.sleep, time.time, time.monotonic, builtins.input, getpass.getpass)
    known = sys.modules.get("netmiko")
    with ScriptLab(scenario()) as lab:
        assert time.sleep is not before[0]
        assert "netmiko" in sys.modules
    assert (time.sleep, time.time, time.monotonic, builtins.input, getpass.getpass) == before
    assert sys.modules.get("netmiko") is known
    assert lab.verdict().is_clean
    with pytest.raises(RuntimeError, match="make a new one"), lab:
        pass


def test_the_same_script_tells_the_same_story_twice() -> None:
    stories = []
    for _ in range(2):
        with ScriptLab(scenario()) as lab:
            connection = at_the_prompt()
            connection.send_command(f"utils service restart {TVS}", PROMPT, 120)
            stories.append((lab.lab.log, str(lab.verdict())))
    assert stories[0] == stories[1]


# ── connecting ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("host", ["sub", "sub.lab.example", "127.0.0.12", "10.1.1.12"])
def test_a_node_is_found_by_name_address_and_as_the_script_calls_it(host: str) -> None:
    with ScriptLab(scenario(), hosts={"10.1.1.12": "sub"}) as lab:
        with at_the_prompt(host) as connection:
            connection.send_command(f"utils service restart {TVS}", PROMPT, read_timeout=120)
        assert [executed.node for executed in lab.lab.log] == ["sub"]


def test_a_host_that_is_no_node_is_refused_with_those_that_are(lab: ScriptLab) -> None:
    with pytest.raises(UsageError, match=r"10\.9\.9\.9.*\n.*127\.0\.0\.11"):
        connect("10.9.9.9")
    with pytest.raises(UsageError, match="sub9"):
        ScriptLab(scenario(), hosts={"10.1.1.12": "sub9"})


def test_wrong_passwords_are_refused_and_the_third_locks_the_account(lab: ScriptLab) -> None:
    refused = netmiko().NetmikoAuthenticationException
    for _ in range(3):
        with pytest.raises(refused):
            connect(password="wrong")
    with pytest.raises(refused):
        connect()
    time.sleep(301)
    assert connect().is_alive()


def test_a_node_that_does_not_answer_is_netmikos_timeout() -> None:
    event = '\n[[events]]\nkind = "node reboots"\nnode = "sub"\nat_s = 5\nfor_s = 600\n'
    with ScriptLab(scenario(more=event)):
        time.sleep(10)
        with pytest.raises(netmiko().NetmikoTimeoutException, match="sub does not answer"):
            connect("sub")


def test_no_session_outlasts_a_reboot() -> None:
    event = '\n[[events]]\nkind = "node reboots"\nnode = "pub"\nat_s = 60\nfor_s = 600\n'
    with ScriptLab(scenario(more=event)):
        connection = at_the_prompt()
        time.sleep(60)
        assert not connection.is_alive()
        with pytest.raises(OSError, match="closed"):
            connection.send_command("show version active")


def test_half_an_hour_of_silence_ends_the_session(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    time.sleep(29 * 60)
    assert "11.5.1" in connection.send_command("show version active")
    time.sleep(31 * 60)
    with pytest.raises(OSError, match="closed"):
        connection.send_command("show version active")


# ── what scripts do ───────────────────────────────────────────────────────────────────────


def test_a_question_is_answered_and_the_command_is_done(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    asked = connection.send_command("set cert regen TVS", expect_string=r"\(yes\|no\)")
    assert "WARNING" in asked
    done = connection.send_command("yes", expect_string=PROMPT, read_timeout=60)
    assert done.strip().startswith("Successfully Regenerated Certificate for TVS.")
    assert texts(lab) == ["set cert regen TVS"]
    assert lab.verdict().regenerated[0].times == 1


def test_without_expect_string_the_prompt_is_found(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    assert connection.find_prompt() == PROMPT
    text = connection.send_command("show version active")
    assert text.startswith("Active Master Version: 11.5.1.12900-21")
    assert PROMPT not in text


def test_a_script_that_does_not_wait_for_the_banner_waits_in_vain(lab: ScriptLab) -> None:
    connection = connect()
    with pytest.raises(netmiko().ReadTimeout, match="Pattern not detected"):
        connection.send_command("show version active")


def test_a_pager_that_nobody_turned_off_stops_the_script(lab: ScriptLab) -> None:
    connection = connect()
    connection.read_until_pattern(PROMPT, read_timeout=30)
    with pytest.raises(netmiko().ReadTimeout):
        connection.send_command("utils service list", expect_string=PROMPT)
    assert "Press <enter>" in connection.send_command_timing("", strip_prompt=False)


def test_timing_returns_before_a_slow_command_is_done_and_it_goes_on(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    connection.send_command_timing("set cert regen TVS")
    answer = connection.send_command_timing("yes")
    assert "Successfully" not in answer
    assert lab.verdict().regenerated == ()
    connection.disconnect()
    time.sleep(60)
    assert [each.times for each in lab.verdict().regenerated] == [1]


def test_a_read_timeout_that_is_too_short_is_raised_and_the_command_goes_on(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    begin = time.time()
    with pytest.raises(netmiko().exceptions.ReadTimeout):
        connection.send_command(f"utils service restart {TVS}", PROMPT)  # 10 s, as by default
    assert time.time() - begin == pytest.approx(10, abs=2)
    assert "[STARTED]" in connection.read_until_pattern(PROMPT, read_timeout=60)


def test_the_channel_can_be_written_and_read_by_hand(lab: ScriptLab) -> None:
    connection = at_the_prompt(session_log_file_mode="append")
    connection.write_channel("show version active\n")
    assert connection.read_channel_timing().rstrip().endswith(PROMPT)
    connection.write_channel("show version active\n")
    whole = connection.read_until_prompt_or_pattern(r"Installed Software Options:")
    assert "Active Master Version" in whole + connection.read_channel_timing()
    connection.clear_buffer()
    assert connection.set_base_prompt(":", "", pattern=PROMPT) == "admin"
    connection.write_channel("show version active\n")
    assert connection.read_until_prompt(read_timeout=30).endswith("admin")
    with pytest.raises(netmiko().ReadTimeout):
        connection.read_until_pattern("never", read_timeout=5)


def test_several_commands_at_once(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    text = connection.send_multiline(
        [["set cert regen TVS", r"\(yes\|no\)"], ["yes", PROMPT]], read_timeout=60
    )
    assert "Successfully Regenerated" in text
    text = connection.send_multiline_timing(["show version active", "show cli pagination"])
    assert "Active Master Version" in text
    assert "Automatic Pagination : Off." in text


def test_the_session_log_has_what_was_read(lab: ScriptLab, tmp_path: Path) -> None:
    log = tmp_path / "session.log"
    at_the_prompt(session_log=str(log))
    assert "Welcome to the Platform Command Line Interface" in log.read_text(encoding="utf-8")


def test_who_has_disconnected_reads_nothing_and_cannot_write(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    connection.disconnect()
    connection.disconnect()
    assert not connection.is_alive()
    connection.read_channel()
    assert connection.read_channel() == ""
    with pytest.raises(OSError, match="closed"):
        connection.write_channel("\n")


def test_a_fault_of_the_scenario_strikes_scripts_too() -> None:
    fault = '\n[[faults]]\nkind = "lost reply"\ncommand = "set cert regen TVS"\n'
    with ScriptLab(scenario(more=fault)) as lab:
        connection = at_the_prompt()
        connection.send_command("set cert regen TVS", expect_string=r"\(yes\|no\)")
        with pytest.raises(netmiko().ReadTimeout):
            connection.send_command("yes", expect_string=PROMPT, read_timeout=60)
        assert not connection.is_alive()
        assert [each.times for each in lab.verdict().regenerated] == [1]


# ── what is not there ─────────────────────────────────────────────────────────────────────


def test_what_the_stand_in_lacks_is_refused_with_what_it_has(lab: ScriptLab) -> None:
    with pytest.raises(NotInStandIn, match=r"cisco_ios(.|\n)*generic, generic_termserver"):
        connect(device_type="cisco_ios")
    with pytest.raises(NotInStandIn, match="ssh_config_file"):
        connect(ssh_config_file="~/.ssh/config")
    connection = at_the_prompt()
    with pytest.raises(NotInStandIn, match=r"send_config_set(.|\n)*send_command_timing"):
        connection.send_config_set(["x"])
    with pytest.raises(NotInStandIn, match="use_textfsm"):
        connection.send_command("show version active", use_textfsm=True)
    assert connection.send_command("show version active", use_textfsm=False)
    with pytest.raises(NotInStandIn, match=r"netmiko\.SSHDetect(.|\n)*ConnectHandler"):
        exec("from netmiko import SSHDetect")
    with pytest.raises(NotInStandIn, match="session_log"):
        connect(session_log=3)


def test_arguments_that_netmiko_4_ignores_are_warned_of(lab: ScriptLab) -> None:
    connection = at_the_prompt()
    with pytest.warns(DeprecationWarning, match="read_timeout"):
        connection.send_command("show version active", delay_factor=4)


def test_a_second_thread_is_refused_and_has_its_own_time(lab: ScriptLab) -> None:
    told: list[object] = []

    def other() -> None:
        told.append(time.time())
        try:
            connect()
        except NotInStandIn as error:
            told.append(str(error))

    thread = threading.Thread(target=other)
    thread.start()
    thread.join(30)
    assert isinstance(told[0], float)
    assert abs(told[0] - time.time()) > 3600  # the machine's
    assert "certflow lab" in str(told[1])


def test_a_running_event_loop_is_refused() -> None:
    async def story() -> None:
        with ScriptLab(scenario()):
            pass

    with pytest.raises(UsageError, match="event loop"):
        asyncio.run(story())


# ── what it needs ─────────────────────────────────────────────────────────────────────────

BARE = """
import sys
for extra in ("starlette", "uvicorn", "typer", "rich", "hypothesis", "pytest", "netmiko"):
    sys.modules[extra] = None
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.testing.scripts import ScriptLab
with ScriptLab(Scenario.load(sys.argv[1])) as lab:
    from netmiko import ConnectHandler
    ConnectHandler(device_type="generic", host="pub", username="administrator",
                   password="lab-platform").read_until_pattern("admin:", read_timeout=60)
print(lab.verdict().is_clean)
"""


def test_no_extra_is_needed_and_no_netmiko(tmp_path: Path) -> None:
    path = tmp_path / "scenario.toml"
    path.write_text(SMALL, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(path)], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


# ── script files ──────────────────────────────────────────────────────────────────────────

HELPER = """
from netmiko import ConnectHandler

def node(name, password):
    connection = ConnectHandler(
        device_type="generic", host=name, username="administrator", password=password
    )
    connection.read_until_pattern("admin:", read_timeout=60)
    return connection
"""
SCRIPT = """
import getpass
import sys
from helper_of_a_script import node

connection = node(sys.argv[1], getpass.getpass("Password: "))
connection.send_command("utils service restart Cisco Tftp", "admin:", read_timeout=120)
input("Reset all phones, and press Enter: ")
if __name__ == "__main__":
    sys.exit(int(sys.argv[2]))
"""


def person(lab: ScriptLab, prompt: str) -> str:
    if "Password" in prompt:
        return "lab-platform"
    lab.reset_phones()
    lab.sleep(600)
    return ""


def files(folder: Path) -> Path:
    (folder / "helper_of_a_script.py").write_text(HELPER, encoding="utf-8")
    script = folder / "script.py"
    script.write_text(SCRIPT, encoding="utf-8")
    return script


def test_a_script_file_runs_with_its_arguments_helpers_and_a_person(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = files(tmp_path)
    before = (sys.argv, sys.path)
    for _ in range(2):  # the second lab is not the first one's
        with ScriptLab(scenario(), person=person) as lab:
            lab.run(script, "sub", "0")
        assert "helper_of_a_script" not in sys.modules
        assert (sys.argv, sys.path) == before
        assert texts(lab)[0] == "utils service restart Cisco Tftp"
        assert texts(lab)[1:] == [f"doDeviceReset {phone.kind.name}" for phone in lab.lab.phones]
        assert lab.verdict().is_clean
    assert capsys.readouterr().out == "Password: \nReset all phones, and press Enter: \n" * 2


def test_a_script_that_fails_says_so_and_there_is_a_verdict_all_the_same(tmp_path: Path) -> None:
    script = files(tmp_path)
    with ScriptLab(scenario(), person=person) as lab:
        with pytest.raises(SystemExit) as ended:
            lab.run(script, "sub", "3")
        assert ended.value.code == 3
    assert texts(lab)[0] == "utils service restart Cisco Tftp"


def test_a_script_that_asks_a_person_who_is_not_there_is_told_what_to_do(tmp_path: Path) -> None:
    with ScriptLab(scenario()) as lab, pytest.raises(UsageError, match=r"Password(.|\n)*person="):
        lab.run(files(tmp_path), "sub", "0")
