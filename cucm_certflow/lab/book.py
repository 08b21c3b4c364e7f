"""The rest of the book in a lab cluster: trust stores, databases, partners, devices, backups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final, NamedTuple

from cucm_certflow.facts import Backup, Registration
from cucm_certflow.lab.health import Health
from cucm_certflow.lab.identities import Identities
from cucm_certflow.lab.physics import stores
from cucm_certflow.lab.physics.world import (
    Cert,
    Layout,
    Partner,
    PhoneKind,
    Trusted,
    TrustList,
    World,
)
from cucm_certflow.lab.scenario import DeviceSpec, Scenario
from cucm_certflow.lab.stage import Stage
from cucm_certflow.names import CertUnit, DeviceClass, ListKind

__all__ = ["Book", "Entry", "furnished"]

_RESYNC_S: Final = 1800.0
"""How often the nodes compare their stores (web-apis.md: every 1800 s)."""

_AUTHZ_FROM: Final = (12, 0)
_HIDDEN_FROM_SU: Final = 4


class Entry(NamedTuple):
    """An entry of a node's trust store: its store, its file, and what it is in the physics."""

    store: str
    name: str
    trusted: Trusted


class Book:
    """What a lab cluster has beside services, lists and phones.

    Args:
        scenario: Whose it is.
        stage: Its world and hour.
        identities: What stands in its certificates.
        health: How its nodes are.
    """

    def __init__(
        self, scenario: Scenario, stage: Stage, identities: Identities, health: Health
    ) -> None:
        self._scenario = scenario
        self._stage = stage
        self._layout: Final = stage.layout
        self._identities = identities
        self._health = health
        self._began = stage.now
        self._cut_off: set[str] = set()
        self._later_by: dict[str, float] = {}
        self._devices = {
            name: (spec.kind, _registered(name, spec, at=self._began))
            for spec in scenario.devices
            for name in spec.names
        }

    # ── certificates ──────────────────────────────────────────────────────────────────────

    def units(self, node: str) -> tuple[str, ...]:
        """The names that ``show cert list own`` has on *node*, those of no unit among them.

        From 12.0 the publisher has ``authz`` (that only it has is the lab's invention). Where
        CallManager reuses Tomcat's certificate it is not shown, from 14SU4 on (TAC 221070).
        """
        found = [unit.value for unit in CertUnit if self.has(node, unit)]
        if node == self._layout.publisher and self._layout.release >= _AUTHZ_FROM:
            found.append("authz")
        return tuple(found)

    def has(self, node: str, unit: CertUnit) -> bool:
        """Whether *node* shows a certificate of *unit*; ITLRecovery may be the publisher's."""
        owner = node
        if unit is CertUnit.ITLRECOVERY and node in self._layout.calling_nodes:
            owner = self._layout.itlrecovery_of(node)
        if not self._layout.has(unit, owner):
            return False
        return unit is not CertUnit.CALLMANAGER or not self._is_hidden(node)

    def _is_hidden(self, node: str) -> bool:
        world, release = self._stage.scenery, self._scenario.release
        real = world.real(world.current(CertUnit.CALLMANAGER, node))
        if real.unit is CertUnit.CALLMANAGER:
            return False
        update = release.service_update
        return release >= (15, 0) or (update is not None and update >= _HIDDEN_FROM_SU)

    def known_to(self, node: str) -> frozenset[Cert]:
        """The cluster's certificates that *node*'s own database has, old ones included.

        A new one gets there later than it is made: until then there is the one before.
        """
        world = self._stage.scenery
        found = {trusted.cert for trusted in world.kept if trusted.cert is not None}
        for cert in world.gen:
            while (node, world.real(cert)) in world.unaware:
                cert = cert._replace(generation=cert.generation - 1)
            found.add(world.real(cert))
        return frozenset(found)

    def regenerated(self, before: World, after: World) -> None:
        """Let each node's database know what is new, after its own lag."""
        new = {after.real(cert) for cert in set(after.gen) - set(before.gen)}
        for node in self._layout.nodes:
            lag = self._scenario.health.lag_of(node.name) + self._later_by.get(node.name, 0.0)
            is_cut_off = node.name in self._cut_off
            if not lag and not is_cut_off:
                continue
            late = frozenset((node.name, cert) for cert in new)
            world = self._stage.scenery
            self._stage.scenery = world._replace(unaware=world.unaware | late)
            if not is_cut_off:
                self._stage.after(timedelta(seconds=lag), partial(self._aware, late))

    def cut_off(self, node: str) -> None:
        """Replication with *node* breaks: its own database learns of nothing new."""
        self._cut_off.add(node)
        self._health.break_replication(node)

    def reconnect(self, node: str) -> None:
        """Replication with *node* is mended: what it has missed comes to it after its own lag."""
        self._cut_off.discard(node)
        self._health.mend_replication(node)
        missed = frozenset(pair for pair in self._stage.scenery.unaware if pair[0] == node)
        lag = self._scenario.health.lag_of(node)
        self._stage.after(timedelta(seconds=lag), partial(self._aware, missed))

    def delay(self, node: str, by_s: float) -> None:
        """The database of *node* learns of what is new *by_s* later than it would; 0: no more."""
        self._later_by[node] = by_s

    def _aware(self, late: frozenset[tuple[str, Cert]]) -> None:
        world = self._stage.scenery
        self._stage.scenery = world._replace(unaware=world.unaware - late)

    # ── trust stores ──────────────────────────────────────────────────────────────────────

    def entries(self, node: str) -> tuple[Entry, ...]:
        """Everything that *node* trusts, in order of store and file."""
        contents = stores.contents(self._layout, self._stage.scenery, node)
        entries = (Entry(t.store, self._identities.file_name(t), t) for t in contents)
        return tuple(sorted(entries, key=lambda entry: (entry.store, entry.name)))

    def entry(self, node: str, store: str, name: str) -> Entry:
        """The one in *store* of *node* whose file is *name*.

        Raises:
            ValueError: there is none.
        """
        for entry in self.entries(node):
            if (entry.store, entry.name) == (store, name):
                return entry
        message = f"{store} of {node} has no {name[:80]}"
        raise ValueError(message)

    def delete(self, entry: Entry) -> None:
        """It is deleted now; the next resync puts it back, if it is of that kind."""
        world = self._stage.scenery
        if entry.trusted not in stores.contents(self._layout, world, entry.trusted.node):
            return  # somebody else was quicker
        self._stage.scenery = after = stores.delete_trust(self._layout, world, entry.trusted)
        if after.returning:
            passed = (self._stage.now - self._began).total_seconds() % _RESYNC_S
            self._stage.after(timedelta(seconds=_RESYNC_S - passed), self._resync)

    def _resync(self) -> None:
        self._stage.scenery = stores.resync(self._stage.scenery)

    # ── backup, partners, devices ─────────────────────────────────────────────────────────

    def drf_works(self, node: str) -> bool:
        """Whether *node* could be backed up now."""
        return stores.drf_works(self._layout, self._stage.scenery, node)

    def back_up(self) -> Backup:
        """Somebody makes a backup of all nodes; it fails where DRF does not work."""
        works = all(self.drf_works(node.name) for node in self._layout.nodes)
        return self._health.back_up(self._stage.now, works=works)

    def partner_works(self, name: str) -> bool:
        """Whether the partner called *name* trusts what the cluster shows it.

        Raises:
            KeyError: there is none.
        """
        partners = {partner.name: partner for partner in self._stage.scenery.partners}
        return stores.partner_works(self._layout, self._stage.scenery, partners[name])

    def update_partner(self, name: str) -> None:
        """Somebody gives the partner called *name* the certificates of now.

        Raises:
            ValueError: there is none.
        """
        world = stores.update_partner(self._layout, self._stage.scenery, name)
        self._stage.scenery = world

    def devices(self, kind: DeviceClass) -> Mapping[str, Registration]:
        """Where the devices of *kind* are registered, which are no phones."""
        return {name: where for name, (of, where) in self._devices.items() if of is kind}


