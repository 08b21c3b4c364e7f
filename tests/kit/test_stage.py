"""A story is told on a lab of its own, recorded, and told again without the lab."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest

import cucm_certflow.testing as kit
from cucm_certflow.errors import ScenarioError
from cucm_certflow.facts import CertificateOf, Known, Unknown, VersionOf
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit
from cucm_certflow.observers import Verified
from cucm_certflow.testing import EPOCH, Deadlock, Stage, play, replay, run_virtual
from cucm_certflow.transports.record import ReplayTransport

SMALL: Final = Path(__file__).parents[2] / "examples" / "scenarios" / "small.toml"
QUERY: Final = CertificateOf("sub", CertUnit.TVS)


def test_hours_pass_at_once_and_the_story_returns_what_it_found(tmp_path: Path) -> None:
    async def story(stage: Stage) -> object:
        plan = await stage.plan(CertUnit.TVS)
        async with stage.cluster.run(plan, journal=tmp_path / "j") as run:
            outcome = await run.wait()
        assert stage.now > EPOCH + timedelta(minutes=5)
        return outcome

    assert isinstance(play(SMALL, story), Verified)


@pytest.mark.parametrize("form", ["path", "text", "scenario"])
def test_scenario_may_be_a_path_its_text_or_itself(form: str) -> None:
    forms: dict[str, Path | str | Scenario] = {
        "path": SMALL,
        "text": SMALL.read_text(encoding="utf-8"),
        "scenario": Scenario.load(SMALL),
    }

    async def story(stage: Stage) -> str:
        return stage.lab.scenario.name

    assert play(forms[form], story) == "small"


def test_scenario_that_is_wrong_is_named_and_nothing_is_told() -> None:
    async def story(stage: Stage) -> None:
        pytest.fail("it was told")

    with pytest.raises(ScenarioError, match="release"):
        play("nodes = []\n", story)


def test_story_that_waits_for_nothing_ends_and_does_not_hang() -> None:
    async def story(stage: Stage) -> None:
        await asyncio.Event().wait()

    with pytest.raises(Deadlock):
        play(SMALL, story)


def test_what_was_recorded_is_answered_again_without_the_lab(tmp_path: Path) -> None:
    recording = tmp_path / "talk.jsonl"

    async def told(stage: Stage) -> str:
        fact = await stage.transport.observe(QUERY)
        assert isinstance(fact, Known)
        found: str = fact.value.fingerprint
        return found

    async def again(transport: ReplayTransport) -> str:
        fact = await transport.observe(QUERY)
        assert isinstance(fact, Known)
        more = await transport.observe(CertificateOf("pub", CertUnit.TVS))
        assert isinstance(more, Unknown)  # nobody asked that then
        found: str = fact.value.fingerprint
        return found

    fingerprint = play(SMALL, told, record=recording)
    assert replay(recording, again) == fingerprint
    text = recording.read_text(encoding="utf-8")
    assert "lab-platform" not in text
    assert "lab-application" not in text


def test_discovery_is_recorded_and_the_lab_is_read_when_the_story_is_over(tmp_path: Path) -> None:
    recording = tmp_path / "talk.jsonl"

    async def told(stage: Stage) -> Stage:
        await stage.cluster.discover()
        return stage

    async def again(transport: ReplayTransport) -> object:
        return await transport.observe(VersionOf("pub"))

    stage = play(SMALL, told, record=recording)
    assert stage.lab.log == ()
    assert stage.lab.now == stage.now > EPOCH
    assert isinstance(replay(recording, again), Known)


def test_a_lab_in_another_loop_is_an_error_and_does_not_hang() -> None:
    async def told(stage: Stage) -> Stage:
        return stage

    stage = play(SMALL, told)

    async def elsewhere() -> None:
        await stage.transport.observe(QUERY)

    for run in (run_virtual, asyncio.run):
        with pytest.raises(RuntimeError, match="belongs to another loop"):
            run(elsewhere())


# ── what the kit needs ────────────────────────────────────────────────────────────────────


def test_every_public_name_is_there_and_documented() -> None:
    for name in kit.__all__:
        found = getattr(kit, name)
        assert found is not None
        if callable(found):
            assert found.__doc__, name
    with pytest.raises(AttributeError, match="nobody"):
        kit.__getattr__("nobody")


@pytest.mark.parametrize(
    ("use", "absent"),
    [
        ("from cucm_certflow.testing import run_virtual, VirtualClock", "pytest hypothesis"),
        ("from cucm_certflow.testing import Explorer, play, verdict_of", "pytest hypothesis"),
        ("from cucm_certflow.testing import *", "hypothesis"),
        ("import cucm_certflow.testing.check.plans", "pytest hypothesis"),
        ("import cucm_certflow.testing.plugin", "hypothesis"),
        ("import cucm_certflow.testing.strategies, cucm_certflow.testing.stateful", ""),
    ],
)
def test_kit_needs_neither_servers_nor_command_line_nor_what_is_not_used(
    use: str, absent: str
) -> None:
    # Not rich: httpx itself imports it where it finds it.
    names = {"starlette", "uvicorn", "typer", *absent.split()}
    code = f"import sys; {use}; print(*sorted({names!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout.strip() == ""
