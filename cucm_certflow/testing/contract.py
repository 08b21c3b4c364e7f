"""What every transport must keep, as a suite that runs over any of them.

Give :data:`CHECKS` a :class:`Subject` each time: a fresh small cluster behind the transport in
question. A check raises AssertionError with what was broken.
"""

from __future__ import annotations

import asyncio
from typing import Final

from cucm_certflow.commands import (
    Regenerate,
    ReplyKind,
    ResetPhones,
    RestartService,
    UpdateCtl,
)
from cucm_certflow.facts import (
    CallManagerGroups,
    Certificate,
    CertificateOf,
    DevicePools,
    Interfaces,
    ListView,
    Members,
    Parameter,
    Phones,
    PresentedCertificate,
    Registration,
    RegistrationCounts,
    Registrations,
    ServedList,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    UnitsOn,
    Unknown,
    VersionOf,
)
from cucm_certflow.names import MODE_PARAMETER, CertUnit, ListKind, Release, SecurityMode, Service
from cucm_certflow.testing.contract_book import BOOK_CHECKS
from cucm_certflow.testing.contract_breaks import BREAK_CHECKS
from cucm_certflow.testing.contract_errors import ERROR_CHECKS
from cucm_certflow.testing.subject import Check, Subject

__all__ = ["CHECKS", "Check", "Subject"]


async def check_every_query_has_an_answer_of_its_type(subject: Subject) -> None:
    """Each class of query gives the type that its docstring says."""
    for name in (subject.publisher, subject.subscriber):
        for unit in (CertUnit.TOMCAT, CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY):
            certificate = await subject.known(CertificateOf(name, unit))
            assert isinstance(certificate, Certificate)
            assert certificate.self_signed
        for kind in ListKind:
            view = await subject.known(ServedList(name, kind))
            assert isinstance(view, ListView)
            assert view.kind is kind
            assert view.signer in view.sast
        state = await subject.known(ServiceOn(name, Service.TVS))
        assert isinstance(state, ServiceState)
        assert state.status is ServiceStatus.STARTED
        # None where nobody can know; a way that knows never says later than it was.
        assert state.started_at is None or state.started_at <= subject.clock.now()
        assert isinstance(await subject.known(PresentedCertificate(name)), str)
        services = await subject.known(ServicesOn(name))
        assert services[Service.TVS.value].status is ServiceStatus.STARTED
        units = await subject.known(UnitsOn(name))
        assert {CertUnit.TOMCAT.value, CertUnit.TVS.value} <= set(units)
        assert Release.parse(await subject.known(VersionOf(name)))


async def check_the_cluster_is_the_same_by_every_question(subject: Subject) -> None:
    """Members, mode, phones, groups and pools fit together."""
    members = await subject.known(Members())
    assert {member.name for member in members} == {subject.publisher, subject.subscriber}
    assert [m.name for m in members if m.is_publisher] == [subject.publisher]
    assert await subject.known(Parameter(MODE_PARAMETER)) == SecurityMode.MIXED.value
    fact = await subject.transport.observe(Parameter("NoSuchParameter"))
    assert isinstance(fact, Unknown)
    phones = await subject.known(Phones())
    assert [phone.name for phone in phones] == sorted(phone.name for phone in phones)
    groups = await subject.known(CallManagerGroups())
    assert {phone.group for phone in phones} <= set(groups.values())
    pools = await subject.known(DevicePools())
    assert set(pools.values()) <= set(groups)
    for state in await subject.known(Interfaces()):
        assert state.usable is True, state


async def check_a_port_presents_what_its_process_was_started_with(subject: Subject) -> None:
    """2445 is TVS, 5061 is CallManager; nothing but a handshake is needed to see it."""
    name = subject.subscriber
    for port, unit in ((2445, CertUnit.TVS), (5061, CertUnit.CALLMANAGER)):
        own = await subject.known(CertificateOf(name, unit))
        assert await subject.known(PresentedCertificate(name, port)) == own.fingerprint
    await subject.done(Regenerate(name, CertUnit.CALLMANAGER))
    new = await subject.known(CertificateOf(name, CertUnit.CALLMANAGER))
    presented = PresentedCertificate(name, 5061)
    assert await subject.known(presented) != new.fingerprint
    await subject.done(RestartService(name, Service.CALLMANAGER))
    await subject.until(presented, lambda seen: seen == new.fingerprint)


