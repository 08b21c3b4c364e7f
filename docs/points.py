"""Writes docs/points.md: every point, and what carries it: `python docs/points.py [--check]`."""
# ruff: noqa: E501 - a sentence of the page is a line

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import attrs

from cucm_certflow import commands
from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.checks.verification import VERIFICATION
from cucm_certflow.core.certificate_guards import CERTIFICATE_GUARDS
from cucm_certflow.core.command_guards import COMMAND_GUARDS
from cucm_certflow.core.entry_guards import ENTRY_GUARDS
from cucm_certflow.procedures import PROCEDURES
from cucm_certflow.procedures.partners import PARTNER_TASKS
from cucm_certflow.procedures.policies import Policy
from cucm_certflow.procedures.vocabulary import Requirement

TARGET: Final = Path(__file__).with_name("points.md")
STORIES: Final = Path(__file__).parents[1] / "examples" / "scenarios"


# ── carriers: typed references, each checked against the code ─────────────────────────────


class Carrier(Protocol):
    """Something in the code that carries a point."""

    @property
    def exists(self) -> bool:
        """Whether the code has it."""
        ...


@attrs.frozen
class Row:
    """A row of a unit's tables."""

    unit: str
    name: str

    @property
    def exists(self) -> bool:
        return any(
            procedure.unit == self.unit and any(row.name == self.name for row in procedure.rows)
            for procedure in PROCEDURES
        )

    def __str__(self) -> str:
        return f"row `{self.unit}/{self.name}`"


@attrs.frozen
class Consumer:
    """What a unit's tables say about who is affected."""

    unit: str
    point: str

    @property
    def exists(self) -> bool:
        return any(
            text.startswith(f"{self.point}:")
            for procedure in PROCEDURES
            if procedure.unit == self.unit
            for text in procedure.consumers
        )

    def __str__(self) -> str:
        return f"consumers of `{self.unit}`"


@attrs.frozen
class Guard:
    """A guard of an edge."""

    name: str

    @property
    def exists(self) -> bool:
        return self.name in {**COMMAND_GUARDS, **CERTIFICATE_GUARDS, **ENTRY_GUARDS}

    def __str__(self) -> str:
        return f"guard [`{self.name}`](reference.md#{self.name})"


@attrs.frozen
class Need:
    """A requirement of rows."""

    name: str

    @property
    def exists(self) -> bool:
        return any(each.name == self.name for each in Requirement) and any(
            Requirement[self.name] in row.requires for p in PROCEDURES for row in p.rows
        )

    def __str__(self) -> str:
        name = self.name.lower()
        return f"requirement [`{name}`](reference.md#{name})"


@attrs.frozen
class Check:
    """A check of the preflight or of the verification."""

    id: str

    @property
    def exists(self) -> bool:
        return any(check.id == self.id for check in (*PREFLIGHT, *VERIFICATION))

    def __str__(self) -> str:
        return f"check `{self.id}`"


@attrs.frozen
class Chosen:
    """An attribute of the policy."""

    name: str

    @property
    def exists(self) -> bool:
        return self.name in {field.name for field in attrs.fields(Policy)}

    def __str__(self) -> str:
        return f"`Policy.{self.name}`"


@attrs.frozen
class Task:
    """A task for the people of another system."""

    id: str

    @property
    def exists(self) -> bool:
        return any(task.id == self.id for task in PARTNER_TASKS)

    def __str__(self) -> str:
        return f"task `{self.id}`"


@attrs.frozen
class Command:
    """A command of the seam."""

    name: str

    @property
    def exists(self) -> bool:
        return self.name in commands.__all__

    def __str__(self) -> str:
        return f"command `{self.name}`"


@attrs.frozen
class Code:
    """A name in a module of the package."""

    module: str
    name: str

    @property
    def exists(self) -> bool:
        found: Any = importlib.import_module(f"cucm_certflow.{self.module}")
        for part in self.name.split("."):
            found = getattr(found, part, None)
        return found is not None

    def __str__(self) -> str:
        return f"`{self.module}.{self.name}`"


@attrs.frozen(kw_only=True)
class Point:
    """A point: what it asks for, what carries it, which tests show it.

    Attributes:
        tests: Each as ``folder/file.py::name`` under ``tests/``.
        remark: What it does not do, or does otherwise.
        story: The file of a scenario that tells it, under ``examples/scenarios/``; empty if there is none.
    """

    name: str
    says: str
    carriers: tuple[Carrier, ...]
    tests: tuple[str, ...] = ()
    remark: str = ""
    story: str = ""


def _t(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}::test_{name}" for name in names)


