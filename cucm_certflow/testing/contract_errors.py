"""What every transport must keep when things go wrong: questions without answers, cancellation."""

from __future__ import annotations

import asyncio
from typing import Final

from cucm_certflow.commands import Regenerate, ReplyKind, RestartService
from cucm_certflow.facts import CertificateOf, Known, ServedList, ServiceOn, Unknown
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.testing.subject import Check, Subject

__all__ = ["ERROR_CHECKS"]

_NOBODY: Final = "no-such-node"


async def check_a_question_about_nobody_is_unknown_and_says_why(subject: Subject) -> None:
    """It is never raised, and never answered with something made up."""
    for query in (
        CertificateOf(_NOBODY, CertUnit.TVS),
        ServedList(_NOBODY, ListKind.ITL),
        ServiceOn(_NOBODY, Service.TVS),
    ):
        fact = await subject.transport.observe(query)
        assert isinstance(fact, Unknown), f"{query}: {fact}"
        assert fact.reason, f"{query}: unknown, and nobody knows why"
        assert not subject.transport.supports(query)


async def check_a_command_for_nobody_is_refused_and_changes_nothing(subject: Subject) -> None:
    """A reply that says no, and every certificate as it was."""
    units = (CertUnit.CALLMANAGER, CertUnit.TVS)
    nodes = (subject.publisher, subject.subscriber)
    before = [await subject.known(CertificateOf(n, unit)) for n in nodes for unit in units]
    reply = await subject.transport.perform(Regenerate(_NOBODY, CertUnit.TVS))
    assert reply.kind is ReplyKind.REFUSED, reply
    after = [await subject.known(CertificateOf(n, unit)) for n in nodes for unit in units]
    assert after == before


async def check_a_cancelled_question_leaves_a_transport_that_answers(subject: Subject) -> None:
    """Cancelling a look leaves nothing behind, at whichever moment it comes."""
    query = CertificateOf(subject.subscriber, CertUnit.TVS)
    expected = await subject.known(query)
    for turns in range(4):
        asking = asyncio.ensure_future(subject.transport.observe(query))
        for _ in range(turns):
            await asyncio.sleep(0)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        assert await subject.known(query) == expected


async def check_a_cancelled_command_leaves_a_transport_that_answers(subject: Subject) -> None:
    """The command is in doubt: it was done once, or not at all; and looking goes on."""
    query = CertificateOf(subject.subscriber, CertUnit.TVS)
    before = await subject.known(query)
    sending = asyncio.ensure_future(
        subject.transport.perform(Regenerate(subject.subscriber, CertUnit.TVS))
    )
    await subject.clock.sleep(1)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    await subject.clock.sleep(600)  # longer than any regeneration takes
    after = await subject.until(query, lambda seen: seen is not None)
    await subject.clock.sleep(600)
    assert await subject.known(query) == after, "it was done a second time"
    if after.fingerprint != before.fingerprint:
        assert after.serial != before.serial
    await subject.done(RestartService(subject.subscriber, Service.TVS))


async def check_no_secret_is_shown(subject: Subject) -> None:
    """Neither by the transport itself, nor in what it says when it cannot answer."""
    texts = [repr(subject.transport), str(subject.transport)]
    for name in (subject.publisher, _NOBODY):
        for unit in (CertUnit.CUP, CertUnit.TVS):
            fact = await subject.transport.observe(CertificateOf(name, unit))
            texts.append(repr(fact) if isinstance(fact, Known) else f"{fact!r} {fact.reason}")
    reply = await subject.transport.perform(Regenerate(_NOBODY, CertUnit.TVS))
    texts.append(repr(reply))
    for secret in subject.secrets:
        assert secret, "an empty secret is in every text"
        assert not any(secret in text for text in texts), "a secret is shown"


ERROR_CHECKS: Final[tuple[Check, ...]] = (
    check_a_question_about_nobody_is_unknown_and_says_why,
    check_a_command_for_nobody_is_refused_and_changes_nothing,
    check_a_cancelled_question_leaves_a_transport_that_answers,
    check_a_cancelled_command_leaves_a_transport_that_answers,
    check_no_secret_is_shown,
)
