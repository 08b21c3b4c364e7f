"""Which command, or look, a scenario's faults strike: each fault once, or ``times`` times."""

from __future__ import annotations

from collections.abc import Sequence

from cucm_certflow.lab.scenario import FaultSpec

__all__ = ["Faults"]


class Faults:
    """Counts what is asked of the cluster, over all sessions; one that was lost counts, too."""

    def __init__(self, specs: Sequence[FaultSpec]) -> None:
        self._specs = tuple(specs)
        self._counts = [0] * len(self._specs)

    def strike(self, node: str, text: str) -> FaultSpec | None:
        """The fault that strikes *text*, sent to *node* now; the first, if several do."""
        struck: FaultSpec | None = None
        for index, spec in enumerate(self._specs):
            if spec.node not in (None, node) or not _begins(text, spec.command):
                continue
            self._counts[index] += 1
            if 0 <= self._counts[index] - spec.nth < spec.times and struck is None:
                struck = spec
        return struck


def _begins(text: str, command: str) -> bool:
    return f"{text} ".startswith(f"{command.strip()} ")
