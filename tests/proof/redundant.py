"""Mutants that no exploration misses, each with the reason; what shields one is named."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tests.proof.mutations import ORDERS, Kind, Mutant

__all__ = ["REDUNDANT", "SHIELDS"]

_CHAIN: Final = "the steps of a plan form one chain (P5, P6)"
_REASONS: Final[Mapping[str, str]] = {
    "step_before_proved": "`decide` passes over a planned step whose predecessor is not proved; "
    "the guard says so to whoever asks `why_not`",
    "nothing_held": f"{_CHAIN}: after a held step none is next",
    "one_change_at_a_time": f"{_CHAIN}: while one is under way none is next",
    "entry_is_there": "the explorer's facts are never old: the edge `found_done` sees first what "
    "it would see; over facts that age: `tests/journeys/test_trust_cleanup.py`",
    "failure_limit": "in the explorer a batch that waits for nothing is sent before time passes; "
    "driven in `tests/journeys/test_phones.py`",
    "boots_are_over": "`baseline_known` takes no registration from before the boots are over for a "
    "baseline",
    "baseline_known": "`drift` reads the same certificates before it, and `boots_are_over` waits "
    "for the same moment",
    "reply_lost": "silence taken for a lost reply only costs time: a command in doubt is not sent "
    "again before it can no longer be running",
    "reply_withheld": "the last edge that is tried: a reply is known by then, or its loss is",
    "window_may_open": "it says early what `not_stopped` and `time_is_left` say of the first "
    "command of a window",
    "window_regenerated": "steps form a chain in which every regeneration comes first, and the "
    "guards below keep the certificate until the rows are proved",
    "mixed_mode_ctl": "`ctl_proved` waits for the row whose proof reads the same CTL",
    "still_shown": "what others put there in the meantime is `drift` at the end of the run, which "
    "looks at the same certificates; driven directly in `tests/tables/test_tables.py`",
    "deletions_proved": "`did_not_come_back` looks into the stores of every node once more",
    "watched_long_enough": "`did_not_come_back` takes no look from before the watch is over",
    "PHONES_CALLED: always": "the barrier `phones_back` takes no registration from before the "
    "reset",
    "CTL_SERVED: first node": "the physics writes the CTL of every node in one go",
    "CTL_SIGNED_ANEW: first node": "the physics writes the CTL of every node in one go",
    "ITL_SIGNED_ANEW: first node": "the physics writes the ITL of every node in one go",
    "ITL_SERVED: restart only": "in the physics TFTP serves its new list once it has started, "
    "and `phones_can_be_called` reads every list again",
    "HTTPS_PRESENTS: restart only": "in the physics Tomcat presents its new certificate once it "
    "has started",
}

_WEB: Final = (
    "each takes up Tomcat's certificate by itself: no phone holds it, and it stands in no list "
    "(D10, D11)"
)
_D6: Final = (
    "Cisco's texts disagree, and only TVS before TFTP, and every restart before the reset, matter "
    "(D6)"
)
_D4: Final = "CAPF's place is any after the CTL (D4): no list and no phone asks whether it runs"
_NEVER_BOTH: Final = "no cluster has both rows: the one is for what the other is not for"
_PAIRS: Final[Mapping[frozenset[str], str]] = {
    frozenset(pair): reason
    for *pair, reason in (
        ("restart-tomcat", "restart-ssosp-tomcat", _WEB),
        ("restart-ssosp-tomcat", "restart-uds-tomcat", _WEB),
        ("restart-uds-tomcat", "restart-axl-tomcat", _WEB),
        ("restart-axl-tomcat", "restart-extension-mobility", _WEB),
        ("restart-extension-mobility", "restart-intercluster-lookup", _WEB),
        ("restart-intercluster-lookup", "restart-location-bandwidth-manager", _WEB),
        ("restart-location-bandwidth-manager", "restart-tftp", _WEB),
        ("restart-tftp", "restart-drf-master", _WEB),
        ("restart-drf-master", "restart-drf-local", "backup goes by both, once both are restarted"),
        ("restart-callmanager", "restart-capf", _D4),
        ("restart-capf", "restart-tvs", _D4),
        ("restart-callmanager", "restart-ctimanager", _D6),
        ("restart-ctimanager", "restart-tvs", _D6),
        ("restart-tftp", "restart-haproxy", _D6),
        ("restart-sip-proxy", "restart-presence-engine", "no source orders them, no phone asks"),
        ("ctl-update", "ctl-by-hand", _NEVER_BOTH),
        ("itl-localkey", "ctl-localkey", _NEVER_BOTH),
    )
}


def _of_rows(mutant: Mutant) -> str | None:
    return _PAIRS.get(frozenset(mutant.name.partition(": ")[2].split(" before ")))


REDUNDANT: Final[Mapping[str, str]] = {
    **_REASONS,
    **{
        mutant.name: reason
        for mutant in ORDERS
        if mutant.kind is Kind.ROWS and (reason := _of_rows(mutant)) is not None
    },
}
"""The reason, by the name of the mutant."""

_NO_END: Final = "held for good"
_STRANDED: Final = "on sub holds neither a CallManager nor a TVS certificate of now"
SHIELDS: Final[Mapping[tuple[str, ...], tuple[str, str]]] = {
    ("baseline_known", "drift"): ("unreadable certificates", "AssertionError"),
    ("boots_are_over", "baseline_known"): ("secure phone", _STRANDED),
    ("mixed_mode_ctl", "ctl_proved"): ("unreadable certificates in mixed mode", _NO_END),
    ("window_regenerated", "ctl_proved", "mixed_mode_ctl"): ("secure phone", _NO_END),
    ("deletions_proved", "did_not_come_back"): (
        "a deletion that is refused",
        "finished, and Phone-SAST-trust/pub/tomcat/g0.pem is there",
    ),
    ("watched_long_enough", "did_not_come_back"): (
        "an entry that is put back",
        "finished, and the nodes will put back what was deleted",
    ),
}
"""A redundant mutant, then what shields it: where they are missed together, and what is seen."""
