"""What a phone itself says about the lists that it holds, against those that are served."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final

from cucm_certflow.core.view import View
from cucm_certflow.facts import Known, ListView, PhoneLists, PhoneTrustList, ServedList, Want
from cucm_certflow.names import ListKind
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["Says", "pages_not_read", "what_it_says"]

_A_DAY_S: Final = 86_400.0
"""A page that was read since the phone was called says what its last boot left."""

_FAILED: Final = ("update failed", "no trust list installed")


class Says(Enum):
    """What a phone's own page says."""

    NOT_ASKED = "not asked since it was called"
    NOTHING = "nothing, or nothing that can be read"
    MATCH = "it holds the lists that are served"
    OTHER = "it holds another list"
    FAILED = "its last update of trust lists failed"


def what_it_says(view: View, name: str, phone: PhoneClass, since: datetime | None) -> Says:
    """What the page of the phone called *name*, of class *phone*, says since *since*.

    Pure; notes the fact that it wants. The signatures of its lists go before its messages: a
    message carries no date that could be relied on, and may be from before.
    """
    query = PhoneTrustList(name)
    fact = view.facts.get(query)
    is_new = fact is not None and (since is None or fact.at >= since)
    says = Says.NOT_ASKED
    if is_new:
        says = _read(view, phone, fact.value) if isinstance(fact, Known) else Says.NOTHING
    # What may yet become better is looked at again at each poll.
    changing = says in (Says.OTHER, Says.FAILED)
    view.get(query, since=since, changing=changing, max_age_s=_A_DAY_S)
    return says


def pages_not_read(view: View) -> tuple[Want, ...]:
    """The pages of phones that were called and whose page was not asked for since."""
    last = {name: index for (_, _, name), index in sorted(view.plan.batch_of.items())}
    called = {name: view.state.steps[index].intended_at for name, index in last.items()}
    return tuple(
        Want(PhoneTrustList(name), _A_DAY_S)
        for phone, names in view.plan.classes.items()
        for name in names
        if called.get(name) is not None
        and what_it_says(view, name, phone, called[name]) is Says.NOT_ASKED
    )


def _read(view: View, phone: PhoneClass, shown: PhoneLists) -> Says:
    kinds = [kind for kind, has in _held(view, phone).items() if has]
    verdicts = [_compared(view, kind, shown) for kind in kinds]
    if False in verdicts:
        return Says.OTHER
    if verdicts and None not in verdicts:
        return Says.MATCH
    if any(word in shown.message.casefold() for word in _FAILED):
        return Says.FAILED
    return Says.NOTHING


def _held(view: View, phone: PhoneClass) -> dict[ListKind, bool]:
    """Which lists a phone of the class holds."""
    return {ListKind.ITL: phone.security_by_default, ListKind.CTL: view.plan.trust.mixed}


def _compared(view: View, kind: ListKind, shown: PhoneLists) -> bool | None:
    """Whether what it shows is a list that a TFTP node serves; None if that is not known."""
    signature = shown.itl if kind is ListKind.ITL else shown.ctl
    if not signature:
        return None
    digests: set[str] = set()
    for node in view.plan.trust.tftp_nodes:
        fact = view.facts.get(ServedList(node.name, kind))
        served: ListView | None = fact.value if isinstance(fact, Known) else None
        digests.add(served.digest.lower() if served is not None else "")
    if signature in digests:
        return True
    return None if "" in digests else False