def _point(
    name: str,
    says: str,
    carriers: Iterable[Carrier],
    *tests: tuple[str, ...],
    remark: str = "",
    story: str = "",
) -> Point:
    return Point(
        name=name,
        says=says,
        carriers=tuple(carriers),
        tests=tuple(test for group in tests for test in group),
        remark=remark,
        story=story,
    )


_JOURNEY: Final = "journeys/test_in_memory.py"
_DOCS: Final = "docs/test_docs.py"
_PLANS: Final = "tables/test_everything_at_once.py"
_CLEANUP: Final = "tables/test_cleanup.py"
_IDENTITIES: Final = "tables/test_identities.py"
_EXPLAIN: Final = "tables/test_explain.py"
_PHONES: Final = "physics/test_phones.py"
_FIGURES: Final = "physics/test_figures.py"
_STORIES: Final = "proof/test_exploration.py"
_MUTANTS: Final = "proof/test_mutants.py"

_GOLDEN: Final = _t("golden/test_book.py", "every_golden_procedure_is_what_the_tables_say")
_TOLD: Final = _t(_EXPLAIN, "what_is_not_a_step_is_told_as_well")
_FOUND: Final = _t("checks/test_preflight.py", "the_fault_is_found_and_weighed")
_SEEN_AFTER: Final = _t("checks/test_verification.py", "the_fault_is_found_and_weighed")
_ASKED: Final = _t("checks/test_every_check.py", "what_is_asked_is_unknown_until_somebody_answers")
_PARTNERS: Final = _t("tables/test_partners.py", "tasks_of_a_unit_are_these")
_HELD: Final = _t(_JOURNEY, "it_holds_at_the_barrier_and_names_the_11_phones")
_DESTROYS: Final = _t(
    _IDENTITIES,
    "plan_that_would_destroy_an_identity_is_refused_with_the_route",
    "certificate_of_a_ca_is_recognised",
)

