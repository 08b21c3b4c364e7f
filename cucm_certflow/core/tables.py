"""The three transition tables: every edge of the library is in this file."""

from __future__ import annotations

from typing import Final

from cucm_certflow.core.certificate_guards import CERTIFICATE_GUARDS as C
from cucm_certflow.core.command_guards import COMMAND_GUARDS as G
from cucm_certflow.core.entry_guards import ENTRY_GUARDS as E
from cucm_certflow.core.states import CertificateState, CommandState, Edge, EntryState, Table
from cucm_certflow.core.view import View

__all__ = ["CERTIFICATE", "COMMAND", "ENTRY", "LOOK", "RESUME"]

LOOK: Final = "look"
"""The trigger of ``decide``: look at the facts, and move on if they allow it."""

RESUME: Final = "resume"
"""The trigger of a person who has looked at a held step."""

_S, _L, _E = CommandState, CertificateState, EntryState

# fmt: off
COMMAND: Final[Table[View, CommandState]] = Table(
    name="command", states=CommandState, initial=_S.PLANNED, final=frozenset({_S.PROVED}),
    edges=(
        # Another command of the run has done it already: a deletion can be cluster-wide.
        Edge(name="found_done", trigger=LOOK, source=_S.PLANNED, dest=_S.PROVED,
             guards=(G["step_before_proved"], G["nothing_held"], G["entry_is_gone"])),
        Edge(name="intend", trigger=LOOK, source=_S.PLANNED, dest=_S.INTENDED, emits=True, guards=(
            G["stage_reached"], G["step_before_proved"], G["nothing_held"],
            G["one_change_at_a_time"], G["attempts_left"], G["clock_goes_on"], G["not_stopped"],
            G["time_is_left"], G["approved"], G["service_is_up"],
            G["entry_is_there"],
            G["entry_not_needed"], G["replication_good"], G["no_backup_running"],
            G["databases_have_it"], G["phones_fell_back"],
            G["canaries_are_back"], G["failure_limit"], G["batch_before_is_back"],
            G["phones_can_be_called"], G["boots_are_over"], G["baseline_known"], G["drift"],
            G["secure_phones_can_register"], G["lifeline"])),
        Edge(name="replied", trigger=LOOK, source=_S.INTENDED, dest=_S.SENT,
             guards=(G["reply_accepted"],)),
        Edge(name="refused", trigger=LOOK, source=_S.INTENDED, dest=_S.HELD,
             guards=(G["reply_refused"],)),
        Edge(name="lost", trigger=LOOK, source=_S.INTENDED, dest=_S.IN_DOUBT,
             guards=(G["reply_lost"],)),
        # Decided on too long ago: it did not leave us, and is decided on anew.
        Edge(name="withheld", trigger=LOOK, source=_S.INTENDED, dest=_S.PLANNED,
             guards=(G["reply_withheld"],)),
        Edge(name="proved", trigger=LOOK, source=_S.SENT, dest=_S.PROVED,
             guards=(G["shown_done"],)),
        # What another process watched is not known to this one.
        Edge(name="forgotten", trigger=LOOK, source=_S.SENT, dest=_S.IN_DOUBT,
             guards=(G["reply_lost"],)),
        Edge(name="not_proved", trigger=LOOK, source=_S.SENT, dest=_S.HELD,
             guards=(G["budget_is_over"],)),
        Edge(name="proved_after_doubt", trigger=LOOK, source=_S.IN_DOUBT, dest=_S.PROVED,
             guards=(G["shown_done"],)),
        # Only once it can no longer be running, and was seen not to be done, may it be sent again.
        Edge(name="send_again", trigger=LOOK, source=_S.IN_DOUBT, dest=_S.PLANNED,
             guards=(G["settled"], G["clock_goes_on"], G["shown_not_done"], G["attempts_left"],
                     G["again_approved"])),
        Edge(name="doubt_remains", trigger=LOOK, source=_S.IN_DOUBT, dest=_S.HELD,
             guards=(G["budget_is_over"],)),
        Edge(name="resumed", trigger=RESUME, source=_S.HELD, dest=_S.IN_DOUBT),
    ),
)

CERTIFICATE: Final[Table[View, CertificateState]] = Table(
    name="certificate", states=CertificateState, initial=_L.PLANNED,
    final=frozenset({_L.VERIFIED}),
    edges=(
        Edge(name="begin", trigger=LOOK, source=_L.PLANNED, dest=_L.REGENERATING,
             guards=(C["window_is_open"], C["exclusion"], C["window_may_open"])),
        Edge(name="regenerated", trigger=LOOK, source=_L.REGENERATING, dest=_L.REGENERATED,
             guards=(C["regenerate_proved"],)),
        Edge(name="listed", trigger=LOOK, source=_L.REGENERATED, dest=_L.LISTED,
             guards=(C["window_regenerated"], C["ctl_proved"], C["mixed_mode_ctl"])),
        Edge(name="activated", trigger=LOOK, source=_L.LISTED, dest=_L.ACTIVATED,
             guards=(C["restart_proved"],)),
        Edge(name="called", trigger=LOOK, source=_L.ACTIVATED, dest=_L.CALLED,
             guards=(C["reset_proved"],)),
        Edge(name="converged", trigger=LOOK, source=_L.CALLED, dest=_L.CONVERGED,
             guards=(C["phones_back"],)),
        Edge(name="next_wave", trigger=LOOK, source=_L.CONVERGED, dest=_L.REGENERATED,
             guards=(C["has_next_wave"],)),
        Edge(name="verified", trigger=LOOK, source=_L.CONVERGED, dest=_L.VERIFIED,
             guards=(C["still_shown"],)),
    ),
)

ENTRY: Final[Table[View, EntryState]] = Table(
    name="trust entry", states=EntryState, initial=_E.PLANNED, final=frozenset({_E.GONE}),
    edges=(
        Edge(name="deleted", trigger=LOOK, source=_E.PLANNED, dest=_E.DELETED,
             guards=(E["deletions_proved"],)),
        Edge(name="settled", trigger=LOOK, source=_E.DELETED, dest=_E.SETTLED,
             guards=(E["services_proved"],)),
        Edge(name="gone", trigger=LOOK, source=_E.SETTLED, dest=_E.GONE,
             guards=(E["watched_long_enough"], E["did_not_come_back"])),
    ),
)
# fmt: on
