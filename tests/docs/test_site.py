"""The site: every page is in a table of contents, and every public name is on a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import cucm_certflow

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
_TOCTREE: Final = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def listed(index: Path) -> list[str]:
    """The pages of the tables of contents of *index*, as paths below the documentation."""
    lines = "".join(_TOCTREE.findall(index.read_text(encoding="utf-8"))).splitlines()
    names = [re.sub(r"^.*<(.*)>$", r"\1", line) for line in lines if line and line[0] != ":"]
    return [(index.parent / name).relative_to(DOCS).as_posix() for name in names]


def test_every_page_is_in_one_table_of_contents() -> None:
    pages = sorted(
        page.relative_to(DOCS).with_suffix("").as_posix()
        for page in DOCS.rglob("*.md")
        if page.name != "index.md" or page.parent != DOCS
    )
    indexes = [page for page in DOCS.rglob("*.md") if "{toctree}" in page.read_text("utf-8")]
    assert sorted(name for index in indexes for name in listed(index)) == pages


def test_every_public_name_is_on_the_page_of_the_interface_once() -> None:
    text = (DOCS / "api.md").read_text(encoding="utf-8")
    told = re.findall(r"^\.\. auto\w+:: (\w+)$", text, re.MULTILINE)
    assert sorted(told) == sorted(cucm_certflow.__all__)