# fmt: off
DOCUMENT: Final[tuple[Point, ...]] = (
    _point("P1", "Watch registrations throughout, in all and per node; wait after each reset",
           (Chosen("watch_every_s"), Guard("phones_back"), Check("phones-back"), Check("devices-back")),
           _t(_JOURNEY, "registrations_are_watched_throughout"), _HELD, _SEEN_AFTER),
    _point("P2", "Regenerations affect endpoints; work outside business hours",
           (Code("core.describe", "describe_plan"), Code("core.plan", "PlannedWindow")),
           _t(_DOCS, "p2_the_plan_says_what_is_restarted_and_who_is_reset"),
           _t(_PLANS, "every_window_says_why_and_in_which_state_one_can_sleep_on_it"),
           remark="the plan says what is touched, and between which windows one can sleep; the hour is the caller's choice, there is no calendar"),
    _point("P3", "All endpoints on and registered first; those with a mismatched ITL last",
           (Check("phones-registered"), Check("itl-mismatches"), Guard("phones_back"), Code("core.outlook", "judged")),
           _HELD, _t(_JOURNEY, "waived_by_name_it_ends_verified_with_the_waived_left_behind"), _FOUND, _ASKED,
           remark="which list a phone holds is asked of a person; deleting it at the phone is a person's work"),
    _point("P4", "Find out whether the cluster is in mixed mode",
           (Check("mode-known"), Code("discovery", "discover")),
           _t("journeys/test_discovery.py", "a_mode_that_is_neither_0_nor_1_is_unknown_and_refuses_the_plan"), _FOUND),
    _point("P5", "Every certificate up to date, in the order Tomcat, IPSec, CAPF, CallManager, TVS, ITLRecovery, then trust certificates",
           (Code("procedures.policies", "Policy.unit_order"), Code("core.windows", "split_windows"), Code("core.planner", "expiring_units")),
           _t(_DOCS, "p5_units_are_done_in_the_order_of_the_document"),
           _t(_PLANS, "order_is_that_of_the_starting_document_and_itlrecovery_is_last_and_alone", "only_what_is_over_in_time_is_asked_for")),
    _point("P6", "On each node wait for success before the next",
           (Guard("step_before_proved"), Guard("one_change_at_a_time"), Guard("regenerate_proved")),
           _t(_DOCS, "p6_nothing_is_sent_before_the_last_was_proved"), _t(_MUTANTS, "mutant_is_missed")),
    _point("A1", "CallManager: secure phones, TFTP trust, phone services, trunks, media resources, AXL",
           (Consumer("CallManager", "A1"), Guard("secure_phones_can_register"), Task("gateway-trust"), Task("media-trust"), Task("web-applications"), Check("devices-back")),
           _TOLD, _PARTNERS, _t(_PHONES, "a_secure_phone_is_lost_when_callmanager_restarts_before_it_has_the_new_ctl"), _SEEN_AFTER,
           remark="phones are proved; trunks and media resources are counted before and after, and their owners are asked"),
    _point("A2", "Tomcat: HTTPS services, other nodes' web pages, Extension Mobility, single sign-on, UCCX",
           (Consumer("tomcat", "A2"), Task("sso-metadata"), Task("uccx-trust"), Task("emcc-exchange"), Check("directory-tested")),
           _TOLD, _PARTNERS, _t("journeys/test_tomcat_in_the_middle.py", "the_run_goes_on_over_the_new_certificate_without_anybodys_help"), _ASKED,
           remark="what port 8443 presents is proved; consumers are tried by people"),
    _point("A3", "CAPF: VPN, 802.1X, LSCs, encrypted configuration",
           (Consumer("CAPF", "A3"), Task("dot1x-trust"), Task("vpn-trust"), Check("lsc-in-use"), Task("lsc-reissue")),
           _TOLD, _PARTNERS, _ASKED),
    _point("A4", "IPSec: backup and restore, tunnels",
           (Consumer("ipsec", "A4"), Check("drf-running"), Check("backup-after"), Task("ipsec-peers")),
           _TOLD, _PARTNERS, _FOUND, _SEEN_AFTER),
    _point("A5", "TVS vouches for servers; what is removed from the store ends with it",
           (Consumer("TVS", "A5"), Guard("entry_not_needed"), Code("core.trust_entries", "needed_by"), Check("directory-opens")),
           _t(_PHONES, "tvs_vouches_for_what_the_database_holds_now_and_for_nothing_older"),
           _t(_CLEANUP, "asking_for_what_is_needed_is_refused_with_the_reason"), _ASKED),
    _point("A6", "What the ITL and the CTL hold",
           (Consumer("CallManager", "A6"), Consumer("CAPF", "A6"), Consumer("TVS", "A6"), Check("itl-equals-live"), Check("ctl-equals-live")),
           _t("bytes/test_rendering.py", "a_list_read_back_is_what_the_physics_says"), _FOUND, _TOLD),
    _point("T1", "Is the Tomcat certificate self-signed or signed by a third party",
           (Code("core.identities", "identity_of"), Check("identity-self-signed"), Guard("baseline_known")),
           _t(_DOCS, "t1_a_certificate_that_a_ca_signed_is_refused"), _DESTROYS, _FOUND,
           remark="refused with the CSR route (D25); the route itself is a person's work"),
    _point("T2", "Regenerate on the publisher, then each subscriber; then restart Cisco Tomcat everywhere, publisher first",
           (Row("tomcat", "regenerate"), Row("tomcat", "restart-tomcat"), Row("tomcat-ECDSA", "restart-tomcat")),
           _t(_DOCS, "t2_tomcat_is_restarted_after_all_nodes_publisher_first"), _GOLDEN),
    _point("T3", "UCCX: upload certificates, restart its servers", (Task("uccx-trust"),), _PARTNERS,
           remark="asked and acknowledged; UCCX is not connected to"),
    _point("I1", "Where DRF Master and DRF Local run",
           (Row("ipsec", "restart-drf-master"), Row("ipsec", "restart-drf-local"), Check("drf-running")), _GOLDEN, _FOUND,
           remark="they are restarted wherever they are activated, whatever the release"),
    _point("I2", "Regenerate, then DRF Master and DRF Local",
           (Row("ipsec", "regenerate"), Row("ipsec", "restart-drf-master"), Row("ipsec", "restart-drf-local"), Need("NO_BACKUP_RUNNING")), _GOLDEN),
    _point("I3", "The publisher's certificate in ipsec-trust of every subscriber",
           (Check("ipsec-trust-serial"), Check("ipsec-trust-serial-14"), Code("core.trust_entries", "needed_by")), _SEEN_AFTER,
           _t(_CLEANUP, "asking_for_what_is_needed_is_refused_with_the_reason")),
    _point("C1", "Know the mode first; in mixed mode update the CTL before restarts",
           (Check("mode-known"), Check("ctl-update-works"), Row("CAPF", "ctl-update"), Row("CAPF", "ctl-by-hand"), Guard("mixed_mode_ctl")),
           _GOLDEN, _FOUND, _t(_EXPLAIN, "below_10_0_the_token_signs_whatever_is_said")),
    _point("C2", "Regenerate on the publisher, then each subscriber; CTL, then CallManager",
           (Row("CAPF", "regenerate"), Row("CAPF", "ctl-update"), Row("CAPF", "restart-callmanager"), Chosen("capf_on_subscribers")),
           _GOLDEN, _t(_EXPLAIN, "capf_on_the_publisher_alone_is_told_so")),
    _point("C3", "Restart CAPF, TVS, TFTP",
           (Row("CAPF", "restart-capf"), Row("CAPF", "restart-tvs"), Row("CAPF", "restart-tftp")),
           _GOLDEN, _t(_PLANS, "capf_with_callmanager_keeps_every_tables_own_order")),
    _point("C4", "Reset all devices, watch, wait",
           (Row("CAPF", "reset-phones"), Guard("phones_back"), Chosen("capf")),
           _GOLDEN, _t(_PLANS, "capf_in_callmanagers_window_saves_one_reset"), remark="phones only, by name, in batches (D17)"),
    _point("M1", "Know the mode first; in mixed mode update the CTL before restarts",
           (Check("mode-known"), Row("CallManager", "ctl-update"), Row("CallManager", "ctl-by-hand"), Guard("ctl_proved"), Guard("mixed_mode_ctl")),
           _t(_JOURNEY, "the_ctl_is_updated_once_and_before_every_restart_of_its_window", "the_ctl_was_read_back_on_every_tftp_node_before_any_restart")),
    _point("M2", "Never CallManager and TVS at the same time; phones back before TVS",
           (Guard("exclusion"), Guard("lifeline"), Guard("window_is_open"), Guard("phones_back")),
           _t(_JOURNEY, "callmanager_with_tvs_is_refused_with_evidence_and_nothing_is_sent", "tvs_begins_only_after_every_callmanager_certificate_is_verified"),
           _t(_MUTANTS, "without_exclusion_and_lifeline_the_strand_is_found_and_told"),
           _t(_PLANS, "no_window_holds_two_units_that_must_not_change_together")),
    _point("M3", "Regenerate; restart CallManager, CTIManager, TVS, TFTP, each only where active",
           (Row("CallManager", "regenerate"), Row("CallManager", "restart-callmanager"), Row("CallManager", "restart-ctimanager"), Row("CallManager", "restart-tvs"), Row("CallManager", "restart-tftp"), Guard("service_is_up")),
           _t(_DOCS, "m3_services_are_restarted_in_order_publisher_first"), _t(_JOURNEY, "nothing_is_restarted_where_it_is_not_activated"), _GOLDEN),
    _point("M4", "Reset all devices, watch, wait",
           (Row("CallManager", "reset-phones"), Guard("phones_can_be_called"), Guard("phones_back")),
           _HELD, _t(_JOURNEY, "only_phones_in_scope_are_reset_after_the_waiver"), remark="phones only, by name, in batches (D17)"),
    _point("V1", "Never together with CallManager; TVS last",
           (Guard("exclusion"), Chosen("order"), Code("procedures.policies", "UnitOrder")),
           _t(_JOURNEY, "tvs_begins_only_after_every_callmanager_certificate_is_verified", "both_orders_finish"),
           remark="`UnitOrder.TVS_FIRST` is the order of the newer guides; both have a barrier between"),
    _point("V2", "Regenerate; restart TVS, then TFTP; reset, watch, wait",
           (Row("TVS", "regenerate"), Row("TVS", "restart-tvs"), Row("TVS", "restart-tftp"), Row("TVS", "reset-phones")),
           _t(_DOCS, "v2_tvs_is_restarted_before_tftp_and_the_phones_are_reset_last"), _GOLDEN),
    _point("R1", "ITLRecovery and the recovery commands",
           (Command("ResetLocalkey"), Code("trust.lifeline", "Health"), Code("core.outlook", "judged"), Check("itlrecovery-exported")),
           _t(_FIGURES, "regenerating_callmanager_and_tvs_without_contact_needs_localkey_on_11_5"),
           _t(_JOURNEY, "waived_by_name_it_ends_verified_with_the_waived_left_behind"),
           remark="the remedy is named for each phone; only ITLRecovery's own table from 12.0 on sends localkey"),
    _point("R2", "Key lengths: with 1024 bits the recovery command fails", (Check("itlrecovery-key"),), _FOUND),
    _point("R3", "Regenerate ITLRecovery; CTL, TVS, TFTP, reset",
           (Row("ITLRecovery", "regenerate"), Row("ITLRecovery", "ctl-update"), Row("ITLRecovery", "restart-tvs"), Row("ITLRecovery", "restart-tftp"), Row("ITLRecovery", "reset-phones")),
           _GOLDEN, _t(_FIGURES, "the_guide_for_itlrecovery_with_two_resets_is_ok_online_in_every_variant"),
           remark="from 12.0 on in two waves (D12)"),
    _point("X1", "Find trust certificates that are expired or not needed",
           (Code("core.cleanup", "plan_cleanup"), Code("core.trust_entries", "is_over"), Code("core.trust_entries", "needed_by"), Check("old-trust-lingers")),
           _t(_CLEANUP, "expired_entry_goes_from_every_node_and_a_valid_one_stays", "what_is_needed_is_left_where_it_is_though_expired")),
    _point("X2", "Stop Certificate Change Notification and its companions",
           (Command("StopService"), Code("procedures.cleanup", "QUIETED"), Code("procedures.cleanup", "stopped_under")),
           _t(_CLEANUP, "up_to_11_5_what_would_put_it_back_is_stopped_first_and_started_last", "from_12_0_nothing_is_stopped")),
    _point("X3", "The same certificate on several nodes is deleted on each",
           (Command("DeleteTrust"), Guard("deletions_proved"), Guard("entry_is_gone")),
           _t(_CLEANUP, "expired_entry_goes_from_every_node_and_a_valid_one_stays")),
    _point("X4", "Restart the services directly related",
           (Code("procedures.cleanup", "RESTARTED_FOR"), Guard("services_proved")),
           _t(_CLEANUP, "only_what_belongs_to_the_store_is_restarted_and_no_phone_is_reset")),
    _point("X5", "Start again what was stopped",
           (Command("StartService"), Guard("watched_long_enough"), Guard("did_not_come_back")),
           _t(_CLEANUP, "up_to_11_5_what_would_put_it_back_is_stopped_first_and_started_last")),
)
"""The 36 points of Cisco document 214231, in its order."""

