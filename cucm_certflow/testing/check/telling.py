"""A story of an exploration as a UC engineer would tell it: who does what, and what comes of it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import attrs

from cucm_certflow.commands import ByHand, ResetPhones
from cucm_certflow.holding import for_a_person
from cucm_certflow.lab.physics.world import TrustList
from cucm_certflow.names import Service
from cucm_certflow.testing.explorer import Explorer, Moment, Violation

__all__ = ["and_then", "told"]

_SENT: Final = re.compile(r"\S+ is intended `.*?`(?:; (?P<mishap>.*))?", re.DOTALL)
_REFUSED: Final = re.compile(r"`.*` is refused by (?P<node>\S+)", re.DOTALL)
_HELD: Final = re.compile(r"(?P<subject>.+) is held")
_RECORD: Final = re.compile(r"\S+ is [a-z ]+")
_COMES: Final = re.compile(r"(?P<verb>boots|comes unasked) at (?P<home>\S+)")
_TIME: Final = "time passes"
_NEEDS: Final = {
    "has no way back but: needs-localkey": "has no way back but `reset localkey`",
    "has no way back but: HAND-DELETE": "has no way back: somebody has to delete its lists by hand",
    "needs needs-localkey after it": "has no way back but `reset localkey`",
    "needs HAND-DELETE after it": "has no way back: somebody has to delete its lists by hand",
}


@attrs.define
class _Line:
    """One line of a story; the same command on one node after the other is one line."""

    says: str
    nodes: list[str] = attrs.field(factory=list)
    served: dict[str, list[str]] = attrs.field(factory=dict)
    """Which list is another one after it, and where."""

    shown: dict[str, list[str]] = attrs.field(factory=dict)
    """Of which unit processes present another certificate after it, and where."""

    mishap: str = ""
    phone: str = ""
    """The phone that comes for its lists, or registers after that, in its words."""

    def joins(self, after: _Line) -> bool:
        """Takes the line *after* it in, if that says the same of another node."""
        if not self.nodes or (self.says, self.mishap, after.mishap) != (after.says, "", ""):
            return False
        self.nodes += after.nodes
        for mine, other in ((self.served, after.served), (self.shown, after.shown)):
            for word, nodes in other.items():
                mine.setdefault(word, []).extend(nodes)
        return True

    def __str__(self) -> str:
        effects = [
            *(
                f"{_all(nodes)} {_plural('present', nodes)} a new {unit} certificate"
                for unit, nodes in self.shown.items()
            ),
            *(
                f"{_all(nodes)} {_plural('serve', nodes)} a new {word}"
                for word, nodes in self.served.items()
            ),
        ]
        to = f" to {_all(self.nodes)}" if self.nodes else ""
        mishap = f"; {self.mishap}" if self.mishap else ""
        return f"{self.says}{to}{mishap}" + (f": {', '.join(effects)}" if effects else "")


def told(explorer: Explorer, violation: Violation, names: Mapping[str, str]) -> tuple[str, ...]:
    """The story of *violation*, without the bookkeeping of the run, and with what each move did.

    Args:
        explorer: It found the violation.
        violation: What it found.
        names: What phones are called, by the name that they have in the exploration.
    """
    moments = _lived_through(explorer, violation, explorer.start(), 0)
    assert moments is not None, "a story that was found can be told again"
    lines: list[_Line] = []
    for before, move, after in zip(moments, violation.story, moments[1:], strict=False):
        for line in _lines(explorer, before, move, after, names):
            if lines and (lines[-1].joins(line) or line.says == lines[-1].says == _TIME):
                continue
            if lines and line.phone and lines[-1].phone == line.phone:
                lines[-1].says += line.says.removeprefix(line.phone).replace(" ", ", and ", 1)
                continue
            lines.append(line)
    return tuple(map(str, lines))


def and_then(what: str, names: Mapping[str, str]) -> str:
    """What a story ends with, in words."""
    for word, words in _NEEDS.items():
        what = what.replace(word, words)
    return _named(what, names)


def _lived_through(
    explorer: Explorer, violation: Violation, node: Moment, at: int
) -> list[Moment] | None:
    """The moments of the story from *node* on: two moves may have the same words."""
    if at == len(violation.story):
        return [node] if explorer.wrong_in(node) == violation.what else None
    for words, after in explorer.moves(node):
        if words == violation.story[at]:
            rest = _lived_through(explorer, violation, after, at + 1)
            if rest is not None:
                return [node, *rest]
    return None


def _lines(
    explorer: Explorer, before: Moment, move: str, after: Moment, names: Mapping[str, str]
) -> Iterator[_Line]:
    sent, refused = _SENT.fullmatch(move), _REFUSED.fullmatch(move)
    if sent is not None or refused is not None:
        mishap = f"{refused['node']} refuses it" if refused else ""
        if sent is not None and sent["mishap"]:
            mishap = sent["mishap"]
        yield _sent(explorer, before, after, mishap, names)
        return
    if (held := _HELD.fullmatch(move)) is not None:
        yield _Line(_held(explorer, held["subject"], after))
        return
    if _RECORD.fullmatch(move):
        return
    for index, kind in enumerate(explorer.kinds):
        rest = move.removeprefix(f"{kind.name} ")
        who = names.get(kind.name, kind.name)
        comes = _COMES.fullmatch(rest) if rest != move else None
        if comes is not None:
            unasked = ", unasked" if comes["verb"] == "comes unasked" else ""
            came = _came(explorer, before, after, index, comes["home"])
            yield _Line(f"{who} comes to {comes['home']}{unasked}: {came}", phone=who)
            return
        if rest == "registers" and rest != move:
            ok = after.world.phones[index].registered
            yield _Line(f"{who} {'registers' if ok else 'cannot register'}", phone=who)
            return
    line = _Line(_named(move, names))
    _add_effects(line, before, after)
    yield line


def _sent(
    explorer: Explorer, before: Moment, after: Moment, mishap: str, names: Mapping[str, str]
) -> _Line:
    command = explorer.decision(before).command
    assert command is not None
    if isinstance(command, ResetPhones):
        called = [names.get(k.name, k.name) for k in explorer.kinds if k.name in command.names]
        says = f"we reset {_all(called) if called else 'phones'}"
        return _Line(f"{says}; {mishap}" if mishap else says)
    if isinstance(command, ByHand):
        return _Line(f"we ask a person: {command.what}" + (f"; {mishap}" if mishap else ""))
    line = _Line(f"we send `{command}`", [command.node], mishap=mishap)
    _add_effects(line, before, after)
    return line


def _add_effects(line: _Line, before: Moment, after: Moment) -> None:
    old, new = before.world, after.world
    lists = {
        "CTL": [name for name, served in new.ctl if served != old.ctl_of(name)],
        "ITL": [name for name, served in new.itl if served != old.itl_of(name)],
    }
    line.served = {word: nodes for word, nodes in lists.items() if nodes}
    for cert in new.presented:
        if cert not in old.presented:
            line.shown.setdefault(cert.unit, []).append(cert.node)


def _held(explorer: Explorer, subject: str, after: Moment) -> str:
    """Where the run holds, and why: by its command, and not by the name of a step."""
    plan = explorer.plan
    if subject in plan.index_of:
        command = plan.steps[plan.index_of[subject]].command
        subject = "the reset of the phones" if isinstance(command, ResetPhones) else f"`{command}`"
        if not isinstance(command, ResetPhones | ByHand):
            subject += f" on {command.node}"
    why = [blocked.detail for blocked in for_a_person(explorer.decision(after).blocked)]
    return f"the run holds at {subject}" + (f": {why[0]}" if why else "")


def _came(explorer: Explorer, before: Moment, after: Moment, index: int, home: str) -> str:
    """What a phone made of the lists that it was offered at *home*."""
    world = after.world
    if not world.up(Service.TFTP, home):
        return "TFTP does not run there"
    had, has = before.world.phones[index], world.phones[index]
    said: list[str] = []
    offered: list[tuple[str, TrustList | None, TrustList | None, TrustList | None]] = [
        ("CTL", world.ctl_of(home), had.ctl, has.ctl)
    ]
    if explorer.kinds[index].asks_tvs:
        offered.append(("ITL", world.itl_of(home), had.itl, has.itl))
    for word, served, was, now in offered:
        if served is None or served == was:
            continue
        if now == served:
            said.append(f"it takes the {word}")
        else:
            said.append(f"it turns the {word} down ({_why(explorer, word)})")
    return ", ".join(said) or "it has the lists that are served"


def _why(explorer: Explorer, word: str) -> str:
    unknown = "it does not know who signed it"
    if word == "CTL" and not explorer.layout.variant.tvs_vouches_for_ctl:
        return f"{unknown}, and asks no TVS about a CTL"
    return f"{unknown}, and no TVS that it believes vouches for it"


def _named(words: str, names: Mapping[str, str]) -> str:
    if not names:
        return words
    # Longer names first: one phone's name may begin with another's.
    each = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    return re.sub(each, lambda found: names[found[0]], words)


def _all(names: Iterable[str]) -> str:
    *first, last = dict.fromkeys(names)
    return f"{', '.join(first)} and {last}" if first else last


def _plural(verb: str, names: Collection[str]) -> str:
    return verb if len(set(names)) > 1 else f"{verb}s"
