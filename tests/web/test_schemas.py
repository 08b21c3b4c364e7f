"""Element order, qualification and types: questions and answers, by the published schemas.

The lab is asked without a socket. Each operation of each WSDL file is a row below: with a question
written by hand, and, where we have a client for it, with what the client sends.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest

from cucm_certflow.lab.servers.wsdl_files import WSDL_NAMES
from cucm_certflow.testing.virtual import run_virtual
from tests.lab.small import PHONE
from tests.web.exchanges import (
    AST,
    BY_HAND,
    CONTROL_EX,
    COUNTERS,
    CRITERIA,
    LIST,
    NOT_SENT_BY_US,
    OURS,
    PATHS,
    Node,
    Ours,
    Sent,
    action_of,
    message,
)
from tests.web.helpers import fixture
from tests.web.schemas import AXL_VERSION, body_of, objections, operations


def assert_valid(wsdl: str, operation: str, sent: Sent) -> None:
    """Question and answer are of *operation*, and as the schema of *wsdl* has them."""
    question, answer = body_of(sent.question), body_of(sent.answer)
    assert sent.status == 200, sent.answer.decode()
    assert sent.path == PATHS[wsdl]
    assert sent.action == action_of(wsdl, operation)
    assert (question.tag, answer.tag) == operations(wsdl)[operation]
    assert objections(wsdl, question) == []
    assert objections(wsdl, answer) == []


def every_operation() -> Iterator[tuple[str, str]]:
    for wsdl in WSDL_NAMES:
        for operation in operations(wsdl):
            yield wsdl, operation


def test_every_operation_that_is_described_has_its_row() -> None:
    assert set(every_operation()) == set(BY_HAND)


@pytest.mark.parametrize(("wsdl", "operation"), list(BY_HAND))
def test_the_lab_answers_as_the_schema_has_it(wsdl: str, operation: str) -> None:
    async def story() -> None:
        assert_valid(wsdl, operation, await Node().ask_by_hand(wsdl, operation))

    run_virtual(story())


def test_every_operation_is_sent_by_us_or_named_as_one_that_is_not() -> None:
    sent = {(row.wsdl, row.operation) for row in OURS}
    assert sent.isdisjoint(NOT_SENT_BY_US)
    assert sent | NOT_SENT_BY_US == set(every_operation())


@pytest.mark.parametrize(
    "row", OURS, ids=[f"{number}-{row.operation}" for number, row in enumerate(OURS)]
)
def test_what_our_clients_send_is_as_the_schema_has_it(row: Ours) -> None:
    async def story() -> None:
        node = Node()
        await row.call(node)
        (sent,) = (each for each in node.tap.seen if each.action.split()[-1] == row.operation)
        assert_valid(row.wsdl, row.operation, sent)

    run_virtual(story())


# ── what others sent ──────────────────────────────────────────────────────────────────────

RIGHT: Final = (
    ("AXLAPI", "axl-req-executeSQLQuery-ciscoaxl"),
    ("AXLAPI", "axl-req-getCCMVersion-ciscoaxl"),
    ("AXLAPI", "axl-req-listProcessNode-ciscoaxl"),
    ("AXLAPI", "axl-req-listPhone-page2-ciscoaxl"),
    ("ControlCenterServices", "ccs-req-getProductInformationList-devnet"),
    ("ControlCenterServices", "ccs-req-soapDoControlServices-cucmapi"),
    ("ControlCenterServices", "ccs-req-soapDoControlServices-devnet-nil-nodename"),
    ("ControlCenterServices", "ccs-req-soapGetServiceStatus-cucmapi"),
    ("ControlCenterServices", "ccs-req-soapGetStaticServiceList-tinycucm"),
    ("ControlCenterServicesEx", "ccsex-req-soapDoControlServicesEx-zeep"),
    ("PerfmonService", "perfmon-req-perfmonAddCounter"),
    ("PerfmonService", "perfmon-req-perfmonCollectCounterData-devnet"),
    ("PerfmonService", "perfmon-resp-perfmonCollectSessionData"),
    ("RISService70", "ris-req-selectCmDevice-devnet"),
    ("RISService70", "ris-req-selectCmDeviceExt-ciscoris"),
    ("RISService70", "ris-req-selectCmDeviceExt-tinycucm"),
)
WRONG: Final = (
    ("AXLAPI", "axl-req-doDeviceReset-ciscoaxl", "isHardReset"),  # Python's True
    ("RISService70", "ris-resp-calltelemetry-fixture-cucm15", "SelectCmDeviceResult"),
    (
        "ControlCenterServices",
        "ccs-resp-calltelemetry-fixture-NOT-WSDL",
        "soapGetServiceStatusReturn",
    ),
)


@pytest.mark.parametrize(("wsdl", "name"), RIGHT, ids=[name for _, name in RIGHT])
def test_genuine_messages_of_others_pass(wsdl: str, name: str) -> None:
    assert objections(wsdl, body_of(fixture(name)), "12.5") == []


@pytest.mark.parametrize(("wsdl", "name", "about"), WRONG, ids=[name for _, name, _ in WRONG])
def test_what_is_known_to_be_wrong_does_not_pass(wsdl: str, name: str, about: str) -> None:
    first, *_ = objections(wsdl, body_of(fixture(name)), "12.5")
    assert about in first


NESTED = "<ServiceStatus><item>Cisco Tftp</item></ServiceStatus>"
MISTAKES: Final = (
    # calltelemetry nests items here
    ("ControlCenterServices", "soapGetServiceStatus", NESTED),
    # sieteunoseis calls it so
    (
        "ControlCenterServicesEx",
        "soapDoControlServicesEx",
        CONTROL_EX.replace("ControlServiceRequestEx", "ControlServiceExRequest"),
    ),
    ("RISService70", "selectCmDevice", CRITERIA.replace("<NodeName/>", "")),
    ("RISService70", "selectCmDeviceExt", CRITERIA.replace("<Model>255</Model>", "<Model/>")),
    ("AXLAPI", "doDeviceReset", f"<deviceName>{PHONE}</deviceName><isHardReset>True</isHardReset>"),
    ("AXLAPI", "listProcessNode", LIST.format("<nodeUsage/><name/>")),
    ("PerfmonService", "perfmonAddCounter", COUNTERS.replace("Counter>", "item>")),
)


@pytest.mark.parametrize(
    ("wsdl", "operation", "within"), MISTAKES, ids=[operation for _, operation, _ in MISTAKES]
)
def test_mistakes_seen_elsewhere_do_not_pass(wsdl: str, operation: str, within: str) -> None:
    assert objections(wsdl, body_of(message(wsdl, operation, within)))


def test_the_qualification_of_each_side_is_judged() -> None:
    """AXL's children have no namespace, all others have theirs."""
    qualified = message("RISService70", "selectCmDevice", CRITERIA.format("*"))
    bare = qualified.replace(b"<StateInfo/>", b'<StateInfo xmlns=""/>')
    assert objections("RISService70", body_of(qualified)) == []
    assert objections("RISService70", body_of(bare))
    namespace = f"http://www.cisco.com/AXL/API/{AXL_VERSION}"
    sql = message("AXLAPI", "executeSQLQuery", "<sql>select 1</sql>")
    assert objections("AXLAPI", body_of(sql)) == []
    assert objections(
        "AXLAPI", body_of(sql.replace(b"<sql>", f'<sql xmlns="{namespace}">'.encode()))
    )


def test_an_answer_of_ris_without_nochange_does_not_pass() -> None:
    async def story() -> None:
        sent = await Node().ask("RISService70", "selectCmDevice", CRITERIA.format("*"))
        answer = body_of(sent.answer)
        for said in list(answer.iter(f"{{{AST}}}NoChange")):
            parent = said.getparent()
            assert parent is not None
            parent.remove(said)
        first, *_ = objections("RISService70", answer)
        assert "NoChange" in first

    run_virtual(story())


def test_an_axl_fault_has_its_detail_in_the_published_order() -> None:
    async def story() -> None:
        within = "<deviceName>SEP000000000000</deviceName><isHardReset>true</isHardReset>"
        sent = await Node().ask("AXLAPI", "doDeviceReset", within)
        (error,) = body_of(sent.answer).iterfind("detail/*")
        error.tag = f"{{http://www.cisco.com/AXL/API/{AXL_VERSION}}}axlError"
        assert objections("AXLAPI", error) == []

    run_virtual(story())