DISAGREEMENTS: Final[tuple[Point, ...]] = (
    _point("D1", "CallManager or TVS first: either, with a verified barrier between", (Chosen("order"), Guard("phones_back"), Guard("lifeline")),
           _t(_JOURNEY, "both_orders_finish")),
    _point("D2", "Never together: under every release, from 12.0 with ITLRecovery too", (Guard("exclusion"), Guard("lifeline")),
           _t(_PLANS, "no_window_holds_two_units_that_must_not_change_together"), _t(_JOURNEY, "callmanager_with_tvs_is_refused_with_evidence_and_nothing_is_sent")),
    _point("D3", "CAPF's nodes: from 14 the publisher alone, below optional on subscribers", (Row("CAPF", "regenerate"), Chosen("capf_on_subscribers")),
           _t(_EXPLAIN, "capf_on_the_publisher_alone_is_told_so"), _GOLDEN),
    _point("D4", "CAPF's restarts: TVS before TFTP before the reset", (Row("CAPF", "restart-tvs"), Row("CAPF", "restart-tftp"), Row("CAPF", "reset-phones")), _GOLDEN),
    _point("D5", "CallManager is restarted after CAPF in mixed mode", (Row("CAPF", "restart-callmanager"),), _GOLDEN,
           remark="CTIManager is not: only the field notice restarts it"),
    _point("D6", "CallManager's restarts: CTL first, TVS before TFTP, all before the reset", (Row("CallManager", "ctl-update"), Row("CallManager", "restart-tvs"), Row("CallManager", "restart-tftp"), Guard("restart_proved")),
           _GOLDEN, _t(_JOURNEY, "the_ctl_is_updated_once_and_before_every_restart_of_its_window")),
    _point("D7", "CallManager and CTIManager are restarted; left out by choice from 14SU1, RSA only", (Chosen("callmanager_restarts"), Row("CallManager", "restart-haproxy"), Code("procedures.policies", "restarts_callmanager")),
           _t(_EXPLAIN, "callmanager_restarts_may_be_left_out_from_14su1_on_for_rsa_only"), _t(_PLANS, "restarts_of_callmanager_are_left_out_only_where_the_guide_allows")),
    _point("D8", "The CTL is updated before any restart or reset", (Guard("ctl_proved"), Guard("mixed_mode_ctl"), Check("phone-interaction")),
           _t(_JOURNEY, "the_ctl_was_read_back_on_every_tftp_node_before_any_restart"), _ASKED),
    _point("D9", "One reset, after the restarts", (Row("CallManager", "reset-phones"), Guard("restart_proved")), _GOLDEN,
           _t(_FIGURES, "resetting_before_callmanager_restarts_is_what_keeps_secure_phones_registered"),
           remark="the newer edition resets secure phones before the restarts as well; the figure shows what that would spare them"),
    _point("D10", "Tomcat's restarts: the superset by release", (Row("tomcat", "restart-ssosp-tomcat"), Row("tomcat", "restart-axl-tomcat"), Row("tomcat", "restart-uds-tomcat")), _GOLDEN),
    _point("D11", "From 14, DRF is restarted after tomcat and after ipsec", (Row("tomcat", "restart-drf-master"), Row("tomcat-ECDSA", "restart-drf-local"), Row("ipsec", "restart-drf-master"), Check("ipsec-trust-serial"), Check("ipsec-trust-serial-14")),
           _GOLDEN, _SEEN_AFTER),
    _point("D12", "ITLRecovery in two waves, from 12.0 on", (Row("ITLRecovery", "itl-localkey"), Row("ITLRecovery", "ctl-localkey"), Row("ITLRecovery", "reset-phones-again"), Guard("has_next_wave")),
           _GOLDEN, _t("proof/test_special_releases.py", "second_wave_of_itlrecovery_follows_the_first_barrier")),
    _point("D13", "ITLRecovery has a window of its own, and is last", (Code("procedures.policies", "Policy.unit_order"), Guard("exclusion")),
           _t(_PLANS, "order_is_that_of_the_starting_document_and_itlrecovery_is_last_and_alone"),
           remark="it is done where it is asked for; `expiring` leaves it out while it is valid"),
    _point("D14", "Services are stopped for a clean-up up to 11.5", (Code("procedures.cleanup", "stopped_under"), Chosen("trust_watch_s")),
           _t(_CLEANUP, "up_to_11_5_what_would_put_it_back_is_stopped_first_and_started_last", "from_12_0_nothing_is_stopped")),
    _point("D15", "A deletion is taken to be cluster-wide", (Guard("entry_not_needed"), Guard("entry_is_gone"), Code("core.cleanup", "plan_cleanup")),
           _t(_CLEANUP, "asking_for_what_is_needed_is_refused_with_the_reason")),
    _point("D16", "TVS has trust certificates where a CA signed", (Code("procedures.cleanup", "RESTARTED_FOR"),),
           _t(_CLEANUP, "only_what_belongs_to_the_store_is_restarted_and_no_phone_is_reset")),
    _point("D17", "Phones alone are reset, by name, in batches", (Command("ResetPhones"), Chosen("reset_batch"), Chosen("canary"), Chosen("batches_by"), Guard("canaries_are_back")),
           _t(_JOURNEY, "only_phones_in_scope_are_reset_after_the_waiver"), _t(_DOCS, "p2_the_plan_says_what_is_restarted_and_who_is_reset")),
    _point("D18", "A CTL by an unknown signer is taken as not recoverable, from 12.0", (Chosen("tvs_vouches_for_ctl"), Chosen("ctl_judges_itl"), Guard("lifeline")),
           _t(_FIGURES, "fn70613_strands_secure_phones_whose_ctl_never_got_the_new_callmanager"),
           remark="up to 11.5 TVS is assumed to vouch for it, with the document's own logs"),
    _point("D19", "A registration is no proof of trust", (Chosen("barrier"), Chosen("load_to_register_s"), Guard("phones_back"), Guard("boots_are_over")),
           _t(_JOURNEY, "a_phone_that_is_locked_and_registers_is_never_graded_as_holding_the_list"), _t(_PHONES, "a_locked_phone_can_be_registered")),
    _point("D20", "localkey is not relied on when all three anchors changed", (Guard("lifeline"), Guard("exclusion")),
           _t(_FIGURES, "regenerating_all_three_without_contact_is_beyond_repair")),
    _point("D21", "Validity is read, never assumed", (Check("anchors-valid"), Check("certificates-new"), Code("core.planner", "expiring_units")),
           _t(_PLANS, "only_what_is_over_in_time_is_asked_for"), _FOUND),
    _point("D22", "A TVS for several servers is recognised, and not regenerated node by node", (Code("core.identities", "identity_of"), Check("identity-of-one-node")),
           _t(_IDENTITIES, "same_certificate_on_two_nodes_is_multi_server", "plan_that_would_destroy_an_identity_is_refused_with_the_route")),
    _point("D23", "Every identity is protected from deletion", (Code("core.trust_entries", "needed_by"), Guard("entry_not_needed")),
           _t(_CLEANUP, "asking_for_what_is_needed_is_refused_with_the_reason", "issuer_of_a_live_identity_stays")),
    _point("D24", "The rollback parameter may be True on a central TFTP cluster", (Check("rollback-parameter"), Check("other-clusters"), Task("tftp-clusters")), _FOUND, _PARTNERS),
    _point("D25", "What a CA signed is refused: the CSR route", (Code("core.identities", "ROUTES"), Check("identity-self-signed"), Guard("baseline_known")),
           _t(_DOCS, "t1_a_certificate_that_a_ca_signed_is_refused"), _DESTROYS),
)
"""Where Cisco's texts disagree, and the rule that is safe."""

