"""What would bring a phone back that is broken or stranded: computed, ranked, never carried out.

A remedy is said to work only where a walk with the phone's own rule ends with cluster and phone in
step at every TFTP node that the phone may use (``trust-model`` §3). Nothing here sends anything,
and nothing that sends reads it: a person decides (procedures §2.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Final

import attrs

from cucm_certflow.facts import ClusterFacts, ListView
from cucm_certflow.names import CertUnit, ListKind, Release, Service
from cucm_certflow.procedures.vocabulary import ReleaseRange, Source
from cucm_certflow.trust.lifeline import Health, lifeline
from cucm_certflow.trust.lists import parse_list, view_of
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import Holding, PhoneClass, boot, is_synced

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


# ── walking ───────────────────────────────────────────────────────────────────────────────

_RESET: Final = "reset phones twice"
_TFTP: Final = f"restart {Service.TFTP}"
_TVS: Final = f"restart {Service.TVS}"
_CTL: Final = "utils ctl update CTLFile"
_CTL_WITH_USB: Final = "a new CTL, with the USB token"
_DELETE: Final = "delete the ITL and the CTL at the phone"

# trust-model §3, "The list that was checked"; each ends with everything caught up.
_WALKS: Final = (
    (_RESET, _TFTP, _RESET, _CTL, _RESET, _TVS, _RESET),
    (_RESET, _CTL, _TFTP, _RESET, _TVS, _RESET),
    (_RESET, _TVS, _RESET, _TFTP, _RESET, _CTL, _RESET),
)
# No list is left to be accepted by an old one: the cluster is brought up to date before.
_CAUGHT_UP: Final = (_TVS, _CTL, _TFTP)


def _walks(cluster: ClusterTrust) -> Iterator[tuple[str, ...]]:
    for walk in _WALKS:
        yield _spelt(cluster, walk)


def _spelt(cluster: ClusterTrust, walk: Iterable[str]) -> tuple[str, ...]:
    """*walk* as it is done there: no CTL without mixed mode, and a token's by hand."""
    if not cluster.mixed:
        return tuple(move for move in walk if move != _CTL)
    if cluster.ctl_token:
        return tuple(_CTL_WITH_USB if move == _CTL else move for move in walk)
    return tuple(walk)


def _moved(cluster: ClusterTrust, move: str) -> ClusterTrust:
    if move == _TFTP:
        return cluster.restarted_everywhere(Service.TFTP)
    if move == _TVS:
        return cluster.restarted_everywhere(Service.TVS)
    return cluster.ctl_updated() if move in (_CTL, _CTL_WITH_USB) else cluster


def _after(
    cluster: ClusterTrust, walk: Iterable[str], phone: PhoneClass, holding: Holding, home: int
) -> tuple[ClusterTrust, Holding]:
    """Cluster and phone after *walk*, the phone using the TFTP node at position *home*."""
    for move in walk:
        if move != _RESET:
            cluster = _moved(cluster, move)
            continue
        node = cluster.nodes[home]
        holding = boot(cluster, phone, boot(cluster, phone, holding, node), node)
    return cluster, holding


def _ends_in_step(
    cluster: ClusterTrust, walk: Iterable[str], phone: PhoneClass, holding: Holding, home: int
) -> bool:
    after, held = _after(cluster, walk, phone, holding, home)
    return is_synced(after, phone, held, after.nodes[home])


