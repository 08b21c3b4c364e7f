"""Exchanges with the lab without a socket: questions by hand, and what our clients send."""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import attrs
import httpx

from cucm_certflow.inventory import Account, Inventory, NodeEntry
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app
from cucm_certflow.secret import Secret
from cucm_certflow.testing.virtual import VirtualClock
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.axl import AxlClient
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.budget import Budgets
from cucm_certflow.transports.controlcenter_client import ControlAction, ControlCenterClient
from cucm_certflow.transports.perfmon_client import CounterPath, PerfmonClient
from cucm_certflow.transports.pins import Pins
from cucm_certflow.transports.ris import RisClient
from tests.lab.small import PHONE, scenario
from tests.web.schemas import AXL_VERSION, body_of

AST: Final = "http://schemas.cisco.com/ast/soap"
PATHS: Final = {
    "AXLAPI": "/axl/",
    "ControlCenterServices": "/controlcenterservice2/services/ControlCenterServices",
    "ControlCenterServicesEx": "/controlcenterservice2/services/ControlCenterServicesEx",
    "PerfmonService": "/perfmonservice2/services/PerfmonService",
    "RISService70": "/realtimeservice2/services/RISService70",
}
LIST = "<searchCriteria><name>%</name></searchCriteria><returnedTags>{}</returnedTags>"
CRITERIA = (
    "<StateInfo/><CmSelectionCriteria><MaxReturnedDevices>1000</MaxReturnedDevices>"
    "<DeviceClass>Phone</DeviceClass><Model>255</Model><Status>Any</Status><NodeName/>"
    "<SelectBy>Name</SelectBy><SelectItems><item><Item>{}</Item></item></SelectItems>"
    "<Protocol>Any</Protocol><DownloadStatus>Any</DownloadStatus></CmSelectionCriteria>"
)
CTI = (
    "<StateInfo/><CtiSelectionCriteria><MaxReturnedItems>1000</MaxReturnedItems>"
    "<CtiMgrClass>Line</CtiMgrClass><Status>Any</Status><NodeName/>"
    "<SelectAppBy>AppId</SelectAppBy><AppItems><item><AppItem/></item></AppItems><DevNames/>"
    "<DirNumbers/></CtiSelectionCriteria>"
)
CONTROL = (
    "<ControlServiceRequest><NodeName>pub</NodeName><ControlType>Restart</ControlType>"
    "<ServiceList><item>Cisco Tftp</item></ServiceList></ControlServiceRequest>"
)
DEPLOY = (
    "<DeploymentServiceRequest><NodeName>pub</NodeName><DeployType>Deploy</DeployType>"
    "<ServiceList><item>Cisco Tftp</item></ServiceList></DeploymentServiceRequest>"
)
CONTROL_EX = (
    "<ControlServiceRequestEx><ProductId>CallManager</ProductId>"
    "<DependencyType>None</DependencyType><ControlType>Restart</ControlType>"
    "<ServiceList><item>Cisco Tftp</item></ServiceList></ControlServiceRequestEx>"
)
DEPLOY_EX = (
    "<DeploymentServiceRequestEx><ProductId>CallManager</ProductId><DeployType>Deploy</DeployType>"
    "<ServiceList><item>Cisco Tftp</item></ServiceList></DeploymentServiceRequestEx>"
)
COUNTERS = (
    "<SessionHandle>{session}</SessionHandle><ArrayOfCounter><Counter>"
    r"<Name>\\pub\Cisco CallManager\RegisteredHardwarePhones</Name>"
    "</Counter></ArrayOfCounter>"
)
OBJECT = "<Host>pub</Host><Object>Cisco CallManager</Object>"
SESSION = "<SessionHandle>{session}</SessionHandle>"