INCIDENTS: Final[tuple[Point, ...]] = (
    _point("F1", "CallManager, TVS and ITL certificates renewed together: no phone registered", (Guard("exclusion"), Guard("lifeline"), Guard("phones_back"), Check("anchors-valid")), story="stories/f01-renewed-together.toml"),
    _point("F2", "Phones whose ITL did not match before never came back", (Check("itl-mismatches"),), story="stories/f02-mismatch-from-before.toml"),
    _point("F3", "Phones that were off need their lists deleted by hand", (Check("phones-registered"), Guard("phones_back")), story="stories/f03-phone-in-a-drawer.toml"),
    _point("F4", "CSCvv13565: the CTL names an ITLRecovery that is no more", (Check("ctl-anchors-live"), Code("core.starting_trust", "trust_of")), story="stories/f04-ctl-of-before-the-upgrade.toml"),
    _point("F5", "Upgrading does not cure F4", (Check("ctl-anchors-live"),), remark="lists are compared, not releases", story="stories/f05-su3-is-no-cure.toml"),
    _point("F6", "Secure phones hang: the CTL has the old CAPF", (Row("CAPF", "ctl-update"), Guard("ctl_proved"), Check("ctl-equals-live")), story="stories/f06-old-capf-in-the-ctl.toml"),
    _point("F7", "802.1X fails after CAPF", (Check("lsc-in-use"), Task("dot1x-trust")), story="stories/f07-radius-without-the-new-capf.toml"),
    _point("F8", "Single sign-on fails: old metadata", (Check("sso-disabled"), Task("sso-metadata")), story="stories/f08-sso-with-old-metadata.toml"),
    _point("F9", "MRA and Webex fail: Expressway lacks the new certificates", (Task("expressway-trust"),), story="stories/f09-expressway-does-not-know-the-ca.toml"),
    _point("F10", "Phones without Security By Default refuse the new CTL", (Check("security-by-default"), Guard("lifeline"), Code("procedures.vocabulary", "Exposure")), story="stories/f10-phones-that-cannot-ask-tvs.toml"),
    _point("F11", "An old backup restored: every phone to be unlocked", (Check("backup-after"),), story="stories/f11-restored-from-before.toml"),
    _point("F12", "Recovery fails: ITLRecovery of 1024 bits", (Check("itlrecovery-key"),), story="stories/f12-recovery-key-of-1024-bits.toml"),
    _point("F13", "Backup and restore dead: ipsec-trust deleted", (Code("core.trust_entries", "needed_by"), Check("ipsec-trust-serial"), Check("drf-running")), story="stories/f13-backup-is-dead.toml"),
    _point("F14", "An ITL over 64 KB", (Check("itl-size"),)),
    _point("F15", "CSCup28852: phones reset every 7 minutes", (Chosen("loop_after"), Code("runner", "Run")), story="stories/f15-reset-every-7-minutes.toml"),
    _point("F16", "CSCur97909: old certificates linger", (Check("old-trust-lingers"), Code("core.cleanup", "plan_cleanup")), story="stories/f16-the-old-one-lingers.toml"),
    _point("F17", "CSCus47235: the common name is not among the names", (Check("identity-names-itself"),), story="stories/f17-name-not-repeated.toml"),
    _point("F18", "CSCuv75957: a restored subscriber has a certificate of its own", (Check("identity-shared-by-all"),), story="stories/f18-subscriber-with-one-of-its-own.toml"),
    _point("F19", "TFTP offers an old Tomcat certificate", (Row("tomcat", "restart-tftp"),), remark="from 14 on, where the guide has it"),
    _point("F20", "Renaming a node resets every certificate", (Check("one-release"), Check("inventory-complete")), remark="no rename is carried out here; a changed cluster no longer fits its plan's fingerprint"),
    _point("F21", "A CA-signed certificate is lost", (Code("core.identities", "identity_of"), Check("identity-self-signed"), Guard("baseline_known")), story="stories/f21-ca-signed-is-lost.toml"),
    _point("F22", "An upload is refused", (Code("core.identities", "ROUTES"),), remark="no upload is carried out here"),
    _point("F23", "A new trust certificate does not replace the old one", (Check("ipsec-trust-serial"), Check("old-trust-lingers")), remark="no upload is carried out here; the serials are compared"),
    _point("F24", "Keys that some phones cannot use", (Check("callmanager-key"),), story="stories/f24-keys-that-some-phones-cannot-use.toml"),
    _point("F25", "EMCC broken: the exchange was not repeated", (Task("emcc-exchange"), Check("other-clusters")), story="stories/f25-emcc-not-exchanged-again.toml"),
    _point("F26", "The rollback parameter was left True", (Check("rollback-parameter"),), story="stories/f26-rollback-left-true.toml"),
    _point("F27", "Finesse logins fail", (Task("uccx-trust"),), story="stories/f27-finesse-logs-nobody-in.toml"),
    _point("F28", "Trust deleted everywhere from one node", (Guard("entry_not_needed"), Code("core.cleanup", "plan_cleanup")), story="stories/f28-deleted-everywhere.toml"),
    _point("F29", "CAPF trust deleted while phones have old LSCs", (Code("core.trust_entries", "needed_by"), Code("core.entry_guards", "LSCS_REISSUED")), story="stories/f29-lscs-orphaned.toml"),
    _point("F30", "Phones with another cluster's ITL", (Check("itl-mismatches"), Check("other-clusters")), story="stories/f30-lists-of-another-cluster.toml"),
    _point("F31", "CSCuy43181: the bulk import fails", (Task("emcc-exchange"), Task("tftp-clusters")), story="stories/f31-bulk-import-fails.toml"),
    _point("F32", "ITLRecovery changed: single sign-on broken", (Check("sso-disabled"), Task("sso-metadata")), story="stories/f32-sso-signed-by-itlrecovery.toml"),
    _point("F33", "Expired trust certificates vanish at an upgrade", (Code("core.cleanup", "plan_cleanup"), Code("core.trust_entries", "is_over")), remark="a clean-up beforehand; no upgrade is carried out here", story="stories/f33-expired-trust-before-an-upgrade.toml"),
    _point("F34", "A reset of all devices took trunks and media down", (Command("ResetPhones"), Chosen("reset_batch"), Guard("canaries_are_back"), Guard("failure_limit"), Check("devices-back")), story="stories/f34-reset-of-everything.toml"),
    _point("F35", "From 14: phones reset again and again, node by node", (Check("phone-interaction"), Chosen("loop_after")), story="stories/f35-reset-node-by-node.toml"),
)
"""What has gone wrong elsewhere, and what is in its way here."""
# fmt: on

