"""Scenarios: a lab cluster in TOML, from its nodes and phones to the faults that strike it.

Every key is an attribute of a class, with its unit and default: the top level of :class:`Scenario`,
the tables of those in :mod:`cucm_certflow.lab.scenario_tables`, ``[[faults]]`` of
:class:`cucm_certflow.lab.scenario_faults.FaultSpec`, and ``[timing]`` of
:class:`cucm_certflow.lab.timing.Timing`. An example is ``examples/scenarios/main-job.toml``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import attrs

from cucm_certflow.errors import Report, ScenarioError
from cucm_certflow.facts import Phone, PhoneSecurity
from cucm_certflow.lab.document import (
    Wrong,
    WrongValue,
    parse,
    strict_converter,
    structure,
    suggestion,
)
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind, Variant
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
from cucm_certflow.names import Release, SecurityMode, Service

__all__ = [
    "AccountSpec",
    "Accounts",
    "ApplicationSpec",
    "FaultKind",
    "FaultSpec",
    "HeldLists",
    "LabPhone",
    "LimitsSpec",
    "NodeSpec",
    "PhoneSpec",
    "PhoneState",
    "PlatformSpec",
    "Role",
    "Scenario",
    "VariantSpec",
]

_FIRST_TOMCAT_ECDSA: Final = (11, 5)
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
        ecdsa: Whether every node has a tomcat-ECDSA certificate beside tomcat's, and port 8443
            shows one or the other, as the client wants; 11.5 or later.
    """

    release: Release
    nodes: tuple[NodeSpec, ...]
    name: str = "lab"
    domain: str = "lab.example"
    mode: SecurityMode = SecurityMode.NON_SECURE
    seed: int = 1
    ecdsa: bool = False
    accounts: Accounts = attrs.field(factory=Accounts)
    limits: LimitsSpec = attrs.field(factory=LimitsSpec)
    timing: Timing = attrs.field(factory=Timing)
    variant: VariantSpec = attrs.field(factory=VariantSpec)
    phones: tuple[PhoneSpec, ...] = ()
    faults: tuple[FaultSpec, ...] = ()

    def __attrs_post_init__(self) -> None:
        wrongs = [*self._wrong_nodes(), *self._wrong_phones(), *self._wrong_names()]
        if wrongs:
            raise WrongValue(*wrongs)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a scenario file.

        Raises:
            ScenarioError: The file cannot be read, is not TOML, or is wrong; the report names the
                places.
        """
        target = Path(path)
        try:
            text = target.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            report = Report(
                headline="the scenario cannot be read", saw=str(error), source=str(path)
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

    def layout(self) -> Layout:
        """The cluster as the physics has it."""
        given = self.variant
        by_itself, for_ctl = given.tvs_restarts_itself, given.tvs_vouches_for_ctl
        return Layout(
            nodes=tuple(
                Node(
                    node.name,
                    node.publisher,
                    callmanager=Service.CALLMANAGER in node.activated,
                    tftp=Service.TFTP in node.activated,
                    tvs=Service.TVS in node.activated,
                )
                for node in self.nodes
            ),
            release=self.release.short,
            mixed=self.is_mixed,
            ecdsa=self.ecdsa,
            variant=Variant(
                tvs_restarts_itself=self.release >= (14, 0) if by_itself is None else by_itself,
                itl_rebuilt_at_once=given.itl_rebuilt_at_once,
                vouches_for_itlrecovery=given.vouches_for_itlrecovery,
                tvs_vouches_for_ctl=self.release < (12, 0) if for_ctl is None else for_ctl,
                ctl_strict=given.ctl_strict,
                tvs_vouches_for_registration=given.tvs_vouches_for_registration,
                ctl_lists_itlrecovery=given.ctl_lists_itlrecovery,
            ),
        )

    def each_phone(self) -> Iterator[LabPhone]:
        """Every phone, with its name, in the order of the document."""
        prefix, number = "SEP", 0x001122330001
        for spec in self.phones:
            if spec.first is not None:
                prefix, number = spec.first[:3], int(spec.first[3:], 16)
            for _ in range(spec.count):
                device = Phone(
                    name=f"{prefix}{number:012X}",
                    model=spec.model,
                    group=spec.group,
                    security=spec.security,
                    security_by_default=spec.security_by_default,
                )
                kind = PhoneKind(
                    name=device.name,
                    group=spec.group,
                    tftp=spec.tftp,
                    secure=device.is_secure,
                    asks_tvs=spec.security_by_default,
                    reaches_tvs=spec.reaches_tvs,
                )
                yield LabPhone(device, kind, spec.state, spec.lists, spec.call_s)
                number += 1

    # ── what contradicts what ─────────────────────────────────────────────────────────────

    def _wrong_nodes(self) -> Iterator[Wrong]:
        if self.release < (8, 0):
            yield Wrong("release", f"expected 8.0 or later, saw {self.release}")
        if self.ecdsa and self.release.short < _FIRST_TOMCAT_ECDSA:
            yield Wrong("ecdsa", f"tomcat-ECDSA came with 11.5, this cluster runs {self.release}")
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
        for phone in self.each_phone():
            if phone.device.name in seen:
                yield Wrong("phones", f"two phones are called {phone.device.name}")
                return
            seen.add(phone.device.name)

    def _wrong_names(self) -> Iterator[Wrong]:
        names = [node.name for node in self.nodes]
        used = [(f"timing.ctl_lag_s.{name}", name) for name in self.timing.ctl_lag_s]
        for index, fault in enumerate(self.faults):
            if fault.node is not None:
                used.append((f"faults[{index}].node", fault.node))
        for path, name in used:
            if name not in names:
                yield Wrong(path, f"no node is called {name!r}{suggestion(name, names)}")


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
