"""Writes docs/pictures/*.svg: `python docs/pictures.py [--check]`; the library gives the verdicts.

Needs nothing but the library; the scenarios that it reads are examples.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cucm_certflow.core.planner import make_plan
from cucm_certflow.core.tables import CERTIFICATE, COMMAND, ENTRY
from cucm_certflow.facts import ListView
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.names import CertUnit, ListKind, Release, SecurityMode, Service
from cucm_certflow.procedures.explain import explanation_of
from cucm_certflow.procedures.policies import Policy, trust_policy
from cucm_certflow.report.diagrams import (
    machine_diagram,
    plan_diagram,
    procedure_diagram,
    to_svg,
)
from cucm_certflow.report.diagrams.canvas import AMBER, BLUE, GREEN, GREY, RED, Canvas, Paint
from cucm_certflow.report.diagrams.lettering import LINE, wrapped
from cucm_certflow.testing.check.miniature import facts_of_all
from cucm_certflow.trust.lifeline import Health, best_lifeline
from cucm_certflow.trust.model import ClusterTrust, NodeTrust
from cucm_certflow.trust.phone import Holding, PhoneClass, accepts, boot

FOLDER: Final = Path(__file__).with_name("pictures")
_SCENARIO: Final = Path(__file__).parents[1] / "examples" / "scenarios" / "main-job.toml"

NODES: Final = ("pub", "sub")
PHONE: Final = PhoneClass(group=NODES)
"""A phone with Security By Default that needs no TLS; it may ask the TVS of both nodes."""

_CALLMANAGER, _TVS, _ITLRECOVERY = CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY


# ── stories: what is done, and what the phone's own rule makes of it ─────────────────────────


class Moment(NamedTuple):
    """The cluster and a phone after something was done; *phone_came* says that it fetched files."""

    done: str
    cluster: ClusterTrust
    holding: Holding

    @property
    def offered(self) -> ListView:
        """The ITL that the publisher serves."""
        served = self.cluster.publisher.itl
        assert served is not None
        return served

    @property
    def held(self) -> ListView:
        """The ITL that the phone holds."""
        assert self.holding.itl is not None
        return self.holding.itl

    @property
    def knows_signer(self) -> bool:
        """The first anchor: the phone's own list names the signer of what is offered."""
        return self.offered.signer in self.held.sast

    @property
    def can_ask(self) -> bool:
        """The second anchor: a TVS that its list pins vouches for the signer."""
        blind = self.holding._replace(itl=self.held._replace(sast=frozenset()))
        return accepts(self.cluster, PHONE, blind, self.offered) is not None

    @property
    def pinned_is_presented(self) -> bool:
        """Whether a TVS of the group presents the certificate that the phone's list pins."""
        presented = {self.cluster.node(name).presented_tvs for name in PHONE.group}
        return not presented.isdisjoint(self.held.pin)

    @property
    def is_current(self) -> bool:
        """The phone holds what is offered."""
        return self.held == self.offered

    @property
    def health(self) -> Health:
        """The weakest remedy that brings the phone back from here."""
        return best_lifeline(self.cluster, PHONE, self.holding).health


class Story(NamedTuple):
    """What is done to a cluster with a phone, moment by moment."""

    title: str
    moments: tuple[Moment, ...]


Move = tuple[str, Callable[[ClusterTrust], ClusterTrust] | None]
"""What is done, in words, and to the cluster; None: the phones come for their lists."""

PHONES_RESET: Final[Move] = ("phones are reset", None)


def _key(unit: CertUnit, generation: int, node: str) -> str:
    return f"{unit} {generation}@{node}"


