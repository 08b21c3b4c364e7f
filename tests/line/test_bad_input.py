"""Every mistake gets a message that says what to do, an honest exit status, and no traceback."""

from __future__ import annotations

import errno
import json
import os
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from cucm_certflow.cli import frame, looking
from cucm_certflow.cli.extras import EXTRAS
from cucm_certflow.cli.output import Exit
from cucm_certflow.documents import not_read, not_written
from cucm_certflow.errors import NodeError, Report
from tests.line.calls import EXPLAIN, INVENTORY, ROOT, SMALL, call, process

_PLAIN: Final = "COLUMNS=400"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to make mistakes in: what each file is, its name says."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inventory.toml").write_text(INVENTORY)
    (tmp_path / "broken.toml").write_text('[[said]]\nitem = "uccx"\nby = \n')
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "empty.toml").write_text("")
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "dangling.toml").symlink_to("nowhere")
    (tmp_path / "folder").mkdir()
    (tmp_path / "whi.toml").write_text('[[said]]\nitem = "uccx"\nby = "ann"\nwhi = "none"\n')
    (tmp_path / "sayd.toml").write_text('[[sayd]]\nitem = "uccx"\n')
    (tmp_path / "stranger.toml").write_text('[[said]]\nitem = "uccx-trst"\nby = "ann"\nwhy = "x"\n')
    (tmp_path / "unknown.toml").write_text(INVENTORY.replace("ssh_port", "shh_port"))
    (tmp_path / "policy.toml").write_text("[policy]\nbarier_within_s = 3.0\n")
    (tmp_path / "scenario.toml").write_text(
        Path(SMALL).read_text(encoding="utf-8").replace("release =", "relaese =", 1)
    )
    return tmp_path


def _said(line: str) -> tuple[int, str]:
    result = call(*shlex.split(line), COLUMNS="400")
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    return result.exit_code, " ".join(result.output.split())