BY_HAND: Final = {
    ("AXLAPI", "getCCMVersion"): "",
    ("AXLAPI", "executeSQLQuery"): "<sql>select name, description from processnode</sql>",
    ("AXLAPI", "listProcessNode"): LIST.format("<name/><nodeUsage/><processNodeRole/>"),
    ("AXLAPI", "listCallManager"): LIST.format("<name/><processNodeName/>"),
    ("AXLAPI", "listCallManagerGroup"): LIST.format("<name/>"),
    ("AXLAPI", "getCallManagerGroup"): "<name>CMG_1</name>",
    ("AXLAPI", "listDevicePool"): LIST.format("<name/><callManagerGroupName/>"),
    ("AXLAPI", "listPhone"): LIST.format("<name/><model/><protocol/><devicePoolName/>"),
    ("AXLAPI", "doDeviceReset"): f"<deviceName>{PHONE}</deviceName><isHardReset>t</isHardReset>",
    ("AXLAPI", "resetPhone"): f"<name>{PHONE}</name>",
    ("RISService70", "selectCmDevice"): CRITERIA.format("*"),
    ("RISService70", "selectCmDeviceExt"): CRITERIA.format(PHONE),
    ("RISService70", "selectCtiItem"): CTI,
    ("ControlCenterServices", "soapGetServiceStatus"): "<ServiceStatus/>",
    ("ControlCenterServices", "soapDoControlServices"): CONTROL,
    ("ControlCenterServices", "soapDoServiceDeployment"): DEPLOY,
    ("ControlCenterServices", "soapGetStaticServiceList"): "<ServiceInformationResponse/>",
    ("ControlCenterServices", "getProductInformationList"): "<ServiceInfo/>",
    ("ControlCenterServicesEx", "soapDoControlServicesEx"): CONTROL_EX,
    ("ControlCenterServicesEx", "soapDoServiceDeploymentNoDbUpdate"): DEPLOY_EX,
    ("ControlCenterServicesEx", "getStaticServiceListExtended"): "<ServiceInformationResponse/>",
    ("ControlCenterServicesEx", "getFileDirectoryList"): "<DirectoryPath>/</DirectoryPath>",
    ("PerfmonService", "perfmonOpenSession"): "",
    ("PerfmonService", "perfmonAddCounter"): COUNTERS,
    ("PerfmonService", "perfmonRemoveCounter"): COUNTERS,
    ("PerfmonService", "perfmonCollectSessionData"): SESSION,
    ("PerfmonService", "perfmonCloseSession"): SESSION,
    ("PerfmonService", "perfmonCollectCounterData"): OBJECT,
    ("PerfmonService", "perfmonListCounter"): "<Host>pub</Host>",
    ("PerfmonService", "perfmonListInstance"): OBJECT,
    ("PerfmonService", "perfmonQueryCounterDescription"): (
        r"<Counter>\\pub\Cisco CallManager\RegisteredHardwarePhones</Counter>"
    ),
}


class Sent(NamedTuple):
    """A question and its answer, as they went over the wire."""

    path: str
    action: str
    question: bytes
    status: int
    answer: bytes


class Tap(httpx.AsyncBaseTransport):
    """Leads to the lab, and keeps what goes by."""

    def __init__(self, app: httpx.ASGITransport) -> None:
        self._app = app
        self.seen: list[Sent] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._app.handle_async_request(request)
        await response.aread()
        action = request.headers.get("SOAPAction", "").strip('"')
        seen = (request.url.path, action, request.content, response.status_code, response.content)
        self.seen.append(Sent(*seen))
        return response


