"""The physics' certificates and lists made real, in a thread of their own: keys take time."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Final, TypeVar

from cucm_certflow.clock import Clock
from cucm_certflow.lab.book import Entry
from cucm_certflow.lab.identities import Identities
from cucm_certflow.lab.physics.world import Cert, TrustList
from cucm_certflow.lab.render import RenderedCertificate, Renderer, digest_of_release
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.trust.signed import CONFIGURATION_VERSION, sign_file

__all__ = ["Papers"]

T = TypeVar("T")


class Papers:
    """Renders for all servers of one lab; asked twice, it answers the same.

    Args:
        scenario: Whose nodes and seed.
        clock: Where the timestamp of a list comes from: the instant at which it is first asked
            for. Certificates are dated from the present one.
        threaded: False to work in the caller's thread, where time does not matter.
    """

    def __init__(self, scenario: Scenario, clock: Clock, *, threaded: bool = True) -> None:
        self._clock = clock
        self._identities = Identities(scenario, scenario.layout(), clock.now())
        self._renderer = Renderer(scenario.domain, seed=scenario.seed, identities=self._identities)
        self._addresses = {node.name: node.address for node in scenario.nodes}
        self._digest: Final = digest_of_release(scenario.release.short)
        self._made: dict[Cert, RenderedCertificate] = {}
        self._dated: dict[TrustList, datetime] = {}
        self._lists: dict[TrustList, bytes] = {}
        self._thread = (
            concurrent.futures.ThreadPoolExecutor(1, "certflow-lab-papers") if threaded else None
        )

    def close(self) -> None:
        """Let the thread end; what it has not begun is dropped."""
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    async def certificate(self, cert: Cert) -> RenderedCertificate:
        """*cert* made real."""
        found = self._made.get(cert)
        if found is None:
            found = self._made[cert] = await self.run(lambda: self._renderer.certificate(cert))
        return found

    async def trusted(self, entry: Entry) -> RenderedCertificate:
        """What *entry* of a trust store is, made real: a copy is the very certificate."""
        cert = entry.trusted.cert
        if cert is not None:
            return await self.certificate(cert)
        name = entry.trusted.name
        said = self._identities.stranger(name)
        return await self.run(lambda: self._renderer.stranger(name, said))

    async def certificates(self, certs: Iterable[Cert]) -> dict[Cert, bytes]:
        """The DER of each of *certs*."""
        return {cert: (await self.certificate(cert)).der for cert in certs}

    async def trust_list(self, served: TrustList) -> bytes:
        """The file of *served*."""
        found = self._lists.get(served)
        if found is None:
            at = self.dated(served)
            found = self._lists[served] = await self.run(
                lambda: self._renderer.trust_list(
                    served, self._addresses, at, digest_algorithm=self._digest
                )
            )
        return found

    async def configuration(self, name: str, signer: Cert) -> bytes:
        """The configuration file *name*, signed with the key of *signer*: hardly more than that."""
        made = await self.certificate(signer)
        body = f"<device><fullConfig>true</fullConfig></device><!-- {name} -->\n".encode()
        now = self._clock.now()
        return await self.run(
            lambda: sign_file(
                name,
                body,
                made.der,
                made.private_key,
                version=CONFIGURATION_VERSION,
                digest_algorithm=self._digest,
                timestamp=now,
            )
        )

    def dated(self, served: TrustList) -> datetime:
        """The timestamp of *served*."""
        now = self._clock.now().astimezone(UTC).replace(microsecond=0)
        return self._dated.setdefault(served, now)

    async def run(self, work: Callable[[], T]) -> T:
        """Do *work* in the thread, after what it does already."""
        if self._thread is None:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
