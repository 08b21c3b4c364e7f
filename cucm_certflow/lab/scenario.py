"""Scenarios: a lab cluster in TOML, from its nodes and phones to the faults that strike it.

Every key is an attribute of a class, with its unit and default: the top level of :class:`Scenario`,
the tables of those in :mod:`cucm_certflow.lab.scenario_tables` and
:mod:`cucm_certflow.lab.scenario_book`, ``[[faults]]`` of
:class:`cucm_certflow.lab.scenario_faults.FaultSpec`, ``[[events]]`` of
:class:`cucm_certflow.lab.scenario_events.EventSpec`, and ``[timing]`` of
:class:`cucm_certflow.lab.timing.Timing`. An example is ``examples/scenarios/main-job.toml``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import attrs

from cucm_certflow.documents import not_read
from cucm_certflow.errors import Report, ScenarioError
from cucm_certflow.facts import Phone, PhoneSecurity
from cucm_certflow.lab.document import (
    Wrong,
    WrongValue,
    parse,
    strict_converter,
    structure,
)
from cucm_certflow.lab.physics.world import Cert, Layout, Node, PhoneKind, Trusted, Variant
from cucm_certflow.lab.scenario_book import (
    CertificateSpec,
    DeviceSpec,
    HealthSpec,
    ListAge,
    PartnerSpec,
    ServedSpec,
    TrustSpec,
)
from cucm_certflow.lab.scenario_events import EventKind, EventSpec
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec
from cucm_certflow.lab.scenario_tables import (
    Accounts,
    AccountSpec,
    ApplicationSpec,
    HeldLists,
    LimitsSpec,
    NodeSpec,
    PhoneSpec,
    PhoneState,
    PlatformSpec,
    Role,
    VariantSpec,
)
from cucm_certflow.lab.timing import Timing
from cucm_certflow.names import CertUnit, Product, Release, SecurityMode, Service
from cucm_certflow.nearest import suggestion

__all__ = [
    "SHIPPED",
    "AccountSpec",
    "Accounts",
    "ApplicationSpec",
    "CertificateSpec",
    "DeviceSpec",
    "EventKind",
    "EventSpec",
    "FaultKind",
    "FaultSpec",
    "HealthSpec",
    "HeldLists",
    "LabPhone",
    "LimitsSpec",
    "ListAge",
    "NodeSpec",
    "PartnerSpec",
    "PhoneSpec",
    "PhoneState",
    "PlatformSpec",
    "Role",
    "Scenario",
    "ServedSpec",
    "TrustSpec",
    "VariantSpec",
    "services_of",
]

_SHIPPED_FOLDER: Final = Path(__file__).parent / "shipped"
SHIPPED: Final = tuple(sorted(path.stem for path in _SHIPPED_FOLDER.glob("*.toml")))
"""The scenarios that come with the library; each is loaded by its bare name."""

_FIRST_ECDSA: Final = (11, 0)
_FIRST_REUSE: Final = (14, 0)
_FIRST_HAPROXY: Final = (14, 0)
_ALWAYS_THERE: Final = "RollBackToPreGrayback"
_SHORT: Final[Mapping[str, Service]] = {
    "callmanager": Service.CALLMANAGER,
    "tftp": Service.TFTP,
    "tvs": Service.TVS,
    "cti": Service.CTIMANAGER,
    "tomcat": Service.TOMCAT,
    "haproxy": Service.HAPROXY,
    "capf": Service.CAPF,
}


class LabPhone(NamedTuple):
    """One phone of a scenario: as the database has it, as the physics has it, and how it begins."""

    device: Phone
    kind: PhoneKind
    state: PhoneState
    lists: HeldLists
    call_s: float | None
    web: bool


@attrs.frozen(kw_only=True)
class Scenario:
    """A lab cluster.

    Attributes:
        release: ``11.5``, or the whole version: ``11.5.1.12900-21``.
        nodes: The publisher first.
        name: Of the cluster.
        domain: Of the nodes' full names.
        mode: ``non-secure`` or ``mixed``.
        seed: Of everything that chance decides.
        ecdsa: Whether nodes have certificates with EC keys as well, as far as their release and
            product have them: tomcat-ECDSA from 11.5 (port 8443 then shows one or the other, as the
            client wants), CallManager-ECDSA from 11.0, those of IM and Presence; 11.0 or later.
        token_ctl: Whether USB tokens sign the CTL. Not given: in mixed mode below 10.0.
        parameters: Enterprise and service parameters, by name. ``RollBackToPreGrayback`` is ``F``
            unless it is given; Cluster Security Mode is ``mode``.
    """

    release: Release
    nodes: tuple[NodeSpec, ...]
    name: str = "lab"
    domain: str = "lab.example"
    mode: SecurityMode = SecurityMode.NON_SECURE
    seed: int = 1
    ecdsa: bool = False
    token_ctl: bool | None = None
    accounts: Accounts = attrs.field(factory=Accounts)
    limits: LimitsSpec = attrs.field(factory=LimitsSpec)
    timing: Timing = attrs.field(factory=Timing)
    variant: VariantSpec = attrs.field(factory=VariantSpec)
    parameters: Mapping[str, str] = attrs.field(factory=dict[str, str])
    health: HealthSpec = attrs.field(factory=HealthSpec)
    served: ServedSpec = attrs.field(factory=ServedSpec)
    certificates: tuple[CertificateSpec, ...] = ()
    trust: tuple[TrustSpec, ...] = ()
    phones: tuple[PhoneSpec, ...] = ()
    devices: tuple[DeviceSpec, ...] = ()
    partners: tuple[PartnerSpec, ...] = ()
    faults: tuple[FaultSpec, ...] = ()
    events: tuple[EventSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        wrongs = [*self._wrong_nodes(), *self._wrong_phones(), *self._wrong_names()]
        if not wrongs:  # what follows asks the layout, which needs good nodes
            wrongs += self._wrong_certificates()
        if wrongs:
            raise WrongValue(*wrongs)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a scenario file, or one that comes with the library, by its bare name: ``tutorial``.

        Raises:
            ScenarioError: The file cannot be read, is not TOML, or is wrong; the report names the
                places.
        """
        target = Path(path)
        if str(path) in SHIPPED and not target.exists():
            target = _SHIPPED_FOLDER / f"{path}.toml"
        try:
            text = target.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            report = Report(
                headline=f"the scenario {path} cannot be read",
                saw=not_read(path, error),
                left="nothing was started",
                next="name a scenario file; some are in examples/scenarios",
            )
            raise ScenarioError(report) from error
        return cls.loads(text, source=str(path))

    @classmethod
    def loads(cls, text: str, *, source: str = "") -> Self:
        """Read a scenario from *text*; *source* is named in errors.

        Raises:
            ScenarioError: As :meth:`load`.
        """
        return structure(parse(text, source), cls, _RULES, source)

    # ── what the rest of the lab is built from ────────────────────────────────────────────

    @property
    def is_mixed(self) -> bool:
        """Whether the cluster is in mixed mode."""
        return self.mode is SecurityMode.MIXED

    def node(self, name: str) -> NodeSpec:
        """The node called *name*; KeyError if there is none."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(name)

    def parameter(self, name: str) -> str | None:
        """The value of the enterprise or service parameter *name*; None if there is none."""
        if name == "ClusterSecurityMode":
            return self.mode.value
        return self.parameters.get(name, "F" if name == _ALWAYS_THERE else None)

    def layout(self) -> Layout:
        """The cluster as the physics has it."""
        given = self.variant
        by_itself, for_ctl = given.tvs_restarts_itself, given.tvs_vouches_for_ctl
        layout = Layout(
            nodes=tuple(
                Node(
                    node.name,
                    node.publisher,
                    callmanager=Service.CALLMANAGER in node.activated,
                    tftp=Service.TFTP in node.activated,
                    tvs=Service.TVS in node.activated,
                    capf=Service.CAPF in node.activated,
                )
                for node in self.nodes
            ),
            release=self.release.short,
            mixed=self.is_mixed,
            ecdsa=self.ecdsa,
            whole=True,
            token_ctl=self.token_ctl,
            variant=Variant(
                tvs_restarts_itself=self.release >= (14, 0) if by_itself is None else by_itself,
                itl_rebuilt_at_once=given.itl_rebuilt_at_once,
                vouches_for_itlrecovery=given.vouches_for_itlrecovery,
                tvs_vouches_for_ctl=self.release < (12, 0) if for_ctl is None else for_ctl,
                ctl_strict=given.ctl_strict,
                tvs_vouches_for_registration=given.tvs_vouches_for_registration,
                ctl_lists_itlrecovery=given.ctl_lists_itlrecovery,
                expired_is_refused=given.expired_is_refused,
                capf_of_ctl_must_be_current=given.capf_of_ctl_must_be_current,
            ),
        )
        return layout._replace(expired=frozenset(self._expired(layout)))

    def same(self, layout: Layout) -> tuple[tuple[Cert, Cert], ...]:
        """Which certificates are really another's when the story begins, and whose."""
        pairs: dict[Cert, Cert] = {}
        # Tomcat's first: CallManager may be the same as a Tomcat that is of all nodes.
        for spec in sorted(self.certificates, key=lambda spec: spec.reuses_tomcat):
            for cert in self._first(layout, spec):
                if spec.multi_server:
                    pairs[cert] = self._first(layout, spec)[0]
                if spec.reuses_tomcat:
                    tomcat = Cert(CertUnit.TOMCAT, cert.node, 1)
                    pairs[cert] = pairs.get(tomcat, tomcat)
        return tuple((given, real) for given, real in pairs.items() if given != real)

    def spec_of(self, cert: Cert) -> CertificateSpec | None:
        """What the scenario says of *cert*, which is not another's; the last one, if several do."""
        found = None
        for spec in self.certificates:
            if (spec.unit, cert.generation) == (cert.unit, 1) and spec.node in (None, cert.node):
                found = spec
        return found

    def trusted(self, layout: Layout) -> Iterator[tuple[Trusted, TrustSpec]]:
        """Every entry of ``[[trust]]``, on each of its nodes."""
        same = dict(self.same(layout))
        for spec in self.trust:
            cert: Cert | None = None
            if spec.copied is not None:
                node, unit = spec.copied
                first = Cert(unit, node, 1)
                cert = same.get(first, first)
            for name in self._nodes_of(spec):
                yield Trusted(name, spec.store, cert, spec.name, spec.comes_back), spec

    def _nodes_of(self, spec: TrustSpec) -> tuple[str, ...]:
        if spec.node is not None:
            return (spec.node,)
        both = spec.store in ("tomcat-trust", "ipsec-trust")
        product = Product.IM_PRESENCE if spec.store.startswith("cup") else Product.CALLMANAGER
        return tuple(node.name for node in self.nodes if both or node.product is product)

    def _first(self, layout: Layout, spec: CertificateSpec) -> list[Cert]:
        """The certificates that *spec* is about, as they are when the story begins."""
        return [
            Cert(spec.unit, node.name, 1)
            for node in self.nodes
            if spec.node in (None, node.name) and layout.has(spec.unit, node.name)
        ]

    def _expired(self, layout: Layout) -> Iterator[Cert]:
        for spec in self.certificates:
            if spec.expires_in_days is not None and spec.expires_in_days <= 0:
                yield from self._first(layout, spec)

    def each_phone(self) -> Iterator[LabPhone]:
        """Every phone, with its name, in the order of the document."""
        prefix, number = "SEP", 0x001122330001
        groups = tuple(dict.fromkeys(spec.group for spec in self.phones))
        for spec in self.phones:
            if spec.first is not None:
                prefix, number = spec.first[:3], int(spec.first[3:], 16)
            counted = [f"{prefix}{number + i:012X}" for i in range(spec.count)]
            number += 0 if spec.names else spec.count
            for name in spec.names or counted:
                device = Phone(
                    name=name,
                    model=spec.model,
                    group=spec.group,
                    security=spec.security,
                    security_by_default=spec.security_by_default,
                    protocol=spec.protocol,
                    pool=spec.pool or f"DP_{groups.index(spec.group) + 1}",
                    profile=spec.profile or f"{spec.model} - {spec.security.value} Profile",
                )
                kind = PhoneKind(
                    name=device.name,
                    group=spec.group,
                    tftp=spec.tftp,
                    secure=device.is_secure,
                    asks_tvs=spec.security_by_default,
                    reaches_tvs=spec.reaches_tvs,
                )
                yield LabPhone(device, kind, spec.state, spec.lists, spec.call_s, spec.web)

    # ── what contradicts what ─────────────────────────────────────────────────────────────

    def _wrong_nodes(self) -> Iterator[Wrong]:
        if self.release < (8, 0):
            yield Wrong("release", f"expected 8.0 or later, saw {self.release}")
        if self.ecdsa and self.release.short < _FIRST_ECDSA:
            reason = f"EC certificates came with 11.0, this cluster runs {self.release}"
            yield Wrong("ecdsa", reason)
        if self.token_ctl and not self.is_mixed:
            yield Wrong("token_ctl", "a non-secure cluster has no CTL")
        if self.token_ctl is False and self.is_mixed and self.release < (10, 0):
            yield Wrong("token_ctl", "below 10.0 tokens sign every CTL")
        if not self.nodes:
            yield Wrong("nodes", "expected one [[nodes]] or more")
        for index, node in enumerate(self.nodes):
            before = self.nodes[:index]
            if node.publisher != (index == 0):
                yield Wrong(
                    f"nodes[{index}].publisher", "the first node, and only it, is publisher"
                )
            for key in ("name", "address"):
                if getattr(node, key) in (getattr(other, key) for other in before):
                    yield Wrong(f"nodes[{index}].{key}", f"{getattr(node, key)} is there twice")

    def _wrong_phones(self) -> Iterator[Wrong]:
        needs = (("group", Service.CALLMANAGER), ("tftp", Service.TFTP))
        names = [node.name for node in self.nodes]
        for index, spec in enumerate(self.phones):
            for key, service in needs:
                for place, name in enumerate(getattr(spec, key)):
                    path = f"phones[{index}].{key}[{place}]"
                    if name not in names:
                        yield Wrong(path, f"no node is called {name!r}{suggestion(name, names)}")
                    elif service not in self.node(name).activated:
                        yield Wrong(path, f"{service.value} is not activated on {name}")
            if spec.security is not PhoneSecurity.NON_SECURE and not self.is_mixed:
                yield Wrong(f"phones[{index}].security", "phones are secure in mixed mode only")
        seen: set[str] = set()
        pools: dict[str, tuple[str, ...]] = {}
        for phone in self.each_phone():
            group = phone.device.group
            if pools.setdefault(phone.device.pool, group) != group:
                yield Wrong("phones", f"the pool {phone.device.pool} has two CallManager groups")
                return
            if phone.device.name in seen:
                yield Wrong("phones", f"two phones are called {phone.device.name}")
                return
            seen.add(phone.device.name)

    def _wrong_names(self) -> Iterator[Wrong]:
        names = [node.name for node in self.nodes]
        used = [(f"timing.ctl_lag_s.{name}", name) for name in self.timing.ctl_lag_s]
        used += [(f"health.{path}", name) for path, name in self.health.named()]
        for key in ("certificates", "trust", "devices", "faults", "events"):
            for index, spec in enumerate(getattr(self, key)):
                if spec.node is not None:
                    used.append((f"{key}[{index}].node", spec.node))
        for index, event in enumerate(self.events):
            if event.command_node is not None:
                used.append((f"events[{index}].command_node", event.command_node))
        for index, partner in enumerate(self.partners):
            used += [(f"partners[{index}].nodes[{i}]", n) for i, n in enumerate(partner.nodes)]
        for path, name in used:
            if name not in names:
                yield Wrong(path, f"no node is called {name!r}{suggestion(name, names)}")

    def _wrong_certificates(self) -> Iterator[Wrong]:
        layout = self.layout()
        for index, spec in enumerate(self.certificates):
            path = f"certificates[{index}]"
            if not self._first(layout, spec):
                where = spec.node or "the cluster"
                yield Wrong(f"{path}.unit", f"{where} has no certificate of {spec.unit}")
            if spec.reuses_tomcat and self.release.short < _FIRST_REUSE:
                yield Wrong(f"{path}.reuses_tomcat", "came with 14")
        for index, entry in enumerate(self.trust):
            if entry.copied is not None and not layout.has(entry.copied[1], entry.copied[0]):
                yield Wrong(f"trust[{index}].of", f"there is no {entry.of}")
            if not self._nodes_of(entry):
                yield Wrong(f"trust[{index}].store", f"no node has {entry.store}")
        seen: set[str] = set()
        for index, device in enumerate(self.devices):
            if seen & set(device.names):
                yield Wrong(f"devices[{index}].first", "two devices have one name")
            seen.update(device.names)
        if len({partner.name for partner in self.partners}) != len(self.partners):
            yield Wrong("partners", "two partners have one name")
        for name in sorted({"ClusterSecurityMode"} & set(self.parameters)):
            yield Wrong(f"parameters.{name}", "is said by mode")
        for index, event in enumerate(self.events):
            for key, reason in self._wrong_event(layout, event):
                yield Wrong(f"events[{index}].{key}", reason)

    def _wrong_event(self, layout: Layout, event: EventSpec) -> Iterator[tuple[str, str]]:
        """What a cluster like this one cannot meet with."""
        node, kind = event.node, event.kind
        ctl = kind in (EventKind.CTL_KEPT, EventKind.CTL_UPDATED_OUTSIDE)
        if ctl and (not self.is_mixed or layout.signs_by_token):
            yield "kind", "no command of this cluster renews a CTL"
        if node is None:
            return
        lists = kind in (EventKind.CTL_KEPT, EventKind.LIST_STALE)
        if lists and node not in layout.tftp_nodes:
            yield "node", f"{Service.TFTP.value} is not activated on {node}"
        service = event.service
        if service is not None and service not in services_of(self, layout, node):
            yield "service", f"{service.value} is not activated on {node}"
        if event.unit is not None and not layout.has(event.unit, node):
            yield "unit", f"{node} has no certificate of {event.unit}"


