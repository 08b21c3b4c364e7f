"""``?wsdl`` of the lab, and what clients of others taught the lab about its answers."""

from __future__ import annotations

import httpx
import pytest
from lxml import etree

from cucm_certflow.lab.servers.wsdl_files import WSDL_NAMES, wsdl_text
from cucm_certflow.testing.virtual import run_virtual
from tests.lab.small import OFF, PHONE, SECURE
from tests.web.exchanges import AST, BY_HAND, CRITERIA, PATHS, Node
from tests.web.schemas import body_of

ADDRESS = ".//{http://schemas.xmlsoap.org/wsdl/soap/}address"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


async def get(node: Node, path: str, host: str = "pub:8443") -> httpx.Response:
    async with httpx.AsyncClient(transport=node.tap, base_url="https://pub:8443") as client:
        return await client.get(path, headers={"Host": host})


@pytest.mark.parametrize("name", WSDL_NAMES)
@pytest.mark.parametrize("query", ["wsdl", "WSDL"])
def test_each_service_describes_itself_at_the_address_that_the_client_used(
    name: str, query: str
) -> None:
    async def story() -> None:
        answer = await get(Node(), f"{PATHS[name]}?{query}", "cucm-pub.example.com:8443")
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/xml;charset=UTF-8"
        address = etree.fromstring(answer.content).find(ADDRESS)
        assert address is not None
        assert address.get("location") == f"https://cucm-pub.example.com:8443{PATHS[name]}"

    run_virtual(story())


def test_axl_is_described_in_the_version_of_the_release() -> None:
    async def story() -> None:
        answer = await get(Node("14.0.1.13900-155"), "/axl/?wsdl")
        assert 'targetNamespace="http://www.cisco.com/AXL/API/14.0"' in answer.text
        assert 'soapAction="CUCM:DB ver=14.0 getCCMVersion"' in answer.text
        assert "@" not in answer.text

    run_virtual(story())


def test_a_hostile_host_stays_text() -> None:
    text = wsdl_text("PerfmonService", 'https://a"/><evil b="--&/')
    address = etree.fromstring(text.encode()).find(ADDRESS)
    assert address is not None
    assert address.get("location") == 'https://a"/><evil b="--&/'


@pytest.mark.parametrize(
    ("name", "version"), [("Nothing", ""), ("AXLAPI", ""), ("AXLAPI", '15.0"')]
)
def test_what_cannot_be_described_is_an_error(name: str, version: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        wsdl_text(name, "https://192.0.2.1/", version)


def test_names_with_commas_between_them_are_several() -> None:
    async def story() -> None:
        within = CRITERIA.format(f"{SECURE}, {OFF},SEP000000000000")
        sent = await Node().ask("RISService70", "selectCmDeviceExt", within)
        found = {each.text for each in body_of(sent.answer).iter(f"{{{AST}}}DirNumber")}
        assert len(found) == 2

    run_virtual(story())


def test_devices_of_a_node_that_has_none_of_them_are_nil() -> None:
    async def story() -> None:
        sent = await Node().ask("RISService70", "selectCmDeviceExt", CRITERIA.format(PHONE))
        nodes = {
            each.findtext(f"{{{AST}}}Name"): each
            for each in body_of(sent.answer).iterfind(f".//{{{AST}}}CmNodes/{{{AST}}}item")
        }
        assert nodes["sub"].findtext(f"{{{AST}}}ReturnCode") == "NotFound"
        devices = {name: node.find(f"{{{AST}}}CmDevices") for name, node in nodes.items()}
        assert devices["sub"] is not None
        assert devices["sub"].get(NIL) == "true"
        assert devices["pub"] is not None
        assert devices["pub"].get(NIL) is None

    run_virtual(story())


@pytest.mark.parametrize("name", [name for name in WSDL_NAMES if name != "AXLAPI"])
def test_a_slash_at_the_end_leads_to_the_same_service(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = next(operation for wsdl, operation in BY_HAND if wsdl == name)
    monkeypatch.setitem(PATHS, name, f"{PATHS[name]}/")

    async def story() -> None:
        sent = await Node().ask_by_hand(name, operation)
        assert (sent.path, sent.status) == (PATHS[name], 200)

    run_virtual(story())


def test_the_catalogue_names_the_columns_of_a_table() -> None:
    async def story() -> None:
        query = (
            "<sql>SELECT c.colname, c.coltype FROM syscolumns c, systables t WHERE t.tabname = "
            "'typeclass' AND c.tabid = t.tabid AND t.tabid &gt; 99 ORDER BY c.colno</sql>"
        )
        sent = await Node().ask("AXLAPI", "executeSQLQuery", query)
        names = [each.text for each in body_of(sent.answer).iter("colname")]
        assert names == ["enum", "name", "moniker"]

    run_virtual(story())
