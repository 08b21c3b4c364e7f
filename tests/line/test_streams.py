"""Closed pipes, full disks behind standard output, narrow terminals and narrow alphabets."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from cucm_certflow.cli.output import Exit
from tests.line.calls import EXPLAIN, SMALL, call, command, environment, process, shell

_WORDS = " ".join(EXPLAIN)


def test_a_reader_that_leaves_early_ends_a_look_quietly_with_a_status_of_its_own() -> None:
    run = subprocess.Popen(
        command(*EXPLAIN), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    err = run.stderr.read()
    run.stderr.close()
    assert run.wait(60) == Exit.UNREAD
    assert err == b""


def test_a_command_that_changes_something_goes_on_when_nobody_reads_it(tmp_path: Path) -> None:
    twin = tmp_path / "kept.journal"
    words = ("rehearse", SMALL, "-u", "TVS", "-j", str(twin), "--json")
    run = subprocess.Popen(
        command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    )
    assert run.stdout is not None
    assert run.stderr is not None
    run.stdout.close()
    err = run.stderr.read().decode()
    run.stderr.close()
    told = call(*words[:-3]).exit_code
    assert run.wait(120) == told != Exit.UNREAD
    assert "the output cannot be written any more" in err
    assert "Traceback" not in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_behind_the_output_is_said() -> None:
    done = shell(f"certflow {_WORDS} > /dev/full")
    assert done.returncode == Exit.USAGE
    assert done.stderr == "the output cannot be written any more: No space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-", "< /dev/null"])
def test_closed_streams_stop_nobody(closed: str) -> None:
    done = shell(f"certflow {_WORDS} {closed}")
    assert done.returncode == Exit.DONE
    assert done.stderr == ""


def test_no_file_is_opened_in_place_of_a_closed_output(tmp_path: Path) -> None:
    journal = tmp_path / "kept.journal"
    done = shell(f"certflow rehearse {SMALL} -u TVS -j {journal} <&- >&- 2>&-")
    assert done.returncode == call("rehearse", SMALL, "-u", "TVS").exit_code
    status = call("status", "-j", str(journal), "--json") if journal.exists() else None
    assert status is None or status.exit_code != Exit.USAGE, status.output


def test_an_alphabet_without_our_characters_gets_them_escaped_and_json_stays_json() -> None:
    narrow = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"}
    plain = process(*EXPLAIN, **narrow)
    assert plain.returncode == Exit.DONE, plain.stderr
    assert plain.stdout.isascii()
    wide = process(*EXPLAIN, "--json", PYTHONIOENCODING="utf-8")
    assert not wide.stdout.isascii()
    told = process(*EXPLAIN, "--json", **narrow)
    assert told.stdout.isascii()
    assert json.loads(told.stdout) == json.loads(wide.stdout)


def test_a_path_that_is_no_text_is_named_all_the_same(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.toml")
    done = process("discover", "-i", str(tmp_path / name))
    assert done.returncode == Exit.USAGE
    assert "caf\\udce9.toml cannot be read" in done.stderr


@pytest.mark.parametrize("width", ["1", "20", "59"])
@pytest.mark.parametrize("words", [(), ("--help",), ("run", "--help"), ("status",), ("stauts",)])
def test_a_narrow_terminal_gets_whole_words_and_no_frames(
    words: tuple[str, ...], width: str
) -> None:
    result = call(*words, COLUMNS=width)
    assert result.exit_code in (Exit.DONE, Exit.USAGE)
    assert not set(result.output) & set("╭╮╰╯│─")
    assert "certflow" in result.output


def test_a_dumb_terminal_gets_no_escape_sequences_and_no_frames() -> None:
    done = process("--help", TERM="dumb", FORCE_COLOR=None)
    assert done.returncode == Exit.DONE
    assert "\x1b" not in done.stdout
    assert not set(done.stdout) & set("╭╮╰╯│")


def test_a_home_that_is_not_set_is_not_missed() -> None:
    assert process(*EXPLAIN, HOME=None).returncode == Exit.DONE
