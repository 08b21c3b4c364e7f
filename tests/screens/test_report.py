"""The report of a journal: all of it is there, it loads nothing, and it fits screens and paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import attrs
import pypdf
import pytest
from lxml import html
from typer.testing import CliRunner

from cucm_certflow import CertUnit, Held, Said, Verified
from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.states import CommandState
from cucm_certflow.lab.rehearsal import rehearse
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.report import report_html, story_of
from cucm_certflow.testing import Stage, play
from tests.screens.chromium import SCREENS, dump_dom, print_to_pdf, screenshot

BOTH: Final = (CertUnit.CALLMANAGER, CertUnit.TVS)
DRAWER: Final = "SEP001122380001"
UNPLUGGED: Final = "SEP001122340004"
SCENARIOS: Final = Path(__file__).parents[2] / "examples" / "scenarios"
HEADINGS: Final = (
    "Summary",
    "Phones that were left",
    "Certificates before and after",
    "Registration curve",
    "Timeline",
    "What people decided",
    "Other systems",
    "Findings before the run",
    "Choices",
)


def verified(path: Path) -> None:
    rehearse("tutorial", units=BOTH, waive=[DRAWER, UNPLUGGED], journal=path)


def held(path: Path) -> None:
    rehearse("tutorial", units=BOTH, waive=[DRAWER], journal=path)


def resumed(path: Path) -> None:
    async def story(stage: Stage) -> None:
        plan = await stage.plan(*BOTH, waive=[DRAWER])
        async with stage.cluster.run(plan, journal=path) as run:
            assert isinstance(await run.wait(), Held)
        again = stage.cluster.resume(journal=path, waive=[UNPLUGGED], waived_by="A. Person")
        async with again as run:
            assert isinstance(await run.wait(), Verified)

    play("tutorial", story)


def aborted(path: Path) -> None:
    async def story(stage: Stage) -> None:
        plan = await stage.plan(*BOTH, waive=[DRAWER])
        async with stage.cluster.run(plan, journal=path) as run:
            await run.wait()
        async with stage.cluster.abort(
            journal=path, by="A. Person", why="the night is over"
        ) as run:
            await run.wait()

    play("tutorial", story)


def in_progress(path: Path) -> None:
    async def story(stage: Stage) -> None:
        plan = await stage.plan(*BOTH, waive=[DRAWER])
        async with stage.cluster.run(plan, journal=path) as run:
            async for _ in run.events():
                if sum(step.state is CommandState.PROVED for step in run.state.steps) >= 5:
                    break
            path.with_suffix(".copy").write_bytes(path.read_bytes())

    play("tutorial", story)
    path.write_bytes(path.with_suffix(".copy").read_bytes())


STORIES: Final[dict[str, Callable[[Path], None]]] = {
    "verified": verified,
    "held": held,
    "resumed": resumed,
    "aborted": aborted,
    "interrupted": in_progress,
}


@pytest.fixture(scope="session")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def made(name: str) -> Path:
        path = tmp_path_factory.mktemp(name) / "CHG1234.journal"
        STORIES[name](path)
        return path

    return made


def page_of(journal: Path) -> Any:  # noqa: ANN401 - lxml's own
    return html.document_fromstring(report_html(story_of(journal)))


def words(element: Any) -> str:  # noqa: ANN401 - lxml's own
    return " ".join(element.text_content().split())


# ── what is in it ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("verified", "Verified, and 2 phones were left"),
        ("held", "HELD: a person must decide"),
        ("resumed", "Verified, and 2 phones were left"),
        ("aborted", "Aborted: a person ended the run for good"),
        ("interrupted", "INTERRUPTED: nobody drives the run"),
    ],
)
def test_report_says_first_how_it_stands(
    name: str, headline: str, journals: Callable[[str], Path]
) -> None:
    page = page_of(journals(name))
    assert headline in words(page.find_class("outcome")[0])
    assert [words(heading) for heading in page.iter("h2")] == list(HEADINGS)


def test_report_has_every_step_certificate_finding_word_task_and_digest(
    journals: Callable[[str], Path],
) -> None:
    journal = journals("resumed")
    story = story_of(journal)
    text = words(page_of(journal))
    for step in story.steps:
        assert step.command in text
        assert step.saw in text
        assert step.source in text
    for told in story.certificates:
        assert told.before is not None
        assert told.before.serial in text
        assert told.after
        assert told.after in text
    for task in story.tasks:
        assert task.task.question in text
    for phone in story.left:
        assert phone.name in text
        assert phone.remedy in text
    assert {phone.name for phone in story.left} == {DRAWER, UNPLUGGED}
    assert f"waived {UNPLUGGED}" in text
    assert "A. Person" in text
    assert story.digest in text
    assert story.plan.fingerprint in text
    assert str(len(journal.read_bytes())) in text


def test_report_of_a_hold_says_why_what_is_left_and_what_to_do(
    journals: Callable[[str], Path],
) -> None:
    text = words(page_of(journals("held")))
    assert "phones_back: pub/CallManager: 1 phones in scope are not back" in text
    assert "pub/TVS: not begun, its certificate is the old one" in text
    assert "To be done next" in text
    assert "Not known before the run is verified." in text


def test_unfinished_run_is_never_reported_as_a_good_one(journals: Callable[[str], Path]) -> None:
    for name in ("held", "aborted", "interrupted"):
        page = page_of(journals(name))
        assert "good" not in page.find_class("outcome")[0].get("class")
        assert story_of(journals(name)).proved < len(story_of(journals(name)).steps)


def test_same_journal_gives_the_same_bytes(journals: Callable[[str], Path]) -> None:
    journal = journals("verified")
    assert report_html(story_of(journal)) == report_html(story_of(journal))


# ── it is safe, and stands alone ──────────────────────────────────────────────────────────


def test_report_loads_nothing_and_runs_nothing(journals: Callable[[str], Path]) -> None:
    text = report_html(story_of(journals("verified")))
    page = html.document_fromstring(text)
    assert not list(page.iter("script", "link", "img", "iframe", "object", "embed", "base"))
    assert not page.xpath("//@src | //@href | //@srcset | //@action | //@onload | //@onclick")
    assert not re.search(r"url\(|@import|javascript:", text)
    policy = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert str(policy).startswith("[\"default-src 'none';")


def test_text_from_the_cluster_stays_text(journals: Callable[[str], Path]) -> None:
    evil = "<script>alert(1)</script>"
    story = story_of(journals("verified"))
    story = attrs.evolve(
        story,
        journal=evil,
        left=tuple(attrs.evolve(p, name=evil, remedy=evil) for p in story.left),
        steps=tuple(attrs.evolve(s, node=evil, saw=evil, command=evil) for s in story.steps),
        curve=tuple(attrs.evolve(p, by_node={evil: 3}) for p in story.curve),
        said=(Said(item=evil, by=evil, why=evil),),
    )
    text = report_html(story)
    assert "<script" not in text
    assert evil in words(html.document_fromstring(text))


def test_tables_have_headers_and_pictures_have_words(journals: Callable[[str], Path]) -> None:
    page = page_of(journals("verified"))
    for table in page.iter("table"):
        heads = table.xpath("./thead/tr/th")
        assert heads
        assert all(head.get("scope") == "col" for head in heads)
        for row in table.xpath("./tbody/tr"):
            assert len(row.xpath("./td | ./th")) == len(heads)
    pictures = page.xpath("//svg")
    assert len(pictures) == 2
    for picture in pictures:
        assert picture.get("role") == "img"
        assert words(picture.find("title"))
        assert words(picture.find("desc"))
    levels = [int(each.tag[1]) for each in page.iter("h1", "h2", "h3")]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_large_cluster_has_a_report_of_reasonable_size(tmp_path: Path) -> None:
    scenario = Scenario.load(SCENARIOS / "small.toml")
    many = attrs.evolve(scenario, phones=(attrs.evolve(scenario.phones[0], count=5_000),))
    journal = tmp_path / "large.journal"
    rehearse(many, units=[CertUnit.TVS], journal=journal)
    text = report_html(story_of(journal))
    print(f"{len(text):,} bytes for {len(story_of(journal).plan.facts.phones):,} phones")
    assert len(text) < 1_000_000


# ── the command ───────────────────────────────────────────────────────────────────────────


def certflow(*given: str) -> Any:  # noqa: ANN401 - typer's own
    return CliRunner().invoke(app, ["report", *given])


def test_command_writes_beside_the_journal_and_never_over_a_file(
    journals: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = tmp_path / "CHG1234.journal"
    journal.write_bytes(journals("verified").read_bytes())
    assert certflow("-j", str(journal)).exit_code == Exit.DONE
    made = tmp_path / "CHG1234.journal.html"
    assert made.read_text(encoding="utf-8") == report_html(story_of(journal))
    again = certflow("-j", str(journal))
    assert again.exit_code == Exit.USAGE
    assert "--force writes over it" in again.stderr
    assert certflow("-j", str(journal), "--force").exit_code == Exit.DONE


def test_command_says_what_is_wrong_with_its_files(
    journals: Callable[[str], Path], tmp_path: Path
) -> None:
    assert certflow("-j", str(tmp_path / "none.journal")).exit_code == Exit.USAGE
    nowhere = certflow("-j", str(journals("held")), "-o", str(tmp_path / "no" / "x.html"))
    assert nowhere.exit_code == Exit.USAGE
    assert "a folder that you may write in" in nowhere.stderr


# ── looked at in Chromium ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["resumed", "held"])
@pytest.mark.parametrize(("medium", "width"), [("desktop", 1280), ("paper", 794), ("phone", 400)])
def test_nothing_is_wider_than_the_window(
    name: str, medium: str, width: int, journals: Callable[[str], Path], tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    text = report_html(story_of(journals(name)))
    page.write_text(text, encoding="utf-8")
    screenshot(page, SCREENS / f"report-{name}-{medium}.png", width, 3000)
    # Chromium's window is 500 pixels wide at least: a frame is as narrow as one likes.
    measured = tmp_path / "measured.html"
    probe = text.replace("default-src 'none';", "default-src 'unsafe-inline';").replace(
        '"', "&quot;"
    )
    measured.write_text(
        f'<iframe width="{width}" height="900" srcdoc="{probe}"></iframe><script>onload = () => {{'
        "const e = document.querySelector('iframe').contentDocument.documentElement;"
        "document.title = `${e.scrollWidth} ${e.clientWidth}`}</script>",
        encoding="utf-8",
    )
    found = re.search(r"<title>(\d+) (\d+)</title>", dump_dom(measured, 1600, 1000))
    assert found is not None
    assert int(found[1]) <= int(found[2])
    assert int(found[2]) > width - 40


def test_print_has_every_heading_and_every_step(
    journals: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = journals("resumed")
    page = tmp_path / "report.html"
    page.write_text(report_html(story_of(journal)), encoding="utf-8")
    printed = pypdf.PdfReader(print_to_pdf(page, SCREENS / "report.pdf"))
    text = "".join("".join(each.extract_text().split()) for each in printed.pages)
    for heading in HEADINGS:
        assert "".join(heading.split()) in text
    story = story_of(journal)
    for step in story.steps:
        assert "".join(step.saw.split()) in text
    assert story.digest in text
    width, height = (float(each) for each in printed.pages[0].mediabox[2:])
    assert (round(width), round(height)) == (595, 842)  # A4, in points
