"""What would bring a phone back that is broken or stranded: computed, ranked, never carried out.

A remedy is said to work only where a walk with the phone's own rule ends with cluster and phone in
step at every TFTP node that the phone may use (``trust-model`` §3). Nothing here sends anything,
and nothing that sends reads it: a person decides (procedures §2.4).

It is about lists alone. A reset travels over a registration: a phone that has lost its own comes
only by its own retry, or when somebody takes its power away (field notes, §8); and one whose LSC
nobody trusts needs a new one besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.core.remedy_walks import CAUGHT_UP, DELETE, Others, Patient, hurt, moved, spelt
from cucm_certflow.facts import ClusterFacts, ListView
from cucm_certflow.names import CertUnit, ListKind, Release
from cucm_certflow.procedures.vocabulary import ReleaseRange, Source
from cucm_certflow.trust.lists import parse_list, view_of
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import Holding, PhoneClass, is_synced

__all__ = ["Offers", "Remedy", "RemedyKind", "holding_from_files", "offers_of", "remedies_for"]


class RemedyKind(Enum):
    """The remedies there are, those first that disturb least."""

    ORDINARY = "ordinary clean-up"
    CTL_LOCALKEY = "utils ctl reset localkey"
    ITL_LOCALKEY = "utils itl reset localkey"
    BOTH_LOCALKEYS = "utils ctl reset localkey, utils itl reset localkey"
    REMOTEKEY = "utils itl reset remotekey <host> <user> ITLRecovery.p12"
    BY_HAND = "delete the lists at the phone"
    RESTORE = "restore a backup"


@attrs.frozen(kw_only=True)
class Offers:
    """What is at hand for a rescue, besides the cluster itself.

    Attributes:
        release: The publisher's.
        exported: Fingerprints of ITLRecovery certificates whose key pair (ITLRecovery.p12) was
            exported and is kept.
        backup: The cluster's trust as a restore of the backup would bring it back: that of a plan
            or a discovery from when the backup was taken. None if nobody knows of one.
        recovery_key_fits: Whether ITLRecovery's key is as long as the other certificates'; with
            1024 bits beside 2048, ``localkey`` fails (points R2, F12). None if nobody has looked.
    """

    release: Release
    exported: frozenset[str] = frozenset()
    backup: ClusterTrust | None = None
    recovery_key_fits: bool | None = None


@attrs.frozen(kw_only=True)
class Remedy:
    """One remedy for one phone.

    Attributes:
        kind: Which.
        walk: What a person would do, in order; with *works*, the witness. Empty where nothing can
            be said about it.
        works: True if the walk ends with the phone in step; False if it cannot; None if that is
            not known, or depends on where the phone goes for its lists.
        why_not: Why *works* is not True.
        homes: The TFTP nodes for which it was walked.
        source: The documents behind it.
        hurts: How many of the other phones, that ordinary means bring back now, would need more
            after it, if they come at each reset or at none. None where that was not computed.
        touches: How many of the other phones are reset for it. None if nobody said how many there
            are.
        assumes: What of it no source settles.
    """

    kind: RemedyKind
    walk: tuple[str, ...]
    works: bool | None
    why_not: str = ""
    homes: tuple[str, ...]
    source: Source
    hurts: int | None = None
    touches: int | None = None
    assumes: tuple[str, ...] = ()

    def __str__(self) -> str:
        word = {True: "works", False: "does not work", None: "not known to work"}[self.works]
        lines = [f"{self.kind.value}: {word}" + (f": {self.why_not}" if self.why_not else "")]
        if self.walk and self.works is not False:
            lines.append("    walk    " + " > ".join(self.walk))
        if self.touches:
            lines.append(f"    resets  {self.touches} other phones")
        if self.hurts:
            lines.append(f"    hurts   {self.hurts} of them")
        lines += [f"    assumes {text}" for text in self.assumes]
        lines.append(f"    source  {self.source}")
        return "\n".join(lines)


# ── what phones hold, what is at hand ─────────────────────────────────────────────────────


def holding_from_files(itl: bytes | None, ctl: bytes | None) -> Holding:
    """What a phone holds, from the bytes of the lists that were read off it; None for no list.

    Raises:
        UnknownLayout: A file is no list of that kind, or no certificate in it signed it.
    """

    def read(data: bytes | None, kind: ListKind) -> ListView | None:
        return None if data is None else view_of(parse_list(data), kind, data).plain()

    return Holding(read(itl, ListKind.ITL), read(ctl, ListKind.CTL))


def offers_of(
    facts: ClusterFacts,
    *,
    exported: Iterable[str] = (),
    backup: ClusterTrust | None = None,
) -> Offers:
    """What is at hand, with what a discovery says of the release and of key lengths.

    ITLRecovery's key fits if it is not shorter than any RSA key of CallManager and TVS.
    """
    recovery = [
        node.certificates[CertUnit.ITLRECOVERY].key_bits
        for node in facts.nodes
        if CertUnit.ITLRECOVERY in node.certificates
    ]
    others = [
        node.certificates[unit].key_bits
        for node in facts.nodes
        for unit in (CertUnit.CALLMANAGER, CertUnit.TVS)
        if unit in node.certificates
    ]
    fits = min(recovery) >= max(others) if recovery and others else None
    return Offers(
        release=facts.release,
        exported=frozenset(exported),
        backup=backup,
        recovery_key_fits=fits,
    )


# ── the remedies ──────────────────────────────────────────────────────────────────────────

_REMOTEKEY: Final = ReleaseRange((10, 0), (14, 99))
_WITNESS: Final = Source("cucm_certflow trust model", "§3", "the walk is the witness")
_LOCALKEY_SAYS: Final = Source(
    "Cisco CLI reference 14SU2 and 15; security guide 12.5(1)SU6, Default Security",
    "utils itl|ctl reset localkey",
    "affects all phones, TAC 225746; procedures §2.4",
)
_REMOTEKEY_SAYS: Final = Source(
    "Cisco CLI reference 14SU2; security guide 12.5(1)SU6, Default Security",
    "utils itl reset remotekey",
    "10.0 to 14; procedures §2.4",
)
_RESTORE_SAYS: Final = Source(
    "Cisco TAC 117598 and 214231; security guide 14SU2, Certificates",
    "restore",
    "a restore to before a regeneration unlocks no phone that has moved on (F11)",
)
_BY_HAND_SAYS: Final = Source(
    "Cisco TAC 117598; security guide 12.5(1)SU6, Default Security",
    "deleting the ITL at the phone",
    "a phone without lists takes the first ones",
)
_ITL_EVERYWHERE: Final = (
    "the list is signed with the old key as localkey signs it: the publisher's content, without "
    "the old ITLRecovery, on every TFTP node (inferred, not seen)"
)
_OTHER_SIGNER: Final = "up to 11.5 localkey signs with ITLRecovery's key (inferred)"
_RESTORED: Final = (
    "a restore brings back the certificates, and the keys, that the cluster had then; nothing was "
    "regenerated between that backup and the state that was given for it"
)
_NOWHERE: Final = "no node serves lists there"
_FIRST_VISIT: Final = (
    "a phone without lists takes both lists of its first visit, whoever signed them (inferred for "
    "the ITL in mixed mode)"
)


def remedies_for(
    cluster: ClusterTrust,
    phone: PhoneClass,
    holding: Holding,
    *,
    offers: Offers,
    home: str | None = None,
    others: Mapping[tuple[PhoneClass, Holding], int] | None = None,
) -> tuple[Remedy, ...]:
    """Every remedy for a phone, best first: computed from what it holds and the cluster serves.

    First those that work, then those that may, then those that do not; among them those first that
    hurt fewest of the other phones, then those that disturb least. It is pure, and nothing of it
    is ever carried out.

    Args:
        cluster: What the cluster serves and vouches for now.
        phone: The phone's class.
        holding: What it holds: by :func:`holding_from_files`, or as the run believes.
        offers: What is at hand.
        home: The TFTP node that it uses (option 150). None if that is not known: then a remedy
            works only if it does whichever node the phone uses.
        others: How many of the other phones are of which class and hold what; ``localkey`` and
            its kind affect all of them. None if that is not known.

    Raises:
        KeyError: *home*, or a node of the phone's group, is no node of the cluster.
    """
    if home is not None:
        cluster.node(home)
    at = [
        (position, node.name)
        for position, node in enumerate(cluster.nodes)
        if node.tftp and home in (None, node.name)
    ]
    patient = Patient(
        phone=phone,
        holding=holding,
        homes=tuple(position for position, _ in at),
        names=tuple(name for _, name in at),
    )
    found = [
        _walked(RemedyKind.ORDINARY, (), cluster, cluster, patient, others, _WITNESS),
        *_localkeys(cluster, patient, offers, others),
        _remotekey(cluster, patient, offers, others),
        _by_hand(cluster, patient, others),
        _restore(cluster, patient, offers, others),
    ]
    return tuple(sorted(found, key=_rank))


_KINDS: Final = tuple(RemedyKind)
_WORKS: Final = (True, None, False)


def _rank(remedy: Remedy) -> tuple[int, int, int]:
    return (_WORKS.index(remedy.works), remedy.hurts or 0, _KINDS.index(remedy.kind))


def _walked(
    kind: RemedyKind,
    front: tuple[str, ...],
    before: ClusterTrust,
    after: ClusterTrust,
    patient: Patient,
    others: Others | None,
    source: Source,
    assumes: tuple[str, ...] = (),
) -> Remedy:
    """The remedy whose commands *front* make *after* of *before*, and a walk from there."""
    walk, failed = patient.best_walk(after)
    works: bool | None = bool(patient.names) and not failed
    why_not = "" if works else _NOWHERE
    if failed and len(failed) < len(patient.names):
        works = None
        why_not = f"not if the phone uses TFTP on {', '.join(failed)}"
    elif failed:
        why_not = "no walk ends with the phone on the lists that are served"
    elif works and _fails_where_the_ctl_judges(after, patient):
        works = None
        why_not = "not if a phone with a CTL judges lists by that CTL alone (unverified)"
    return Remedy(
        kind=kind,
        walk=front + walk,
        works=works,
        why_not=why_not,
        homes=patient.names,
        source=source,
        hurts=None if others is None else hurt(before, after, walk, others),
        touches=None if others is None else sum(others.values()),
        assumes=assumes,
    )


def _fails_where_the_ctl_judges(after: ClusterTrust, patient: Patient) -> bool:
    """Whether the walk rests on the phone's ITL beside its CTL, which nobody has verified."""
    if patient.holding.ctl is None or after.policy.ctl_judges_itl:
        return False
    strict = after._replace(policy=after.policy._replace(ctl_judges_itl=True))
    _, failed = patient.best_walk(strict)
    return bool(failed)