def _cluster(release: str) -> ClusterTrust:
    """Two nodes as new, which serve lists by the usual signer of *release*."""
    policy = trust_policy(Policy(), Release.parse(release))
    modern = Release.parse(release).short >= (12, 0)
    signer = _ITLRECOVERY if modern else _CALLMANAGER
    nodes = tuple(
        NodeTrust(
            name=name,
            callmanager=_key(_CALLMANAGER, 1, name),
            tvs=_key(_TVS, 1, name),
            itlrecovery=_key(_ITLRECOVERY, 1, "pub" if modern else name),
            presented_tvs=_key(_TVS, 1, name),
            itl_signer=signer,
        )
        for name in NODES
    )
    fresh = ClusterTrust(
        nodes, mixed=False, ctl_signer=signer, ctl_has_recovery=True, policy=policy
    )
    return fresh.restarted_everywhere(Service.TFTP)


def _regenerated(cluster: ClusterTrust, *units: CertUnit) -> ClusterTrust:
    for unit in units:
        alone = unit is _ITLRECOVERY and cluster.publisher.itl_signer is _ITLRECOVERY
        for name in NODES[:1] if alone else NODES:
            cluster = cluster.regenerated(unit, name, _key(unit, 2, name))
    return cluster


def changed(*units: CertUnit) -> Move:
    """*units* regenerated everywhere, with the restarts that put them to use."""
    services = [Service.TVS, Service.TFTP] if _TVS in units else [Service.TFTP]

    def change(cluster: ClusterTrust) -> ClusterTrust:
        cluster = _regenerated(cluster, *units)
        for service in services:
            cluster = cluster.restarted_everywhere(service)
        return cluster

    restarted = " and ".join("TVS" if each is Service.TVS else "TFTP" for each in services)
    *most, last = units
    named = f"{', '.join(most)} and {last}" if most else last
    return f"{named} regenerated, {restarted} restarted", change


def _localkey(cluster: ClusterTrust) -> ClusterTrust:
    return cluster.localkey_reset(ListKind.ITL)


def _tftp(cluster: ClusterTrust) -> ClusterTrust:
    return cluster.restarted_everywhere(Service.TFTP)


def told(title: str, release: str, *moves: Move) -> Story:
    """The story of *moves*, with a phone that holds what was served before."""
    cluster = _cluster(release)
    holding = Holding(cluster.publisher.itl, None)
    moments = [Moment("as it was before", cluster, holding)]
    for done, change in moves:
        if change is None:
            holding = boot(cluster, PHONE, holding, cluster.publisher)
        else:
            cluster = change(cluster)
        moments.append(Moment(done, cluster, holding))
    return Story(f"{title} (release {release})", tuple(moments))


_LOCALKEY: Final[Move] = ("utils itl reset localkey", _localkey)

STORIES: Final[Mapping[str, Story]] = {
    "one-at-a-time": told(
        "One anchor at a time, phones in between",
        "11.5",
        changed(_CALLMANAGER),
        PHONES_RESET,
        changed(_TVS),
        PHONES_RESET,
    ),
    "both-at-once": told(
        "CallManager and TVS between two visits of the phone",
        "11.5",
        changed(_CALLMANAGER, _TVS),
        PHONES_RESET,
        _LOCALKEY,
        PHONES_RESET,
        ("TFTP restarted", _tftp),
        PHONES_RESET,
    ),
    "in-a-drawer": told(
        "The right order, and a phone that was switched off",
        "11.5",
        changed(_CALLMANAGER),
        changed(_TVS),
        ("the phone is switched on", None),
    ),
    "itlrecovery": told(
        "ITLRecovery signs the list, and nobody vouches for a new one",
        "12.5",
        changed(_ITLRECOVERY),
        _LOCALKEY,
        PHONES_RESET,
        ("TFTP restarted", _tftp),
        PHONES_RESET,
    ),
    "all-three": told(
        "Everything that was due, in one go",
        "12.5",
        changed(_CALLMANAGER, _TVS, _ITLRECOVERY),
        PHONES_RESET,
        _LOCALKEY,
        PHONES_RESET,
    ),
}
"""By the name of the picture. Every yes and no in them is the answer of ``trust/phone.py``."""


