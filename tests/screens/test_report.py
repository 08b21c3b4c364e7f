"""The report of a journal: all of it is there, it loads nothing, and it fits screens and paper."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import re
import subprocess
import sys
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

from cucm_certflow import CertUnit, Held, Paused, Verified, plan_cleanup
from cucm_certflow.cli.app import app
from cucm_certflow.cli.output import Exit
from cucm_certflow.core.run_state import CommandProgress
from cucm_certflow.core.states import CommandState
from cucm_certflow.journal import Journal
from cucm_certflow.lab.rehearsal import rehearse
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.notes import CertificateNoted, PhonesGraded
from cucm_certflow.observers import Recorded
from cucm_certflow.report import report_html, story_of
from cucm_certflow.report.scale import Scale
from cucm_certflow.report.story import PersonTold, WaiverTold
from cucm_certflow.report.telling import told
from cucm_certflow.runner import Run
from cucm_certflow.testing import Stage, play
from tests.screens.chromium import SCREENS, dump_dom, print_to_pdf, screenshot

BOTH: Final = (CertUnit.CALLMANAGER, CertUnit.TVS)
DRAWER: Final = "SEP001122380001"
UNPLUGGED: Final = "SEP001122340004"
CLEANUP: Final = """
release = "12.5.1.11900-146"

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
services = ["callmanager", "tftp", "tvs", "cti", "capf"]

[[phones]]
count = 3
model = "Cisco 8861"
group = ["pub"]
tftp = ["pub"]

[[trust]]
store = "tomcat-trust"
name = "old-ca.pem"
expires_in_days = -3
comes_back = true

