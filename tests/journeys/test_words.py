"""What people say, in a file: filled in it is taken, half filled in it is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cucm_certflow.errors import UsageError
from cucm_certflow.findings import Finding, Said, Severity, Verdict
from cucm_certflow.words import load_words, write_questions


def finding(check: str, verdict: Verdict, severity: Severity) -> Finding:
    return Finding(
        check=check,
        title=check,
        verdict=verdict,
        severity=severity,
        detail="it may be so",
        unlock="look at it",
    )


OPEN = (
    finding("asked", Verdict.UNKNOWN, Severity.BLOCK),
    finding("consent", Verdict.FINDING, Severity.CONSENT),
    finding("seen-to-block", Verdict.FINDING, Severity.BLOCK),
)


def test_questions_are_refused_until_they_are_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    write_questions(path, OPEN)
    with pytest.raises(UsageError, match="none of them empty"):
        load_words(path)
    text = path.read_text().replace('by = ""', 'by = "A"').replace('why = ""', 'why = "seen"')
    path.write_text(text)
    assert load_words(path) == tuple(
        Said(item=item, by="A", why="seen") for item in ("asked", "consent")
    )
    assert "# " + str(OPEN[0]).splitlines()[0] in text


def test_file_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text("[[said]]\n")
    with pytest.raises(UsageError, match="a new file"):
        write_questions(path, OPEN)
    assert path.read_text() == "[[said]]\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[said]", "a TOML file"),
        ("other = 1", "nothing else"),
        ('said = "no"', "nothing else"),
        ("said = [1]", "item, by and why"),
        ('[[said]]\nitem = "x"\nby = "A"', "item, by and why"),
        ('[[said]]\nitem = "x"\nby = "A"\nwhy = "y"\nmore = 1', "item, by and why"),
        ('[[said]]\nitem = "x"\nby = " "\nwhy = "y"', "none of them empty"),
    ],
)
def test_words_that_are_none_are_refused_with_what_was_expected(
    text: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "words.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=words):
        load_words(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml"):
        load_words(tmp_path / "none.toml")