@attrs.frozen(kw_only=True)
class _Patient:
    """The phone, what it holds, and where it may go for its lists (positions of nodes)."""

    phone: PhoneClass
    holding: Holding
    homes: tuple[int, ...]
    names: tuple[str, ...]

    def best_walk(self, cluster: ClusterTrust) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The walk that brings it back at most of its homes, and the homes where it does not."""
        best: tuple[tuple[str, ...], tuple[str, ...]] = ((), self.names)
        for walk in _walks(cluster):
            failed = tuple(
                name
                for name, home in zip(self.names, self.homes, strict=True)
                if not _ends_in_step(cluster, walk, self.phone, self.holding, home)
            )
            if not best[0] or len(failed) < len(best[1]):
                best = (walk, failed)
        return best


_Others = Mapping[tuple[PhoneClass, Holding], int]


def _hurt(before: ClusterTrust, after: ClusterTrust, walk: tuple[str, ...], others: _Others) -> int:
    """How many of *others* need more than ordinary means afterwards, and did not before."""
    count = 0
    for (phone, holding), phones in others.items():
        for home, node in enumerate(before.nodes):
            if not node.tftp or lifeline(before, phone, holding, node.name).health is not Health.OK:
                continue
            end, held = _after(after, walk, phone, holding, home)
            # Whoever came at each reset, and whoever was off all the time.
            fates = (lifeline(end, phone, each, node.name).health for each in (held, holding))
            if any(fate is not Health.OK for fate in fates):
                count += phones
                break
    return count


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
_RESTORED: Final = (
    "a restore brings back the certificates, and the keys, that the cluster had then; nothing was "
    "regenerated between that backup and the state that was given for it"
)
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
        if (node.tftp if home is None else node.name == home)
    ]
    patient = _Patient(
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
    patient: _Patient,
    others: _Others | None,
    source: Source,
    assumes: tuple[str, ...] = (),
) -> Remedy:
    """The remedy whose commands *front* make *after* of *before*, and a walk from there."""
    walk, failed = patient.best_walk(after)
    works: bool | None = not failed
    why_not = ""
    if failed and len(failed) < len(patient.names):
        works = None
        why_not = f"not if the phone uses TFTP on {', '.join(failed)}"
    elif failed:
        why_not = "no walk ends with the phone on the lists that are served"
    return Remedy(
        kind=kind,
        walk=front + walk,
        works=works,
        why_not=why_not,
        homes=patient.names,
        source=source,
        hurts=None if others is None else _hurt(before, after, walk, others),
        touches=None if others is None else sum(others.values()),
        assumes=assumes,
    )


def _refused(kind: RemedyKind, patient: _Patient, why_not: str, source: Source) -> Remedy:
    return Remedy(
        kind=kind, walk=(), works=False, why_not=why_not, homes=patient.names, source=source
    )


def _localkeys(
    cluster: ClusterTrust, patient: _Patient, offers: Offers, others: _Others | None
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
        made = _walked(kind, front, cluster, after, patient, others, _LOCALKEY_SAYS)
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
    cluster: ClusterTrust, patient: _Patient, offers: Offers, others: _Others | None
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
    cluster: ClusterTrust, patient: _Patient, offers: Offers, others: _Others | None
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
    after = backup
    for move in _CAUGHT_UP:
        after = _moved(after, move)
    return _walked(kind, front, cluster, after, patient, others, _RESTORE_SAYS, (_RESTORED,))


def _by_hand(cluster: ClusterTrust, patient: _Patient, others: _Others | None) -> Remedy:
    """Bring the cluster up to date, then let the phone begin anew; no other phone is reset."""
    front = _spelt(cluster, _CAUGHT_UP)
    after = cluster
    for move in front:
        after = _moved(after, move)
    failed: list[str] = []
    for name, home in zip(patient.names, patient.homes, strict=True):
        node = after.nodes[home]
        fresh = Holding(node.itl if patient.phone.security_by_default else None, node.ctl)
        if not is_synced(after, patient.phone, fresh, node):
            failed.append(name)
    return Remedy(
        kind=RemedyKind.BY_HAND,
        walk=(*front, _DELETE),
        works=None if failed else True,
        why_not=f"what TFTP on {', '.join(failed)} serves would not be accepted" if failed else "",
        homes=patient.names,
        source=_BY_HAND_SAYS,
        hurts=None if others is None else _hurt(cluster, cluster, front, others),
        touches=None if others is None else 0,
        assumes=(_FIRST_VISIT,),
    )
