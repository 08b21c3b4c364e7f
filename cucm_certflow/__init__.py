"""Regenerate the certificates of a CUCM cluster in an order that its phones survive."""

from cucm_certflow.checks.scope import Limits
from cucm_certflow.cluster import Cluster
from cucm_certflow.connection import connect
from cucm_certflow.control import RunStatus, approve, ask_to_abort, ask_to_pause, status_of
from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.plan import PhoneOutlook, Plan
from cucm_certflow.core.planner import expiring_units, make_plan
from cucm_certflow.core.remedies import Remedy, holding_from_files, remedies_for
from cucm_certflow.core.states import Blocked
from cucm_certflow.doctor import Area, DoctorReport, Sign
from cucm_certflow.errors import (
    AuthenticationFailed,
    CertflowError,
    ClusterInUse,
    HeldError,
    IdentityNotTrusted,
    InventoryError,
    JournalError,
    JournalInUse,
    JournalNotWritten,
    NodeError,
    NodeFault,
    NodeUnreachable,
    NotServed,
    NotWaiting,
    RateLimited,
    RecordingError,
    RefusedError,
    Report,
    RoleMissing,
    RunFinished,
    ScenarioError,
    UnknownLayout,
    UsageError,
)
from cucm_certflow.facts import ClusterFacts
from cucm_certflow.findings import Baseline, CheckReport, Finding, Said, Severity, Verdict
from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.names import CertUnit, Interface, Service
from cucm_certflow.observers import (
    Aborted,
    Event,
    Held,
    LeftBehind,
    NotWaitedFor,
    Observer,
    Paused,
    Verified,
)
from cucm_certflow.orders import Order, OrderKind
from cucm_certflow.procedures.explain import explain
from cucm_certflow.procedures.maintenance import Maintenance, MaintenanceWindow
from cucm_certflow.procedures.policies import (
    BatchesBy,
    Canary,
    Evidence,
    NotAwaited,
    Policy,
    UnitOrder,
)
from cucm_certflow.rescue import RescueKit, check_rescue_kit
from cucm_certflow.runner import Run
from cucm_certflow.secret import Secret
from cucm_certflow.verification import VerifyReport
from cucm_certflow.words import load_words

__all__ = [
    "Aborted",
    "Account",
    "Area",
    "AuthenticationFailed",
    "Baseline",
    "BatchesBy",
    "Blocked",
    "Canary",
    "CertUnit",
    "CertflowError",
    "CheckReport",
    "Cluster",
    "ClusterFacts",
    "ClusterInUse",
    "DoctorReport",
    "Event",
    "Evidence",
    "Finding",
    "Held",
    "HeldError",
    "IdentityNotTrusted",
    "Interface",
    "Inventory",
    "InventoryError",
    "JournalError",
    "JournalInUse",
    "JournalNotWritten",
    "LeftBehind",
    "Limits",
    "Maintenance",
    "MaintenanceWindow",
    "NodeEntry",
    "NodeError",
    "NodeFault",
    "NodeUnreachable",
    "NotAwaited",
    "NotServed",
    "NotWaitedFor",
    "NotWaiting",
    "Observer",
    "Order",
    "OrderKind",
    "Paused",
    "PhoneOutlook",
    "Plan",
    "Policy",
    "RateLimited",
    "RecordingError",
    "RefusedError",
    "Remedy",
    "Report",
    "RescueKit",
    "RoleMissing",
    "Run",
    "RunFinished",
    "RunStatus",
    "Said",
    "ScenarioError",
    "Secret",
    "Service",
    "Severity",
    "Sign",
    "UnitOrder",
    "UnknownLayout",
    "UsageError",
    "Verdict",
    "Verified",
    "VerifyReport",
    "approve",
    "ask_to_abort",
    "ask_to_pause",
    "check_rescue_kit",
    "connect",
    "expiring_units",
    "explain",
    "holding_from_files",
    "load_words",
    "make_plan",
    "plan_cleanup",
    "remedies_for",
    "status_of",
]