[[trust]]
store = "CallManager-trust"
name = "gone-cluster.pem"
expires_in_days = -30
"""
SCENARIOS: Final = Path(__file__).parents[2] / "examples" / "scenarios"
HEADINGS: Final = (
    "Summary",
    "Why it is held",
    "Why it was held",
    "What to do next",
    "Phones that were left",
    "Certificates before and after",
    "Registration curve",
    "Timeline",
    "Steps",
    "Waivers",
    "Approvals, orders and words",
    "Other systems",
    "Findings before the run",
    "Choices",
    "Figures of the registration curve",
    "What this record rests on",
)
HELD_ONLY: Final = frozenset({"Why it is held", "Why it was held"})


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


def is_under_way(step: CommandProgress) -> bool:
    return step.state is CommandState.INTENDED


def cut_off(path: Path) -> None:
    """A process that dies while a command is under way, and another one that goes on."""

    async def story(stage: Stage) -> None:
        plan = await stage.plan(*BOTH, waive=[DRAWER, UNPLUGGED])
        torn = b""
        with contextlib.suppress(InterruptedError):
            async with stage.cluster.run(plan, journal=path) as run:
                async for event in run.events():
                    if isinstance(event, Recorded) and is_under_way(run.state.steps[3]):
                        torn = path.read_bytes()
                        raise InterruptedError
        path.write_bytes(torn)
        async with stage.cluster.resume(journal=path) as again:
            assert isinstance(await again.wait(), Verified)

    play("tutorial", story)


def nights(path: Path) -> None:
    """A run that is paused for a day, and then for three."""

    async def story(stage: Stage) -> None:
        plan = await stage.plan(*BOTH, waive=[DRAWER, UNPLUGGED])

        async def night(run: Run, steps: int) -> None:
            async for _ in run.events():
                if sum(s.state is CommandState.PROVED for s in run.state.steps) >= steps:
                    await run.pause(by="A. Person", why="the night is over")
                    break
            assert isinstance(await run.wait(), Paused)

        async with stage.cluster.run(plan, journal=path) as run:
            await night(run, 13)
        await stage.clock.sleep(86_400)
        async with stage.cluster.resume(journal=path) as run:
            await night(run, 19)
        await stage.clock.sleep(3 * 86_400)
        async with stage.cluster.resume(journal=path) as run:
            assert isinstance(await run.wait(), Verified)

    play("tutorial", story)


def cleanup(path: Path) -> None:
    """Two expired trust certificates, of which one comes back."""

    async def story(stage: Stage) -> None:
        facts = await stage.cluster.discover()
        plan = plan_cleanup(facts, await stage.cluster.trust_stores(facts))
        async with stage.cluster.run(plan, journal=path) as run:
            assert isinstance(await run.wait(), Held)

    play(CLEANUP, story)


STORIES: Final[dict[str, Callable[[Path], None]]] = {
    "verified": verified,
    "held": held,
    "resumed": resumed,
    "aborted": aborted,
    "interrupted": in_progress,
    "cut_off": cut_off,
    "nights": nights,
    "cleanup": cleanup,
}


@pytest.fixture(scope="session")
def journals(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    @cache
    def made(name: str) -> Path:
        path = tmp_path_factory.mktemp(name) / "CHG1234.journal"
        STORIES[name](path)
        return path

    return made


def parsed(text: str) -> Any:  # noqa: ANN401 - lxml's own
    return html.document_fromstring(text)


def page_of(journal: Path) -> Any:  # noqa: ANN401 - lxml's own
    return parsed(report_html(story_of(journal)))


def words(element: Any) -> str:  # noqa: ANN401 - lxml's own
    return " ".join(element.text_content().split())


# ── what is in it ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("verified", "Verified, and 2 phones were left: they are named below"),
        ("held", "HELD: not over; a person must decide"),
        ("resumed", "Verified, and 2 phones were left: they are named below"),
        ("aborted", "ABORTED: a person ended the run for good"),
        ("interrupted", "NOT OVER: no process has said how it left the run"),
    ],
)
def test_report_says_first_how_it_stands(
    name: str, headline: str, journals: Callable[[str], Path]
) -> None:
    page = page_of(journals(name))
    assert headline in words(page.find_class("outcome")[0])
    shown = {"held": "Why it is held", "aborted": "Why it was held"}
    leaves_out = HELD_ONLY - {shown.get(name, "")}
    expected = [heading for heading in HEADINGS if heading not in leaves_out]
    assert [words(heading) for heading in page.iter("h2")] == expected


@pytest.mark.parametrize("name", sorted(STORIES))
def test_exit_status_of_the_report_is_that_of_the_run(
    name: str, journals: Callable[[str], Path]
) -> None:
    statuses = {
        "verified": Exit.LEFT_BEHIND,
        "resumed": Exit.LEFT_BEHIND,
        "cut_off": Exit.LEFT_BEHIND,
        "nights": Exit.LEFT_BEHIND,
        "held": Exit.HELD,
        "cleanup": Exit.HELD,
        "aborted": Exit.ABORTED,
    }
    text = words(page_of(journals(name)))
    status = statuses.get(name)
    assert f"Exit status {'none' if status is None else int(status)}: " in text


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
    for each in story.certificates:
        assert each.before is not None
        assert each.before.serial in text
        assert each.after is not None
        assert each.after.serial in text
        assert each.after.fingerprint in text
        assert each.after.fingerprint != each.before.fingerprint
    for task in story.tasks:
        assert task.task.question in text
    for phone in story.left or ():
        assert phone.name in text
        assert all(step in text for step in phone.remedy.split(" > "))
    assert story.left is not None
    assert {phone.name for phone in story.left} == {DRAWER, UNPLUGGED}
    assert f"A. Person {UNPLUGGED}" in text
    assert f"before it began not recorded {DRAWER}" in text
    assert "A. Person" in text
    assert story.digest in text
    assert story.plan.fingerprint in text
    assert str(len(journal.read_bytes())) in text


def test_report_of_a_hold_says_why_what_is_left_and_what_to_do(
    journals: Callable[[str], Path],
) -> None:
    text = words(page_of(journals("held")))
    assert "phones_back (pub/CallManager): 1 phones in scope are not back" in text
    assert f"Phones {UNPLUGGED}" in text
    assert "pub/TVS: not begun, its certificate is the old one" in text
    assert "power them on and let them register, or waive them by name" in text
    assert "certflow resume -i INVENTORY -j CHG1234.journal goes on from where it stands" in text
    assert "Not known: that is only looked at when a run is verified." in text


def test_only_an_ended_run_is_told_to_plan_again(journals: Callable[[str], Path]) -> None:
    again = "discover and plan again for the rest"
    assert again in words(page_of(journals("aborted")))
    for name in ("held", "interrupted", "verified"):
        assert again not in words(page_of(journals(name)))


def test_abort_names_who_ended_it_and_what_it_was_held_for(
    journals: Callable[[str], Path],
) -> None:
    text = words(page_of(journals("aborted")))
    assert "Aborted by A. Person: the night is over" in text
    assert "Why it was held" in text
    assert UNPLUGGED in text


def test_each_process_that_drove_it_is_named_with_how_it_left(
    journals: Callable[[str], Path],
) -> None:
    def left(name: str) -> list[str]:
        return [drive.outcome for drive in story_of(journals(name)).drives]

    assert left("resumed") == ["held", "verified"]
    assert left("aborted") == ["held", "aborted"]
    assert left("interrupted") == [""]
    assert left("cut_off") == ["", "verified"]
    text = words(page_of(journals("cut_off")))
    assert "it was cut off, and never said so" in text


def test_step_that_was_in_doubt_shows_every_state_it_came_to(
    journals: Callable[[str], Path],
) -> None:
    story = story_of(journals("cut_off"))
    strange = [step for step in story.steps if not step.went_straight]
    assert strange
    text = words(page_of(journals("cut_off")))
    for step in strange:
        assert "in doubt" in {move.to.value for move in step.moves}
    assert "in doubt: nobody knows what came of it" in text
    assert story.proved == len(story.steps)


def test_unfinished_run_is_never_reported_as_a_good_one(journals: Callable[[str], Path]) -> None:
    for name in ("held", "aborted", "interrupted"):
        page = page_of(journals(name))
        assert "good" not in page.find_class("outcome")[0].get("class")
        assert story_of(journals(name)).proved < len(story_of(journals(name)).steps)


def test_same_journal_gives_the_same_bytes(journals: Callable[[str], Path]) -> None:
    journal = journals("verified")
    assert report_html(story_of(journal)) == report_html(story_of(journal))


def test_report_of_a_clean_up_says_what_is_gone_and_what_came_back(
    journals: Callable[[str], Path],
) -> None:
    page = page_of(journals("cleanup"))
    titles = [words(heading) for heading in page.iter("h1", "h2")]
    assert titles[0] == "Clean-up of 2 certificates in the trust stores"
    assert "Trust certificates to be deleted" in titles
    assert "Certificates before and after" not in titles
    rows = {words(row[1]): words(row) for row in page.xpath("//tr[td[@class='state']]")}
    assert rows["gone-cluster.pem"].endswith("pub gone")
    assert rows["old-ca.pem"].endswith("pub settled")
    assert "tomcat-trust/old-ca.pem is back on pub" in words(page)


def test_journal_of_an_older_version_has_what_it_did_not_keep_called_not_recorded(
    journals: Callable[[str], Path],
) -> None:
    written = Journal.read(journals("verified"))
    newer = CertificateNoted | PhonesGraded
    older = attrs.evolve(
        written,
        notes=tuple(note for note in written.notes if not isinstance(note, newer)),
        lines=tuple(line for line in written.lines if not isinstance(line, newer)),
    )
    story = told(older, journal="CHG1.journal")
    assert story.left is None
    assert all(each.after is None and each.seen for each in story.certificates)
    page = parsed(report_html(story))
    text = words(page)
    assert "good" not in page.find_class("outcome")[0].get("class")
    assert "Not recorded: an older version wrote this journal." in text
    assert "Exit status 0 or 5: " in text
    for each in story.certificates:
        assert f"after not recorded not recorded {each.seen} verified" in text


def test_digest_is_that_of_the_file_and_half_a_line_at_its_end_is_told(
    journals: Callable[[str], Path], tmp_path: Path
) -> None:
    torn = tmp_path / "torn.journal"
    torn.write_bytes(journals("interrupted").read_bytes() + b"0bad half a line")
    story = story_of(torn)
    assert story.digest == hashlib.sha256(torn.read_bytes()).hexdigest()
    assert story.torn == len(b"0bad half a line")
    assert "and 16 more of a line that a crash left unfinished" in words(page_of(torn))


# ── its pictures ──────────────────────────────────────────────────────────────────────────


def hours_of(picture: Any) -> dict[str, float]:  # noqa: ANN401 - lxml's own
    return {
        words(text): float(text.get("x"))
        for text in picture.iter("text")
        if re.fullmatch(r"\d\d:\d\d", words(text))
    }


def test_hours_stand_where_they_are_and_both_pictures_share_them(
    journals: Callable[[str], Path],
) -> None:
    story = story_of(journals("verified"))
    curve, timeline = page_of(journals("verified")).xpath("//svg")
    hours = hours_of(curve)
    assert hours == hours_of(timeline)
    assert len(hours) > 3
    scale = Scale([story.begun, story.latest], 150, 922)
    for hour, x in hours.items():
        at = story.begun.replace(hour=int(hour[:2]), minute=int(hour[3:]), second=0, microsecond=0)
        assert x == pytest.approx(scale.x(at), abs=0.1)


def test_nights_without_entries_are_cut_out_and_named(journals: Callable[[str], Path]) -> None:
    for picture in page_of(journals("nights")).xpath("//svg"):
        cuts = [words(text) for text in picture.iter("text") if text.get("class") == "cut"]
        assert cuts == ["24 h", "3 days"]
        bars = [float(bar.get("x")) for bar in picture.iter("rect") if bar.get("class") != "cut"]
        assert max(bars) - min(bars) > 400  # of 772: the last drive goes on after its last step


def test_every_bar_of_the_timeline_says_in_words_what_it_shows(
    journals: Callable[[str], Path],
) -> None:
    timeline = page_of(journals("cut_off")).xpath("//svg")[1]
    bars = timeline.xpath("./g[rect]/title")
    assert len(bars) > len(story_of(journals("cut_off")).steps)
    assert {words(bar).rpartition(": ")[2] for bar in bars} >= {"from the intent to the proof"}
    assert any("in doubt" in words(bar) for bar in bars)


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
        left=tuple(attrs.evolve(p, name=evil, remedy=evil) for p in story.left or ()),
        windows=tuple(
            attrs.evolve(
                window,
                why=evil,
                steps=tuple(
                    attrs.evolve(s, node=evil, saw=evil, command=f"`{evil}`") for s in window.steps
                ),
            )
            for window in story.windows
        ),
        curve=tuple(attrs.evolve(p, by_node={evil: 3}) for p in story.curve),
        people=(PersonTold(at=None, by=evil, what=evil, why=evil),),
        waivers=(WaiverTold(at=None, by=evil, why=evil, names=(evil,)),),
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


def test_command_never_writes_over_the_journal_nor_a_device(
    journals: Callable[[str], Path], tmp_path: Path
) -> None:
    journal = tmp_path / "CHG1234.journal"
    journal.write_bytes(journals("held").read_bytes())
    link = tmp_path / "link.html"
    link.symlink_to(journal)
    for target, why in (
        (journal, "it is the journal itself"),
        (link, "it is the journal itself"),
        (tmp_path, "it is a folder or a device"),
        (Path("/dev/null"), "it is a folder or a device"),
    ):
        refused = certflow("-j", str(journal), "-o", str(target), "--force")
        assert refused.exit_code == Exit.USAGE
        assert why in refused.stderr
    assert journal.read_bytes() == journals("held").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CHG1234.journal", "link.html"]


def test_report_that_cannot_be_written_whole_leaves_the_old_one(
    journals: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "report.html"
    old.write_text("the old one", encoding="utf-8")

    def full(self: Path, *_: object, **__: object) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    told = certflow("-j", str(journals("held")), "-o", str(old), "--force")
    assert told.exit_code == Exit.USAGE
    assert "the disk is full" in told.stderr
    assert old.read_text(encoding="utf-8") == "the old one"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_command_without_its_extra_says_what_to_install(tmp_path: Path) -> None:
    hidden = "import sys; sys.modules['jinja2'] = None; from cucm_certflow.cli import main; main()"
    told = subprocess.run(
        [sys.executable, "-c", hidden, "report", "-j", str(tmp_path / "x.journal")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == Exit.USAGE
    assert "pip install 'cucm-certflow[report]'" in told.stderr
    assert "Traceback" not in told.stderr


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
    for heading in (each for each in HEADINGS if each not in HELD_ONLY):
        assert "".join(heading.split()) in text
    story = story_of(journal)
    for step in story.steps:
        assert "".join(step.saw.split()) in text
    assert story.digest in text
    width, height = (float(each) for each in printed.pages[0].mediabox[2:])
    assert (round(width), round(height)) == (595, 842)  # A4, in points