CLUSTER: Final = "-i inventory.toml"
PLANS: Final = f"{CLUSTER} -u TVS"
NOTHING_SENT: Final = [
    # no file, another kind of file, a file that does not read
    ("discover -i inventry.toml", "there is no such file; did you mean 'inventory.toml'?"),
    ("discover -i no/where.toml", "there is no such file, nor its folder"),
    ("discover -i folder", "it is a folder; a file is expected"),
    ("discover -i inventory.toml/x", "a part of the path is no folder"),
    ("discover -i dangling.toml", "it is a link to a file that does not exist"),
    ("discover -i loop.toml", "it is a link that leads to itself"),
    ("discover -i binary.toml", "it is not text in UTF-8"),
    ("discover -i broken.toml", "line 3, column 6): by = …"),
    ("discover -i empty.toml", "nodes"),
    ("discover -i unknown.toml", "nodes[0].shh_port saw unknown key; did you mean 'ssh_port'?"),
    (f"plan {PLANS} --words word.toml", "word.toml: these words cannot be taken"),
    (f"plan {PLANS} --words broken.toml", "line 3, column 6): by ="),
    (f"plan {PLANS} --words folder", "it is a folder"),
    (f"plan {PLANS} --words binary.toml", "it is not text in UTF-8"),
    (f"plan {PLANS} --words whi.toml", "whi; did you mean 'why'?"),
    (f"plan {PLANS} --words sayd.toml", "sayd; did you mean 'said'?"),
    (f"plan {PLANS} --say uccx", "--say ITEM=WHY and --by NAME"),
    (f"plan {PLANS} --say uccx=none", "by must not be empty"),
    (f"preflight {PLANS} --words broken.toml", "line 3"),
    (f"cleanup {CLUSTER} --words broken.toml", "line 3"),
    # names
    (f"plan {CLUSTER} -u CallManger", "'CallManger'; did you mean 'CallManager'?"),
    (f"plan {CLUSTER} -w CallManager,TSV", "'TSV'; did you mean 'TVS'?"),
    (f"preflight {CLUSTER} -u TSV", "did you mean 'TVS'?"),
    (f"run {CLUSTER} -u TSV -j new.journal", "did you mean 'TVS'?"),
    (f"plan {PLANS} --canary wav", "did you mean 'wave'?"),
    (f"plan {PLANS} --batches-by pol", "did you mean 'pool'?"),
    (f"plan {PLANS} --barrier-within 0", "barrier_within_s"),
    (f"plan {PLANS} --barrier-within soon", "--barrier-within"),
    (f"run {PLANS} -j new.journal --approve rest", "'rest'; did you mean 'reset'?"),
    (f"run {PLANS} -j new.journal --maintenance tonight", "expected for example"),
    ("explain CallManger --release 12.5 --mode mixed", "did you mean 'CallManager'?"),
    ("explain TVS --release 12.5 --mode mixt", "'mixt'; did you mean 'mixed'?"),
    ("explain TVS --release twelve --mode mixed", "expected a release such as"),
    # one thing said in no way, or in two
    (f"plan {CLUSTER}", "say once what is to be regenerated"),
    (f"plan {PLANS} --expiring 30", "saw 2 of them"),
    (f"preflight {CLUSTER}", "say once what is to be regenerated"),
    (f"discover {CLUSTER} --pseudonyms", "--pseudonyms is for --record"),
    (f"discover {CLUSTER} --lab-speed 0", "--lab-speed must be over 0"),
    # where something is to be written
    (f"run {PLANS} -j inventory.toml", "the journal inventory.toml exists"),
    (f"run {PLANS} -j no/new.journal", "there is no folder"),
    (f"run {PLANS} -j inventory.toml/new.journal", "there is no folder"),
    (f"cleanup {CLUSTER} -j no/new.journal", "there is no folder"),
    (f"discover {CLUSTER} --record no/new.jsonl", "new.jsonl"),
    (f"discover {CLUSTER} --out inventory.toml", "there is something of that name already"),
    (f"discover {CLUSTER} --out no/twin.toml", "there is no folder"),
    (f"preflight {PLANS} --questions inventory.toml", "there is something of that name already"),
    (f"plan {PLANS} --format markdown --out no/plan.md", "there is no folder"),
    (f"run {PLANS} -j new.journal --rescue-kit folder", "--rescue-kit: folder cannot be made"),
    (f"run {PLANS} -j new.journal --rescue-kit no/kit", "there is no folder"),
    (f"discover {CLUSTER} --record inventory.toml", "the recording inventory.toml exists"),
    # journals
    (f"resume {CLUSTER} -j CHG.journal", "there is no such file"),
    (f"resume {CLUSTER} -j folder", "it is a folder"),
    (f"resume {CLUSTER} -j broken.toml", "line 1 does not read"),
    ("status -j inventori.toml", "did you mean 'inventory.toml'?"),
    ("status -j empty.toml", "it has no readable first line"),
    ("status -j folder", "it is a folder"),
    (f"verify {CLUSTER} -j CHG.journal", "there is no such file"),
    ("pause -j CHG.journal --by ann --why x", "there is no such file"),
    ("approve 1.reset -j CHG.journal --by ann --why x", "there is no such file"),
    ("abort -j CHG.journal --by ann --why x", "there is no such file"),
    (f"abort {CLUSTER} -j CHG.journal --by ann --why x", "there is no such file"),
    (f"run {PLANS} -j new.journal --measured CHG.journal", "--measured is for --maintenance"),
    ("report -j CHG.journal", "there is no such file"),
    ("status -j CHG.journal --watch", "there is no such file"),
    # scenarios, policies, phones
    ("plan --twin inventroy.toml -u TVS", "did you mean 'inventory.toml'?"),
    ("diagram CallManger --release 12.5 --mode mixed", "did you mean 'CallManager'?"),
    ("diagram comand", "did you mean 'command'?"),
    ("diagram command --out no/x.svg", "the folder that it goes into does not exist"),
    (f"diagram windows --scenario {SMALL} -u TSV", "did you mean 'TVS'?"),
    ("doctor -i inventry.toml", "did you mean 'inventory.toml'?"),
    ("check inventroy.toml -u TVS", "did you mean 'inventory.toml'?"),
    ("check folder -u TVS", "it is a folder"),
    ("check broken.toml -u TVS", "column 6): by ="),
    ("check scenario.toml -u TVS", "relaese: unknown key; did you mean 'release'?"),
    (f"check {SMALL} -u TVS --policy polcy.toml", "did you mean 'policy.toml'?"),
    (f"check {SMALL} -u TVS --policy policy.toml", "did you mean 'barrier_within_s'?"),
    (f"check {SMALL} -u TVS --waive SEP00112233440", "did you mean 'SEP0011223300"),
    (f"rehearse {SMALL} -u TVS --words stranger.toml", "uccx-trst; did you mean 'uccx-trust'?"),
    ("rehearse nothing.toml -u TVS", "there is no such file"),
    ("lab nothing.toml", "there is no such file"),
    (f"lab {SMALL} --folder inventory.toml", "the lab cannot write to inventory.toml"),
    (f"lab {SMALL} --ssh-port 70000", "--ssh-port"),
    (f"remedies {CLUSTER} --phone SEP1 --itl ITL.tlv", "ITL.tlv cannot be read"),
    (f"remedies {CLUSTER} --phone SEP1 --exported folder", "it is a folder"),
]