POINTS: Final = (*DOCUMENT, *DISAGREEMENTS, *INCIDENTS)

_HEAD: Final = """\
# The starting document, point by point

Generated by `python docs/points.py` from its table; do not edit.
Every carrier is looked up in the code, and every test in the tests, before the page is taken for true.

The project began with Cisco document 214231, "Certificate Regeneration Process for CUCM" (the edition for 8.x and later, which does not reflect the changes to ITLRecovery from 12.0 on).
Its content is 36 points; where Cisco's texts disagree is 25 more, and 35 are incidents that were reported, or that Cisco warns of.
What it means that a point has a carrier: it is done in the code and tested against the lab. Nothing has run against a real cluster.

A *row* is a step of a procedure, a *guard* or a *requirement* is what says no, and they are in the [reference](reference.md); a *check* is one of the [checks](checks.md); a *task* is for the people of another system.
Paths of tests are under `tests/`.
"""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Iterator[str]:
    names = list(head)
    yield "| " + " | ".join(names) + " |"
    yield "|" + "---|" * len(names)
    for row in rows:
        yield "| " + " | ".join((cell.replace("|", "\\|") or "-") for cell in row) + " |"
    yield ""


def _cells(point: Point) -> tuple[str, ...]:
    tests = ", ".join(f"`{test}`" for test in dict.fromkeys(point.tests))
    return (
        f'<a id="{point.name}"></a>{point.name}',
        point.says,
        ", ".join(map(str, point.carriers)),
        tests,
        point.remark,
    )


