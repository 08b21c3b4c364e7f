"""What a node holds, as a snapshot of its platform REST interface says it.

The form is known from readers that others wrote, not from Cisco: whatever differs is refused.
"""

from __future__ import annotations

from typing import Final

import attrs

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.facts import Certificate
from cucm_certflow.transports.base import short
from cucm_certflow.transports.json_answers import JsonValue
from cucm_certflow.trust.x509 import certificate_from_pem

__all__ = ["Identity", "Snapshot", "Trust", "certificate_in", "identities_in", "snapshot_in"]

_TRUST: Final = "-trust"


@attrs.frozen(kw_only=True)
class Identity:
    """A unit as a node lists it; named as CUCM does, which may be a unit that we do not know.

    ``certificate`` is None where the node has none for it. ``csr`` says whether it holds a signing
    request that waits for its certificate.
    """

    unit: str
    certificate: Certificate | None
    csr: bool = False


@attrs.frozen(kw_only=True)
class Trust:
    """What a node trusts for *unit*, which is named without ``-trust``."""

    unit: str
    certificates: tuple[Certificate, ...]


@attrs.frozen(kw_only=True)
class Snapshot:
    """All that a node holds, in its own order; *server* is what it calls itself."""

    server: str
    identities: tuple[Identity, ...]
    trusts: tuple[Trust, ...]


def snapshot_in(top: JsonValue) -> Snapshot:
    """The whole of a snapshot.

    Raises:
        UnknownLayout: As *top* refuses what it is not.
    """
    return Snapshot(
        server=top.text("server"),
        identities=identities_in(top),
        trusts=tuple(
            Trust(
                unit=each.text("service").removesuffix(_TRUST),
                certificates=tuple(
                    certificate_in(held.member("certificate"))
                    for held in each.member("certificate_data").items()
                ),
            )
            for each in top.member("trusts").items()
        ),
    )


def identities_in(top: JsonValue) -> tuple[Identity, ...]:
    """The identities in a snapshot.

    A unit for which the node holds no certificate may be listed all the same, without one. A node
    without any certificate there is none: that is an answer of another form.

    Raises:
        UnknownLayout: As *top* refuses what it is not.
    """
    found: dict[str, Identity] = {}
    for each in top.member("identities").items():
        unit = each.text("service")
        held = certificate_in(each.member("certificate")) if each.has("certificate") else None
        csr = each.has("csr") and bool(each.text("csr"))
        identity = Identity(unit=unit, certificate=held, csr=csr)
        if found.setdefault(unit, identity) != identity:
            each.refuse(f"{unit} once", "twice, and not the same")
    if not any(each.certificate for each in found.values()):
        top.refuse("certificates in the list of identities", f"{len(found)} units and none")
    return tuple(found.values())


def certificate_in(value: JsonValue) -> Certificate:
    """The one certificate whose PEM *value* is.

    Raises:
        UnknownLayout: As *value* refuses what it is not.
    """
    pem = value.as_text()
    try:
        return certificate_from_pem(pem)
    except UnknownLayout as error:
        value.refuse("the PEM of one certificate", short(error))