@pytest.mark.parametrize(("line", "words"), NOTHING_SENT, ids=lambda value: value)
def test_a_mistake_is_named_with_what_was_meant_and_nobody_was_asked(
    line: str, words: str, here: Path
) -> None:
    before = sorted(path.name for path in here.rglob("*"))
    status, said = _said(line)
    assert status == Exit.USAGE, said
    assert words in said
    assert "NodeUnreachable" not in said  # what can be seen at once is said at once
    assert sorted(path.name for path in here.rglob("*")) == before


@pytest.mark.parametrize("line", ["discover -i nowhere.toml", "status -j nowhere", "status"])
def test_with_json_a_mistake_is_a_document_on_standard_output(line: str, here: Path) -> None:
    result = call(*line.split(), "--json")
    assert result.exit_code == Exit.USAGE
    document = json.loads(result.output)  # and nothing besides
    assert document["report"]["headline"]


def test_a_node_that_does_not_answer_has_a_status_of_its_own(here: Path) -> None:
    status, said = _said(f"discover {CLUSTER}")
    assert status == Exit.NODE
    assert "ConnectionRefusedError" in said


# ── what the machine refuses ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("number", "reading", "writing"),
    [
        (errno.EACCES, "you are not allowed to read it", "you are not allowed to write there"),
        (errno.EROFS, os.strerror(errno.EROFS), "nothing can be written on that file system"),
        (errno.ENOSPC, os.strerror(errno.ENOSPC), "the disk is full"),
        (errno.EIO, os.strerror(errno.EIO), os.strerror(errno.EIO)),
    ],
)
def test_reasons_of_the_machine_are_said_in_plain_words(
    number: int, reading: str, writing: str
) -> None:
    error = OSError(number, os.strerror(number), "x")
    assert not_read("x", error) == reading
    assert not_written(error) == writing


def _refusing(number: int) -> Callable[..., Any]:
    def refuse(*_: object, **__: object) -> Any:  # noqa: ANN401 - it never returns
        raise OSError(number, os.strerror(number), "there")

    return refuse