def _refused(kind: RemedyKind, patient: Patient, why_not: str, source: Source) -> Remedy:
    return Remedy(
        kind=kind, walk=(), works=False, why_not=why_not, homes=patient.names, source=source
    )


def _localkeys(
    cluster: ClusterTrust, patient: Patient, offers: Offers, others: Others | None
) -> Iterator[Remedy]:
    itl, ctl = (ListKind.ITL,), (ListKind.CTL,)
    for kind, signed in (
        (RemedyKind.CTL_LOCALKEY, ctl),
        (RemedyKind.ITL_LOCALKEY, itl),
        (RemedyKind.BOTH_LOCALKEYS, ctl + itl),
    ):
        why_not = _no_localkey(cluster, offers, signed)
        if why_not:
            yield _refused(kind, patient, why_not, _LOCALKEY_SAYS)
            continue
        after = cluster
        for each in signed:
            after = after.localkey_reset(each)
        front = tuple(f"utils {each.value.lower()} reset localkey" for each in signed)
        inferred = cluster.ctl_signer is not CertUnit.ITLRECOVERY
        assumes = (_OTHER_SIGNER,) if inferred else ()
        made = _walked(kind, front, cluster, after, patient, others, _LOCALKEY_SAYS, assumes)
        if made.works and offers.recovery_key_fits is None:
            why_not = "nobody has looked whether ITLRecovery's key is as long as the others (R2)"
            made = attrs.evolve(made, works=None, why_not=why_not)
        yield made


