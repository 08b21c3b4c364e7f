"""Fixtures for pytest: a lab on a virtual clock, and virtual time.

In your ``conftest.py``: ``pytest_plugins = ["cucm_certflow.testing.plugin"]``. It is not loaded by
itself: whoever does not ask for it does not wait for it.
"""

from __future__ import annotations

import os
import random
from collections.abc import Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

if TYPE_CHECKING:
    from cucm_certflow.lab.cluster import LabCluster
    from cucm_certflow.lab.scenario import Scenario
    from cucm_certflow.testing.stage import Stage

__all__ = ["certflow_lab", "certflow_virtual"]

T = TypeVar("T")

_SEED = pytest.StashKey[int | None]()
_LABS = pytest.StashKey["list[LabCluster]"]()
_COMMANDS_SHOWN = 10


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--certflow-seed``."""
    parser.getgroup("certflow", "cucm_certflow: the lab").addoption(
        "--certflow-seed",
        metavar="N",
        default=None,
        help="the seed of every lab of certflow_lab in place of its scenario's own; 'random' "
        "draws one. It is printed at the top, and with every test that fails.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Read the seed, so that a wrong one ends the run before its first test."""
    given = config.getoption("--certflow-seed", default=None)
    if given == "random":
        given = str(random.randrange(2**32))
    if given is not None and not given.isdecimal():
        message = f"--certflow-seed: expected a whole number or 'random', saw {given!r}"
        raise pytest.UsageError(message)
    config.stash[_SEED] = None if given is None else int(given)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The seed, if one was asked for."""
    seed = config.stash.get(_SEED, None)
    return [] if seed is None else [f"certflow: --certflow-seed={seed}"]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a test that failed: each of its labs, its seed, and what was sent to it last."""
    report = yield
    labs = item.stash.get(_LABS, None)
    if report.failed and labs:
        report.sections.append(("certflow", "\n".join(map(_told, labs))))
    return report


def _told(lab: LabCluster) -> str:
    scenario, log = lab.scenario, lab.log
    lines = [f"lab {scenario.name!r}: seed {scenario.seed}, until {lab.now:%Y-%m-%d %H:%M:%S}"]
    if len(log) > _COMMANDS_SHOWN:
        lines.append(f"  … {len(log) - _COMMANDS_SHOWN} commands before")
    lines += [f"  {one.at:%H:%M:%S} {one.node}: {one.text}" for one in log[-_COMMANDS_SHOWN:]]
    return "\n".join(lines)


@pytest.fixture
def certflow_lab(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """``certflow_lab(scenario, story)``: tell *story* with a lab of *scenario*, in virtual time.

    It is :func:`cucm_certflow.testing.play`: the lab lives as long as the story, on a loop of its
    own, so that no test can wait for another one's clock. A test that fails shows its labs' seeds,
    and the last commands that they took.
    """
    from cucm_certflow.testing.stage import play  # noqa: PLC0415 - only for who asks for it

    labs: list[LabCluster] = []
    request.node.stash[_LABS] = labs
    wanted = request.config.stash[_SEED]

    def tell(
        scenario: Scenario | str | os.PathLike[str],
        story: Callable[[Stage], Awaitable[T]],
        *,
        seed: int | None = None,
        record: str | os.PathLike[str] | None = None,
    ) -> T:
        async def noted(stage: Stage) -> T:
            labs.append(stage.lab)
            return await story(stage)

        return play(scenario, noted, seed=wanted if seed is None else seed, record=record)

    return tell


@pytest.fixture
def certflow_virtual() -> Callable[..., Any]:
    """``certflow_virtual(story)``: run a coroutine function in virtual time; hours pass at once."""
    from cucm_certflow.testing.virtual import run_virtual  # noqa: PLC0415 - as above

    return run_virtual