@pytest.mark.parametrize("line", ["discover -i inventory.toml", "status -j broken.toml"])
def test_a_file_that_may_not_be_read_is_named(
    line: str, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("read_text", "read_bytes"):
        monkeypatch.setattr(Path, name, _refusing(errno.EACCES))
    status, said = _said(line)
    assert status == Exit.USAGE
    assert "you are not allowed to read it" in said


def test_a_folder_that_may_not_be_written_is_named_before_anybody_is_asked(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: Path(path) != here)
    status, said = _said(f"run {PLANS} -j new.journal")
    assert status == Exit.USAGE
    assert f"you are not allowed to write in {here}" in said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_what_the_disk_refuses_anywhere_is_no_bug(
    number: int, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "with_cluster", _refusing(number))
    status, said = _said(f"cleanup {CLUSTER}")
    assert status == Exit.USAGE
    assert f"there: {os.strerror(number)}" in said
    assert "check the path, its permissions, and the room on its disk" in said


# ── extras ────────────────────────────────────────────────────────────────────────────────


def test_every_extra_of_the_package_is_known_with_its_modules() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    assert set(extras) == set(EXTRAS)
    for name, needs in extras.items():
        # Some modules come with what is named: who misses them misses the extra as well.
        assert {re.split("[<>=]", text)[0] for text in needs} <= set(EXTRAS[name])


@pytest.mark.parametrize(
    ("module", "extra", "words"),
    [
        ("typer", "cli", ("--help",)),
        ("rich", "cli", ("--help",)),
        ("starlette", "lab", ("lab", SMALL)),
        ("uvicorn", "lab", ("lab", SMALL)),
    ],
)
def test_a_missing_extra_is_named(
    module: str, extra: str, words: tuple[str, ...], here: Path
) -> None:
    (here / "without").mkdir()
    (here / "without" / f"{module}.py").write_text(
        f"raise ModuleNotFoundError(\"No module named '{module}'\", name='{module}')\n"
    )
    done = process(*words, PYTHONPATH=f"{here / 'without'}{os.pathsep}{ROOT}")
    assert done.returncode == Exit.USAGE, done.stderr
    assert f"certflow needs {module} for this" in done.stderr
    assert f"pip install 'cucm-certflow[{extra}]'" in done.stderr
    assert "Traceback" not in done.stderr


# ── bugs ──────────────────────────────────────────────────────────────────────────────────


def _with_a_bug(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(looking, "with_cluster", broken)


def test_a_bug_is_one_line_and_a_status_of_its_own(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_bug(monkeypatch, KeyError("no\nsuch key"))
    result = call("cleanup", *CLUSTER.split())
    assert result.exit_code == Exit.BUG
    (line,) = result.output.splitlines()
    assert line.startswith("this is a bug in certflow: KeyError: ")
    assert f"{frame.TRACEBACK}=1 shows where it happened" in line
    assert "the journal resumes the run" in line


def test_a_bug_shows_its_traceback_to_whoever_asks_for_it(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_bug(monkeypatch, KeyError("x"))
    result = call("cleanup", *CLUSTER.split(), **{frame.TRACEBACK: "1"})
    assert result.exit_code == Exit.BUG
    assert "Traceback (most recent call last)" in result.output


def test_a_bug_is_a_document_with_json(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _with_a_bug(monkeypatch, KeyError("x"))
    result = call("cleanup", *CLUSTER.split(), "--json")
    assert result.exit_code == Exit.BUG
    assert json.loads(result.stdout)["error"] == "KeyError"


def test_errors_of_several_tasks_at_once_are_told_by_the_first_of_them(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (NodeError(Report(headline=name)) for name in ("the first", "the second"))
    _with_a_bug(monkeypatch, ExceptionGroup("both", [ExceptionGroup("deeper", [one]), two]))
    status, said = _said(f"cleanup {CLUSTER}")
    assert status == Exit.NODE
    assert "the first" in said
    _with_a_bug(monkeypatch, ExceptionGroup("both", [one, KeyError("x")]))
    assert _said(f"cleanup {CLUSTER}")[0] == Exit.BUG


def test_an_interrupt_where_there_is_nothing_to_resume_says_so(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _with_a_bug(monkeypatch, KeyboardInterrupt())
    status, said = _said(f"cleanup {CLUSTER}")
    assert status == Exit.INTERRUPTED
    assert "interrupted; nothing was changed" in said


def test_what_is_right_is_still_right() -> None:
    assert call(*EXPLAIN).exit_code == Exit.DONE