def _no_localkey(cluster: ClusterTrust, offers: Offers, kinds: tuple[ListKind, ...]) -> str:
    """Why the command cannot be used there; empty if it can."""
    if not cluster.policy.localkey:
        return "there is no such command before 10.0"
    if ListKind.CTL in kinds and not cluster.mixed:
        return "the cluster is not in mixed mode: it has no CTL"
    if ListKind.CTL in kinds and cluster.ctl_token:
        return "a USB token signs the CTL: there is no other anchor"
    publisher = cluster.publisher
    if publisher.callmanager is None or publisher.itlrecovery is None:
        return "the publisher's CallManager or ITLRecovery certificate is not known"
    if offers.recovery_key_fits is False:
        return "ITLRecovery's key is shorter than the others: the command fails (R2, F12)"
    return ""


def _remotekey(
    cluster: ClusterTrust, patient: Patient, offers: Offers, others: Others | None
) -> Remedy:
    kind = RemedyKind.REMOTEKEY
    if offers.release not in _REMOTEKEY:
        return _refused(kind, patient, f"the command exists from {_REMOTEKEY}", _REMOTEKEY_SAYS)
    if not offers.exported:
        return _refused(kind, patient, "no exported ITLRecovery.p12 is at hand", _REMOTEKEY_SAYS)
    held = frozenset[str]().union(*(view.sast for view in patient.holding if view is not None))
    known = sorted(offers.exported & held)
    if not known:
        why_not = "no list of the phone names an ITLRecovery that was exported as an anchor"
        return _refused(kind, patient, why_not, _REMOTEKEY_SAYS)
    built = cluster.built_itl(cluster.publisher.name)
    if built is None:
        why_not = "the publisher's CallManager certificate is not known"
        return _refused(kind, patient, why_not, _REMOTEKEY_SAYS)
    made: list[Remedy] = []
    for key in known:
        nodes = tuple(
            node._replace(itl=built._replace(signer=key)) if node.tftp else node
            for node in cluster.nodes
        )
        after = cluster._replace(nodes=nodes)
        front = (f"{kind.value} (of {key[:40]})",)
        assumes = (_ITL_EVERYWHERE,)
        made.append(_walked(kind, front, cluster, after, patient, others, _REMOTEKEY_SAYS, assumes))
    return min(made, key=_rank)


