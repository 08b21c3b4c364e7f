"""A twin: what was observed of a live cluster as a scenario, and what that cannot say."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs

from cucm_certflow.checks.certificates import common_name
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.facts import Certificate, ClusterFacts, ListView, NodeFacts, Phone
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.document import WrongValue
from cucm_certflow.lab.identities import is_ecdsa
from cucm_certflow.lab.memory_answers import Answers
from cucm_certflow.lab.memory_discovery import discovered
from cucm_certflow.lab.scenario import (
    CertificateSpec,
    ListAge,
    NodeSpec,
    PhoneSpec,
    PhoneState,
    Scenario,
    ServedSpec,
)
from cucm_certflow.lab.scenario_book import MULTI_SERVER
from cucm_certflow.lab.scenario_text import scenario_text
from cucm_certflow.names import CertUnit, KeyAlgorithm, ListKind, Product, SecurityMode, Service

__all__ = ["ASSUMED", "Twin", "twin_of"]

ASSUMED: Final = (
    "phones.tftp: no interface tells which TFTP nodes a phone asks, and in which order; taken are "
    "all of them, those of its CallManager group first. A plan must hold for any of them",
    "phones.lists: taken is that each phone holds what its first TFTP node serves; what a phone "
    "holds is on its own web page alone",
    "phones.reaches_tvs: taken is that each phone reaches every TVS of its CallManager group",
    "phones.state: a phone that is not registered is taken to be off, and nobody is in a call",
    "nodes.address: loopback addresses in place of the cluster's",
    "health, trust, parameters, partners: taken as good, as empty, as the defaults, as none; "
    "`certflow preflight` looks at the cluster itself",
    "timing: the lab's own durations, not your cluster's; `--measured` gives those of a journal",
    "variant: what nobody knows of CUCM is as the library assumes; `certflow check` takes it "
    "otherwise",
)
"""What nobody observed, by the key of the scenario, and what the twin has in its place."""

_CHOSEN: Final = (
    Service.CALLMANAGER,
    Service.CTIMANAGER,
    Service.TFTP,
    Service.TVS,
    Service.CAPF,
)
_USUAL: Final = _CHOSEN[:-1]
_FIRST_HOST: Final = 11
_HOSTS: Final = 244
_DAY_S: Final = 86_400


@attrs.frozen(kw_only=True)
class Twin:
    """A scenario taken from a live cluster.

    Attributes:
        scenario: What it is rehearsed on.
        facts: What it was taken from.
        differences: Where the scenario, brought to life, shows something else than the cluster
            did: what the lab has no words for. A plan is not rehearsed where these matter.
    """

    scenario: Scenario
    facts: ClusterFacts
    differences: tuple[str, ...]

    def text(self) -> str:
        """The file: what was observed and what is assumed as comments, then the scenario.

        There is no secret in it: names of nodes and phones, models, pools, and what stands in
        certificates. Two twins of equal facts are equal texts.
        """
        facts = self.facts
        lines = [
            f"A twin of a cluster of {len(facts.nodes)} nodes and {len(facts.phones)} phones, "
            f"observed at {facts.at.isoformat(timespec='seconds')}.",
            "",
            "Assumed, because nobody observed it:",
            *(f"- {text}" for text in ASSUMED),
        ]
        for title, texts in (
            ("Not like the cluster, because the lab has no words for it:", self.differences),
            ("Could not be read, and is not in it:", facts.unknown),
        ):
            if texts:
                lines += ["", title, *(f"- {text}" for text in texts)]
        comment = "\n".join(f"# {line}".rstrip() for line in lines)
        return f"{comment}\n\n{scenario_text(self.scenario)}"

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write :meth:`text` to a new file.

        Raises:
            UsageError: It exists already, or cannot be written.
        """
        try:
            with Path(path).open("x", encoding="utf-8") as file:
                file.write(self.text())
        except OSError as error:
            raise UsageError(
                Report(
                    headline="the twin cannot be written",
                    expected="a new file, in a folder that exists",
                    saw=str(error),
                    left="the cluster was only looked at",
                    next="name another file",
                )
            ) from error


