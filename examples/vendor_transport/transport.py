"""A transport over a vendor's SDK: what it offers, in the words of docs/writing-a-transport.md."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from acme import Acme, AcmeError

from cucm_certflow import AuthenticationFailed, Report
from cucm_certflow.clock import Clock
from cucm_certflow.commands import Command, Regenerate, Reply, ReplyKind, RestartService
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Fact,
    Known,
    Query,
    ServiceOn,
    ServicesOn,
    ServiceState,
    ServiceStatus,
    Unknown,
    VersionOf,
    Why,
)

BY = "Acme"
OFFERED = (CertificateOf, ServiceOn, ServicesOn, VersionOf, Regenerate, RestartService)
WHY = {"offline": Why.UNREACHABLE, "timeout": Why.UNREACHABLE, "not-found": Why.FAULT}


class AcmeTransport:
    """The nodes of one cluster, by Acme's controller."""

    def __init__(self, acme: Acme, nodes: Collection[str], clock: Clock) -> None:
        self._acme = acme
        self._nodes = frozenset(nodes)
        self._clock = clock

    def supports(self, what: Query | Command) -> bool:
        return isinstance(what, OFFERED) and what.node in self._nodes

    async def observe(self, query: Query) -> Fact:
        at = self._clock.now()  # before anything is sent
        if not self.supports(query):
            return Unknown("Acme cannot be asked that", at, BY)
        try:
            return Known(await self._ask(query), at, BY)
        except AcmeError as error:
            self._stop_if_refused(error)
            return Unknown(str(error), at, BY, WHY.get(error.kind, Why.FAULT))
        except (KeyError, ValueError):  # an answer that we cannot read is not a "no"
            return Unknown("Acme's answer does not read", at, BY, Why.UNREADABLE)

    async def _ask(self, query: Query) -> Any:  # noqa: ANN401 - one type for each class of query
        match query:
            case CertificateOf(node, unit):
                seen = await self._acme.certificate(node, unit.value)
                return Certificate(
                    fingerprint=seen["sha256"],
                    serial=seen["serial"],
                    subject=seen["subject"],
                    issuer=seen["issuer"],
                    not_before=seen["validFrom"],
                    not_after=seen["validTo"],
                    self_signed=seen["subject"] == seen["issuer"],
                )
            case ServicesOn(node):
                return await self._services(node)
            case ServiceOn(node, service):
                services = await self._services(node)
                return services.get(
                    service.value, ServiceState(ServiceStatus.STOPPED, activated=False)
                )
            case VersionOf(node):
                return await self._acme.version(node)
            case _:
                raise AssertionError(query)

    async def _services(self, node: str) -> dict[str, ServiceState]:
        return {
            each["name"]: ServiceState(
                ServiceStatus(each["state"]),
                started_at=each["upSince"],  # what proves a restart
            )
            for each in await self._acme.services(node)
        }

    async def perform(self, command: Command) -> Reply:
        if not self.supports(command):
            return Reply(ReplyKind.REFUSED, "Acme cannot do that", sent=False)
        try:
            match command:
                case Regenerate(node, unit):
                    text = await self._acme.regenerate(node, unit.value)
                case RestartService(node, service):
                    text = await self._acme.restart(node, service.value)
                case _:
                    raise AssertionError(command)
        except AcmeError as error:
            self._stop_if_refused(error)
            if error.kind in ("offline", "not-found"):
                return Reply(ReplyKind.REFUSED, str(error), sent=False)
            return Reply(ReplyKind.LOST, str(error))  # it may have been done
        return Reply(ReplyKind.ACCEPTED, text)

    async def aclose(self) -> None:
        """Acme's sessions need no closing."""

    def _stop_if_refused(self, error: AcmeError) -> None:
        if error.kind == "auth":
            raise AuthenticationFailed(Report(headline=f"Acme: {error}")) from error
