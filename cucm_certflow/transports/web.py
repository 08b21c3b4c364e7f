"""A cluster's web interfaces as one transport: RIS, AXL, HTTP 6970 and a bare TLS handshake."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

import attrs
import httpx

from cucm_certflow.clock import Clock, SystemClock
from cucm_certflow.commands import Command, Reply, ReplyKind, ResetPhones
from cucm_certflow.errors import (
    AuthenticationFailed,
    IdentityNotTrusted,
    NodeError,
    NodeFault,
    NodeUnreachable,
    RateLimited,
    UnknownLayout,
)
from cucm_certflow.facts import (
    Fact,
    Known,
    ListView,
    PresentedCertificate,
    Query,
    Registration,
    Registrations,
    ServedList,
    Unknown,
)
from cucm_certflow.inventory import Inventory
from cucm_certflow.transports.axl import AxlClient
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import RateBudget
from cucm_certflow.transports.pins import WEB_PORT, Pins
from cucm_certflow.transports.presented import presented_fingerprint
from cucm_certflow.transports.ris import RisClient
from cucm_certflow.transports.soap import NotSent, SoapFault
from cucm_certflow.transports.trustfiles import TFTP_PORT, fetch
from cucm_certflow.trust.lists import parse_list, view_of

__all__ = ["WebTransport"]

_MAX_CONCURRENCY: Final = 8
_BUSY_IN_A_ROW: Final = 5
_NAMED: Final = 5


class WebTransport:
    """Registrations, served lists, presented certificates; and resetting phones.

    Before the first request the pins must hold the publisher's certificate.

    Args:
        inventory: The nodes, publisher first, and the application account.
        phone_names: The phones that :class:`Registrations` is about; may be set later.
        clock: Says when a look began, and measures the pauses.
        pins: Who a node must prove to be before it gets a request.
        breaker: Shared by all ways to the cluster.
        axl_version: AXL's schema version.
        timeout_s: Real seconds for one request to AXL or RIS.
        look_timeout_s: Real seconds for a trust list or a handshake.
        web_port: Where HTTPS is reached; the pin is that of 8443 all the same.
        tftp_port: Where trust lists are served over HTTP.
        ris_per_minute: RIS requests per real minute; labs raise it.
        ris_back_off_s: Real seconds to hold off after a first rate fault.
        reset_concurrency: Phones reset at the same time, 1 to 8.
        busy_pause_s: Seconds of *clock* to wait when AXL is throttled.
        transport: For RIS, AXL and trust lists, instead of the network; for tests.
    """

    def __init__(
        self,
        inventory: Inventory,
        phone_names: Sequence[str] = (),
        *,
        clock: Clock | None = None,
        pins: Pins,
        breaker: Breaker,
        axl_version: str = "11.5",
        timeout_s: float = 60.0,
        look_timeout_s: float = 10.0,
        web_port: int = WEB_PORT,
        tftp_port: int = TFTP_PORT,
        ris_per_minute: int = 10,
        ris_back_off_s: float = 10.0,
        reset_concurrency: int = 1,
        busy_pause_s: float = 5.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        if not 1 <= reset_concurrency <= _MAX_CONCURRENCY:
            message = f"reset_concurrency must be 1 to {_MAX_CONCURRENCY}, saw {reset_concurrency}"
            raise ValueError(message)
        self.phone_names: Sequence[str] = tuple(phone_names)
        self._inventory = inventory
        self._addresses = {node.name: node.address for node in inventory.nodes}
        self._clock: Clock = clock or SystemClock()
        self._web_port = web_port
        self._tftp_port = tftp_port
        self._look_timeout_s = look_timeout_s
        self._reset_concurrency = reset_concurrency
        self._busy_pause_s = busy_pause_s
        self._transport = transport
        self.axl = AxlClient(
            inventory.publisher,
            inventory.application,
            pins=pins,
            breaker=breaker,
            version=axl_version,
            port=web_port,
            timeout_s=timeout_s,
            clock=self._clock,
            legacy=inventory.legacy_crypto,
            transport=transport,
        )
        self.ris = RisClient(
            inventory.publisher,
            inventory.application,
            pins=pins,
            breaker=breaker,
            budget=RateBudget(ris_per_minute),
            back_off_s=ris_back_off_s,
            port=web_port,
            timeout_s=timeout_s,
            legacy=inventory.legacy_crypto,
            transport=transport,
        )

    def supports(self, what: Query | Command) -> bool:
        """Whether the web interfaces can answer or do *what*; it sends nothing."""
        match what:
            case Registrations() | ResetPhones():
                return True
            case ServedList(node=node) | PresentedCertificate(node=node):
                return node in self._addresses
            case _:
                return False

    async def observe(self, query: Query) -> Fact:
        """Ask; see :class:`~cucm_certflow.transports.base.Transport`."""
        match query:
            case Registrations():
                return await self._look("RIS", self._registrations)
            case ServedList() if self.supports(query):
                return await self._look("HTTP 6970", lambda: self._served(query))
            case PresentedCertificate() if self.supports(query):
                return await self._look("TLS 8443", lambda: self._presented(query))
            case _:
                reason = f"the web interfaces do not answer {query}"
                return Unknown(reason, self._clock.now(), "web")

    async def perform(self, command: Command) -> Reply:
        """Do it; see :class:`~cucm_certflow.transports.base.Transport`.

        A phone on which the node reports a fault is left out and named in the reply. A reply
        that is lost ends it: what comes after is not sent.
        """
        if not isinstance(command, ResetPhones):
            return Reply(ReplyKind.REFUSED, f"the web interfaces cannot do: {command}")
        return await self._reset(command.names)

    async def aclose(self) -> None:
        """Let go of connections; idempotent."""
        await self.axl.aclose()
        await self.ris.aclose()

    # ── looking ───────────────────────────────────────────────────────────────────────────

    async def _look(self, by: str, look: Callable[[], Awaitable[Any]]) -> Fact:
        at = self._clock.now()
        try:
            return Known(await look(), at, by)
        except (AuthenticationFailed, IdentityNotTrusted):
            raise
        except (NodeError, ValueError) as error:
            return Unknown(_short(error), at, by)

    async def _registrations(self) -> Mapping[str, Registration]:
        found = await self.ris.registrations(self.phone_names)
        return {
            name: attrs.evolve(each, node=self._node_called(each.node))
            for name, each in found.items()
        }

    async def _served(self, query: ServedList) -> ListView | None:
        data = await fetch(
            self._addresses[query.node],
            query.kind,
            port=self._tftp_port,
            timeout_s=self._look_timeout_s,
            transport=self._transport,
        )
        return None if data is None else view_of(parse_list(data), query.kind, data)

    async def _presented(self, query: PresentedCertificate) -> str:
        return await presented_fingerprint(
            self._addresses[query.node],
            self._web_port,
            self._look_timeout_s,
            legacy=self._inventory.legacy_crypto,
        )

    def _node_called(self, name: str) -> str:
        """RIS names nodes as the database does: short, with domain, or by address."""
        for node in self._inventory.nodes:
            if name.casefold() in {node.name.casefold(), node.address.casefold()}:
                return node.name
        short = name.partition(".")[0].casefold()
        for node in self._inventory.nodes:
            if node.name.partition(".")[0].casefold() == short and not short.isdecimal():
                return node.name
        return name

    # ── resetting ─────────────────────────────────────────────────────────────────────────

    async def _reset(self, names: Sequence[str]) -> Reply:
        if not names:
            return Reply(ReplyKind.ACCEPTED, "no phone to reset; nothing was sent")
        run = _Resets(list(names))
        # The first alone: what is wrong with the account or the node shows on one phone.
        await self._reset_next(run)
        if run.waiting and not run.over:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._reset_concurrency, len(run.waiting))):
                    group.create_task(self._reset_rest(run))
        if run.raised is not None and not run.touched:
            raise run.raised
        return run.reply()

    async def _reset_rest(self, run: _Resets) -> None:
        while run.waiting and not run.over:
            await self._reset_next(run)

    async def _reset_next(self, run: _Resets) -> None:
        name = run.waiting.pop(0)
        try:
            await self.axl.reset_phone(name)
        except (AuthenticationFailed, IdentityNotTrusted) as error:
            run.raised = error
            run.stop(name, error)
        except NotSent as error:
            run.stop(name, error)
        except (NodeUnreachable, UnknownLayout) as error:
            run.touched = True
            run.stop(name, error, lost=True)
        except RateLimited as error:
            run.fault(name, error)
            run.busy += 1
            if run.busy >= _BUSY_IN_A_ROW:
                run.over = run.over or _short(error)
            elif run.waiting:
                await self._clock.sleep(self._busy_pause_s)
        except (SoapFault, ValueError) as error:
            run.fault(name, error)
        except NodeFault as error:
            run.stop(name, error)  # about the account or the interface, not about the phone
        else:
            run.touched = True
            run.busy = 0
            run.accepted += 1


class _Resets:
    """How far a round of resets has come."""

    def __init__(self, names: list[str]) -> None:
        self.waiting = names
        self.accepted = 0
        self.busy = 0
        """Times in a row that AXL was throttled."""
        self.touched = False
        """Whether something may have been done to a phone."""
        self.lost: list[str] = []
        self.over = ""
        """Why nothing more is sent."""
        self.raised: AuthenticationFailed | IdentityNotTrusted | None = None
        self._asked = len(names)
        self._faults: dict[str, str] = {}

    def fault(self, name: str, error: Exception) -> None:
        """*name* was not reset, and the node said so."""
        self._faults[name] = _short(error)

    def stop(self, name: str, error: Exception, *, lost: bool = False) -> None:
        """Nothing more is sent after *name*."""
        if lost:
            self.lost.append(name)
        else:
            self.fault(name, error)
        self.over = self.over or _short(error)

    def reply(self) -> Reply:
        """What came of it."""
        words = [f"{self.accepted} of {self._asked} phones: the node took the reset"]
        if self._faults:
            named = "; ".join(f"{name}: {why}" for name, why in list(self._faults.items())[:_NAMED])
            more = len(self._faults) - _NAMED
            words.append(f"not reset: {named}" + (f"; and {more} more" if more > 0 else ""))
        if self.lost:
            words.append(f"in doubt: {', '.join(self.lost)}")
        if self.waiting:
            words.append(f"not sent: {len(self.waiting)}")
        if self.over:
            words.append(self.over)
        text = "\n".join(words)
        if not self.touched:
            return Reply(ReplyKind.REFUSED, text)
        return Reply(ReplyKind.LOST if self.over else ReplyKind.ACCEPTED, text)


def _short(error: Exception) -> str:
    if isinstance(error, NodeError):
        report = error.report
        return f"{report.headline}: {report.saw}" if report.saw else report.headline
    return str(error)