def _registered(name: str, spec: DeviceSpec, at: datetime) -> Registration:
    """As RISPort70 has it: what is registered nowhere has no node."""
    return Registration(name, spec.registered, spec.node if spec.registered else "", at)


def furnished(
    scenario: Scenario,
    layout: Layout,
    world: World,
    kinds: Sequence[PhoneKind] | None = None,
) -> World:
    """*world* with the scenario's trust stores and partners, and with the lists that it serves.

    Phones that hold what is served hold these; *kinds* are those of *world*, all of the scenario
    if not given.
    """
    world = world._replace(
        kept=world.kept | {trusted for trusted, _ in scenario.trusted(layout)},
        partners=tuple(
            Partner(spec.name, spec.units, spec.nodes, frozenset()) for spec in scenario.partners
        ),
    )
    for spec in scenario.partners:
        world = stores.update_partner(layout, world, spec.name)
    old_itl, old_ctl = (scenario.served.old_units(kind) for kind in (ListKind.ITL, ListKind.CTL))
    itl = {name: _aged(served, old_itl) for name, served in world.itl}
    ctl = {name: served and _aged(served, old_ctl) for name, served in world.ctl}
    kinds = [phone.kind for phone in scenario.each_phone()] if kinds is None else kinds
    return world._replace(
        itl=tuple(itl.items()),
        ctl=tuple(ctl.items()),
        phones=tuple(
            phone._replace(
                itl=itl[kind.tftp[0]] if kind.asks_tvs else None,
                ctl=ctl[kind.tftp[0]],
            )
            for kind, phone in zip(kinds, world.phones, strict=True)
        ),
    )


def _aged(served: TrustList, units: frozenset[CertUnit]) -> TrustList:
    """*served* with certificates of *units* that are no more, and that nobody here knows."""
    if not units:
        return served

    def old(cert: Cert) -> Cert:
        return cert._replace(generation=0) if cert.unit in units and not cert.is_token else cert

    return served._replace(
        signer=old(served.signer),
        sast=frozenset(map(old, served.sast)),
        tftp=frozenset(map(old, served.tftp)),
        ccm=frozenset(map(old, served.ccm)),
        pin=frozenset(map(old, served.pin)),
        capf=frozenset(map(old, served.capf)),
    )
