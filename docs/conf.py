"""Builds this folder as a site: `make docs`. Needs no network."""

from __future__ import annotations

import re
from importlib import metadata
from typing import TYPE_CHECKING, Final

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "cucm_certflow"
author = copyright = "the authors of cucm_certflow"
release = version = metadata.version("cucm-certflow")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
# A link that leads nowhere is a mistake: `make docs` passes -n and -W.
nitpicky = True
exclude_patterns = ["schemas/README.md"]

# ── Markdown ──────────────────────────────────────────────────────────────────────────────

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4

# ── the interface, from its docstrings ────────────────────────────────────────────────────

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

# ── the page ──────────────────────────────────────────────────────────────────────────────

html_theme = "furo"
html_title = f"{project} {release}"
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

_ANCHOR: Final = re.compile(r'<a id="([^"]+)"></a>')


def _name_anchors(_: Sphinx, __: str, source: list[str]) -> None:
    """Let Sphinx know the anchors that a page has as HTML, which every reader of Markdown takes."""
    source[0] = _ANCHOR.sub(r"[]{#\1}", source[0])


def setup(app: Sphinx) -> None:
    app.connect("source-read", _name_anchors)
    app.add_lexer("mermaid", TextLexer)
