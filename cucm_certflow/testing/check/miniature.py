"""A scenario as a cluster that can be explored: phones that are alike are one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from cucm_certflow.facts import ClusterFacts
from cucm_certflow.facts import Phone as Device
from cucm_certflow.lab.book import furnished
from cucm_certflow.lab.held_lists import with_lists
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.world import Layout, PhoneKind, Variant, World
from cucm_certflow.lab.scenario import LabPhone, Scenario
from cucm_certflow.lab.scenario_tables import PhoneState
from cucm_certflow.testing.decided import facts_of

__all__ = ["Group", "Miniature", "facts_of_all", "miniature_of"]


class Group(NamedTuple):
    """Phones that are alike, of which one is explored."""

    kind: PhoneKind
    device: Device
    names: tuple[str, ...]

    def __str__(self) -> str:
        what = f"{'secure ' if self.kind.secure else ''}{self.device.model}"
        group = " and ".join(self.kind.group)
        if len(self.names) == 1:
            return f"{what} {self.kind.name} of {group}"
        return f"{len(self.names)} {what} of {group}, such as {self.kind.name}"

    @property
    def one(self) -> str:
        """One of them, as a story tells of it."""
        return self.kind.name + (f" (one of {len(self.names)})" if len(self.names) > 1 else "")


class Miniature(NamedTuple):
    """A cluster that can be explored, and whom its phones stand for."""

    layout: Layout
    kinds: tuple[PhoneKind, ...]
    world: World
    groups: Mapping[str, Group]
    """By the name of the phone that is explored."""

    def facts(self) -> ClusterFacts:
        """What discovery finds in it."""
        devices = [self.groups[kind.name].device for kind in self.kinds]
        return facts_of(self.layout, self.kinds, self.world, phones=devices)


def facts_of_all(scenario: Scenario, variant: Variant | None = None) -> ClusterFacts:
    """What discovery finds in the cluster of *scenario*, with all its phones."""
    layout, phones = scenario.layout(), tuple(scenario.each_phone())
    if variant is not None:
        layout = layout._replace(variant=variant)
    kinds = tuple(phone.kind for phone in phones)
    world = actions.initial(layout, kinds, scenario.same(layout))
    world = furnished(scenario, layout, world, kinds)
    return facts_of(layout, kinds, world, phones=[phone.device for phone in phones])


def miniature_of(
    scenario: Scenario,
    variant: Variant | None = None,
    *,
    reached: bool = True,
    said: Callable[[str], object] = lambda _: None,
    kept: Callable[[LabPhone], bool] = lambda _: True,
) -> Miniature:
    """The cluster of *scenario* when its story begins; its faults and events are left out.

    Args:
        scenario: The cluster.
        variant: What CUCM does where nobody knows; the scenario's own if not given.
        reached: Whether phones reach TVS on port 2445, as far as the scenario says that they do.
        said: What is said of a phone by its name; those of which the same is said may be alike.
        kept: Which phones are explored at all.
    """
    layout = scenario.layout()
    if variant is not None:
        layout = layout._replace(variant=variant)
    alike: dict[object, list[LabPhone]] = {}
    for phone in scenario.each_phone():
        if not kept(phone):
            continue
        key = (
            phone.kind._replace(name=""),
            phone.device.model,
            phone.state,
            phone.lists,
            said(phone.device.name),
        )
        alike.setdefault(key, []).append(phone)
    chosen = [members[0] for members in alike.values()]
    kinds = tuple(
        phone.kind._replace(reaches_tvs=phone.kind.reaches_tvs and reached) for phone in chosen
    )
    world = actions.initial(layout, kinds, scenario.same(layout))
    world = with_lists(furnished(scenario, layout, world, kinds), chosen)
    for index, phone in enumerate(chosen):
        if phone.state is PhoneState.OFF:
            world = actions.power(layout, kinds, world, index, on=False)
    return Miniature(
        layout,
        kinds,
        world,
        {
            phone.kind.name: Group(kind, phone.device, tuple(m.device.name for m in members))
            for phone, kind, members in zip(chosen, kinds, alike.values(), strict=True)
        },
    )