class Node:
    """The publisher of a small lab cluster, and the way there; its AXL is asked as *version*."""

    def __init__(self, release: str = "", version: str = AXL_VERSION) -> None:
        self.version = version
        clock = VirtualClock()
        told = scenario(release=f'"{release}"') if release else scenario()
        cluster = LabCluster(told, clock)
        papers = Papers(told, clock, threaded=False)
        desk = Desk(cluster=cluster, clock=clock, papers=papers, database=Database(cluster))
        self.tap = Tap(httpx.ASGITransport(web_app(desk, "pub")))
        spec = told.accounts.application
        self._token = base64.b64encode(f"{spec.user}:{spec.password}".encode()).decode()
        account = Account(spec.user, Secret(spec.password))
        self.entry = NodeEntry(name="pub", address=told.node("pub").address)
        self.access = Access(
            inventory=Inventory(nodes=(self.entry,), platform=account, application=account),
            clock=clock,
            pins=Pins(),
            breaker=Breaker(),
            budgets=Budgets(clock),
            wire=lambda node, network: self.tap,
        )

    async def ask_by_hand(self, wsdl: str, operation: str) -> Sent:
        """The question of :data:`BY_HAND`, with what has to come before it."""
        within = BY_HAND[wsdl, operation]
        if "{session}" in within:
            opened = await self.ask("PerfmonService", "perfmonOpenSession", "")
            handle = "".join(str(text) for text in body_of(opened.answer).itertext()).strip()
            within = within.replace("{session}", handle)
            if operation == "perfmonCollectSessionData":
                counters = COUNTERS.replace("{session}", handle)
                await self.ask("PerfmonService", "perfmonAddCounter", counters)
        return await self.ask(wsdl, operation, within)

    async def ask(self, wsdl: str, operation: str, within: str) -> Sent:
        """Send a question that was written by hand."""
        async with httpx.AsyncClient(transport=self.tap, base_url="https://pub:8443") as client:
            headers = {
                "SOAPAction": f'"{action_of(wsdl, operation, self.version)}"',
                "Content-Type": "text/xml; charset=utf-8",
                "Authorization": f"Basic {self._token}",
            }
            content = message(wsdl, operation, within, self.version)
            await client.post(PATHS[wsdl], content=content, headers=headers)
        return self.tap.seen[-1]


def action_of(wsdl: str, operation: str, version: str = AXL_VERSION) -> str:
    return f"CUCM:DB ver={version} {operation}" if wsdl == "AXLAPI" else operation


def message(wsdl: str, operation: str, within: str, version: str = AXL_VERSION) -> bytes:
    """*within* as AXL has it, without a namespace; as all others have it, with theirs."""
    if wsdl == "AXLAPI":
        namespace = f"http://www.cisco.com/AXL/API/{version}"
        inner = f'<o:{operation} xmlns:o="{namespace}">{within}</o:{operation}>'
    else:
        inner = f'<{operation} xmlns="{AST}">{within}</{operation}>'
    return (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        f"<s:Body>{inner}</s:Body></s:Envelope>"
    ).encode()


# ── our clients ───────────────────────────────────────────────────────────────────────────


@attrs.frozen
class Ours:
    """What one method of a client sends."""

    wsdl: str
    operation: str
    call: Callable[[Node], Awaitable[object]]


def axl(call: Callable[[AxlClient], Awaitable[object]]) -> Callable[[Node], Awaitable[object]]:
    async def called(node: Node) -> None:
        client = AxlClient(node.entry, node.access, version=node.version)
        await call(client)
        await client.aclose()

    return called


def ris(call: Callable[[RisClient], Awaitable[object]]) -> Callable[[Node], Awaitable[object]]:
    async def called(node: Node) -> None:
        client = RisClient(node.entry, node.access)
        await call(client)
        await client.aclose()

    return called


def ccs(
    call: Callable[[ControlCenterClient], Awaitable[object]],
) -> Callable[[Node], Awaitable[object]]:
    async def called(node: Node) -> None:
        client = ControlCenterClient(node.entry, node.access)
        await call(client)
        await client.aclose()

    return called


def perfmon(
    call: Callable[[PerfmonClient], Awaitable[object]],
) -> Callable[[Node], Awaitable[object]]:
    async def called(node: Node) -> None:
        client = PerfmonClient(node.entry, node.access)
        await call(client)
        await client.aclose()

    return called


async def in_a_session(client: PerfmonClient) -> None:
    """All that can be done in one."""
    async with client.session([COUNTER]) as session:
        assert [each.path for each in await session.collect()] == [COUNTER]
        await client.remove_counters(session.handle, [COUNTER])


