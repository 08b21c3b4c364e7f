"""What is in the wheel and in the sdist, against what is in the tree."""

from __future__ import annotations

import subprocess
import tomllib
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.check import Built, build, contents_of_sdist, contents_of_wheel
from tests.packaging.environments import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    return build(tmp_path_factory.mktemp("dist"), isolated=False)


@pytest.fixture(scope="module")
def in_wheel(built: Built) -> set[str]:
    return set(contents_of_wheel(built.wheel))


def _tracked() -> set[str]:
    done = subprocess.run(
        ("git", "ls-files", "-z"), cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not in a Git repository: what belongs to the tree is not known")
    return {each for each in done.stdout.split("\0") if each and (ROOT / each).exists()}


def test_the_wheel_is_the_package_and_its_metadata_and_nothing_else(in_wheel: set[str]) -> None:
    package = {
        str(each.relative_to(ROOT))
        for each in (ROOT / "cucm_certflow").rglob("*")
        if each.is_file() and "__pycache__" not in each.parts
    }
    version = PROJECT["project"]["version"]
    metadata = {each for each in in_wheel if each.startswith(f"cucm_certflow-{version}.dist-info/")}
    assert in_wheel - metadata == package


def test_the_wheel_says_that_it_is_typed_and_brings_its_licence(in_wheel: set[str]) -> None:
    assert "cucm_certflow/py.typed" in in_wheel
    assert any(each.endswith(".dist-info/licenses/LICENSE") for each in in_wheel)


def test_the_sdist_is_the_tree_as_git_has_it(built: Built) -> None:
    assert contents_of_sdist(built.sdist) - {"PKG-INFO"} >= _tracked()
    assert not contents_of_sdist(built.sdist) - {"PKG-INFO"} - _known()


def _known() -> set[str]:
    """Tracked, or new and not ignored."""
    done = subprocess.run(
        ("git", "ls-files", "-z", "--others", "--exclude-standard"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return _tracked() | set(done.stdout.split("\0"))


def test_each_extra_and_each_floor_is_in_the_metadata(built: Built) -> None:
    with ZipFile(built.wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith("/METADATA"))
        metadata = message_from_string(archive.read(name).decode())
    extras = PROJECT["project"]["optional-dependencies"]
    assert set(metadata.get_all("Provides-Extra", ())) == set(extras)
    needs = metadata.get_all("Requires-Dist", ())
    assert len(needs) == sum(map(len, extras.values())) + len(PROJECT["project"]["dependencies"])
    assert all(">=" in each for each in needs)


def test_both_packages_carry_one_version(built: Built) -> None:
    version = PROJECT["project"]["version"]
    assert Path(built.sdist).name == f"cucm_certflow-{version}.tar.gz"
    assert Path(built.wheel).name == f"cucm_certflow-{version}-py3-none-any.whl"
