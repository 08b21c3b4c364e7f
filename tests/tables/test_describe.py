"""A plan in words: over which way each command and each question goes, and what cannot be used."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import attrs
import pytest

from cucm_certflow.commands import RestartService
from cucm_certflow.core.describe import describe_plan
from cucm_certflow.core.plan import Plan
from cucm_certflow.core.routing import WAYS, WITHOUT, route_of, ways_for
from cucm_certflow.facts import InterfaceState
from cucm_certflow.names import CertUnit, Interface, Release, Service
from cucm_certflow.transports.controlcenter import NOT_BY_SOAP
from tests.proof.runs import BOTH, R11_5, R14, homed, layout_of, planned

NODES = ("pub", "sub")
ROLE = "Standard CCM Server Monitoring"


def states(
    usable: bool | None = True,
    changed: Mapping[tuple[str, Interface], InterfaceState] | None = None,
) -> tuple[InterfaceState, ...]:
    every = (InterfaceState(node, each, usable) for node in NODES for each in Interface)
    changed = changed or {}
    return tuple(changed.get((state.node, state.interface), state) for state in every)


def plan(interfaces: Iterable[InterfaceState] = (), release: tuple[int, int] = R11_5) -> Plan:
    made = planned(layout_of(release), (homed("sub"),), units=BOTH | {CertUnit.TOMCAT})
    assert not made.refusals
    return attrs.evolve(made, facts=attrs.evolve(made.facts, interfaces=tuple(interfaces)))


def ways_of_steps(text: str) -> dict[str, str]:
    """The way of each command of *text*."""
    found = re.findall(r"^  (\S.*)\n    on .*\n    by     (.*)$", text, re.MULTILINE)
    return dict(found)


def ways_of_questions(text: str) -> dict[str, str]:
    """The way of each kind of question of *text*."""
    ways = text.partition("\nways:\n")[2].partition("\n\n")[0]
    return dict(re.findall(r"^  ([A-Z]\w+) +(\S.*)$", ways, re.MULTILINE))


def lacking(interface: Interface, *nodes: str, role: str = "", reason: str = "") -> str:
    broken = {
        (node, interface): InterfaceState(node, interface, usable=False, reason=reason, role=role)
        for node in nodes
    }
    return describe_plan(plan(states(changed=broken)))


# ── commands ──────────────────────────────────────────────────────────────────────────────


def test_every_command_of_the_plan_has_its_way() -> None:
    made = plan(states())
    ways = ways_of_steps(describe_plan(made))
    assert ways["set cert regen CallManager"] == "platform CLI"
    assert ways["utils service restart Cisco Tftp"] == "platform CLI, else Control Center"
    (resets,) = {way for what, way in ways.items() if what.startswith("doDeviceReset")}
    assert resets == "AXL"
    for step in made.steps:
        assert any(str(step.command).split(",")[0].split(" of ")[0] in what for what in ways)


def test_tomcat_is_never_said_to_be_restarted_by_control_center() -> None:
    ways = ways_of_steps(describe_plan(plan(states())))
    assert ways["utils service restart Cisco Tomcat"] == "platform CLI"


@pytest.mark.parametrize("service", list(Service))
def test_the_table_and_control_center_agree_on_what_it_restarts(service: Service) -> None:
    ways = {way.interface for way in ways_for(RestartService("pub", service), Release(15, 0))}
    assert (Interface.CONTROL_CENTER in ways) == (service.value not in NOT_BY_SOAP)
    assert Interface.SSH in ways


def test_a_way_that_cannot_be_used_on_a_node_is_not_named_for_its_commands() -> None:
    text = lacking(Interface.SSH, "sub", reason="no session")
    ways = re.findall(
        r"restart Cisco Tftp\n    on     (\S.*)\n    by     (.*)$", text, re.MULTILINE
    )
    assert dict(ways) == {
        "pub": "platform CLI, else Control Center",
        "sub": "Control Center",
    }
    regenerated = re.findall(r"regen TVS\n    on     (\S.*)\n    by     (.*)$", text, re.MULTILINE)
    assert dict(regenerated) == {"pub": "platform CLI", "sub": "no way"}


# ── questions ─────────────────────────────────────────────────────────────────────────────


def test_every_question_of_a_run_has_its_ways_in_order() -> None:
    questions = ways_of_questions(describe_plan(plan(states())))
    assert questions == {
        "CertificateOf": "platform CLI",
        "ServiceOn": "Control Center, else platform CLI",
        "ServedList": "HTTP 6970",
        "PresentedCertificate": "TLS handshake",
        "Registrations": "RISPort70",
        "RegistrationCounts": "PerfMon",
    }


def test_from_14_on_there_is_a_second_way_to_certificates() -> None:
    young = ways_of_questions(describe_plan(plan(states(), R14)))
    assert young["CertificateOf"] == "platform CLI, else platform REST"


def test_what_nobody_has_tried_is_a_way_all_the_same() -> None:
    questions = ways_of_questions(describe_plan(plan(states(None))))
    assert questions["Registrations"] == "RISPort70"
    assert questions["ServiceOn"] == "Control Center, else platform CLI"


def test_without_having_tried_anything_nothing_is_said() -> None:
    assert "\nways:" not in describe_plan(plan())


def test_what_can_be_used_nowhere_is_no_way() -> None:
    text = lacking(Interface.RISPORT, *NODES, reason="HTTP 404")
    assert ways_of_questions(text)["Registrations"] == "no way"
    text = lacking(Interface.CONTROL_CENTER, *NODES, reason="HTTP 404")
    assert ways_of_questions(text)["ServiceOn"] == "platform CLI"


def test_what_can_be_used_on_one_node_is_a_way() -> None:
    text = lacking(Interface.CONTROL_CENTER, "sub", reason="HTTP 404")
    assert ways_of_questions(text)["ServiceOn"] == "Control Center, else platform CLI"


# ── what cannot be used ───────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("interface", list(Interface))
def test_what_cannot_be_used_is_named_with_its_node_why_and_what_is_left(
    interface: Interface,
) -> None:
    by_reason = lacking(interface, "sub", reason="HTTP 404")
    assert f"  {interface} on sub cannot be used: HTTP 404\n" in by_reason
    by_role = lacking(interface, "pub", role=ROLE, reason="HTTP 403 from pub")
    assert f"  {interface} on pub cannot be used: lacks the role {ROLE}\n" in by_role
    for text in (by_reason, by_role):
        assert f"    without  {WITHOUT[interface]}" in text
        assert text.count("cannot be used") == 1


def test_the_plan_itself_is_told_so() -> None:
    made = plan(states())
    assert str(made) == describe_plan(made)


# ── the table ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("service", [Service.TOMCAT, Service.TFTP])
def test_a_route_is_what_is_left_of_the_ways(service: Service) -> None:
    command = RestartService("sub", service)
    broken = InterfaceState("sub", Interface.SSH, usable=False, reason="no session")
    elsewhere = InterfaceState("pub", Interface.CONTROL_CENTER, usable=False)
    taken, left = route_of(command, "sub", Release(15, 0), (broken, elsewhere))
    expected = [] if service is Service.TOMCAT else [Interface.CONTROL_CENTER]
    assert [way.interface for way in taken] == expected
    assert left == (broken,)


def test_no_way_is_there_twice() -> None:
    for ways in WAYS.values():
        interfaces = [way.interface for way in ways]
        assert len(interfaces) == len(set(interfaces))
        assert all(way.note for way in ways)