def twin_of(facts: ClusterFacts, *, name: str = "twin") -> Twin:
    """*facts* as a scenario, and in what it differs from them.

    Phones that cannot be told apart are one table, with their names: a plan for the twin resets the
    same phones in the same batches as one for the cluster. Nothing is asked of anybody.

    Args:
        facts: A discovery.
        name: The scenario's.

    Raises:
        UsageError: The lab cannot be such a cluster at all; the report says why.
    """
    nodes = facts.in_order
    try:
        scenario = Scenario(
            name=name,
            domain=_domain(nodes),
            release=facts.release,
            mode=facts.mode,
            ecdsa=any(is_ecdsa(unit) for node in nodes for unit in node.certificates),
            token_ctl=_token(nodes) if facts.mode is SecurityMode.MIXED else None,
            nodes=tuple(_node(node, index) for index, node in enumerate(nodes)),
            certificates=tuple(_certificates(facts)),
            served=_served(nodes),
            phones=tuple(_phones(facts)),
        )
    except WrongValue as error:
        raise UsageError(
            Report(
                headline="the lab has no words for this cluster, so it has no twin",
                saw=str(error),
                left="the cluster was only looked at",
                next="plan on the cluster itself: `certflow plan` changes nothing",
            )
        ) from error
    lab = LabCluster(scenario, _Still(facts.at))
    shown = discovered(lab, Answers(lab, {}), (), facts.at)
    return Twin(scenario=scenario, facts=facts, differences=tuple(_differences(facts, shown)))


@attrs.frozen
class _Still:
    """A clock that stands: what is looked at is the beginning of the story."""

    at: datetime

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        message = "nothing waits before the story begins"
        raise RuntimeError(message)


def _domain(nodes: tuple[NodeFacts, ...]) -> str:
    """That of the nodes' own names in their certificates; the lab's, if none has one."""
    for node in nodes:
        for certificate in node.certificates.values():
            for full in certificate.names:
                host, _, domain = full.partition(".")
                if host == node.name and domain:
                    return domain
    return "lab.example"


def _token(nodes: tuple[NodeFacts, ...]) -> bool | None:
    served = [node.ctl for node in nodes if node.ctl is not None]
    return any(each.token for each in served) if served else None


def _node(node: NodeFacts, index: int) -> NodeSpec:
    chosen = tuple(service for service in _CHOSEN if node.runs(service))
    host = _FIRST_HOST + index
    return NodeSpec(
        name=node.name,
        address=f"127.0.{host // _HOSTS}.{host % _HOSTS}",
        publisher=node.is_publisher,
        product=node.product,
        services=None if chosen == _USUAL or node.product is not Product.CALLMANAGER else chosen,
    )


def _certificates(facts: ClusterFacts) -> Iterator[CertificateSpec]:
    """What is special about each certificate, one table where all nodes have it alike."""
    for unit in CertUnit:
        owners = [node for node in facts.in_order if unit in node.certificates]
        shared = len(owners) > 1 and len({_print(node, unit) for node in owners}) == 1
        specs = [_certificate(facts, node, unit, shared=shared) for node in owners]
        alike = {attrs.evolve(spec, node=None) for spec in specs}
        yield from alike if len(alike) == 1 else specs


def _certificate(
    facts: ClusterFacts, node: NodeFacts, unit: CertUnit, *, shared: bool
) -> CertificateSpec:
    found = node.certificates[unit]
    tomcat = node.certificates.get(CertUnit.TOMCAT)
    reuses = (
        unit is CertUnit.CALLMANAGER
        and tomcat is not None
        and tomcat.fingerprint == found.fingerprint
    )
    days = None
    if found.not_after is not None:
        # To the second: what is over in an hour is not over now.
        days = round((found.not_after - facts.at).total_seconds() / _DAY_S, 5)
    return CertificateSpec(
        unit=unit,
        node=None if shared else node.name,
        expires_in_days=days,
        ca_signed=not found.self_signed,
        multi_server=shared and unit in MULTI_SERVER and not reuses,
        reuses_tomcat=reuses,
        key_bits=found.key_bits if found.key_algorithm is KeyAlgorithm.RSA else None,
        name_missing=_lacks_its_name(found),
    )


def _lacks_its_name(certificate: Certificate) -> bool:
    common = common_name(certificate.subject).lower()
    return bool(certificate.names and common) and common not in map(str.lower, certificate.names)


def _print(node: NodeFacts, unit: CertUnit) -> str:
    return node.certificates[unit].fingerprint


def _served(nodes: tuple[NodeFacts, ...]) -> ServedSpec:
    """What the lists name that is no more; the same for the whole cluster."""
    present = {
        unit: {_print(node, unit) for node in nodes if unit in node.certificates}
        for unit in CertUnit
    }
    anchors = present[CertUnit.CALLMANAGER] | present[CertUnit.ITLRECOVERY]

    def is_old(kind: ListKind, unit: CertUnit) -> bool:
        views = [view for node in nodes if (view := _list(node, kind)) is not None]
        named = [_named(view, unit) for view in views]
        if unit is CertUnit.ITLRECOVERY:  # among other anchors: missed, and a stranger in its place
            return bool(present[unit]) and any(
                not held & present[unit] and held - anchors for held in named
            )
        return any(held - present[unit] - present[CertUnit.ITLRECOVERY] for held in named)

    given = {
        f"{kind.value.lower()}_{unit.value.lower()}": ListAge.OLD
        for kind in ListKind
        for unit in (CertUnit.ITLRECOVERY, CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.CAPF)
        if (kind is ListKind.ITL or unit is not CertUnit.TVS) and is_old(kind, unit)
    }
    return ServedSpec(**given)


