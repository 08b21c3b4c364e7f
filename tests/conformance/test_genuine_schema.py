"""Cisco's own AXL schema judges our questions, the lab's answers, and our WSDL file.

It is read from the package of a client that brings it; nothing of it is in this repository.
"""

from __future__ import annotations

import importlib
import io
from pathlib import Path
from typing import Any, Final

import pytest
from lxml import etree

from cucm_certflow.lab.servers.wsdl_files import wsdl_text
from cucm_certflow.testing.virtual import run_virtual
from tests.conformance import node_clients
from tests.conformance.labs import RELEASES
from tests.conformance.page import Judged
from tests.conformance.test_zeep_strict import Labs, session
from tests.lab.small import PHONE
from tests.web.exchanges import BY_HAND, OURS, Node, Ours, Sent
from tests.web.schemas import body_of, schema_tree, wsdl_tree

zeep = importlib.import_module("zeep")
ciscoaxl = importlib.import_module("ciscoaxl")

VERSIONS: Final = tuple(RELEASES)
XS: Final = "{http://www.w3.org/2001/XMLSchema}"
AXL: Final = [operation for wsdl, operation in BY_HAND if wsdl == "AXLAPI"]
AXL_ROWS: Final = [row for row in OURS if row.wsdl == "AXLAPI"]


def folder(version: str) -> Path:
    """Where the schema is: ciscoaxl brings those up to 12.5, cisco-axl the newer ones."""
    brought = Path(str(ciscoaxl.__file__)).parent / "schema" / version
    return brought if brought.exists() else node_clients.HOME / "cisco-axl" / "schema" / version


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def genuine(version: str) -> etree.XMLSchema:
    return etree.XMLSchema(file=str(folder(version) / "AXLSoap.xsd"))


def objections(judge: etree.XMLSchema, message: bytes) -> list[str]:
    judge.validate(etree.ElementTree(etree.fromstring(etree.tostring(body_of(message)))))
    return str(judge.error_log).splitlines()


@pytest.mark.parametrize("operation", AXL)
def test_the_lab_answers_as_the_genuine_schema_has_it(
    operation: str, version: str, genuine: etree.XMLSchema
) -> None:
    async def story() -> Sent:
        return await Node(RELEASES[version], version).ask_by_hand("AXLAPI", operation)

    sent = run_virtual(story())
    assert sent.status == 200, sent.answer
    assert objections(genuine, sent.question) == []
    assert objections(genuine, sent.answer) == []


@pytest.mark.parametrize(
    "row", AXL_ROWS, ids=[f"{number}-{row.operation}" for number, row in enumerate(AXL_ROWS)]
)
def test_our_client_asks_as_the_genuine_schema_has_it(
    row: Ours, version: str, genuine: etree.XMLSchema
) -> None:
    async def story() -> list[Sent]:
        node = Node(RELEASES[version], version)
        await row.call(node)
        return node.tap.seen

    for sent in run_virtual(story()):
        assert objections(genuine, sent.question) == []
        assert objections(genuine, sent.answer) == []


def test_zeep_strict_with_the_genuine_schema(version: str, labs: Labs, judged: Judged) -> None:
    lab = labs(version)
    transport = zeep.Transport(session=session(lab), timeout=20, operation_timeout=20)
    client = zeep.Client(
        str(folder(version) / "AXLAPI.wsdl"),
        transport=transport,
        settings=zeep.Settings(strict=True),
    )
    binding = "{http://www.cisco.com/AXLAPIService/}AXLAPIBinding"
    service = client.create_service(binding, f"https://{lab.address()}:8443/axl/")
    fields: dict[str, dict[str, Any]] = {
        "getCCMVersion": {},
        "executeSQLQuery": {"sql": "select name from processnode"},
        "listProcessNode": asked_for("name", "nodeUsage", "processNodeRole"),
        "listCallManager": asked_for("name", "processNodeName"),
        "listCallManagerGroup": asked_for("name"),
        "getCallManagerGroup": {"name": "CMG_1"},
        "listDevicePool": asked_for("name", "callManagerGroupName"),
        "listPhone": asked_for("name", "model", "product", "protocol", "devicePoolName"),
        "doDeviceReset": {"deviceName": PHONE, "isHardReset": "true"},
        "resetPhone": {"name": PHONE},
    }
    assert list(fields) == AXL
    for operation, values in fields.items():
        assert getattr(service, operation)(**values)["return"]
        judged.note("zeep", version, f"AXL {operation}, Cisco's schema", "parsed, strict")


def asked_for(*tags: str) -> dict[str, Any]:
    return {"searchCriteria": {"name": "%"}, "returnedTags": dict.fromkeys(tags, "")}


# ── our WSDL against theirs ───────────────────────────────────────────────────────────────


def named(tree: etree._Element) -> dict[tuple[str, str], etree._Element]:
    """Global declarations of a schema, by kind and name."""
    return {(str(each.tag), str(each.get("name"))): each for each in tree.iterchildren(f"{XS}*")}


def shape(declared: etree._Element) -> list[tuple[str, str]]:
    """The elements and attributes of a declaration in order, and whether they may be missing."""
    return [
        (str(each.get("name")), str(each.get("minOccurs", "1")))
        for each in declared.iter(f"{XS}element", f"{XS}attribute")
    ]


def is_part_of(ours: list[tuple[str, str]], theirs: list[tuple[str, str]]) -> bool:
    """Whether *ours* is *theirs* with some left out, in the same order."""
    rest = iter(theirs)
    return all(each in rest for each in ours)


def test_our_wsdl_is_a_part_of_the_genuine_one_in_the_same_order(version: str) -> None:
    theirs = named(etree.parse(str(folder(version) / "AXLSoap.xsd")).getroot())
    ours = named(schema_tree("AXLAPI", version))
    for key, declared in ours.items():
        assert key in theirs, key
        assert is_part_of(shape(declared), shape(theirs[key])), key
        if declared.get("name") not in {"LPhone", "LDevicePool"}:
            assert shape(declared) == shape(theirs[key]), key


def test_soap_actions_are_the_published_ones(version: str) -> None:
    soap = "{http://schemas.xmlsoap.org/wsdl/soap/}operation"
    genuine_file = etree.parse(str(folder(version) / "AXLAPI.wsdl"))
    theirs = {each.get("soapAction") for each in genuine_file.iter(soap)}
    ours = {each.get("soapAction") for each in wsdl_tree("AXLAPI", version).iter(soap)}
    assert len(ours) == len(AXL)
    assert ours <= theirs


def test_zeep_reads_our_wsdl_as_it_is_on_disk(version: str) -> None:
    text = wsdl_text("AXLAPI", "https://192.0.2.1:8443/axl/", version)
    made = zeep.Client(io.BytesIO(text.encode()))
    assert sorted(made.service._operations) == sorted(AXL)
