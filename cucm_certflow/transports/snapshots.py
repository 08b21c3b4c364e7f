"""What a node holds, as a snapshot of its platform REST interface says it.

The form is known from readers that others wrote, not from Cisco: whatever differs is refused.
"""

from __future__ import annotations

from typing import Final

import attrs

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.facts import Certificate, TrustEntry
from cucm_certflow.transports.base import short
from cucm_certflow.transports.json_answers import JsonValue
from cucm_certflow.trust.x509 import certificate_from_pem, normalised_pem

__all__ = ["Identity", "Snapshot", "Trust", "certificate_in", "identities_in", "snapshot_in"]

_TRUST: Final = "-trust"


@attrs.frozen(kw_only=True)
class Identity:
    """A unit as a node lists it; named as CUCM does, which may be a unit that we do not know.

    ``certificate`` is None where the node has none for it, and ``pem``, its very self, is empty
    then. ``csr`` says whether it holds a signing request that waits for its certificate.
    """

    unit: str
    certificate: Certificate | None
    pem: str = ""
    csr: bool = False


@attrs.frozen(kw_only=True)
class Trust:
    """What a node trusts for *unit*, which is named without ``-trust``, with the files' names."""

    unit: str
    entries: tuple[TrustEntry, ...]

    @property
    def certificates(self) -> tuple[Certificate, ...]:
        """The certificates, in the node's order."""
        return tuple(entry.certificate for entry in self.entries)


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
        trusts=tuple(_trust_in(each) for each in top.member("trusts").items()),
    )


def _trust_in(each: JsonValue) -> Trust:
    # Readers of others take both tomcat-trust and tomcat for the name of the store.
    unit = each.text("service").removesuffix(_TRUST)
    entries = tuple(
        TrustEntry(
            store=f"{unit}{_TRUST}",
            name=held.text("filename"),
            certificate=certificate_in(held.member("certificate")),
        )
        for held in each.member("certificate_data").items()
    )
    if len({entry.name for entry in entries}) != len(entries):
        each.refuse(f"each file of {unit}{_TRUST} once", "one twice")
    return Trust(unit=unit, entries=entries)


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
        held, pem = None, ""
        if each.has("certificate"):
            held = certificate_in(each.member("certificate"))
            pem = normalised_pem(each.text("certificate"))
        csr = each.has("csr") and bool(each.text("csr"))
        identity = Identity(unit=unit, certificate=held, pem=pem, csr=csr)
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
