"""The command that says what would bring a broken phone back; it does nothing of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import attrs
import typer

from cucm_certflow.cli.common import InventoryOption, JsonOption, SpeedOption, with_cluster
from cucm_certflow.cli.documents import DocumentKind, print_document
from cucm_certflow.cli.output import Exit
from cucm_certflow.cluster import Cluster
from cucm_certflow.core.plan import phone_class
from cucm_certflow.core.remedies import Remedy, holding_from_files, offers_of, remedies_for
from cucm_certflow.core.starting_trust import held_at_start, trust_of
from cucm_certflow.documents import not_read
from cucm_certflow.errors import Report, UsageError
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.nearest import suggestion
from cucm_certflow.procedures.policies import Policy, trust_policy
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import Holding, PhoneClass, order_of
from cucm_certflow.trust.x509 import certificate_from_pem

__all__ = ["RemediesDocument", "remedies_command"]


@attrs.frozen(kw_only=True)
class RemediesDocument:
    """What would bring a phone back, for machines.

    Attributes:
        remedies: The best first.
    """

    remedies: tuple[Remedy, ...]


def remedies_command(
    inventory: InventoryOption,
    phone: Annotated[str, typer.Option("--phone", help="Its device name.")],
    itl: Annotated[
        Path | None, typer.Option("--itl", help="The ITL file that it holds; none if not given.")
    ] = None,
    ctl: Annotated[
        Path | None, typer.Option("--ctl", help="The CTL file that it holds; none if not given.")
    ] = None,
    home: Annotated[
        str | None, typer.Option("--tftp", help="The TFTP node that it uses (option 150).")
    ] = None,
    exported: Annotated[
        list[Path] | None,
        typer.Option("--exported", help="PEM of an ITLRecovery whose .p12 is at hand; repeatable."),
    ] = None,
    json: JsonOption = False,
    lab_speed: SpeedOption = 1.0,
) -> None:
    """Say what would bring a phone back, best first, with the way. Changes nothing."""
    held = [certificate_from_pem(_text(path)) for path in exported or ()]
    holding = holding_from_files(_bytes(itl), _bytes(ctl))

    async def work(cluster: Cluster) -> Exit:
        facts = await cluster.discover()
        trust, _ = trust_of(facts, trust_policy(Policy(), facts.release))
        over = {c.fingerprint for c in held if c.not_after is not None and c.not_after <= facts.at}
        trust = trust._replace(expired=trust.expired | over)
        found = remedies_for(
            trust,
            _class_of(facts, phone),
            holding,
            offers=offers_of(facts, exported=[each.fingerprint for each in held]),
            home=_checked_home(trust, home),
            others=_others(facts, trust, phone),
        )
        if json:
            print_document(DocumentKind.REMEDIES, RemediesDocument(remedies=found))
        else:
            print("\n".join(str(remedy) for remedy in found))
        return Exit.DONE

    with_cluster(inventory, lab_speed, work, json=json)


def _class_of(facts: ClusterFacts, name: str) -> PhoneClass:
    for phone in facts.phones:
        if phone.name == name:
            return phone_class(phone)
    names = [phone.name for phone in facts.phones]
    raise _wrong("the cluster has no such phone", f"{name}{suggestion(name, names)}")


def _checked_home(trust: ClusterTrust, home: str | None) -> str | None:
    names = [node.name for node in trust.tftp_nodes]
    if home is not None and home not in names:
        saw = f"{home}{suggestion(home, names)}"
        raise _wrong(f"--tftp must be one of {', '.join(names)}", saw)
    return home


def _others(
    facts: ClusterFacts, trust: ClusterTrust, but: str
) -> dict[tuple[PhoneClass, Holding], int]:
    """The other phones, taken to hold what a TFTP node serves now, as at the start of a plan."""
    counts: dict[tuple[PhoneClass, Holding], int] = {}
    for phone in facts.phones:
        if phone.name != but:
            kind = phone_class(phone)
            key = (kind, min(held_at_start(trust, kind), key=order_of))
            counts[key] = counts.get(key, 0) + 1
    return counts


def _bytes(path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise _wrong(f"{path} cannot be read", not_read(path, error)) from error


def _text(path: Path) -> str:
    return (_bytes(path) or b"").decode("latin-1")


def _wrong(headline: str, saw: str) -> UsageError:
    return UsageError(Report(headline=headline, saw=saw, left="nothing was sent"))
