"""How long things take in the lab: the ``[timing]`` table of a scenario, in seconds.

Public material gives hardly any figure (procedures.md §6): all that is not sourced in a comment is
the lab's invention, chosen to be of the right order, and open to every scenario.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from cucm_certflow.lab.document import Wrong, WrongValue
from cucm_certflow.names import Service

__all__ = ["RESTART_S", "Timing"]

RESTART_S: Final[Mapping[Service, float]] = {
    Service.TOMCAT: 100.0,  # cli.md §7: 106 s at most between two commands of a log
    Service.HAPROXY: 15.0,
    Service.CALLMANAGER: 60.0,
    Service.CTIMANAGER: 30.0,
    Service.TVS: 20.0,
    Service.TFTP: 30.0,
}


@attrs.frozen(kw_only=True)
class Timing:
    """``[timing]``: durations in seconds; a pair is the range that chance draws from.

    Attributes:
        session_start_s: From connecting to the first prompt of a platform command line.
        look_s: One look, whatever it asks.
        regenerate_s: ``set cert regen``.
        restart_s: ``utils service restart``, by service (short names, or CUCM's own).
        ctl_update_s: ``utils ctl update CTLFile``.
        ctl_lag_s: How much later than the command a TFTP node serves the new list, by node.
        ctl_lag_default_s: The same for nodes that ``ctl_lag_s`` does not name.
        localkey_s: ``utils itl|ctl reset localkey``.
        delete_trust_s: ``set cert delete``.
        tftp_busy_s: For how long a TFTP node answers 503 over HTTP after its start.
        jitter: By which share of itself each duration of a command may be longer or shorter.
        reset_call_s: One ``doDeviceReset``.
        reset_lag_s: From the reset to the phone's leaving.
        phone_boot_s: From a phone's leaving, or power, to its registration.
        phone_load_s: How long before its registration it loads its lists; no more than the boot.
        tftp_timeout_s: How long a phone waits for a TFTP node that is down, before the next one.
        phone_failover_s: From the stop of its CallManager to the registration with the next one.
        phone_fallback_s: From the start of a better CallManager to the return to it.
        phone_register_s: From the start of its CallManager to the registration of a phone that
            has none.
        secure_phone_retry_s: After how long a secure phone that cannot register boots by itself.
    """

    session_start_s: float = 5.0  # cli.md §1: 9.6 s once, "10-15 s" elsewhere
    look_s: float = 1.0
    regenerate_s: float = 8.0
    restart_s: Mapping[Service, float] = attrs.field(factory=dict[Service, float])
    ctl_update_s: float = 15.0
    ctl_lag_s: Mapping[str, float] = attrs.field(factory=dict[str, float])
    ctl_lag_default_s: float = 3.0
    localkey_s: float = 20.0
    delete_trust_s: float = 3.0
    tftp_busy_s: float = 5.0
    jitter: float = 0.1
    reset_call_s: float = 0.05
    reset_lag_s: tuple[float, float] = (1.0, 5.0)
    phone_boot_s: tuple[float, float] = (60.0, 150.0)
    phone_load_s: float = 10.0
    tftp_timeout_s: float = 12.0
    phone_failover_s: tuple[float, float] = (5.0, 30.0)
    phone_fallback_s: tuple[float, float] = (120.0, 150.0)  # Connection Monitor Duration: 120 s
    phone_register_s: tuple[float, float] = (5.0, 30.0)
    secure_phone_retry_s: tuple[float, float] = (540.0, 660.0)

    def __attrs_post_init__(self) -> None:
        wrongs = [
            Wrong(field.name, reason)
            for field in attrs.fields(Timing)
            if (reason := _reason(getattr(self, field.name)))
        ]
        if self.jitter >= 1:
            wrongs.append(Wrong("jitter", f"expected a share below 1, saw {self.jitter}"))
        if self.phone_load_s > self.phone_boot_s[0]:
            wrongs.append(Wrong("phone_load_s", "is longer than the shortest phone_boot_s"))
        if wrongs:
            raise WrongValue(*wrongs)

    def restart_of(self, service: Service) -> float:
        """How long a restart of *service* takes, before jitter."""
        return self.restart_s.get(service, RESTART_S.get(service, 30.0))

    def lag_of(self, node: str) -> float:
        """How much later than the command *node* serves a new list."""
        return self.ctl_lag_s.get(node, self.ctl_lag_default_s)


def _reason(value: float | tuple[float, float] | Mapping[Any, float]) -> str:
    if isinstance(value, tuple):
        low, high = value
        if not 0 <= low <= high:
            return f"expected two durations, the shorter one first, saw {low} and {high}"
        return ""
    least = min(value.values(), default=0.0) if isinstance(value, Mapping) else value
    return f"expected seconds, 0 or more, saw {least}" if least < 0 else ""
