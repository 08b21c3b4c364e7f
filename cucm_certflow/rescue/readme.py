"""What a person reads in a rescue kit: what it is, what is still to be done, what is missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cucm_certflow.facts import ClusterFacts
from cucm_certflow.names import Product
from cucm_certflow.rescue.kit import KitRemark

__all__ = ["readme"]

_ITLRECOVERY_SINCE: Final = (10, 0)
_LAST_WITH_REMOTEKEY: Final = (14, 99)


def readme(facts: ClusterFacts, gaps: Iterable[KitRemark], doubts: Iterable[KitRemark]) -> str:
    """What a person has to do with the kit, and what is missing from it."""
    release = facts.release.short
    has_presence = any(node.product is Product.IM_PRESENCE for node in facts.nodes)
    presence = " of CUCM and of IM and Presence" if has_presence else ""
    lines = [
        "Rescue kit",
        "==========",
        "",
        "Saved before the first change to this cluster's certificates:",
        "",
        "  nodes/NODE/certificates/UNIT.pem   each node's identity certificates",
        "  nodes/NODE/lists/*File.tlv         the trust lists that each TFTP node serves",
        "  nodes/NODE/trust-stores.json       what each node's trust stores hold, by name",
        "  manifest.json                      SHA-256 of every file, when it was read and by whom",
        "",
        "It holds no private key, and is never changed: keep it as it is.",
        "",
        "Still to be done by a person, before the first change",
        "-----------------------------------------------------",
        "",
    ]
    step = 1
    if release >= _ITLRECOVERY_SINCE:
        lines += [
            f"{step}. Export ITLRecovery's key pair on the publisher's command line:",
            "",
            "       file get tftp ITLRecovery.p12",
            "",
            "   It is a private key: keep it where only those can read it who may sign for the",
            "   cluster, and not in this folder.",
        ]
        if release <= _LAST_WITH_REMOTEKEY:
            lines += [
                "   With it, `utils itl reset remotekey HOST USER ITLRecovery.p12` can sign a list",
                "   that phones of today still accept, when nothing else can.",
            ]
        lines += [
            "   Record it under the item itlrecovery-exported: who exported it, where it is kept,",
            "   and its SHA-256 (proof_of_p12 in cucm_certflow.rescue tells it, and that the file",
            "   is of the right shape; neither its content nor its password is looked at).",
            "",
        ]
        step += 1
    lines += [
        f"{step}. Take a backup (Disaster Recovery System){presence}, and wait",
        "   for its success.",
        "   After the change take another: a restore of the old one brings the old certificates",
        "   back, and every phone that has moved on must then be unlocked by hand.",
        "",
        "What is not in this kit",
        "-----------------------",
        "",
    ]
    lines += _listed(gaps) or ["Nothing that was asked for is missing."]
    odd = _listed(doubts)
    if odd:
        lines += ["", "What is in it, and is not as it was expected", "-" * 44, "", *odd]
    lines += [
        "",
        "The PEM of what stands in the trust stores: they are listed by fingerprint alone.",
        "",
        "Sources: Cisco security guide 12.5(1)SU6, Default Security; Cisco CLI reference 14SU2,",
        "utils itl reset; Cisco security guide 14SU2, Certificates (backup after regeneration).",
        "",
    ]
    return "\n".join(lines)


def _listed(remarks: Iterable[KitRemark]) -> list[str]:
    return [f"- {remark.node}: {remark.what}: {remark.why}" for remark in remarks]