def services_of(scenario: Scenario, layout: Layout, node: str) -> tuple[Service, ...]:
    """The services that *node* has: Tomcat first, HAProxy before it from 14 on, then others.

    Others are those that the scenario activates, and those that are there anyway.
    """
    spec = scenario.node(node)
    first = [Service.TOMCAT]
    if layout.release >= _FIRST_HAPROXY and spec.activated:
        first.append(Service.HAPROXY)
    named = (*first, *spec.activated)
    anyway = (s for s in Service if s not in named and layout.runs(s, node))
    return (*named, *anyway)


_MODES: Final = {"non-secure": SecurityMode.NON_SECURE, "mixed": SecurityMode.MIXED}


def _word(value: object, words: Mapping[str, Any]) -> Any:  # noqa: ANN401 - of the mapping
    if not isinstance(value, str) or value not in words:
        reason = f"expected one of {', '.join(words)}; saw {value!r:.40}{suggestion(value, words)}"
        raise WrongValue(Wrong("", reason))
    return words[value]


def _release(value: object, _: object) -> Release:
    try:
        return Release.parse(value if isinstance(value, str) else "")
    except ValueError:
        reason = f"expected a text such as '11.5' or '11.5.1.12900-21', saw {value!r:.40}"
        raise WrongValue(Wrong("", reason)) from None


_RULES: Final = strict_converter()
_RULES.register_structure_hook(Release, _release)
_RULES.register_structure_hook(SecurityMode, lambda value, _: _word(value, _MODES))
_RULES.register_structure_hook(
    Service,
    lambda value, _: _word(
        value, {**_SHORT, **{service.value: service for service in _SHORT.values()}}
    ),
)
