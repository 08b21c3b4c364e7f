"""Clients from the registry of Node.js, unmodified."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conformance import node_clients
from tests.conformance.labs import RELEASES, RunningLab
from tests.conformance.page import Judged
from tests.conformance.test_zeep_strict import Labs
from tests.lab.small import OFF, PHONE, SECURE

ANYTHING = ("Any", "Any")  # Protocol, DownloadStatus
COUNTER = {
    "host": "pub",
    "object": "Cisco CallManager",
    "instance": "",
    "counter": "RegisteredHardwarePhones",
}


@pytest.fixture(params=RELEASES)
def lab(request: pytest.FixtureRequest, labs: Labs) -> RunningLab:
    return labs(request.param)


def test_cisco_axl(lab: RunningLab, judged: Judged) -> None:
    tags = {"name": "", "nodeUsage": "", "processNodeRole": ""}
    version, rows, nodes, phones, group, done, unknown = node_clients.call(
        "cisco-axl",
        (lab.address(), lab.user, lab.password, lab.axl),
        ("executeOperation", "getCCMVersion", {}),
        ("executeOperation", "executeSQLQuery", {"sql": "select name from device"}),
        (
            "executeOperation",
            "listProcessNode",
            {"searchCriteria": {"name": "%"}, "returnedTags": tags},
        ),
        (
            "executeOperation",
            "listPhone",
            {"searchCriteria": {"name": "SEP%"}, "returnedTags": {"name": "", "protocol": ""}},
        ),
        ("executeOperation", "getCallManagerGroup", {"name": "CMG_1"}),
        ("executeOperation", "doDeviceReset", {"deviceName": PHONE, "isHardReset": "true"}),
        ("executeOperation", "doDeviceReset", {"deviceName": "SEP0", "isHardReset": "true"}),
    )
    said = version["componentVersion"]["version"]
    assert said.startswith(lab.release.partition("-")[0])
    assert len(rows["row"]) == 6
    assert {"pub", "sub"} <= {each["name"] for each in nodes["processNode"]}
    assert len(phones["phone"]) == 6
    members = group["callManagerGroup"]["members"]["member"]
    assert [member["priority"] for member in members] == ["0", "1"]
    assert done == "true"
    assert unknown["error"]["detail"]["axlError"]["axlcode"] == "5007"
    for operation, result in (
        ("getCCMVersion", "the release"),
        ("executeSQLQuery", "6 rows"),
        ("listProcessNode", "all nodes"),
        ("listPhone", "6 phones"),
        ("getCallManagerGroup", "2 members, with priority"),
        ("doDeviceReset", "true; of an unknown phone, fault 5007"),
    ):
        judged.note("cisco-axl", lab.axl, f"executeOperation('{operation}', …)", result)


def test_cisco_risport(lab: RunningLab, judged: Judged) -> None:
    plain, named = node_clients.call(
        "cisco-risport",
        (lab.address(), lab.user, lab.password),
        ("selectCmDevice", "SelectCmDevice", 1000, "Phone", 255, "Any", "", "Name", "*", *ANYTHING),
        (
            "selectCmDevice",
            "SelectCmDeviceExt",
            1000,
            "Phone",
            255,
            "Any",
            "",
            "Name",
            [SECURE, OFF],
            *ANYTHING,
        ),
    )
    assert len(phones_in(plain["results"])) >= 6
    assert phones_in(named["results"]) == {SECURE: "Registered", OFF: "UnRegistered"}
    assert "JSESSIONIDSSO" in plain["cookie"]
    judged.note("cisco-risport", lab.axl, "selectCmDevice(SelectCmDevice, …, *)", "6 phones")
    judged.note(
        "cisco-risport",
        lab.axl,
        "selectCmDevice(SelectCmDeviceExt, …, [2 names])",
        "Registered, UnRegistered",
    )


def test_cisco_perfmon(lab: RunningLab, judged: Judged) -> None:
    made_with: tuple[object, ...] = (lab.address(), lab.user, lab.password, {}, False)
    once, known, description, opened = node_clients.call(
        "cisco-perfmon",
        made_with,
        ("collectCounterData", "pub", "Cisco CallManager"),
        ("listCounter", "pub"),
        ("queryCounterDescription", COUNTER),
        ("openSession",),
    )
    assert {each["host"] for each in once["results"]} == {"pub"}
    assert "Cisco CallManager" in {each["Name"] for each in known["results"]}
    assert description["results"]
    handle = opened["results"]
    added, data, removed, closed = node_clients.call(
        "cisco-perfmon",
        made_with,
        ("addCounter", handle, COUNTER),
        ("collectSessionData", handle),
        ("removeCounter", handle, COUNTER),
        ("closeSession", handle),
    )
    assert {each["results"] for each in (added, removed, closed)} == {"success"}
    assert data["results"]["counter"] == COUNTER["counter"]
    for called, result in (
        ("collectCounterData(host, object)", "parsed"),
        ("listCounter(host)", "parsed"),
        ("queryCounterDescription(counter)", "parsed"),
        ("a session, from openSession() to closeSession(…)", "success"),
    ):
        judged.note("cisco-perfmon", lab.axl, called, result)


def phones_in(nodes: list[dict[str, Any]]) -> dict[str, str]:
    """The Status of each device, by name; one device is no list there."""
    found: dict[str, str] = {}
    for node in nodes:
        listed = node.get("CmDevices", {}).get("item", [])
        for device in listed if isinstance(listed, list) else [listed]:
            found[device["Name"]] = device["Status"]
    return found
