"""What discovery finds in the lab in memory, and what does not answer it."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import attrs

from cucm_certflow.facts import ClusterFacts, ListView, NodeFacts
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory_answers import Answers, view_of
from cucm_certflow.lab.observe import cluster_facts
from cucm_certflow.names import CertUnit, ListKind, Service

__all__ = ["discovered"]


def discovered(
    cluster: LabCluster, answers: Answers, unreached: Collection[str], at: datetime
) -> ClusterFacts:
    """What there is to plan with, as it is now; ``unknown`` names what does not answer.

    Args:
        cluster: Whose.
        answers: Of that cluster.
        unreached: Nodes that could not be come to.
        at: The date of what is found.
    """
    names = tuple(node.name for node in cluster.scenario.nodes)
    facts = cluster_facts(
        cluster.layout,
        cluster.kinds,
        cluster.world,
        at=at,
        full=cluster.scenario.release.full,
        addresses={node.name: node.address for node in cluster.scenario.nodes},
        services={
            node: {service: answers.service(node, service) for service in cluster.activated(node)}
            for node in names
        },
        phones=[phone.device for phone in cluster.phones],
        registrations=cluster.registrations(),
        certificates={
            node: {
                unit: cluster.identities.certificate(cluster.certificate(node, unit))
                for unit in CertUnit
                if cluster.book.has(node, unit)
            }
            for node in names
        },
    )
    unknown = [f"{node}: no connection" for node in unreached]
    unknown += [
        f"{kind.value} of {node}: nobody answers on port 6970"
        for node in cluster.layout.tftp_nodes
        if not cluster.is_up(node, Service.TFTP)
        for kind in ListKind
    ]
    nodes = tuple(
        attrs.evolve(node, itl=None, ctl=None, certificates={}, services={})
        if node.name in unreached
        else attrs.evolve(
            node, itl=_listed(cluster, node, ListKind.ITL), ctl=_listed(cluster, node, ListKind.CTL)
        )
        for node in facts.nodes
    )
    if cluster.is_web_up(cluster.layout.publisher):
        return attrs.evolve(facts, nodes=nodes, unknown=tuple(unknown))
    unknown.append("phones and registrations: nobody answers on port 8443 of the publisher")
    return attrs.evolve(facts, nodes=nodes, phones=(), registrations={}, unknown=tuple(unknown))


def _listed(cluster: LabCluster, node: NodeFacts, kind: ListKind) -> ListView | None:
    """What *node* serves, if its TFTP answers."""
    if not node.runs(Service.TFTP) or not cluster.is_up(node.name, Service.TFTP):
        return None
    served = cluster.served(node.name, kind)
    return None if served is None else view_of(served)
