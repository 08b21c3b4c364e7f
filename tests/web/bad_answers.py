"""Every operation of the web clients with a right answer, and everything that can be wrong with one.

The answers are written by hand from ``domain/web-apis.md``, not taken from the lab.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

import attrs
import httpx

from cucm_certflow.errors import (
    NodeFault,
    RateLimited,
    RoleMissing,
    UnknownLayout,
)
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.transports.access import Access
from cucm_certflow.transports.axl import AxlClient
from cucm_certflow.transports.controlcenter_client import ControlAction, ControlCenterClient
from cucm_certflow.transports.http import NotThere
from cucm_certflow.transports.perfmon_client import CounterPath, PerfmonClient
from cucm_certflow.transports.platform_rest import PlatformRestClient
from cucm_certflow.transports.ris import RisClient
from cucm_certflow.transports.soap import SoapFault
from cucm_certflow.transports.trustfiles import TrustFileClient
from tests.web.helpers import ACCOUNT, PUB, axl, soap

__all__ = ["BAD", "LIES", "OPERATIONS", "SECRETS", "Bad", "Endless", "Lie", "Operation", "Speaks"]

_BYTES: Final = Path(__file__).parents[1] / "bytes" / "fixtures"
_AST: Final = "http://schemas.cisco.com/ast/soap"
PASSWORD: Final = ACCOUNT.password.reveal()
BASIC: Final = base64.b64encode(f"{ACCOUNT.user}:{PASSWORD}".encode()).decode()
SECRETS: Final = (PASSWORD, BASIC)
"""What no error may show: the password, and as Basic sends it."""

PEM: Final = (_BYTES / "cm-pub-g1.crt.pem").read_text()


class Speaks(Enum):
    """What the answers of an interface are made of."""

    SOAP = "SOAP"
    JSON = "JSON"
    BYTES = "bytes"


@attrs.frozen
class Operation:
    """An operation of a client.

    ``bodiless`` says that a status of success is all that counts: what else there is in the answer
    no source says, and nothing is read from it.
    """

    name: str
    speaks: Speaks
    right: bytes
    client: Callable[[Access], Client]
    call: Callable[[Client], Awaitable[object]]
    bodiless: bool = False


Client = (
    AxlClient | RisClient | ControlCenterClient | PerfmonClient | PlatformRestClient | TrustFileClient
)


# ── right answers ─────────────────────────────────────────────────────────────────────────


def ast(operation: str, inner: str) -> bytes:
    """An answer of the serviceability interfaces, qualified as their WSDL has it."""
    return soap(f'<{operation}Response xmlns="{_AST}">{inner}</{operation}Response>')


def _ris(operation: str) -> bytes:
    device = (
        "<item><Name>SEP001122334455</Name><Status>Registered</Status>"
        "<TimeStamp>1704067200</TimeStamp></item>"
    )
    node = (
        "<item><ReturnCode>Ok</ReturnCode><Name>cucm-pub</Name><NoChange>false</NoChange>"
        f"<CmDevices>{device}</CmDevices></item>"
    )
    return ast(
        operation,
        "<selectCmDeviceReturn><SelectCmDeviceResult><TotalDevicesFound>1</TotalDevicesFound>"
        f"<CmNodes>{node}</CmNodes></SelectCmDeviceResult><StateInfo>s1</StateInfo>"
        "</selectCmDeviceReturn>",
    )


_SERVICE: Final = (
    "<item><ServiceName>Cisco Tftp</ServiceName><ServiceStatus>Started</ServiceStatus>"
    "<ReasonCode>-1</ReasonCode><ReasonCodeString>--</ReasonCodeString>"
    "<StartTime>Mon Jan  1 00:00:00 2024</StartTime><UpTime>100</UpTime></item>"
)
_STATIC: Final = (
    "<item><ServiceName>Cisco Tftp</ServiceName><ServiceType>Service</ServiceType>"
    "<Deployable>true</Deployable><GroupName>CM Services</GroupName><DependentServices/></item>"
)
_EXTENDED: Final = (
    "<item><ServiceName>Cisco Tftp</ServiceName><DependentServices/><ProductID>CallManager"
    "</ProductID><ServiceType>Service</ServiceType><RestrictServer>no</RestrictServer><Restrict>"
    "none</Restrict><SetDefault>yes</SetDefault><SequenceNumber>1</SequenceNumber><ServiceEnum>11"
    "</ServiceEnum><GroupName>CM Services</GroupName><Deployable>true</Deployable></item>"
)


def _control(operation: str) -> bytes:
    return ast(
        operation,
        f"<{operation}Return><ReturnCode>0</ReturnCode><ReasonCode>-1</ReasonCode><ReasonString>--"
        f"</ReasonString><ServiceInfoList>{_SERVICE}</ServiceInfoList></{operation}Return>",
    )


def _counters(operation: str) -> bytes:
    name = r"\\cucm-pub\Cisco CallManager\RegisteredHardwarePhones"
    return ast(
        operation,
        f"<{operation}Return><Name>{name}</Name><Value>12</Value><CStatus>1</CStatus>"
        f"</{operation}Return>",
    )


_COUNTER: Final = CounterPath.parse(r"\\cucm-pub\Cisco CallManager\RegisteredHardwarePhones")
_SNAPSHOT: Final = json.dumps(
    {
        "trackingId": "1b6c",
        "server": "cucm-pub",
        "identities": [{"service": "tomcat", "certificate": PEM}],
        "trusts": [
            {
                "service": "tomcat-trust",
                "certificate_data": [{"filename": "one.pem", "certificate": PEM}],
            }
        ],
        "revokedCertificates": [],
    }
).encode()
_IDENTITY: Final = json.dumps({"certificate": PEM}).encode()
_TRUST: Final = json.dumps([{"certificate": PEM}]).encode()


# ── the operations ────────────────────────────────────────────────────────────────────────


def _axl(name: str, inner: str, call: Callable[[AxlClient], Awaitable[object]]) -> Operation:
    return Operation(
        f"AXL {name}",
        Speaks.SOAP,
        axl(name, inner),
        lambda access: AxlClient(PUB, access),
        call,  # type: ignore[arg-type]  # - each operation is called with its own client
    )


def _ris_row(
    name: str, operation: str, call: Callable[[RisClient], Awaitable[object]]
) -> Operation:
    return Operation(
        f"RIS {name}",
        Speaks.SOAP,
        _ris(operation),
        lambda access: RisClient(PUB, access),
        call,  # type: ignore[arg-type]  # - each operation is called with its own client
    )


def _cc(
    name: str, right: bytes, call: Callable[[ControlCenterClient], Awaitable[object]]
) -> Operation:
    return Operation(
        f"Control Center {name}",
        Speaks.SOAP,
        right,
        lambda access: ControlCenterClient(PUB, access),
        call,  # type: ignore[arg-type]  # - each operation is called with its own client
    )


def _perfmon(
    name: str, right: bytes, call: Callable[[PerfmonClient], Awaitable[object]]
) -> Operation:
    return Operation(
        f"PerfMon {name}",
        Speaks.SOAP,
        right,
        lambda access: PerfmonClient(PUB, access),
        call,  # type: ignore[arg-type]  # - each operation is called with its own client
    )


def _rest(
    name: str,
    right: bytes,
    call: Callable[[PlatformRestClient], Awaitable[object]],
    *,
    bodiless: bool = False,
) -> Operation:
    return Operation(
        f"REST {name}",
        Speaks.JSON,
        right,
        lambda access: PlatformRestClient(PUB, access),
        call,  # type: ignore[arg-type]  # - each operation is called with its own client
        bodiless,
    )


def _file(kind: ListKind, name: str) -> Operation:
    async def view(client: Client) -> object:
        assert isinstance(client, TrustFileClient)
        return await client.view(kind)

    return Operation(
        f"file {kind.file_name}",
        Speaks.BYTES,
        (_BYTES / name).read_bytes(),
        lambda access: TrustFileClient(PUB, access),
        view,
    )


_NODES: Final = (
    "<processNode><name>cucm-pub</name><nodeUsage>Publisher</nodeUsage>"
    "<processNodeRole>CUCM Voice/Video</processNodeRole></processNode>"
)
_POOL: Final = (
    "<devicePool><name>Default</name><callManagerGroupName>G</callManagerGroupName></devicePool>"
)
_GROUP: Final = (
    "<callManagerGroup><name>G</name><members><member><priority>0</priority><callManagerName>CM_pub"
    "</callManagerName></member></members></callManagerGroup>"
)
_OBJECT: Final = (
    "<perfmonListCounterReturn><Name>Cisco CallManager</Name><MultiInstance>false</MultiInstance>"
    "<ArrayOfCounter><item><Name>CallsActive</Name></item></ArrayOfCounter>"
    "</perfmonListCounterReturn>"
)


def _operations(csr: str) -> tuple[Operation, ...]:
    restart = ControlAction.RESTART
    names = ("SEP001122334455",)
    return (
        _axl("executeSQLQuery", "<row><a>1</a></row>", lambda c: c.sql("select a from b")),
        _axl("listProcessNode", _NODES, lambda c: c.members()),
        _axl("listDevicePool", _POOL, lambda c: c.device_pools()),
        _axl(
            "listCallManagerGroup",
            "<callManagerGroup><name>G</name></callManagerGroup>",
            lambda c: c.callmanager_groups(),
        ),
        _axl("getCallManagerGroup", _GROUP, lambda c: c.callmanager_group("G")),
        _axl(
            "getCCMVersion",
            "<componentVersion><version>11.5.1.12900(21)</version></componentVersion>",
            lambda c: c.version(),
        ),
        _axl("doDeviceReset", "true", lambda c: c.reset_phone("SEP001122334455")),
        _ris_row("selectCmDeviceExt", "selectCmDevice", lambda c: c.registrations(names)),
        _ris_row("selectCmDevice", "selectCmDevice", lambda c: c.listed()),
        _cc("status", _control("soapGetServiceStatus"), lambda c: c.status(("Cisco Tftp",))),
        _cc(
            "control",
            _control("soapDoControlServices"),
            lambda c: c.control(restart, ("Cisco Tftp",)),
        ),
        _cc(
            "control Ex",
            _control("soapDoControlServicesEx"),
            lambda c: c.control_extended(restart, ("Cisco Tftp",), product_id="CallManager"),
        ),
        _cc(
            "static list",
            ast(
                "soapGetStaticServiceList",
                f"<soapGetStaticServiceListReturn><Services>{_STATIC}</Services>"
                "</soapGetStaticServiceListReturn>",
            ),
            lambda c: c.static_services(),
        ),
        _cc(
            "products",
            ast(
                "getProductInformationList",
                "<getProductInformationListReturn><ActiveServerVersion>15.0.1</ActiveServerVersion>"
                "<PrimaryNode>cucm-pub</PrimaryNode><SecondaryNode/><Products/><Services/>"
                "</getProductInformationListReturn>",
            ),
            lambda c: c.products(),
        ),
        _cc(
            "static list Ex",
            ast(
                "getStaticServiceListExtended",
                "<getStaticServiceListExtendedReturn><PrimaryNode>true</PrimaryNode><SecondaryNode>"
                f"false</SecondaryNode><Services>{_EXTENDED}</Services>"
                "</getStaticServiceListExtendedReturn>",
            ),
            lambda c: c.static_services_extended(),
        ),
        _cc(
            "files",
            ast("getFileDirectoryList", "<ListOfFiles><File>a.txt</File></ListOfFiles>"),
            lambda c: c.file_directory_list("/var/log"),
        ),
        _perfmon(
            "one-shot",
            _counters("perfmonCollectCounterData"),
            lambda c: c.collect_counter_data("cucm-pub", "Cisco CallManager"),
        ),
        _perfmon(
            "objects", ast("perfmonListCounter", _OBJECT), lambda c: c.list_counters("cucm-pub")
        ),
        _perfmon(
            "instances",
            ast(
                "perfmonListInstance",
                "<perfmonListInstanceReturn><Name>_Total</Name></perfmonListInstanceReturn>",
            ),
            lambda c: c.list_instances("cucm-pub", "Cisco Lines"),
        ),
        _perfmon(
            "description",
            ast(
                "perfmonQueryCounterDescription",
                "<perfmonQueryCounterDescriptionReturn>words</perfmonQueryCounterDescriptionReturn>",
            ),
            lambda c: c.counter_description(_COUNTER),
        ),
        _perfmon(
            "open",
            ast(
                "perfmonOpenSession",
                "<perfmonOpenSessionReturn>8a7b</perfmonOpenSessionReturn>",
            ),
            lambda c: c.open_session(),
        ),
        _perfmon(
            "add", ast("perfmonAddCounter", ""), lambda c: c.add_counters("8a7b", (_COUNTER,))
        ),
        _perfmon(
            "remove",
            ast("perfmonRemoveCounter", ""),
            lambda c: c.remove_counters("8a7b", (_COUNTER,)),
        ),
        _perfmon(
            "session data",
            _counters("perfmonCollectSessionData"),
            lambda c: c.collect_session_data("8a7b"),
        ),
        _perfmon("close", ast("perfmonCloseSession", ""), lambda c: c.close_session("8a7b")),
        _rest("snapshot", _SNAPSHOT, lambda c: c.snapshot()),
        _rest("identities", _SNAPSHOT, lambda c: c.identities()),
        _rest("certificate", _SNAPSHOT, lambda c: c.certificate(CertUnit.TOMCAT)),
        _rest("csr present", _SNAPSHOT, lambda c: c.csr_present(CertUnit.TOMCAT)),
        _rest("identity", _IDENTITY, lambda c: c.identity(CertUnit.TOMCAT)),
        _rest("trust", _TRUST, lambda c: c.trust(CertUnit.TOMCAT)),
        _rest(
            "csr",
            json.dumps({"csr": csr}).encode(),
            lambda c: c.create_csr(CertUnit.TOMCAT, "cucm.example.com"),
        ),
        _rest(
            "upload identity",
            b"{}",
            lambda c: c.upload_identity(CertUnit.TOMCAT, (PEM,)),
            bodiless=True,
        ),
        _rest(
            "upload trust",
            b"{}",
            lambda c: c.upload_trust((CertUnit.TOMCAT,), (PEM,), "ours"),
            bodiless=True,
        ),
        _file(ListKind.ITL, "itl-before-11.5.tlv"),
        _file(ListKind.CTL, "ctl-before-11.5.tlv"),
    )
