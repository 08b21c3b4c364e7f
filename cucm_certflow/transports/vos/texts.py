"""Lines of what the platform command line prints, and the error for what is in no known form."""

from __future__ import annotations

import re

from cucm_certflow.errors import NodeFault, Report, UnknownLayout

__all__ = ["lines_of", "node_says", "unknown"]

_SHOWN = 200


def lines_of(text: str) -> list[str]:
    """The lines of *text*, whatever ends them, without blanks at their ends."""
    return [line.rstrip() for line in re.sub(r"\r\n?", "\n", text).split("\n")]


def unknown(command: str, saw: str) -> UnknownLayout:
    """The error that the output of *command*, of which *saw* is a part, is in no known form."""
    return UnknownLayout(
        Report(
            headline=f"the output of {command!r} is in no form that we know",
            saw=ascii(saw.strip()[:_SHOWN]),
            next="read it by hand; a capture of it would teach the library",
        )
    )


def node_says(command: str, saw: str) -> NodeFault:
    """The error that the node answered *command* with an error of its own, *saw*."""
    return NodeFault(
        Report(
            headline=f"{command!r} has no answer",
            saw=ascii(saw.strip()[:_SHOWN]),
            left="nothing was changed",
        )
    )
