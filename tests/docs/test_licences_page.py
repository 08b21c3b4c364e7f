"""The page of licences against what is installed: names and licences, and no versions."""

from __future__ import annotations

import importlib.util
import re
from types import ModuleType

import pytest

from tests.packaging.environments import ROOT

PAGE = (ROOT / "docs" / "licences.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ([a-z0-9-]+) \| ([^|]+) \|", re.MULTILINE)


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    spec = importlib.util.spec_from_file_location("licences", ROOT / "docs" / "licences.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_that_the_library_and_its_extras_bring_is_on_the_page(
    licences: ModuleType,
) -> None:
    installed = licences.all_of([each for needs in licences.direct().values() for each in needs])
    written = {name for name, _ in ROW.findall(PAGE)} - {"package"}
    # One that only another Python, or another release of one of them, brings may be there too.
    assert not installed.keys() - written, "run python docs/licences.py"


def test_no_package_is_under_a_licence_that_the_page_does_not_speak_of(
    licences: ModuleType,
) -> None:
    installed = licences.all_of([each for needs in licences.direct().values() for each in needs])
    unknown = {
        name: licence
        for name, package in installed.items()
        if not licences.families(licence := licences.licence_of(package)) <= licences.KNOWN
    }
    assert not unknown


def test_every_licence_on_the_page_is_one_that_it_speaks_of(licences: ModuleType) -> None:
    rows = {name: licence.strip() for name, licence in ROW.findall(PAGE) if name != "package"}
    assert rows["asyncssh"] == "EPL-2.0 OR GPL-2.0-or-later"
    assert all(licences.families(each) <= licences.KNOWN for each in rows.values())


def test_the_words_of_the_page_are_those_of_its_script(licences: ModuleType) -> None:
    assert PAGE.startswith(licences._HEAD)
    assert PAGE.endswith(licences._MEANS)