def _restore(
    cluster: ClusterTrust, patient: Patient, offers: Offers, others: Others | None
) -> Remedy:
    kind, backup = RemedyKind.RESTORE, offers.backup
    if backup is None:
        return Remedy(
            kind=kind,
            walk=(),
            works=None,
            why_not="nobody said which certificates a backup holds",
            homes=patient.names,
            source=_RESTORE_SAYS,
        )
    if [n.name for n in backup.nodes] != [n.name for n in cluster.nodes]:
        return _refused(kind, patient, "the backup is of other nodes", _RESTORE_SAYS)
    front = ("restore the backup on every node",)
    # A restore starts everything again, with the certificates of then.
    # What is over by now is so after a restore too.
    after = backup._replace(expired=backup.expired | cluster.expired)
    for move in CAUGHT_UP:
        after = moved(after, move)
    return _walked(kind, front, cluster, after, patient, others, _RESTORE_SAYS, (_RESTORED,))


def _by_hand(cluster: ClusterTrust, patient: Patient, others: Others | None) -> Remedy:
    """Bring the cluster up to date, then let the phone begin anew; no other phone is reset."""
    front = spelt(cluster, CAUGHT_UP)
    after = cluster
    for move in front:
        after = moved(after, move)
    failed: list[str] = []
    for name, home in zip(patient.names, patient.homes, strict=True):
        node = after.nodes[home]
        fresh = Holding(node.itl if patient.phone.security_by_default else None, node.ctl)
        if not is_synced(after, patient.phone, fresh, node):
            failed.append(name)
    why_not = "" if patient.names else _NOWHERE
    if failed:
        why_not = f"what TFTP on {', '.join(failed)} serves would not be accepted"
    return Remedy(
        kind=RemedyKind.BY_HAND,
        walk=(*front, DELETE),
        works=(None if failed else True) if patient.names else False,
        why_not=why_not,
        homes=patient.names,
        source=_BY_HAND_SAYS,
        hurts=None if others is None else hurt(cluster, cluster, front, others),
        touches=None if others is None else 0,
        assumes=(_FIRST_VISIT,),
    )