def page() -> str:
    """The whole page."""
    lines = [*_HEAD.splitlines(), ""]
    head = ("point", "what it asks", "carried by", "shown by", "remarks")
    lines += ["## The document", "", *_table(head, map(_cells, DOCUMENT))]
    lines += [
        "## Where texts disagree",
        "",
        *_table(("point", "the rule here", *head[2:]), map(_cells, DISAGREEMENTS)),
        "## Incidents",
        "",
    ]
    rows = ((*_cells(p)[:3], f"`{p.story}`" if p.story else "", p.remark) for p in INCIDENTS)
    lines += _table(("incident", "what happened", "what is in its way", "story", "remarks"), rows)
    return "\n".join(lines).rstrip() + "\n"


def faults(tests: Mapping[str, frozenset[str]]) -> tuple[str, ...]:
    """What the table claims and the code does not bear out, a line each.

    Args:
        tests: The names of the test functions in each file under ``tests/``.
    """
    found: list[str] = []
    for point in POINTS:
        if not point.carriers:
            found.append(f"{point.name}: nothing carries it")
        if not point.tests and point not in INCIDENTS:
            found.append(f"{point.name}: no test shows it")
        found += [f"{point.name}: there is no {c}" for c in point.carriers if not c.exists]
        for test in point.tests:
            file, _, name = test.partition("::")
            if name not in tests.get(file, frozenset()):
                found.append(f"{point.name}: there is no test {test}")
        if point.story and not (STORIES / point.story).is_file():
            found.append(f"{point.name}: there is no story {point.story}")
    return tuple(found)


if __name__ == "__main__":
    from written import write  # beside this script

    sys.exit(write(lambda: {TARGET: page()}, __doc__))
