"""Holdings have one order, in every process: a journal lists them, and sets have none."""

from __future__ import annotations

from itertools import permutations

from cucm_certflow.facts import ListView
from cucm_certflow.names import ListKind
from cucm_certflow.trust.phone import Holding, order_of

PLAIN = ListView(
    kind=ListKind.ITL,
    signer="signer",
    sast=frozenset({"a", "b"}),
    tftp=frozenset({"a"}),
    ccm=frozenset(),
    pin=frozenset({"p"}),
)
DIFFERENT = (
    PLAIN,
    PLAIN._replace(signer="other"),
    PLAIN._replace(sast=frozenset({"a"})),
    PLAIN._replace(tftp=frozenset({"b"})),
    PLAIN._replace(ccm=frozenset({"a"})),
    PLAIN._replace(pin=frozenset({"p", "q"})),
    PLAIN._replace(capf=frozenset({"c"})),
    PLAIN._replace(digest="1234"),
    PLAIN._replace(token=True),
    PLAIN._replace(records=3),
    PLAIN._replace(size=3),
)


def test_holdings_that_differ_in_anything_never_tie() -> None:
    """Soak seed 1: lists that differed in CAPF alone came in the order of a set."""
    holdings = [Holding(itl, ctl) for itl in (None, *DIFFERENT) for ctl in (None, *DIFFERENT)]
    assert len({order_of(each) for each in holdings}) == len(holdings)


def test_every_attribute_of_a_list_is_tried() -> None:
    changed = {
        name
        for view in DIFFERENT
        for name in ListView._fields
        if getattr(view, name) != getattr(PLAIN, name)
    }
    assert changed == set(ListView._fields) - {"kind"}


def test_the_order_does_not_depend_on_where_one_begins() -> None:
    few = [Holding(view, None) for view in DIFFERENT[:5]]
    assert len({tuple(sorted(each, key=order_of)) for each in permutations(few)}) == 1