AXL, RIS, CCS = "AXLAPI", "RISService70", "ControlCenterServices"
CCS_EX, PERFMON = "ControlCenterServicesEx", "PerfmonService"
COUNTER: Final = CounterPath("pub", "Cisco CallManager", "RegisteredHardwarePhones")
TFTP: Final = ("Cisco Tftp",)
RESTART: Final = ControlAction.RESTART

OURS: Final = (
    Ours(AXL, "executeSQLQuery", axl(lambda c: c.sql("select * from device"))),
    Ours(AXL, "getCCMVersion", axl(lambda c: c.version())),
    Ours(AXL, "getCCMVersion", axl(lambda c: c.version("sub"))),
    Ours(AXL, "listProcessNode", axl(lambda c: c.members())),
    Ours(AXL, "listDevicePool", axl(lambda c: c.device_pools())),
    Ours(AXL, "listCallManagerGroup", axl(lambda c: c.callmanager_groups())),
    Ours(AXL, "getCallManagerGroup", axl(lambda c: c.callmanager_group("CMG_1"))),
    Ours(AXL, "doDeviceReset", axl(lambda c: c.reset_phone(PHONE))),
    Ours(AXL, "doDeviceReset", axl(lambda c: c.reset_phone(PHONE, hard=False))),
    Ours(RIS, "selectCmDevice", ris(lambda c: c.listed())),
    Ours(RIS, "selectCmDeviceExt", ris(lambda c: c.registrations([PHONE]))),
    Ours(CCS, "soapGetServiceStatus", ccs(lambda c: c.status())),
    Ours(CCS, "soapGetServiceStatus", ccs(lambda c: c.status(["Cisco Tftp", "Cisco CTIManager"]))),
    Ours(CCS, "soapDoControlServices", ccs(lambda c: c.control(RESTART, TFTP))),
    Ours(CCS, "soapGetStaticServiceList", ccs(lambda c: c.static_services())),
    Ours(CCS, "getProductInformationList", ccs(lambda c: c.products())),
    Ours(
        CCS_EX,
        "soapDoControlServicesEx",
        ccs(lambda c: c.control_extended(RESTART, TFTP, product_id="CallManager")),
    ),
    Ours(CCS_EX, "getStaticServiceListExtended", ccs(lambda c: c.static_services_extended())),
    Ours(CCS_EX, "getFileDirectoryList", ccs(lambda c: c.file_directory_list("/var/log/active"))),
    Ours(
        PERFMON,
        "perfmonCollectCounterData",
        perfmon(lambda c: c.collect_counter_data("pub", "Cisco CallManager")),
    ),
    Ours(PERFMON, "perfmonListCounter", perfmon(lambda c: c.list_counters("pub"))),
    Ours(
        PERFMON,
        "perfmonListInstance",
        perfmon(lambda c: c.list_instances("pub", "Cisco CallManager")),
    ),
    Ours(
        PERFMON,
        "perfmonQueryCounterDescription",
        perfmon(lambda c: c.counter_description(COUNTER)),
    ),
    Ours(PERFMON, "perfmonOpenSession", perfmon(in_a_session)),
    Ours(PERFMON, "perfmonAddCounter", perfmon(in_a_session)),
    Ours(PERFMON, "perfmonRemoveCounter", perfmon(in_a_session)),
    Ours(PERFMON, "perfmonCollectSessionData", perfmon(in_a_session)),
    Ours(PERFMON, "perfmonCloseSession", perfmon(in_a_session)),
)
NOT_SENT_BY_US: Final = {
    (AXL, "listCallManager"),
    (AXL, "resetPhone"),  # doDeviceReset is what Cisco's samples send
    (AXL, "listPhone"),  # phones come by SQL, which gives more of them for one answer's bytes
    (RIS, "selectCtiItem"),
    (CCS, "soapDoServiceDeployment"),  # services are never activated, nor deactivated
    (CCS_EX, "soapDoServiceDeploymentNoDbUpdate"),
}
"""What the lab answers and no client of ours asks."""
