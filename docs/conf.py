"""Builds this folder as a site: `make docs`. Needs no network."""

from __future__ import annotations

import os
import re
from enum import Enum
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pygments.lexers.special import TextLexer

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "cucm_certflow"
author = project_copyright = "the authors of cucm_certflow"
release = version = metadata.version("cucm-certflow")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
# A link that leads nowhere is a mistake: `make docs` passes -n and -W.
nitpicky = True
nitpick_ignore_regex = [
    # Of the standard library, whose documentation is on the network.
    (
        "py:.*",
        r"(collections\.abc|datetime|enum|os|pathlib|asyncio|ssl|typing|types|contextlib|re)\..*",
    ),
    # The lab's insides, which the page on scenarios tells in words.
    ("py:.*", r"cucm_certflow\.lab\..*"),
    ("py:.*", "World|Cause"),
    # What a signature names and no user makes or takes: it comes from the call beside it.
    ("py:.*", r"cucm_certflow\.(cluster\._Starting|testing\.scripts\._Session|.*\.T)"),
    ("py:.*", r"cucm_certflow\.(locks\.ClusterLock|journal\.Journal|core\.decide\.Tables)"),
    ("py:.*", r"cucm_certflow\.transports\.(record|vos)\..*"),
    # Of the standard library, too, where a module imports it for its types alone.
    ("py:.*", "datetime"),
]

# ── Markdown ──────────────────────────────────────────────────────────────────────────────

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 4

# ── the interface, from its docstrings ────────────────────────────────────────────────────

napoleon_use_ivar = True
autodoc_typehints = "signature"
autodoc_default_options = {"members": True}
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True

# ── the page ──────────────────────────────────────────────────────────────────────────────

html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = f"{project} {release}"
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

# ── what other readers of Markdown take, and Sphinx does not ───────────────────────────────

HERE: Final = Path(__file__).parent
# Pages of the site whose text is a file above this folder.
READMES: Final = {"overview": "README.md", "ko/overview": "README.ko.md"}

_ANCHOR: Final = re.compile(r'<a id="([^"]+)"></a>')
_LINK: Final = re.compile(r"\]\(([^)#\s:]*)(#[^)\s]+)?\)")
_NOT_RUN: Final = re.compile(r"^<!-- not run here: (.+) -->$", re.MULTILINE)
_FENCED: Final = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)


def _as_sphinx_has_it(text: str, folder: Path, page: Path) -> str:
    """*text*, whose links are relative to *folder*, as the source of *page*.

    A README above this folder is a page here; of every other file there the site has a copy.
    """
    pages = {
        (HERE.parent / readme).resolve(): HERE / f"{name}.md" for name, readme in READMES.items()
    }

    def link(found: re.Match[str]) -> str:
        target = (folder / found[1]).resolve() if found[1] else page
        target = pages.get(target, target)
        inside = HERE in target.parents
        fragment = (found[2] or "").lower()
        relative = os.path.relpath(target, page.parent)
        return f"]({relative if inside else 'path:' + relative}{fragment if inside else ''})"

    # Sphinx has identifiers in small letters only.
    def anchor(found: re.Match[str]) -> str:
        return f"[]{{#{found[1].lower()}}}"

    parts = _FENCED.split(text)
    parts[::2] = [_ANCHOR.sub(anchor, _LINK.sub(link, part)) for part in parts[::2]]
    # Why the tests do not run a block is for readers, too.
    return _NOT_RUN.sub(r"*(Not run by the tests: \1.)*\n", "".join(parts))


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    page = Path(app.env.doc2path(name))
    if readme := READMES.get(name):
        app.env.note_dependency(HERE.parent / readme)
        text = (HERE.parent / readme).read_text(encoding="utf-8")
        source[0] = _as_sphinx_has_it(text, HERE.parent, page)
    else:
        source[0] = _as_sphinx_has_it(source[0], page.parent, page)


def _under_its_public_name(
    app: Sphinx, _: BuildEnvironment, node: pending_xref, text: nodes.TextElement
) -> nodes.reference | None:
    """Find what a docstring names by its last name, by its own module, or as an attribute."""
    if node["refdomain"] != "py":
        return None
    domain = app.env.get_domain("py")
    wanted = node["reftarget"]
    # Attributes are told in the text of their class.
    wanted, kind = (
        (wanted.rpartition(".")[0], "class")
        if node["reftype"] == "attr"
        else (wanted, node["reftype"])
    )
    names = [
        name for name in domain.objects if name.rpartition(".")[2] == wanted.rpartition(".")[2]
    ]
    if not names or ("." in wanted and not wanted.startswith("cucm_certflow.")):
        return None
    node["reftarget"] = min(names, key=len)
    return domain.resolve_xref(
        app.env, node["refdoc"], app.builder, kind, node["reftarget"], node, text
    )


def _skipped(
    _: Sphinx, __: str, ___: str, thing: object, ____: object, _____: object
) -> bool | None:
    """Show every member of an enumeration; leave out what a named tuple says of its fields."""
    if isinstance(thing, Enum):
        return False
    return True if type(thing).__name__ == "_tuplegetter" else None


def _whole_sentence(
    _: Sphinx, what: str, __: str, ___: object, ____: object, lines: list[str]
) -> None:
    """Take back what napoleon took for a type: what stands before the colon of a sentence."""
    if what not in ("attribute", "data", "property"):
        return
    for line in [line for line in lines if line.startswith(":type: ")]:
        lines.remove(line)
        lines[0] = f"{line.removeprefix(':type: ')}: {lines[0]}"


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", _whole_sentence, priority=900)
    app.connect("autodoc-skip-member", _skipped)
    app.connect("source-read", _read)
    app.connect("missing-reference", _under_its_public_name)
    app.add_lexer("mermaid", TextLexer)
