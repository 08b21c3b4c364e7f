"""Plans to be read, as text and as Markdown: written by `python -m tests.golden.plans`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cucm_certflow.cli.planning import Form, plan_as
from cucm_certflow.core.cleanup import plan_cleanup
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.planner import make_plan
from cucm_certflow.findings import Said
from cucm_certflow.names import CertUnit
from cucm_certflow.procedures.policies import Policy, UnitOrder
from cucm_certflow.procedures.vocabulary import Stage
from cucm_certflow.testing.stage import Stage as LabStage
from cucm_certflow.testing.stage import play
from tests.tables.paper import cluster, entry

__all__ = ["FOLDER", "FORMS", "PLANS", "files"]

FOLDER: Final = Path(__file__).with_name("plans")
FORMS: Final[Mapping[Form, str]] = {Form.TEXT: "txt", Form.MARKDOWN: "md"}
"""The document of a plan is held against its schema instead: nobody reads it as it is."""

_CLUSTER: Final = """
name = "{release}, {mode}"
release = "{release}"
mode = "{mode}"

[accounts]
platform = {{ user = "administrator", password = "lab-platform" }}
application = {{ user = "certflow", password = "lab-application" }}

[[nodes]]
name = "pub"
address = "127.0.0.11"
publisher = true
services = ["callmanager", "cti", "tftp", "tvs"]

[[nodes]]
name = "sub"
address = "127.0.0.12"
services = ["callmanager", "cti", "tftp", "tvs"]

[[phones]]
count = 7
first = "SEP001122330001"
model = "Cisco 8861"
group = ["sub", "pub"]
tftp = ["sub", "pub"]

[[phones]]
count = 2
first = "SEP001122340001"
model = "Cisco 7940"
security_by_default = false
group = ["sub", "pub"]
tftp = ["sub", "pub"]

[[phones]]
count = 1
first = "SEP001122350001"
model = "Cisco Unified Client Services Framework"
group = ["pub", "sub"]
tftp = ["sub", "pub"]

[[phones]]
count = 1
first = "SEP001122360001"
model = "Cisco 8861"
group = ["pub", "sub"]
tftp = ["sub", "pub"]
state = "off"
"""

_BOTH: Final = (CertUnit.CALLMANAGER, CertUnit.TVS)
_DRAWER: Final = "SEP001122360001"


def _of(
    release: str,
    mode: str,
    *units: CertUnit,
    together: bool = False,
    looks: bool = False,
    answers: bool = False,
    policy: Policy | None = None,
    waive: tuple[str, ...] = (),
) -> Callable[[], Plan]:
    async def story(stage: LabStage) -> Plan:
        facts = await stage.cluster.discover()
        report = await stage.cluster.preflight(units=units, facts=facts) if looks else None
        said = [
            Said(item=finding.check, by="A. Person", why="seen at the node | on the night")
            for finding in (report.open(waive) if report and answers else ())
        ]
        if report and answers:
            report = await stage.cluster.preflight(units=units, facts=facts, said=said)
        return make_plan(
            facts,
            units=None if together else units,
            windows=[units] if together else None,
            policy=policy,
            waive=waive,
            preflight=report,
        )

    return lambda: play(_CLUSTER.format(release=release, mode=mode), story)


def _cleanup() -> Plan:
    old = entry("tomcat-trust", "old.pem")
    return plan_cleanup(cluster("11.5"), {"pub": (old,), "sub": (old,), "imp": ()})


PLANS: Final[Mapping[str, Callable[[], Plan]]] = {
    "11.5-mixed": _of("11.5", "mixed", CertUnit.TOMCAT, *_BOTH),
    "11.5-mixed-refused": _of("11.5", "mixed", *_BOTH, together=True, looks=True),
    "12.5-nonsecure": _of("12.5", "non-secure", *_BOTH, CertUnit.CAPF),
    "15-mixed-answered": _of(
        "15",
        "mixed",
        CertUnit.ITLRECOVERY,
        CertUnit.TVS,
        looks=True,
        answers=True,
        policy=Policy(
            order=UnitOrder.TVS_FIRST,
            reset_batch=4,
            approve=frozenset({Stage.RESET}),
            run_within_s=7200.0,
        ),
        waive=(_DRAWER,),
    ),
    "cleanup": _cleanup,
}
"""By the name of the files."""


def files() -> dict[Path, str]:
    """Every file with its text."""
    made = {name: make() for name, make in PLANS.items()}
    return {
        FOLDER / f"{name}.{ending}": plan_as(plan, form)
        for name, plan in made.items()
        for form, ending in FORMS.items()
    }


def main() -> int:
    """Write the files anew; those of plans that are no more are removed."""
    wanted = files()
    FOLDER.mkdir(exist_ok=True)
    for path in set(FOLDER.iterdir()) - set(wanted):
        path.unlink()
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