async def check_registrations_by_name_are_those_of_the_whole(subject: Subject) -> None:
    """A question about some phones is answered with these, and only these."""
    table = await subject.known(Registrations())
    names = tuple(sorted(table))[:2]
    found = await subject.known(Registrations(names))
    assert found == {name: table[name] for name in names}


async def check_every_node_counts_the_phones_that_are_registered_with_it(subject: Subject) -> None:
    """The counters of a node agree with the registrations by name."""
    table = await subject.known(Registrations())
    for name in (subject.publisher, subject.subscriber):
        counted = await subject.known(RegistrationCounts(name))
        here = sum(each.registered and each.node == name for each in table.values())
        assert counted["RegisteredHardwarePhones"] == here, name


async def check_discovery_agrees_with_single_looks(subject: Subject) -> None:
    """What discovery says is what each query says, and nothing is unknown."""
    name = subject.publisher
    for query in (
        Members(),
        VersionOf(name),
        UnitsOn(name),
        CertificateOf(name, CertUnit.TVS),
        ServicesOn(name),
        ServedList(name, ListKind.ITL),
        Parameter(MODE_PARAMETER),
        Phones(),
        Registrations(),
    ):
        subject.needs(query)
    facts = await subject.discover()
    assert facts.unknown == ()
    assert facts.mode is SecurityMode.MIXED
    assert facts.publisher.name == subject.publisher
    for node in facts.nodes:
        for unit, certificate in node.certificates.items():
            seen = await subject.known(CertificateOf(node.name, unit))
            assert seen.fingerprint == certificate.fingerprint
        for kind, view in ((ListKind.ITL, node.itl), (ListKind.CTL, node.ctl)):
            if view is not None:
                assert await subject.known(ServedList(node.name, kind)) == view
    table = await subject.known(Registrations())
    assert set(table) == {phone.name for phone in facts.phones}
    assert all(isinstance(value, Registration) for value in table.values())


async def check_what_does_not_exist_is_unknown_or_not_activated(subject: Subject) -> None:
    """Nothing is made up for a unit or a service that a node does not have."""
    fact = await subject.transport.observe(CertificateOf(subject.subscriber, CertUnit.CUP))
    assert isinstance(fact, Unknown)
    fact = await subject.transport.observe(ServiceOn(subject.subscriber, Service.DRF_MASTER))
    assert isinstance(fact, Unknown) or not fact.value.activated


async def check_regenerating_changes_one_certificate_and_nothing_else(subject: Subject) -> None:
    """One unit on one node is new; lists and processes go on with what they have."""
    units = (CertUnit.TOMCAT, CertUnit.CALLMANAGER, CertUnit.TVS)
    nodes = (subject.publisher, subject.subscriber)
    before = {
        (name, unit): await subject.known(CertificateOf(name, unit))
        for name in nodes
        for unit in units
    }
    served = await subject.known(ServedList(subject.subscriber, ListKind.ITL))
    await subject.done(Regenerate(subject.subscriber, CertUnit.TVS))
    for (name, unit), old in before.items():
        new = await subject.known(CertificateOf(name, unit))
        is_target = (name, unit) == (subject.subscriber, CertUnit.TVS)
        assert (new.fingerprint != old.fingerprint) == is_target, f"{name}/{unit}"
        assert (new.serial != old.serial) == is_target
    assert await subject.known(ServedList(subject.subscriber, ListKind.ITL)) == served


async def check_a_watched_restart_has_its_instant_and_rebuilds_the_list(subject: Subject) -> None:
    """TFTP serves a new list after a restart, and the restart that we watched has an instant."""
    name = subject.subscriber
    await subject.done(Regenerate(name, CertUnit.CALLMANAGER))
    new = await subject.known(CertificateOf(name, CertUnit.CALLMANAGER))
    before = subject.clock.now()
    await subject.done(RestartService(name, Service.TFTP))
    state = await subject.until(
        ServiceOn(name, Service.TFTP), lambda state: state.status is ServiceStatus.STARTED
    )
    assert state.started_at is not None
    assert state.started_at >= before
    view = await subject.until(ServedList(name, ListKind.ITL), lambda view: view is not None)
    assert new.fingerprint in view.tftp
    assert new.fingerprint in view.sast


