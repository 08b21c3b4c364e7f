"""Splits units into windows: what may change between two contacts with the phones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cucm_certflow.core.plan import CertificateKey, PlannedWindow
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.policies import Policy, UnitOrder
from cucm_certflow.procedures.vocabulary import Procedure
from cucm_certflow.trust.model import ClusterTrust
from cucm_certflow.trust.phone import PhoneClass

__all__ = ["certificates_of", "given_windows", "split_windows"]


def certificates_of(facts: ClusterFacts, procedure: Procedure) -> tuple[CertificateKey, ...]:
    """The certificates of a unit: on each node of its products, publisher first."""
    nodes = [n for n in facts.nodes if n.product in procedure.products]
    if procedure.publisher_only:
        nodes = [n for n in nodes if n.is_publisher]
    nodes.sort(key=lambda node: not node.is_publisher)
    return tuple(CertificateKey(procedure.unit, node.name) for node in nodes)


def given_windows(
    facts: ClusterFacts,
    wishes: Sequence[Iterable[CertUnit]],
    procedures: Mapping[CertUnit, Procedure],
    policy: Policy,
) -> tuple[PlannedWindow, ...]:
    """The windows exactly as somebody asked for them; whether they are safe is judged later."""
    order = policy.unit_order()
    windows: list[PlannedWindow] = []
    for number, wish in enumerate(wishes):
        units = sorted(set(wish), key=lambda unit: _place(order, unit))
        keys = [key for unit in units for key in certificates_of(facts, procedures[unit])]
        reason = "as asked for"
        windows.append(PlannedWindow(number=number, certificates=tuple(keys), reason=reason))
    return tuple(windows)


def split_windows(
    facts: ClusterFacts,
    units: Iterable[CertUnit],
    procedures: Mapping[CertUnit, Procedure],
    policy: Policy,
    trust: ClusterTrust,
    classes: Iterable[PhoneClass],
) -> tuple[PlannedWindow, ...]:
    """The windows that keep apart what must not change together.

    Units that phones never see share the first window. Where the ITL is signed by each TFTP
    node's own CallManager certificate and TVS goes first (or the policy says that phones change
    their TFTP node), TVS is done in parts: a phone that fails over to another TFTP node then
    still has one TVS that it pins (trust model §4.3).
    """
    order = policy.unit_order()
    wanted = sorted(set(units), key=lambda unit: _place(order, unit))
    quiet = [unit for unit in wanted if not procedures[unit].moves_lists]
    loud = [unit for unit in wanted if procedures[unit].moves_lists]
    parts: list[tuple[tuple[CertificateKey, ...], str]] = []
    for unit in loud:
        keys = certificates_of(facts, procedures[unit])
        shares = _parts(keys, unit, loud, policy, trust, classes)
        if len(shares) == 1:
            others = sorted(procedures[unit].never_with & set(loud))
            apart = f"; never with {', '.join(others)}" if others else ""
            parts.append((keys, f"{unit}: phones must meet the new list before the next{apart}"))
        else:
            why = "another TVS that phones pin stays as it is until they have met these"
            parts += [(share, f"{unit} on {_names(share)}: {why}") for share in shares]
    first = tuple(key for unit in quiet for key in certificates_of(facts, procedures[unit]))
    if first:
        why = f"{', '.join(quiet)}: in no trust list, so it moves no anchor"
        if parts:
            parts[0] = (first + parts[0][0], f"{why}; {parts[0][1]}")
        else:
            parts.append((first, why))
    return tuple(
        PlannedWindow(number=number, certificates=keys, reason=reason)
        for number, (keys, reason) in enumerate(parts)
    )


def _place(order: Sequence[CertUnit], unit: CertUnit) -> tuple[int, str]:
    return (order.index(unit) if unit in order else len(order), unit)


def _names(keys: Iterable[CertificateKey]) -> str:
    return ", ".join(key.node for key in keys)


def _parts(
    keys: tuple[CertificateKey, ...],
    unit: CertUnit,
    loud: Sequence[CertUnit],
    policy: Policy,
    trust: ClusterTrust,
    classes: Iterable[PhoneClass],
) -> tuple[tuple[CertificateKey, ...], ...]:
    """TVS in parts of which none holds a whole CallManager group; one part where it need not.

    A group whose only member is one node cannot be spared; the lifeline guard refuses then.
    """
    own_signers = [n for n in trust.tftp_nodes if n.itl_signer is CertUnit.CALLMANAGER]
    if (
        unit is not CertUnit.TVS
        or (policy.order is not UnitOrder.TVS_FIRST and not policy.phones_change_tftp_node)
        or CertUnit.CALLMANAGER not in loud
        or len(own_signers) < 2  # noqa: PLR2004 - one TFTP node has nowhere to fail over to
    ):
        return (keys,)
    groups = [frozenset(phone.group) for phone in classes if phone.security_by_default]
    parts: list[list[CertificateKey]] = []
    for key in keys:
        for part in parts:
            together = {other.node for other in part} | {key.node}
            if not any(group <= together for group in groups):
                part.append(key)
                break
        else:
            parts.append([key])
    return tuple(tuple(part) for part in parts)
