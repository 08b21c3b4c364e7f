"""A cluster as one transport: which question and which command goes which way."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

from cucm_certflow.commands import Command, Reply, ResetPhones
from cucm_certflow.errors import IdentityNotTrusted
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Fact,
    Known,
    Query,
    Registrations,
    ServiceOn,
)
from cucm_certflow.names import CertUnit
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.vos.ssh import VosTransport
from cucm_certflow.transports.web import WebTransport

__all__ = ["Route"]

T = TypeVar("T")


class Route:
    """SSH for what a node says about itself, the web interfaces for the rest.

    The pin of a node's HTTPS certificate is learnt over SSH, whose host key is independent of it,
    before the first request and whenever the certificate is looked at; old and new are both
    allowed until the process ends, because Tomcat presents the old one until it restarts.
    """

    def __init__(
        self, vos: Mapping[str, VosTransport], web: WebTransport, pins: Pins, *, publisher: str
    ) -> None:
        self.vos = vos
        self.web = web
        self.pins = pins
        self._publisher = publisher
        self._pinning = asyncio.Lock()

    def supports(self, what: Query | Command) -> bool:
        """Whether one of the ways can answer or do *what*."""
        if isinstance(what, CertificateOf | ServiceOn):
            return what.node in self.vos
        return self.web.supports(what) or any(vos.supports(what) for vos in self.vos.values())

    async def observe(self, query: Query) -> Fact:
        """Ask the way that knows; see :class:`~cucm_certflow.transports.base.Transport`."""
        if isinstance(query, CertificateOf | ServiceOn):
            fact = await self.vos[query.node].observe(query)
            self._learn(query, fact)
            return fact
        if isinstance(query, Registrations):
            return await self._pinned(lambda: self.web.observe(query))
        return await self.web.observe(query)

    async def perform(self, command: Command) -> Reply:
        """Send *command* once, the way it goes."""
        if isinstance(command, ResetPhones):
            return await self._pinned(lambda: self.web.perform(command))
        return await self.vos[command.node].perform(command)

    async def _pinned(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the publisher; if it is another than was pinned, look over SSH who it is, once.

        An identity that is not trusted means that nothing was sent, so asking again is safe.
        """
        await self.pin(self._publisher)
        try:
            return await ask()
        except IdentityNotTrusted:
            await self.pin(self._publisher, again=True)
            return await ask()

    async def pin(self, node: str, *, again: bool = False) -> None:
        """Learn the certificate of *node* over SSH, if none is known yet or *again*."""
        async with self._pinning:
            if self.pins.allowed(node) and not again:
                return
            query = CertificateOf(node, CertUnit.TOMCAT)
            self._learn(query, await self.vos[node].observe(query))

    def trust(self, node: str, certificates: Iterable[Certificate | None]) -> None:
        """Allow certificates that an earlier, trusted look saw, for example a journal's."""
        for certificate in certificates:
            if certificate is not None:
                self.pins.learn(node, certificate.fingerprint)

    def _learn(self, query: Query, fact: Fact) -> None:
        if (
            isinstance(query, CertificateOf)
            and query.unit in (CertUnit.TOMCAT, CertUnit.TOMCAT_ECDSA)
            and isinstance(fact, Known)
        ):
            self.pins.learn(query.node, fact.value.fingerprint)

    async def aclose(self) -> None:
        """Close every way; idempotent."""
        await asyncio.gather(self.web.aclose(), *(vos.aclose() for vos in self.vos.values()))
