"""TLS ports of one node beside the web: TVS, CallManager, CAPF show what they started with."""

from __future__ import annotations

import asyncio
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import attrs

from cucm_certflow.lab.physics.world import Cert
from cucm_certflow.lab.render import RenderedCertificate
from cucm_certflow.lab.scenario_faults import FaultKind, FaultSpec
from cucm_certflow.lab.servers.resets import SWAPPED_GENERATION, reset
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.names import CertUnit, Service

__all__ = ["TLS_PORTS", "TlsDoor", "TlsPort", "doors_of"]

_MAX_READ: Final = 4096


@attrs.frozen(kw_only=True)
class TlsPort:
    """A port, and whose it is.

    Attributes:
        number: TCP port.
        service: It is open while this service runs.
        unit: What it shows.
        also: What it shows as well, where the node has it, to who wants an EC key.
        wants_client: Whether it refuses who has no certificate of a phone of this cluster.
    """

    number: int
    service: Service
    unit: CertUnit
    also: CertUnit | None = None
    wants_client: bool = False


TLS_PORTS: Final = (
    TlsPort(number=2445, service=Service.TVS, unit=CertUnit.TVS),
    TlsPort(
        number=5061,
        service=Service.CALLMANAGER,
        unit=CertUnit.CALLMANAGER,
        also=CertUnit.CALLMANAGER_ECDSA,
        wants_client=True,
    ),
    TlsPort(number=3804, service=Service.CAPF, unit=CertUnit.CAPF),
)
"""That 5061 is open in a non-secure cluster, too, is the lab's reading: SIP trunks use it.

Its two certificates are told apart there as on port 8443: that is the lab's reading, too.
"""


class TlsDoor:
    """One TLS port of one node: a handshake, and nothing is said after it.

    :meth:`follow` opens, shuts and changes the certificate as the cluster has it; call it often.
    Real nodes up to 11.5 speak TLS 1.0, too; the lab begins with 1.2. CallManager speaks 1.2 alone:
    there a client sees the certificate even if it is refused then for want of one of its own.

    Args:
        desk: The lab.
        node: Whose door it is.
        port: Which.
    """

    def __init__(self, desk: Desk, node: str, port: TlsPort) -> None:
        self._desk = desk
        self._node = node
        self.port = port
        self.address = desk.cluster.scenario.node(node).address
        self._server: asyncio.Server | None = None
        self._shown: tuple[Cert, ...] = ()
        self._talks: set[asyncio.Task[None]] = set()
        self._following = asyncio.Lock()

    async def follow(self) -> None:
        """Make the door as it must be now.

        Raises:
            OSError: The port is taken by somebody else.
        """
        async with self._following:
            certs = self._as_it_must_be()
            if certs == self._shown:
                return
            self.shut()
            if not certs:
                return
            context = _context([await self._desk.papers.certificate(cert) for cert in certs])
            if self.port.wants_client:
                await self._want_clients(context)
            self._server = await asyncio.start_server(
                self._talk, self.address, self.port.number, ssl=context, reuse_address=True
            )
            self._shown = certs

    def _as_it_must_be(self) -> tuple[Cert, ...]:
        """What is shown; nothing if nobody listens."""
        cluster = self._desk.cluster
        units = (self.port.unit, self.port.also)
        found = (cluster.presented(self._node, each) for each in units if each)
        certs = tuple(cert for cert in found if cert is not None)
        match cluster.faults.at_door(self._node, self.port.number):
            case FaultSpec(kind=FaultKind.CONNECTION_REFUSED):
                return ()
            case FaultSpec(kind=FaultKind.TLS_SWAPPED):
                return tuple(cert._replace(generation=SWAPPED_GENERATION) for cert in certs)
            case _:
                return certs

    async def _want_clients(self, context: ssl.SSLContext) -> None:
        """Refuse an empty certificate, and one that no CAPF of this cluster issued."""
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.verify_mode = ssl.CERT_REQUIRED
        for cert in self._desk.cluster.world.gen:
            if cert.unit is CertUnit.CAPF:
                rendered = await self._desk.papers.certificate(cert)
                context.load_verify_locations(cadata=rendered.pem)

    def shut(self) -> None:
        """Refuse connections, and cut those that there are; idempotent."""
        self._shown = ()
        if self._server is not None:
            self._server.close()
            self._server = None
        for talk in self._talks:
            talk.cancel()

    async def close(self) -> None:
        """Shut for good."""
        self.shut()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Hear the client out: what these ports speak is not what the lab is for."""
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            if not self._shown:  # shut while hands were shaken
                writer.transport.abort()
            words = f"tls {self.port.number}"
            if self._desk.cluster.faults.strike(self._node, words) is not None:
                reset(writer.transport)  # before it is shut: then this talk is cancelled
                await self.follow()
                return
            while await reader.read(_MAX_READ):
                pass
        except OSError:
            pass
        except asyncio.CancelledError:  # shut
            writer.transport.abort()
        finally:
            self._talks.discard(task)
            writer.close()


def doors_of(desk: Desk) -> tuple[TlsDoor, ...]:
    """The doors of all nodes of *desk*'s cluster, shut: a port for each service that is there."""
    return tuple(
        TlsDoor(desk, node.name, port)
        for node in desk.cluster.scenario.nodes
        for port in TLS_PORTS
        if port.service in desk.cluster.activated(node.name)
    )


def _context(certificates: Iterable[RenderedCertificate]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The ssl module reads keys from files only.
    with tempfile.TemporaryDirectory(prefix="certflow-lab-") as folder:
        path = Path(folder) / "port.pem"
        path.touch(0o600)
        for rendered in certificates:
            path.write_text(rendered.key_pem + rendered.pem, encoding="ascii")
            context.load_cert_chain(path)
    return context
