"""What every transport must keep when things go wrong: questions without answers, cancellation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cucm_certflow.commands import Regenerate, ReplyKind, RestartService
from cucm_certflow.errors import CertflowError
from cucm_certflow.facts import CertificateOf, ServedList, ServiceOn, Unknown
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
    # The first turns of the loop, then later moments: a request may be under way in any of them.
    for turns, after_s in ((0, 0), (1, 0), (2, 0), (3, 0), (0, 0.05), (0, 0.5), (0, 2)):
        asking = asyncio.ensure_future(subject.transport.observe(query))
        for _ in range(turns):
            await asyncio.sleep(0)
        if after_s:
            await subject.clock.sleep(after_s)
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


class _Texts(logging.Handler):
    """Keeps what is logged, as it would be read."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []
        self.setFormatter(logging.Formatter("%(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))


@contextmanager
def _logged() -> Iterator[list[str]]:
    """All that anybody logs meanwhile, however verbose; the root logger is as before afterwards."""
    root, handler = logging.getLogger(), _Texts()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.texts
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


async def check_no_secret_is_shown(subject: Subject) -> None:
    """Neither by the transport, nor in what it says when it cannot answer, nor in any log."""
    with _logged() as texts:
        try:
            await subject.discover()
        except CertflowError as error:  # one that offers little cannot discover
            texts.append(str(error))
        for name in (subject.publisher, _NOBODY):
            for unit in (CertUnit.CUP, CertUnit.TVS):
                texts.append(repr(await subject.transport.observe(CertificateOf(name, unit))))
        texts.append(repr(await subject.transport.perform(Regenerate(_NOBODY, CertUnit.TVS))))
        texts += (repr(subject.transport), str(subject.transport))
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
