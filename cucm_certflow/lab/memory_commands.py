"""How a command begins on a node of the lab in memory, and what the node prints at its end."""

from __future__ import annotations

import contextlib
from datetime import datetime

from cucm_certflow.commands import (
    ByHand,
    Command,
    DeleteTrust,
    Regenerate,
    ResetLocalkey,
    ResetPhones,
    RestartService,
    StartService,
    StopService,
    UpdateCtl,
)
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.names import ListKind

__all__ = ["begin", "printed"]


def begin(cluster: LabCluster, command: Command) -> datetime:
    """Let *command* begin; returns when it will be done.

    Raises:
        ValueError: The node refuses it; nothing is done.
    """
    match command:
        case Regenerate(node, unit):
            return cluster.begin_regenerate(node, unit)
        case RestartService(node, service):
            return cluster.begin_restart(node, service)
        case UpdateCtl(node):
            return cluster.begin_ctl_update(node)
        case ResetLocalkey(node, kind):
            return cluster.begin_localkey(node, kind)
        case StopService(node, service):
            return cluster.begin_stop(node, service)
        case StartService(node, service):
            return cluster.begin_start(node, service)
        case DeleteTrust(node, store, name):
            return cluster.begin_delete_trust(node, store, name)
        case ByHand():
            raise AssertionError(command)
        case ResetPhones(_, names):
            for name in names:
                with contextlib.suppress(ValueError):
                    cluster.reset_phone(name)
            return cluster.now


def printed(cluster: LabCluster, command: Command) -> str:
    """What the node prints; where domain/cli.md has no capture, the lab's invention."""
    match command:
        case Regenerate(_, unit):
            return (
                f"Successfully Regenerated Certificate for {unit.value}.\nYou must restart "
                f"services related to {unit.value} for the regenerated certificates to become "
                "active."
            )
        case RestartService(_, service):
            states = ("STOPPING", "STARTING", "STARTED")
            return "\n".join(f"{service.value}[{state}]  " for state in states)
        case ResetLocalkey(_, ListKind.ITL):
            nodes = cluster.layout.tftp_nodes
            sent = "".join(f"Successfully transferred reset ITL to node {n}\n" for n in nodes)
            count = f"Number of Active TFTP servers in the cluster : {len(nodes)}"
            return f"The reset ITL file was generated successfully\n{sent}{count}"
        case ResetLocalkey():
            return "CTL file Reset."  # no capture is known
        case UpdateCtl():
            return (
                "Updating CTL file\nCTL file Updated\nPlease Restart the TFTP and Cisco "
                "CallManager services on all nodes in the cluster that run these services"
            )
        case StopService(_, service):
            return f"{service.value}[STOPPING]\n{service.value}[STOPPED]"
        case StartService(_, service):
            return f"{service.value}[STARTING]\n{service.value}[STARTED]"
        case DeleteTrust():
            return "Command executed successfully"  # no capture is known
        case ResetPhones() | ByHand():
            raise AssertionError(command)
