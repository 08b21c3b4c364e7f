"""For those who test their own rules, transports and scripts; needs the extra ``testing``.

Everything here comes lazily: virtual time needs neither pytest nor Hypothesis, and nothing needs
the lab's servers. Two modules are imported by name, because they need Hypothesis:
``cucm_certflow.testing.strategies`` and ``cucm_certflow.testing.stateful``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cucm_certflow.testing.assertions import (
        assert_never_graded_above_truth,
        assert_no_phone_lost,
        assert_order,
        assert_regenerated_once,
    )
    from cucm_certflow.testing.explorer import (
        RULES,
        Exploration,
        Explorer,
        Limits,
        Mishap,
        Rule,
        Violation,
    )
    from cucm_certflow.testing.scripts import NotInStandIn, ScriptLab
    from cucm_certflow.testing.stage import Stage, play, replay
    from cucm_certflow.testing.subject import SCENARIO, Subject
    from cucm_certflow.testing.transport_contract import TransportContract
    from cucm_certflow.testing.verdict import Verdict, verdict_of
    from cucm_certflow.testing.virtual import (
        EPOCH,
        Deadlock,
        VirtualClock,
        VirtualLoop,
        run_virtual,
    )

__all__ = [
    "EPOCH",
    "RULES",
    "SCENARIO",
    "Deadlock",
    "Exploration",
    "Explorer",
    "Limits",
    "Mishap",
    "NotInStandIn",
    "Rule",
    "ScriptLab",
    "Stage",
    "Subject",
    "TransportContract",
    "Verdict",
    "Violation",
    "VirtualClock",
    "VirtualLoop",
    "assert_never_graded_above_truth",
    "assert_no_phone_lost",
    "assert_order",
    "assert_regenerated_once",
    "play",
    "replay",
    "run_virtual",
    "verdict_of",
]

_HOME = {
    "assertions": (
        "assert_never_graded_above_truth",
        "assert_no_phone_lost",
        "assert_order",
        "assert_regenerated_once",
    ),
    "explorer": ("RULES", "Exploration", "Explorer", "Limits", "Mishap", "Rule", "Violation"),
    "scripts": ("NotInStandIn", "ScriptLab"),
    "stage": ("Stage", "play", "replay"),
    "subject": ("SCENARIO", "Subject"),
    "transport_contract": ("TransportContract",),
    "verdict": ("Verdict", "verdict_of"),
    "virtual": ("EPOCH", "Deadlock", "VirtualClock", "VirtualLoop", "run_virtual"),
}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - what a module has
    for module, names in _HOME.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *__all__]