# ── how a story is drawn ─────────────────────────────────────────────────────────────────────

_WIDE: Final = 300.0
_BESIDE: Final = 18.0
_IN_A_ROW: Final = 3
_LEFT: Final = 16.0
_TITLE: Final = 17.0
_NAME: Final = 13.0
_WORDS: Final = 11.0
_PAD: Final = 8.0
_ROPE: Final = 58.0
_HEALTH: Final[Mapping[Health, tuple[str, Paint]]] = {
    Health.OK: ("ordinary restarts and resets keep it, or bring it back", GREEN),
    Health.NEEDS_LOCALKEY: ("only utils itl reset localkey brings it back", AMBER),
    Health.HAND_DELETE: ("lost: somebody must delete its lists at the phone", RED),
}


def _names(keys: frozenset[str]) -> str:
    """Certificates without their nodes: the same of both nodes is said once."""
    return ", ".join(sorted({key.partition("@")[0] for key in keys}))


def _came_of_it(moment: Moment) -> str:
    if moment.is_current:
        return "The phone holds the list that is served."
    if moment.knows_signer:
        return "If the phone comes now, it takes the new list: its own list names the signer."
    if moment.can_ask:
        return "If the phone comes now, it takes the new list: a TVS that it knows vouches for it."
    return "If the phone comes now, it turns the new list down, and keeps the old one."


def _rope_words(moment: Moment) -> tuple[tuple[str, bool], tuple[str, bool]]:
    """What is said at the two ropes, and whether each holds."""
    signer = "the signer is known" if moment.knows_signer else "the signer is not known"
    if moment.can_ask:
        asked = "TVS is known, and vouches"
    elif moment.pinned_is_presented:
        asked = "TVS is known, and does not vouch for the signer"
    else:
        asked = "TVS is not known"
    return (signer, moment.knows_signer), (asked, moment.can_ask)


def story_svg(story: Story) -> str:
    """A story as a strip of panels: the phone above, the cluster below, two ropes between."""
    canvas = Canvas()
    top = canvas.text(_LEFT, 16, [story.title], size=_TITLE, bold=True) + 10
    rows = [story.moments[at : at + _IN_A_ROW] for at in range(0, len(story.moments), _IN_A_ROW)]
    number = 0
    for row in rows:
        heads = [
            wrapped(f"{number + at}. {each.done}", _NAME, _WIDE - 2 * _PAD, bold=True)
            for at, each in enumerate(row, 1)
        ]
        tall = max(map(len, heads)) * _NAME * LINE
        bottoms = [
            _panel(canvas, moment, head, _LEFT + at * (_WIDE + _BESIDE), top, tall)
            for at, (moment, head) in enumerate(zip(row, heads, strict=True))
        ]
        top = max(bottoms) + 22
        number += len(row)
    said = " ".join(
        f"{at}. {each.done}: {_came_of_it(each)} {_HEALTH[each.health][0]}."
        for at, each in enumerate(story.moments, 1)
    )
    return canvas.document(story.title, said)


def _panel(
    canvas: Canvas, moment: Moment, head: Sequence[str], x: float, top: float, head_tall: float
) -> float:
    canvas.text(x + _PAD, top, head, size=_NAME, bold=True)
    top += head_tall + 6
    above = _pair_of_boxes(
        canvas,
        "the phone holds",
        ("believes lists by", _names(moment.held.sast)),
        ("knows", _names(moment.held.pin)),
        x,
        top,
        BLUE,
    )
    presented = frozenset(
        key for name in PHONE.group if (key := moment.cluster.node(name).presented_tvs)
    )
    below = above + _ROPE
    bottom = _pair_of_boxes(
        canvas,
        "the cluster serves",
        ("a list by", _names(frozenset({moment.offered.signer}))),
        ("presents", _names(presented)),
        x,
        below,
        GREY,
    )
    for side, (words, holds) in enumerate(_rope_words(moment)):
        _rope(canvas, x + side * _WIDE / 2, above, below, words, holds=holds)
    return _verdict(canvas, moment, x, bottom + 8)


