"""The checks of trust lists on the lab's physics, which knows nothing of them."""

from __future__ import annotations

import pytest

from cucm_certflow.checks.lists import LISTS_AFTER
from cucm_certflow.checks.scope import Scope
from cucm_certflow.facts import Known, Query, ServedList
from cucm_certflow.findings import Finding, Severity, Verdict
from cucm_certflow.lab.observe import cluster_facts
from cucm_certflow.lab.physics import actions
from cucm_certflow.lab.physics.world import Layout, Node, PhoneKind, World
from cucm_certflow.names import CertUnit, ListKind, Service
from tests.checks.ground import NOW

NODES = (Node("pub", publisher=True), Node("sub", publisher=False))
KINDS = (PhoneKind("a phone", ("pub", "sub"), ("pub", "sub")),)
RELEASES = [(8, 6), (10, 5), (11, 5), (12, 0), (12, 5), (14, 0), (15, 0)]
LOUD = (CertUnit.CAPF, CertUnit.CALLMANAGER, CertUnit.TVS, CertUnit.ITLRECOVERY)


def _begin(release: tuple[int, int], *, mixed: bool) -> tuple[Layout, World]:
    layout = Layout(NODES, release, mixed)
    return layout, actions.initial(layout, KINDS)


def _found(layout: Layout, world: World) -> dict[str, Finding]:
    """What the checks of lists find, on what the nodes of *world* show and serve."""
    facts = cluster_facts(layout, KINDS, world, at=NOW)
    answers: dict[Query, Known] = {}
    for node in facts.tftp_nodes:
        answers[ServedList(node.name, ListKind.ITL)] = Known(node.itl, NOW)
        ctl = node.ctl and node.ctl._replace(token=layout.signs_by_token)
        answers[ServedList(node.name, ListKind.CTL)] = Known(ctl, NOW)
    there = Scope(facts=facts, units=frozenset(LOUD), now=NOW, answers=answers)
    return {check.id: check.judge(there) for check in LISTS_AFTER if check.applies(there)}


def _faults(layout: Layout, world: World) -> set[str]:
    return {
        name
        for name, finding in _found(layout, world).items()
        if finding.verdict is not Verdict.PASS and finding.severity is not Severity.WARNING
    }


def _regenerated(layout: Layout, world: World, unit: CertUnit) -> World:
    for node in NODES:
        if layout.has(unit, node.name):
            world = actions.regenerate(layout, world, unit, node.name)
    return world


def _caught_up(layout: Layout, world: World) -> World:
    """After TFTP was restarted everywhere, and the CTL renewed as the release does it."""
    for node in NODES:
        world = actions.restart(layout, world, Service.TFTP, node.name)
    if layout.mixed:
        by_token = layout.release < (10, 0)
        renew = actions.sign_ctl_by_token if by_token else actions.update_ctl
        world = renew(layout, world)
    return world


EACH = pytest.mark.parametrize(
    ("release", "mixed"),
    [(release, mixed) for release in RELEASES for mixed in (True, False)],
)


@EACH
def test_nothing_is_found_before_anything_changed(release: tuple[int, int], mixed: bool) -> None:
    assert not _faults(*_begin(release, mixed=mixed))


@EACH
@pytest.mark.parametrize("unit", LOUD)
def test_lists_that_lag_behind_are_found_until_they_have_caught_up(
    unit: CertUnit, release: tuple[int, int], mixed: bool
) -> None:
    layout, world = _begin(release, mixed=mixed)
    if not any(layout.has(unit, node.name) for node in NODES):
        pytest.skip(f"{release} has no {unit}")
    world = _regenerated(layout, world, unit)
    behind = _faults(layout, world)
    # Every ITL names it, and a CTL all but TVS.
    assert "itl-equals-live" in behind
    in_ctl = {"ctl-equals-live", "ctl-anchors-live"} & behind
    assert bool(in_ctl) is (mixed and unit is not CertUnit.TVS), behind
    assert not _faults(layout, _caught_up(layout, world))


@pytest.mark.parametrize("release", [(12, 5), (14, 0)])
def test_an_itl_by_localkey_is_found_until_tftp_was_restarted(release: tuple[int, int]) -> None:
    layout, world = _begin(release, mixed=False)
    world = actions.reset_localkey(layout, world, ListKind.ITL)
    assert _found(layout, world)["itl-signer-live"].severity is Severity.CONSENT
    assert "itl-signer-live" in _faults(layout, world)
    assert not _faults(layout, _caught_up(layout, world))


def test_an_old_itlrecovery_in_the_ctl_is_found_before_callmanager_is_touched() -> None:
    # FN70613: an upgrade made ITLRecovery anew, TFTP was restarted, the CTL never updated.
    layout, world = _begin((12, 5), mixed=True)
    world = actions.regenerate(layout, world, CertUnit.ITLRECOVERY, "pub")
    for node in NODES:
        world = actions.restart(layout, world, Service.TFTP, node.name)
    assert _faults(layout, world) == {"ctl-anchors-live"}
    finding = _found(layout, world)["ctl-anchors-live"]
    assert finding.severity is Severity.BLOCK