async def check_tomcat_presents_the_new_certificate_only_after_its_restart(
    subject: Subject,
) -> None:
    """And the web interfaces are used again afterwards, under the new pin."""
    name = subject.publisher
    old = await subject.known(PresentedCertificate(name))
    await subject.done(Regenerate(name, CertUnit.TOMCAT))
    new = await subject.known(CertificateOf(name, CertUnit.TOMCAT))
    assert await subject.known(PresentedCertificate(name)) == old != new.fingerprint
    await subject.done(RestartService(name, Service.TOMCAT))
    await subject.until(PresentedCertificate(name), lambda seen: seen == new.fingerprint)
    table = await subject.until(Registrations(), bool)
    assert table


async def check_services_are_known_while_tomcat_restarts(subject: Subject) -> None:
    """The web interfaces go with Tomcat; there is a way that does not."""
    name = subject.subscriber
    restart = asyncio.ensure_future(subject.done(RestartService(name, Service.TOMCAT)))
    looks = 0
    while not restart.done():
        state = await subject.known(ServiceOn(name, Service.TVS))
        assert state.status is ServiceStatus.STARTED
        looks += 1
        await subject.clock.sleep(5)
    await restart
    assert looks > 1


async def check_the_ctl_is_updated_on_the_publisher_and_reaches_every_tftp_node(
    subject: Subject,
) -> None:
    """The command on a subscriber is not done."""
    await subject.done(Regenerate(subject.publisher, CertUnit.CALLMANAGER))
    new = await subject.known(CertificateOf(subject.publisher, CertUnit.CALLMANAGER))
    refused = await subject.transport.perform(UpdateCtl(subject.subscriber))
    assert refused.kind is not ReplyKind.ACCEPTED
    view = await subject.known(ServedList(subject.subscriber, ListKind.CTL))
    assert new.fingerprint not in view.ccm
    await subject.done(UpdateCtl(subject.publisher))
    for name in (subject.publisher, subject.subscriber):
        await subject.until(
            ServedList(name, ListKind.CTL), lambda view: new.fingerprint in view.ccm
        )


async def check_a_reset_phone_registers_anew(subject: Subject) -> None:
    """Its registration is newer afterwards; another phone's is the same."""
    before = await subject.known(Registrations())
    names = sorted(name for name, seen in before.items() if seen.registered)
    await subject.done(ResetPhones(subject.publisher, (names[0],)))
    after = await subject.until(
        Registrations(),
        lambda table: table[names[0]].registered and table[names[0]].at > before[names[0]].at,
    )
    assert after[names[1]] == before[names[1]]


async def check_closing_twice_is_harmless(subject: Subject) -> None:
    """``aclose`` is idempotent."""
    await subject.transport.aclose()
    await subject.transport.aclose()


CHECKS: Final[tuple[Check, ...]] = (
    check_every_query_has_an_answer_of_its_type,
    check_the_cluster_is_the_same_by_every_question,
    check_a_port_presents_what_its_process_was_started_with,
    check_registrations_by_name_are_those_of_the_whole,
    check_every_node_counts_the_phones_that_are_registered_with_it,
    check_discovery_agrees_with_single_looks,
    check_what_does_not_exist_is_unknown_or_not_activated,
    check_regenerating_changes_one_certificate_and_nothing_else,
    check_a_watched_restart_has_its_instant_and_rebuilds_the_list,
    check_tomcat_presents_the_new_certificate_only_after_its_restart,
    check_services_are_known_while_tomcat_restarts,
    check_the_ctl_is_updated_on_the_publisher_and_reaches_every_tftp_node,
    check_a_reset_phone_registers_anew,
    *BOOK_CHECKS,
    *ERROR_CHECKS,
    *BREAK_CHECKS,
    check_closing_twice_is_harmless,
)
