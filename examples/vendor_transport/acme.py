"""Stands for the vendor's SDK: `pip install acme-uc` would bring it. Here it talks to a lab.

It answers with plain dictionaries, as such things do, and raises AcmeError.
"""

from __future__ import annotations

import asyncio
from typing import Any

from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.names import CertUnit, Service

KEY = "acme-key-0815"


class AcmeError(Exception):
    """What went wrong; ``kind`` is ``auth``, ``offline``, ``timeout`` or ``not-found``."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Acme:
    """A session with Acme's controller."""

    def __init__(self, lab: LabCluster, key: str) -> None:
        self._lab = lab
        self._key = key
        self._drops: set[str] = set()

    def drop_next(self, node: str) -> None:
        """For tests: the controller loses *node* during the next call about it."""
        self._drops.add(node)

    async def certificate(self, node: str, name: str) -> dict[str, Any]:
        """The certificate *name* of *node*."""
        await self._call(node)
        try:
            seen = self._lab.identities.certificate(self._lab.certificate(node, CertUnit(name)))
        except ValueError as error:
            raise AcmeError("not-found", str(error)) from error
        return {
            "sha256": seen.fingerprint,
            "serial": seen.serial,
            "subject": seen.subject,
            "issuer": seen.issuer,
            "validFrom": seen.not_before,
            "validTo": seen.not_after,
        }

    async def services(self, node: str) -> list[dict[str, Any]]:
        """All services of *node*."""
        await self._call(node)
        states = [(s, self._lab.service_state(node, s)) for s in self._lab.activated(node)]
        return [
            {"name": s.value, "state": state.status.value, "upSince": state.started_at}
            for s, state in states
        ]

    async def version(self, node: str) -> str:
        """The active version of *node*."""
        await self._call(node)
        return str(self._lab.scenario.release.full)

    async def regenerate(self, node: str, name: str) -> str:
        """A new self-signed certificate *name* on *node*; returns when it is there."""
        await self._call(node, drop=False)
        return await self._done(node, self._lab.begin_regenerate(node, CertUnit(name)))

    async def restart(self, node: str, service: str) -> str:
        """Restart *service* on *node*; returns when it runs."""
        await self._call(node, drop=False)
        return await self._done(node, self._lab.begin_restart(node, Service(service)))

    async def _call(self, node: str, *, drop: bool = True) -> None:
        await asyncio.sleep(0.5)
        if self._key != KEY:
            raise AcmeError("auth", "the key was not accepted")
        if node not in {each.name for each in self._lab.scenario.nodes}:
            raise AcmeError("not-found", f"no node is called {node}")
        if drop and node in self._drops:
            self._drops.discard(node)
            raise AcmeError("offline", f"{node} went away")

    async def _done(self, node: str, end: Any) -> str:  # noqa: ANN401 - an instant
        if node in self._drops:
            self._drops.discard(node)
            raise AcmeError("timeout", f"{node} took it, and went away")
        await asyncio.sleep((end - self._lab.now).total_seconds())
        return "done"