def _list(node: NodeFacts, kind: ListKind) -> ListView | None:
    return node.itl if kind is ListKind.ITL else node.ctl


def _named(view: ListView, unit: CertUnit) -> frozenset[str]:
    """The certificates that stand where a list has those of *unit*."""
    return {
        CertUnit.ITLRECOVERY: view.sast,
        CertUnit.CALLMANAGER: view.tftp | view.ccm,
        CertUnit.TVS: view.pin,
        CertUnit.CAPF: view.capf,
    }[unit]


def _phones(facts: ClusterFacts) -> Iterator[PhoneSpec]:
    files = tuple(node.name for node in facts.tftp_nodes)
    alike: dict[PhoneSpec, list[str]] = {}
    for phone in sorted(facts.phones, key=lambda each: each.name):
        seen = facts.registrations.get(phone.name)
        registered = seen is not None and seen.registered
        alike.setdefault(_phone(phone, files, registered=registered), []).append(phone.name)
    for spec, names in alike.items():
        yield attrs.evolve(spec, names=tuple(names))


def _phone(phone: Phone, files: tuple[str, ...], *, registered: bool) -> PhoneSpec:
    return PhoneSpec(
        model=phone.model,
        group=phone.group,
        tftp=tuple(sorted(files, key=lambda name: _place(name, phone.group))),
        security=phone.security,
        protocol=phone.protocol or "SIP",
        pool=phone.pool or None,
        profile=phone.profile or None,
        security_by_default=phone.security_by_default,
        state=PhoneState.ON if registered else PhoneState.OFF,
    )


def _place(name: str, group: tuple[str, ...]) -> int:
    return group.index(name) if name in group else len(group)


# ── what the twin shows, against what the cluster showed ──────────────────────────────────


def _differences(facts: ClusterFacts, shown: ClusterFacts) -> Iterator[str]:
    twins = {node.name: node for node in shown.nodes}
    for node in facts.in_order:
        yield from _node_differs(node, twins[node.name], facts, shown)
    phones = {phone.name: phone for phone in shown.phones}
    differing: Counter[str] = Counter()
    for phone in facts.phones:
        twin = phones[phone.name]
        for field in attrs.fields(Phone):
            was, now = getattr(phone, field.name), getattr(twin, field.name)
            if was and was != now:
                differing[f"{field.name}: {was} there, {now} here"] += 1
    for what, count in sorted(differing.items()):
        yield f"{count} phones: {what}"


def _node_differs(
    node: NodeFacts, twin: NodeFacts, facts: ClusterFacts, shown: ClusterFacts
) -> Iterator[str]:
    for what, was, now in (
        ("release", node.release.short, twin.release.short),
        ("product", node.product.value, twin.product.value),
    ):
        if was != now:
            yield f"{node.name}: {what}: {was} there, {now} here"
    own, twins = set(node.certificates), set(twin.certificates)
    for unit in sorted(own ^ twins, key=lambda each: each.value):
        where = "the cluster" if unit in own else "the twin"
        yield f"{node.name}: only {where} has a certificate of {unit}"
    chosen = [s for s in Service if node.runs(s) != twin.runs(s)]
    for service in chosen:
        where = "the cluster" if node.runs(service) else "the twin"
        yield f"{node.name}: {service.value} is activated only on {where}"
    for kind in ListKind:
        there = _in_words(_list(node, kind), facts)
        here = _in_words(_list(twin, kind), shown)
        for key in sorted(set(there) | set(here)):
            if there.get(key) != here.get(key):
                yield (
                    f"{node.name}: {kind.value}, {key}: {there.get(key, 'nothing')} there, "
                    f"{here.get(key, 'nothing')} here"
                )


def _in_words(view: ListView | None, facts: ClusterFacts) -> Mapping[str, str]:
    """A list with the names of certificates in place of their fingerprints."""
    if view is None:
        return {}
    names: dict[str, str] = {}
    for node in facts.in_order:
        for unit, certificate in node.certificates.items():
            names.setdefault(certificate.fingerprint, f"{node.name}/{unit}")

    def worded(prints: frozenset[str]) -> str:
        known = sorted(names[each] for each in prints if each in names)
        strangers = len(prints - set(names))
        return ", ".join([*known, *([f"{strangers} that are no more"] if strangers else [])])

    records = {"SAST": view.sast, "TFTP": view.tftp, "CCM": view.ccm, "TVS": view.pin}
    said = {key: worded(prints) for key, prints in {**records, "CAPF": view.capf}.items()}
    return {**said, "signer": "a USB token" if view.token else worded(frozenset({view.signer}))}
