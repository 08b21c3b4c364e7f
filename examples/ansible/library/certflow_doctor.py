#!/usr/bin/python
"""An Ansible module over the library: whether everything that a run needs of a cluster can be had.

It takes its arguments as a file of JSON, which Ansible gives to a module that says WANT_JSON, and
prints one JSON document. Arguments: ``inventory``, the path of a certflow inventory; ``within``,
real seconds for each node (120); ``clock_within``, by how many a node's clock may be off (60). It
changes nothing.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from cucm_certflow import CertflowError, Inventory, connect


async def look(inventory: str, within_s: float, clock_s: float) -> dict[str, Any]:
    """The module's answer: failed unless every node and every way to it is as it must be."""
    async with connect(Inventory.load(inventory)) as cluster:
        report = await cluster.doctor(node_within_s=within_s, clock_within_s=clock_s)
    wrong = [
        {"node": s.node, "area": s.area.value, "detail": s.detail, "next": s.next}
        for s in report.wrong()
    ]
    words = "; ".join(f"{sign['node']}: {sign['detail']}" for sign in wrong)
    return {"changed": False, "failed": bool(wrong), "msg": words or "all is well", "wrong": wrong}


def answer(path: str) -> dict[str, Any]:
    """What is printed; an error of the library's is the module's failure, in its words."""
    given = json.loads(Path(path).read_text(encoding="utf-8"))
    try:
        figures = float(given.get("within", 120)), float(given.get("clock_within", 60))
        return asyncio.run(look(given["inventory"], *figures))
    except CertflowError as error:
        return {"changed": False, "failed": True, "msg": str(error), "code": error.code}
    except (KeyError, TypeError, ValueError) as error:
        return {"changed": False, "failed": True, "msg": f"arguments: {error!r}"}


if __name__ == "__main__":
    said = answer(sys.argv[1])
    print(json.dumps(said))
    sys.exit(1 if said["failed"] else 0)
