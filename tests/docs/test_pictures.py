"""The pictures of the documentation: current, legible, and what they say is so."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from cucm_certflow.names import CertUnit
from cucm_certflow.trust.lifeline import Health
from tests.pictures import check_document, check_places

DOCS: Final = Path(__file__).parents[2] / "docs"
PICTURES: Final = sorted((DOCS / "pictures").glob("*.svg"))
PAGES: Final = ("why-phones-get-lost.md", "invariants.md", "disagreements.md")
_PICTURE: Final = re.compile(r"!\[([^\]]*)\]\(pictures/([^)]+)\)")


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pictures", DOCS / "pictures.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where the types that it defines are looked up
    spec.loader.exec_module(module)
    return module


PEN: Final = _generator()


def test_the_pictures_are_up_to_date_and_there_is_no_other_file() -> None:
    wanted: dict[Path, str] = PEN.files()
    assert sorted(wanted) == PICTURES
    for path, text in wanted.items():
        assert path.read_text(encoding="utf-8") == text, "run python docs/pictures.py"


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.stem)
def test_a_picture_is_legible_and_stands_alone(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    check_places(text)
    check_document(text)


def test_every_picture_is_shown_and_every_one_shown_is_there_with_words_for_it() -> None:
    shown = [
        each
        for page in sorted(DOCS.glob("*.md"))
        for each in _PICTURE.findall(page.read_text(encoding="utf-8"))
    ]
    assert {name for _, name in shown} == {path.name for path in PICTURES}
    assert all(len(words) > 20 for words, _ in shown)


def _health(story: str) -> list[str]:
    return [moment.health.name for moment in PEN.STORIES[story].moments]


def test_one_anchor_at_a_time_keeps_every_phone() -> None:
    assert set(_health("one-at-a-time")) == {"OK"}
    moments = PEN.STORIES["one-at-a-time"].moments
    assert [(each.knows_signer, each.can_ask) for each in moments] == [
        (True, True),
        (False, True),
        (True, True),
        (True, False),
        (True, True),
    ]
    assert moments[-1].is_current


def test_both_at_once_need_localkey_and_with_it_all_is_well_again() -> None:
    assert _health("both-at-once")[:4] == ["OK", "NEEDS_LOCALKEY", "NEEDS_LOCALKEY", "OK"]
    assert set(_health("both-at-once")[4:]) == {"OK"}
    assert PEN.STORIES["both-at-once"].moments[-1].is_current


def test_a_phone_that_missed_the_visit_is_where_both_at_once_left_the_others() -> None:
    assert _health("in-a-drawer") == ["OK", "OK", "NEEDS_LOCALKEY", "NEEDS_LOCALKEY"]


def test_itlrecovery_needs_its_remedy_at_once_and_ends_well() -> None:
    assert _health("itlrecovery") == ["OK", "NEEDS_LOCALKEY", "OK", "OK", "OK", "OK"]
    assert PEN.STORIES["itlrecovery"].moments[-1].is_current


def test_all_three_at_once_are_beyond_every_command() -> None:
    assert _health("all-three") == ["OK", *["HAND_DELETE"] * 4]


_SETS: Final = {
    "CallManager": (CertUnit.CALLMANAGER,),
    "TVS": (CertUnit.TVS,),
    "ITLRecovery": (CertUnit.ITLRECOVERY,),
    "CallManager and TVS": (CertUnit.CALLMANAGER, CertUnit.TVS),
    "CallManager and ITLRecovery": (CertUnit.CALLMANAGER, CertUnit.ITLRECOVERY),
    "TVS and ITLRecovery": (CertUnit.TVS, CertUnit.ITLRECOVERY),
    "all three": (CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY),
}
_WORDS: Final = {
    Health.OK: "ordinary steps",
    Health.NEEDS_LOCALKEY: "`localkey`",
    Health.HAND_DELETE: "deleted by hand",
}


@pytest.mark.parametrize("changed", _SETS)
def test_the_table_of_what_is_changed_together_is_worked_out(changed: str) -> None:
    text = (DOCS / "why-phones-get-lost.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {changed} \| (.*) \| (.*) \|$", text, re.MULTILINE)
    found = []
    for release in ("11.5", "12.5"):
        story = PEN.told("", release, PEN.changed(*_SETS[changed]), PEN.PHONES_RESET)
        found.append(_WORDS[story.moments[-1].health])
    assert [cell.replace("*", "") for cell in row] == found


@pytest.mark.parametrize("page", PAGES)
def test_every_link_to_a_point_leads_to_one(page: str) -> None:
    points = (DOCS / "points.md").read_text(encoding="utf-8")
    text = (DOCS / page).read_text(encoding="utf-8")
    for point in re.findall(r"points\.md#([A-Z]\d+)", text):
        assert f'<a id="{point}"></a>' in points


def test_every_disagreement_is_named() -> None:
    text = (DOCS / "disagreements.md").read_text(encoding="utf-8")
    named = {int(number) for number in re.findall(r"points\.md#D(\d+)", text)}
    assert named == set(range(1, 26))
