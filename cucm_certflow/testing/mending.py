"""What people do to a cluster that others have changed under a run: bring it into step again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from itertools import product
from typing import Final

from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.judge import Health, Memo, health
from cucm_certflow.lab.physics.phones import synced
from cucm_certflow.lab.physics.world import Layout, PhoneKind, World
from cucm_certflow.names import Service

__all__ = ["brought_into_step"]

_Action = Callable[[World], World]

_CTL: Final = "the CTL is updated"
_TVS, _TFTP, _CALLMANAGER = Service.TVS, Service.TFTP, Service.CALLMANAGER
_WALKS: Final[tuple[tuple[str, ...], ...]] = (
    (_TFTP, _CTL, _TVS),
    (_CTL, _TFTP, _TVS),
    (_TVS, _TFTP, _CTL),
)
"""The clean-ups of trust-model.md §3: each on all nodes, with two resets before and after each."""


def brought_into_step(
    layout: Layout, kinds: tuple[PhoneKind, ...], world: World, memo: Memo
) -> World | None:
    """*world* once services run with the certificates of now, and every phone is back.

    By ordinary means; of a phone for which there were none the lists are deleted by hand in the
    end. None if no clean-up brings all the others back.
    """
    ordinary = [health(layout, kinds, world, i, memo) is Health.OK for i in range(len(kinds))]
    for walk, stays in product(_WALKS, (False, True)):
        after = _walked(layout, kinds, world, walk, stays=stays)
        for index, is_ordinary in enumerate(ordinary):
            if not is_ordinary:
                after = actions.delete_lists(layout, kinds, after, index)
        if all(
            phone.registered and synced(layout, after, kind, phone)
            for kind, phone in zip(kinds, after.phones, strict=True)
        ):
            return after
    return None


def _walked(
    layout: Layout, kinds: tuple[PhoneKind, ...], world: World, walk: Iterable[str], *, stays: bool
) -> World:
    """*world* after *walk*; a phone *stays* at its own TFTP node, or visits all that it may use."""
    actions_of: dict[str, _Action] = {
        _TFTP: partial(_restarted, layout, kinds, _TFTP, layout.tftp_nodes),
        _TVS: partial(_restarted, layout, kinds, _TVS, layout.tvs_nodes),
        _CTL: partial(_with_new_ctl, layout),
    }
    world = _visited(layout, kinds, world, stays=stays)
    for action in walk:
        world = _visited(layout, kinds, actions_of[action](world), stays=stays)
    world = _restarted(layout, kinds, _CALLMANAGER, layout.callmanager_nodes, world)
    return _visited(layout, kinds, world, stays=stays)


def _visited(layout: Layout, kinds: tuple[PhoneKind, ...], world: World, *, stays: bool) -> World:
    for index in (*range(len(kinds)), *range(len(kinds))):
        homes = kinds[index].tftp[:1] if stays else reversed(kinds[index].tftp)  # its own last
        for node in homes:
            world = actions.boot(layout, kinds, world, index, node)
    return world


def _restarted(
    layout: Layout,
    kinds: tuple[PhoneKind, ...],
    service: Service,
    nodes: tuple[str, ...],
    world: World,
) -> World:
    for node in nodes:
        world = actions.restart(layout, world, service, node, kinds)
    return world


def _with_new_ctl(layout: Layout, world: World) -> World:
    if not layout.mixed:
        return world
    renew = actions.sign_ctl_by_token if layout.signs_by_token else actions.update_ctl
    return renew(layout, world)
