"""What every transport must keep about what it does not offer, and when a connection breaks."""

from __future__ import annotations

from functools import partial
from operator import eq
from typing import Final

from cucm_certflow.commands import ByHand, Regenerate, ReplyKind, RestartService
from cucm_certflow.facts import (
    CertificateOf,
    Known,
    Query,
    Registrations,
    ReplyTo,
    ServedList,
    Unknown,
    Why,
)
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.testing.subject import Check, NotOffered, Subject

__all__ = ["BREAK_CHECKS"]


async def check_what_is_for_nobody_is_not_sent(subject: Subject) -> None:
    """A reply of a run is asked of no cluster, and what a person does by hand is not sent."""
    question, by_hand = ReplyTo("a step", 1), ByHand(subject.publisher, "look at a phone")
    assert not subject.transport.supports(question)
    assert not subject.transport.supports(by_hand)
    fact = await subject.transport.observe(question)
    assert isinstance(fact, Unknown), fact
    reply = await subject.transport.perform(by_hand)
    assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False), reply


async def check_what_is_not_offered_is_not_supported_and_is_listed(subject: Subject) -> None:
    """All else is supported. What was declared is said here, and so that nothing passes unseen."""
    for what in await subject.one_of_each():
        declared = type(what) in subject.not_offered
        supported = subject.transport.supports(what)
        assert supported or declared, f"{what} is not supported, and not declared not to be"
        assert not (supported and declared), f"{what} is supported, and declared not to be"
        if not declared:
            continue
        if isinstance(what, Query):
            fact = await subject.transport.observe(what)
            assert isinstance(fact, Unknown), f"{what} is not supported, and answered: {fact}"
            assert fact.why is Why.NOT_ASKED, f"{what}: nobody can be asked, and it says {fact}"
        else:
            reply = await subject.transport.perform(what)
            assert (reply.kind, reply.sent) == (ReplyKind.REFUSED, False), f"{what}: {reply}"
    if subject.not_offered:
        by_reason: dict[str, list[str]] = {}
        for kind, why in subject.not_offered.items():
            by_reason.setdefault(why, []).append(kind.__name__)
        listed = (f"{', '.join(names)} ({why})" for why, names in by_reason.items())
        raise NotOffered(f"not offered, and not tested: {'; '.join(listed)}")


async def check_a_question_whose_connection_breaks_is_not_a_no(subject: Subject) -> None:
    """It is unknown, and not because nobody was asked; or another way gave the true answer."""
    name = subject.subscriber
    for query, node in (
        (CertificateOf(name, CertUnit.TVS), name),
        (ServedList(name, ListKind.ITL), name),
        (Registrations(), subject.publisher),
    ):
        expected = await subject.known(query)
        await subject.clock.sleep(60)  # so that no answer is as good as the one before
        subject.loses_next(node)
        fact = await subject.transport.observe(query)
        if isinstance(fact, Known):
            assert fact.value == expected, f"{query}: {fact}"
        else:
            assert fact.reason, f"{query}: unknown, and nobody knows why"
            assert fact.why is not Why.NOT_ASKED, f"{query}: it was asked, and says {fact}"
        await subject.until(query, partial(eq, expected))


async def check_a_command_whose_connection_breaks_is_never_refused_and_done(
    subject: Subject,
) -> None:
    """It is lost, unless the node's answer came all the same; the transport goes on."""
    query = CertificateOf(subject.subscriber, CertUnit.TVS)
    before = await subject.known(query)
    subject.loses_next(subject.subscriber)
    reply = await subject.transport.perform(Regenerate(subject.subscriber, CertUnit.TVS))
    await subject.clock.sleep(600)  # longer than any regeneration takes
    after = await subject.until(query, lambda seen: seen is not None)
    changed = after.fingerprint != before.fingerprint
    match reply.kind:
        case ReplyKind.REFUSED:
            assert not changed, f"it was done, and the reply is {reply}"
        case ReplyKind.ACCEPTED:
            assert changed, f"it was not done, and the reply is {reply}"
        case _:
            assert reply.kind is ReplyKind.LOST, reply
            assert reply.sent, "what is lost was sent, or may have been"
    await subject.done(RestartService(subject.subscriber, Service.TVS))


BREAK_CHECKS: Final[tuple[Check, ...]] = (
    check_what_is_for_nobody_is_not_sent,
    check_what_is_not_offered_is_not_supported_and_is_listed,
    check_a_question_whose_connection_breaks_is_not_a_no,
    check_a_command_whose_connection_breaks_is_never_refused_and_done,
)
