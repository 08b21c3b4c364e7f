"""What the clients of others need: running labs, a cache of their own, and a list of what they did.

Nothing here is changed about a client, and none is told that it talks to a lab.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.conformance.labs import RunningLab
from tests.conformance.page import PAGE, Judged

_JUDGED = pytest.StashKey[Judged]()
_WRITE = "--write-page"

_NOT_OURS = (
    # The nodes' certificates are self-signed, and these clients do not check any.
    "ignore:Unverified HTTPS request:urllib3.exceptions.InsecureRequestWarning",
    # Written years ago, for older Pythons: escapes that are none, in their docstrings.
    "ignore:invalid escape sequence:DeprecationWarning",
    "ignore:invalid escape sequence:SyntaxWarning",
    # tinyCUCM's models, in the words of an older pydantic.
    "ignore:Support for class-based `config` is deprecated"
    ":pydantic.warnings.PydanticDeprecatedSince20",
    # zeep's cache and some clients leave their SQLite file, or their session, to the collector.
    "ignore:unclosed database in <sqlite3.Connection:ResourceWarning",
    "ignore:unclosed <ssl.SSLSocket:ResourceWarning",
    r"ignore:Exception ignored in.*(sqlite3\.Connection|SSLSocket|socket\.socket)"
    ":pytest.PytestUnraisableExceptionWarning",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(_WRITE, action="store_true", help=f"write {PAGE.name} if all of it passes")


def pytest_configure(config: pytest.Config) -> None:
    for line in _NOT_OURS:
        config.addinivalue_line("filterwarnings", line)
    config.stash[_JUDGED] = Judged()


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, exitstatus: pytest.ExitCode, config: pytest.Config
) -> None:
    judged = config.stash[_JUDGED]
    if not judged.rows:
        return
    terminalreporter.section("what the clients of others did")
    for line in judged.lines():
        terminalreporter.write_line(line)
    if exitstatus != pytest.ExitCode.OK or terminalreporter.stats.get("deselected"):
        return  # not the whole of it
    if config.getoption(_WRITE):
        PAGE.write_text(judged.page(), encoding="utf-8")
        terminalreporter.write_line(f"written: {PAGE}")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != judged.page():
        terminalreporter.write_line(f"{PAGE} says something else: write it with {_WRITE}")


@pytest.fixture(scope="session")
def judged(request: pytest.FixtureRequest) -> Judged:
    return request.config.stash[_JUDGED]


@pytest.fixture(scope="session", autouse=True)
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What a machine is set up for is not what is judged here.

    zeep keeps WSDL files by URL, in the user's cache. requests takes proxies from the environment,
    and authorities, which then count more than a client's wish not to check any.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            patch.delenv(name, raising=False)
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RunningLab]]:
    """The lab of a version of AXL; each is started once."""
    running: dict[str, RunningLab] = {}
    with contextlib.ExitStack() as stack:

        def lab(axl: str) -> RunningLab:
            if axl not in running:
                folder = tmp_path_factory.mktemp("lab")
                running[axl] = stack.enter_context(RunningLab(axl, folder))
            return running[axl]

        yield lab
