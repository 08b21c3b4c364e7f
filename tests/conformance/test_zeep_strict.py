"""zeep in strict mode over the lab's own WSDL files: every operation, and every answer parsed."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from typing import Any, Final

import pytest

from tests.conformance.labs import RELEASES, RunningLab
from tests.conformance.page import Judged
from tests.lab.small import OFF, PHONE
from tests.web.exchanges import PATHS

zeep = importlib.import_module("zeep")
requests = importlib.import_module("requests")

Labs = Callable[[str], RunningLab]
Caller = Callable[..., Any]

COUNTER: Final = r"\\pub\Cisco CallManager\RegisteredHardwarePhones"
SERVICES: Final = {"item": ["Cisco Tftp"]}
SIP: Final = {
    "MaxReturnedDevices": 1000,
    "DeviceClass": "Phone",
    "Model": 255,
    "Status": "Any",
    "NodeName": None,
    "SelectBy": "Name",
    "SelectItems": {"item": [{"Item": PHONE}, {"Item": OFF}]},
    "Protocol": "Any",
    "DownloadStatus": "Any",
}


def session(lab: RunningLab) -> Any:
    made = requests.Session()
    made.auth = (lab.user, lab.password)
    made.verify = False
    made.trust_env = False
    return made


def client(lab: RunningLab, wsdl: str) -> Any:
    """A client made from what ``?wsdl`` says; where it goes, the WSDL says as well."""
    transport = zeep.Transport(session=session(lab), timeout=20, operation_timeout=20)
    address = f"https://{lab.address()}:8443{PATHS[wsdl]}?wsdl"
    made = zeep.Client(address, transport=transport, settings=zeep.Settings(strict=True))
    (service,) = made.wsdl.services.values()
    (port,) = service.ports.values()
    assert port.binding_options["address"] == address.partition("?")[0]
    return made


@pytest.fixture(params=RELEASES)
def lab(request: pytest.FixtureRequest, labs: Labs) -> RunningLab:
    return labs(request.param)


class Calls:
    """Calls operations of one service, and knows which are left."""

    def __init__(self, lab: RunningLab, wsdl: str, judged: Judged) -> None:
        self.client = client(lab, wsdl)
        self._lab = lab
        self._wsdl = wsdl
        self._judged = judged
        self.left = set(self.client.service._operations)

    def __call__(self, operation: str, *args: object, **fields: object) -> Any:
        answer = getattr(self.client.service, operation)(*args, **fields)
        self.left.discard(operation)
        self._judged.note("zeep", self._lab.axl, f"{self._wsdl} {operation}", "parsed, strict")
        return answer


def test_axl(lab: RunningLab, judged: Judged) -> None:
    call = Calls(lab, "AXLAPI", judged)
    version = call("getCCMVersion")["return"]["componentVersion"]["version"]
    assert version.startswith(".".join(lab.release.split(".")[:3]))
    rows = call("executeSQLQuery", sql="select name, tkmodel from device")["return"]["row"]
    assert len(rows) == 6
    found = call(
        "listProcessNode",
        searchCriteria={"name": "%"},
        returnedTags={"name": "", "nodeUsage": "", "processNodeRole": ""},
    )
    nodes = {node["name"]: node["nodeUsage"] for node in found["return"]["processNode"]}
    assert nodes["pub"] == "Publisher"
    assert nodes["sub"] == "Subscriber"
    found = call(
        "listCallManager",
        searchCriteria={"name": "%"},
        returnedTags={"name": "", "processNodeName": ""},
    )
    managers = found["return"]["callManager"]
    assert {each["processNodeName"]["_value_1"] for each in managers} == {"pub", "sub"}
    groups = call("listCallManagerGroup", searchCriteria={"name": "%"}, returnedTags={"name": ""})[
        "return"
    ]["callManagerGroup"]
    group = call("getCallManagerGroup", name=groups[0]["name"])["return"]["callManagerGroup"]
    assert {member["priority"] for member in group["members"]["member"]} == {0, 1}
    pools = call(
        "listDevicePool",
        searchCriteria={"name": "%"},
        returnedTags={"name": "", "callManagerGroupName": ""},
    )["return"]["devicePool"]
    assert {pool["callManagerGroupName"]["_value_1"] for pool in pools} == {
        group["name"] for group in groups
    }
    tags = {
        "name": "",
        "model": "",
        "protocol": "",
        "devicePoolName": "",
        "securityProfileName": "",
    }
    phones = call("listPhone", searchCriteria={"name": "SEP%"}, returnedTags=tags)["return"]
    assert len(phones["phone"]) == 6
    done = call("doDeviceReset", deviceName=PHONE, isHardReset="true")
    assert done["return"] == "true"
    assert re.fullmatch(r"\{[0-9A-F-]{36}\}", call("resetPhone", name=PHONE)["return"])
    assert not call.left


def test_a_phone_that_axl_does_not_know_is_a_fault(lab: RunningLab) -> None:
    with pytest.raises(zeep.exceptions.Fault, match="not found") as caught:
        client(lab, "AXLAPI").service.doDeviceReset(
            deviceName="SEP000000000000", isHardReset="true"
        )
    assert caught.value.detail.findtext("*/axlcode") == "5007"


def test_ris(lab: RunningLab, judged: Judged) -> None:
    call = Calls(lab, "RISService70", judged)
    every = dict(SIP, SelectItems={"item": [{"Item": "*"}]}, NodeName="")
    plain = call("selectCmDevice", StateInfo="", CmSelectionCriteria=every)
    assert plain["SelectCmDeviceResult"]["TotalDevicesFound"] >= 6
    named = call("selectCmDeviceExt", StateInfo="", CmSelectionCriteria=SIP)
    nodes = named["SelectCmDeviceResult"]["CmNodes"]["item"]
    devices = [phone for node in nodes if node["CmDevices"] for phone in node["CmDevices"]["item"]]
    assert {phone["Name"] for phone in devices} == {PHONE, OFF}
    assert "<StateInfo" in named["StateInfo"]
    every_line = {
        "MaxReturnedItems": 1000,
        "CtiMgrClass": "Line",
        "Status": "Any",
        "NodeName": "",
        "SelectAppBy": "AppId",
        "AppItems": {"item": []},
        "DevNames": {"item": []},
        "DirNumbers": {"item": []},
    }
    lines = call("selectCtiItem", StateInfo="", CtiSelectionCriteria=every_line)
    assert lines["SelectCtiItemResult"]["TotalItemsFound"] == 0
    assert not call.left


def test_ris_asked_too_often_is_a_fault_of_rate_control(lab: RunningLab) -> None:
    service = client(lab, "RISService70").service
    allowed = lab.look(lambda servers: servers.desk.limits.ris.per_minute)
    lab.look(lambda servers: setattr(servers.desk.limits.ris, "per_minute", 0))
    try:
        with pytest.raises(zeep.exceptions.Fault, match="Exceeded allowed rate") as caught:
            service.selectCmDeviceExt(StateInfo="", CmSelectionCriteria=SIP)
    finally:
        lab.look(lambda servers: setattr(servers.desk.limits.ris, "per_minute", allowed))
    assert caught.value.code.endswith("Server.RateControl")


def test_control_center(lab: RunningLab, judged: Judged) -> None:
    call = Calls(lab, "ControlCenterServices", judged)
    every = call("soapGetServiceStatus", ServiceStatus=[""])["ServiceInfoList"]["item"]
    names = {each["ServiceName"] for each in every}
    assert {"Cisco CallManager", "Cisco Tftp", "Cisco Tomcat"} <= names
    two = call("soapGetServiceStatus", ServiceStatus=["Cisco Tftp", "Cisco CallManager"])
    assert len(two["ServiceInfoList"]["item"]) == 2
    known = call("soapGetStaticServiceList", ServiceInformationResponse="")["item"]
    assert {"Cisco CallManager", "Cisco Tftp"} <= {each["ServiceName"] for each in known}
    product = call("getProductInformationList", ServiceInfo="")
    assert product["ActiveServerVersion"].startswith(lab.release.partition("-")[0])
    assert product["Services"]["item"]
    request = {"NodeName": "pub", "ControlType": "Restart", "ServiceList": SERVICES}
    done = call("soapDoControlServices", ControlServiceRequest=request)
    assert [each["ServiceName"] for each in done["ServiceInfoList"]["item"]] == ["Cisco Tftp"]
    request = {"NodeName": "pub", "DeployType": "Deploy", "ServiceList": SERVICES}
    call("soapDoServiceDeployment", DeploymentServiceRequest=request)
    assert not call.left


def test_control_center_takes_a_node_name_that_is_nil(lab: RunningLab) -> None:
    request = {"NodeName": None, "ControlType": "Restart", "ServiceList": SERVICES}
    service = client(lab, "ControlCenterServices").service
    done = service.soapDoControlServices(ControlServiceRequest=request)
    assert [each["ServiceName"] for each in done["ServiceInfoList"]["item"]] == ["Cisco Tftp"]


def test_control_center_extended(lab: RunningLab, judged: Judged) -> None:
    call = Calls(lab, "ControlCenterServicesEx", judged)
    known = call("getStaticServiceListExtended", ServiceInformationResponse="")
    assert known["PrimaryNode"] is True
    restricted = {each["ServiceName"]: each["Restrict"] for each in known["Services"]["item"]}
    assert restricted["Cisco CallManager"] == "none"
    request = {
        "ProductId": "CallManager",
        "DependencyType": "None",
        "ControlType": "Restart",
        "ServiceList": SERVICES,
    }
    done = call("soapDoControlServicesEx", ControlServiceRequestEx=request)
    assert [each["ServiceName"] for each in done["ServiceInfoList"]["item"]] == ["Cisco Tftp"]
    request = {"ProductId": "CallManager", "DeployType": "Deploy", "ServiceList": SERVICES}
    call("soapDoServiceDeploymentNoDbUpdate", DeploymentServiceRequestEx=request)
    call("getFileDirectoryList", DirectoryPath="/")
    assert not call.left


def test_perfmon(lab: RunningLab, judged: Judged) -> None:
    call = Calls(lab, "PerfmonService", judged)
    once = call("perfmonCollectCounterData", Host="pub", Object="Cisco CallManager")
    counters = {each["Name"]["_value_1"]: each["Value"] for each in once}
    assert COUNTER in counters
    known = call("perfmonListCounter", Host="pub")
    assert "Cisco CallManager" in {each["Name"]["_value_1"] for each in known}
    call("perfmonListInstance", Host="pub", Object="Cisco CallManager")
    assert call("perfmonQueryCounterDescription", Counter=COUNTER)
    handle = call("perfmonOpenSession")
    one = {"Counter": [{"Name": COUNTER}]}
    call("perfmonAddCounter", SessionHandle=handle, ArrayOfCounter=one)
    (seen,) = call("perfmonCollectSessionData", SessionHandle=handle)
    assert seen["CStatus"] in {0, 1}
    call("perfmonRemoveCounter", SessionHandle=handle, ArrayOfCounter=one)
    call("perfmonCloseSession", SessionHandle=handle)
    assert not call.left
