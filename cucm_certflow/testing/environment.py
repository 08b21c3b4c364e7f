"""What happens by itself in an exploration: phones, nodes, and people who are not of the run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cucm_certflow.core.forecast import LISTED
from cucm_certflow.lab.physics import actions, stores
from cucm_certflow.lab.physics.world import World
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.testing.decided import OLDEST, Decided
from cucm_certflow.testing.stories import Mishap, Moment

__all__ = ["Environment"]


class Environment(Decided):
    """The moves of cluster and phones, on top of what is decided."""

    def _strikes(self, node: Moment, mishap: Mishap) -> bool:
        """Whether *mishap* may happen now."""
        return node.faults > 0 and mishap in self.limits.mishaps

    # ── nodes ─────────────────────────────────────────────────────────────────────────────

    def _resync_is_due(self, node: Moment) -> bool:
        """Whether the nodes are brought into line before entries were watched long enough.

        Stores are synchronised every 1,800 s (TAC 210541), and watched for longer than that.
        """
        watched = any(entry.since is not None for entry in node.run.entries)
        return bool(node.world.returning) and watched and node.age == OLDEST - 1

    def _moves_around(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """What the nodes do by themselves, and what ends by itself."""
        if node.world.unaware:
            aware = node.world._replace(unaware=frozenset())
            yield "the databases catch up", node._replace(world=aware)
        if node.world.returning:
            yield "the nodes put back", node._replace(world=stores.resync(node.world))
        for trouble in sorted(node.troubles, key=lambda trouble: trouble.value):
            yield f"no more: {trouble.value}", node._replace(troubles=node.troubles - {trouble})
        for name, service in sorted(node.failed):
            yield f"somebody starts {service} on {name}", self._up(node, name, service)
        for index in sorted(node.away):
            if node.world.up(Service.CALLMANAGER, self.kinds[index].group[0]):
                yield f"{self.kinds[index].name} falls back", self._fallen_back(node, index)

    def _down(self, node: Moment, name: str, service: Service) -> Moment:
        """*service* did not come up again on *name*: it answers nobody until it is started."""
        world = node.world
        if self.layout.runs(service, name):
            world = actions.stop(self.layout, world, service, name, self.kinds)
        else:
            world = world._replace(down=world.down | {(name, service)})
        node = node._replace(world=world, failed=node.failed | {(name, service)})
        return self._failed_over(node, name) if service is Service.CALLMANAGER else node

    def _up(self, node: Moment, name: str, service: Service) -> Moment:
        """*service* runs on *name*, with the certificates of now."""
        world = node.world
        if self.layout.runs(service, name):
            world = actions.restart(self.layout, world, service, name, self.kinds)
        return node._replace(
            world=world._replace(down=world.down - {(name, service)}),
            failed=node.failed - {(name, service)},
        )

    def _failed_over(self, node: Moment, name: str) -> Moment:
        """Phones that were registered with *name* are so with the other one of their group now."""
        moved = frozenset(
            index
            for index, kind in enumerate(self.kinds)
            if len(kind.group) > 1
            and self.is_registered(node, index)
            and kind.group[1 if index in node.away else 0] == name
        )
        return node._replace(away=node.away ^ moved, fresh=node.fresh | moved)

    def _fallen_back(self, node: Moment, index: int) -> Moment:
        """It registers anew, without loading any list."""
        fresh = node.fresh | {index} if self.is_registered(node, index) else node.fresh
        return node._replace(away=node.away - {index}, fresh=fresh)

    # ── somebody else ─────────────────────────────────────────────────────────────────────

    def _outside_moves(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """Somebody regenerates what stands in trust lists, and says nothing to anybody."""
        if not self._strikes(node, Mishap.OUTSIDE):
            return
        for unit in sorted(LISTED):
            for each in self.layout.nodes:
                if self.layout.has(unit, each.name):
                    yield (
                        f"somebody else regenerates {unit} on {each.name}",
                        node._replace(
                            world=self._regenerated(node.world, unit, each.name),
                            outside=tuple(sorted((*node.outside, (unit, each.name)))),
                            faults=node.faults - 1,
                        ),
                    )

    def _regenerated(self, world: World, unit: CertUnit, name: str) -> World:
        world = actions.regenerate(self.layout, world, unit, name)
        new = world.current(unit, name)
        lags = {(node, new) for node in self.limits.databases_lag}
        return world._replace(unaware=world.unaware | lags)

    # ── phones ────────────────────────────────────────────────────────────────────────────

    def phone_moves(self, node: Moment) -> Iterator[tuple[str, Moment]]:
        """What phones can do by themselves."""
        limits = self.limits
        for index, (kind, phone) in enumerate(zip(self.kinds, node.world.phones, strict=True)):
            if index in node.loaded:
                yield f"{kind.name} registers", self._registered(node, index)
            waiting = index in node.booting or (phone.on and not phone.registered)
            if phone.on and (waiting or limits.phones_come_unasked):
                homes = kind.tftp if limits.phones_move else kind.tftp[:1]
                for home in homes:
                    word = "boots" if waiting else "comes unasked"
                    yield f"{kind.name} {word} at {home}", self._booted(node, index, home)
            anew = limits.phones_register_anew and index not in node.fresh
            if anew and self.is_registered(node, index):
                fresh = node._replace(fresh=node.fresh | {index})
                yield f"{kind.name} registers anew, and loads nothing", fresh
            if phone.on and limits.phones_switch_off:
                off = actions.power(self.layout, self.kinds, node.world, index, on=False)
                yield (
                    f"{kind.name} is switched off",
                    node._replace(
                        world=off,
                        booting=node.booting - {index},
                        loaded=node.loaded - {index},
                        fresh=node.fresh - {index},
                        away=node.away - {index},
                    ),
                )
            if not phone.on:
                on = node.world._replace(
                    phones=tuple(
                        p._replace(on=True, registered=False) if i == index else p
                        for i, p in enumerate(node.world.phones)
                    )
                )
                yield (
                    f"{kind.name} is switched on",
                    node._replace(world=on, booting=node.booting | {index}),
                )

    def _booted(self, node: Moment, index: int, home: str) -> Moment:
        world = actions.boot(self.layout, self.kinds, node.world, index, home)
        after = node._replace(
            world=world,
            booting=node.booting - {index},
            loaded=node.loaded | {index},
            fresh=node.fresh - {index},
            away=node.away - {index},
        )
        return after if self.limits.boots_take_time else self._registered(after, index)

    def _registered(self, node: Moment, index: int) -> Moment:
        registered = node.world.phones[index].registered
        return node._replace(
            loaded=node.loaded - {index},
            fresh=node.fresh | {index} if registered else node.fresh - {index},
        )

    def _called(self, node: Moment, indexes: Iterable[int]) -> Moment:
        """A reset travels over the registration: it reaches only who is registered."""
        heard = frozenset(i for i in indexes if self.is_registered(node, i))
        return node._replace(booting=node.booting | heard, fresh=node.fresh - heard)