def _pair_of_boxes(
    canvas: Canvas,
    title: str,
    left: tuple[str, str],
    right: tuple[str, str],
    x: float,
    top: float,
    paint: Paint,
) -> float:
    """A box with two halves, which are the ends of the ropes; where it ends."""
    room = _WIDE / 2 - 2 * _PAD
    halves = [
        (wrapped(words, _WORDS, room), wrapped(names, _WORDS, room, bold=True))
        for words, names in (left, right)
    ]
    lines = max(len(words) + len(names) for words, names in halves)
    height = 2 * _PAD + (lines + 1) * _WORDS * LINE + 4
    canvas.box(x, top, _WIDE, height, paint)
    text_top = canvas.text(x + _PAD, top + _PAD, [title], size=_WORDS, colour=paint.line) + 4
    for side, (words, names) in enumerate(halves):
        at = x + side * _WIDE / 2 + _PAD
        below = canvas.text(at, text_top, words, size=_WORDS)
        canvas.text(at, below, names, size=_WORDS, bold=True)
    return top + height


def _rope(canvas: Canvas, x: float, top: float, bottom: float, words: str, *, holds: bool) -> None:
    """A line that holds, or one that is cut in the middle; what is so stands beside it."""
    at = x + 20
    paint = GREEN if holds else RED
    if holds:
        canvas.line([(at, top), (at, bottom)], colour=paint.line)
    else:
        middle = (top + bottom) / 2
        canvas.line([(at, top), (at, middle - 7)], colour=paint.line, dashed=True)
        canvas.line([(at, middle + 7), (at, bottom)], colour=paint.line, dashed=True)
        for sign in (-1, 1):
            cross = [(at - 5, middle - 5 * sign), (at + 5, middle + 5 * sign)]
            canvas.line(cross, colour=paint.line)
    lines = wrapped(words, _WORDS, _WIDE / 2 - 42)
    start = (top + bottom - len(lines) * _WORDS * LINE) / 2
    canvas.text(at + 12, start, lines, size=_WORDS, colour=paint.line)


def _verdict(canvas: Canvas, moment: Moment, x: float, top: float) -> float:
    words, paint = _HEALTH[moment.health]
    room = _WIDE - 2 * _PAD
    said = wrapped(_came_of_it(moment), _WORDS, room)
    then = wrapped(words, _WORDS, room, bold=True)
    height = 2 * _PAD + (len(said) + len(then)) * _WORDS * LINE + 3
    canvas.box(x, top, _WIDE, height, paint)
    below = canvas.text(x + _PAD, top + _PAD, said, size=_WORDS) + 3
    canvas.text(x + _PAD, below, then, size=_WORDS, bold=True, colour=paint.line)
    return top + height


# ── all of them ──────────────────────────────────────────────────────────────────────────────


def _drawn() -> Iterator[tuple[str, str]]:
    for name, story in STORIES.items():
        yield name, story_svg(story)
    yield "command", to_svg(machine_diagram(COMMAND))
    yield "certificate", to_svg(machine_diagram(CERTIFICATE))
    yield "entry", to_svg(machine_diagram(ENTRY))
    two_waves = explanation_of(_ITLRECOVERY, Release.parse("12.5"), SecurityMode.MIXED)
    yield "procedure-itlrecovery", to_svg(procedure_diagram(two_waves))
    facts = facts_of_all(Scenario.load(_SCENARIO))
    yield "windows", to_svg(plan_diagram(make_plan(facts, units=(_CALLMANAGER, _TVS))))


def files() -> dict[Path, str]:
    """Every picture, by its path."""
    return {FOLDER / f"{name}.svg": text for name, text in _drawn()}


if __name__ == "__main__":
    from written import write  # beside this script

    sys.exit(write(files, __doc__))
