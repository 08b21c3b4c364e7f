"""Clients of others, unmodified, do what they were written for.

Each is asked in its own way, by its public methods, as its documentation shows.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cucm_certflow.lab.servers.wsdl_files import wsdl_text
from tests.conformance.labs import RunningLab
from tests.conformance.page import Judged
from tests.lab.small import OFF, PHONE, SECURE

ciscoaxl = importlib.import_module("ciscoaxl")
ciscoris = importlib.import_module("ciscoris")
cucmapi = importlib.import_module("cucmapi")
tiny = importlib.import_module("tinyCUCM")
toolkit = importlib.import_module("UCToolkit")

Labs = Callable[[str], RunningLab]
Note = Callable[[str, object], None]

BRINGS = ("11.5", "12.5")
"""The versions of AXL whose schema these clients bring along."""
EACH = ("11.5", "12.5", "14.0", "15.0")

MODE = "select paramvalue from processconfig where paramname='ClusterSecurityMode'"
COUNTER = r"\\pub\Cisco CallManager\RegisteredHardwarePhones"


@pytest.fixture
def lab(request: pytest.FixtureRequest, labs: Labs) -> RunningLab:
    return labs(request.param)


@pytest.fixture
def note(lab: RunningLab, judged: Judged, request: pytest.FixtureRequest) -> Note:
    """Writes down what the client of the test's class did."""

    def written(called: str, result: object) -> None:
        assert request.cls is not None
        judged.note(request.cls.CLIENT, lab.axl, called, result)

    return written


def registered(lab: RunningLab, phone: str) -> bool:
    return lab.look(lambda servers: servers.cluster.registrations()[phone].registered)


def newest(version: str) -> str:
    """The schema with which a lab of *version* can be asked: 14 still speaks 12.5."""
    return version if version in BRINGS else BRINGS[-1]


def full(lab: RunningLab) -> str:
    """The version as getCCMVersion says it."""
    dotted, _, build = lab.release.partition("-")
    return f"{dotted}({build})"


@pytest.mark.parametrize("lab", ["11.5", "12.5", "14.0"], indirect=True)
class TestCiscoaxl:
    CLIENT = "ciscoaxl"

    @pytest.fixture
    def ucm(self, lab: RunningLab) -> Any:
        return ciscoaxl.axl(lab.user, lab.password, lab.address(), newest(lab.axl))

    def test_version(self, ucm: Any, lab: RunningLab, note: Note) -> None:
        said = ucm.client.getCCMVersion()["return"]["componentVersion"]["version"]
        assert said == full(lab)
        note("client.getCCMVersion()", "the release")

    def test_sql(self, ucm: Any, note: Note) -> None:
        (row,) = ucm.sql_query(MODE)["row"]
        assert [(column.tag, column.text) for column in row] == [("paramvalue", "1")]
        found = ucm.run_sql_query("select name from device where name like 'SEP%'")
        assert found["num_rows"] == 6
        assert {row["name"] for row in found["rows"]} >= {PHONE, SECURE, OFF}
        assert ucm.run_sql_query("select name from device where name = 'x'")["num_rows"] == 0
        note("sql_query(…)", "ClusterSecurityMode 1")
        note("run_sql_query(…)", "6 rows; none")

    def test_nodes(self, ucm: Any, note: Note) -> None:
        names = {node["name"] for node in ucm.list_process_nodes()}
        assert {"pub", "sub"} <= names
        assert "imp" not in names  # it asks for CUCM Voice/Video
        note("list_process_nodes()", "2 CUCM nodes")

    def test_groups_and_pools(self, ucm: Any, note: Note) -> None:
        groups = {group["name"] for group in ucm.get_call_manager_groups()}
        pools = ucm.get_device_pools()
        assert {pool["callManagerGroupName"]["_value_1"] for pool in pools} == groups
        group = ucm.get_call_manager_group(min(groups))["return"]["callManagerGroup"]
        assert len(group["members"]["member"]) == 2
        note("get_call_manager_groups()", f"{len(groups)} groups")
        note("get_call_manager_group(…)", "2 members, with priority")
        note("get_device_pools()", f"{len(pools)} pools, with their groups")

    def test_phones_page_by_page(self, ucm: Any, note: Note) -> None:
        phones = ucm.get_phones()
        assert len(phones) == 6
        assert {phone["protocol"] for phone in phones} == {"SIP"}
        note("get_phones()", "6 phones, two pages")

    def test_reset(self, ucm: Any, lab: RunningLab, note: Note) -> None:
        assert ucm.do_device_reset(name=PHONE)["return"] == "true"
        note("do_device_reset(name=…)", "true, though it sends a Python True")

    def test_what_is_not_there_is_a_fault(self, ucm: Any, note: Note) -> None:
        said = ucm.do_device_reset(name="SEP000000000000")
        assert "not found" in said.message
        note("do_device_reset(name=…), unknown", "a fault: not found")

    def test_a_wrong_password_is_said(self, lab: RunningLab, note: Note) -> None:
        with pytest.raises(Exception, match="401 Unauthorized"):
            ciscoaxl.axl(lab.user, "wrong", lab.address(), newest(lab.axl))
        note("axl(…), wrong password", "401")


@pytest.mark.parametrize("lab", EACH, indirect=True)
class TestCiscoris:
    CLIENT = "ciscoris"

    @pytest.fixture
    def ucm(self, lab: RunningLab) -> Any:
        return ciscoris.ris(lab.user, lab.password, lab.address(), lab.axl)

    def test_registrations(self, ucm: Any, lab: RunningLab, note: Note) -> None:
        found = ucm.checkRegistration([SECURE, OFF], ["sub"])
        assert found["TotalDevicesFound"] == 1
        (node,) = (node for node in found["CmNodes"]["item"] if node["Name"] == "sub")
        (phone,) = node["CmDevices"]["item"]
        assert (phone["Name"], phone["Status"]) == (SECURE, "Registered")
        note("checkRegistration([2 names], [node])", "1 of 2 is registered")

    def test_devices(self, ucm: Any, note: Note) -> None:
        asked = {
            "MaxReturnedDevices": 1000,
            "DeviceClass": "Phone",
            "Model": 255,
            "Status": "Any",
            "NodeName": "",
            "SelectBy": "Name",
            "SelectItems": {"item": [{"Item": SECURE}, {"Item": OFF}]},
            "Protocol": "Any",
            "DownloadStatus": "Any",
        }
        found = ucm.get_devices(**asked)
        assert found["TotalDevicesFound"] == 2
        note("get_devices(…)", "2 of 2")


@pytest.mark.parametrize("lab", EACH, indirect=True)
class TestCucmapi:
    CLIENT = "cucmapi"

    def made(self, lab: RunningLab, kind: str) -> Any:
        return getattr(cucmapi, kind)(lab.user, lab.password, lab.address(), newest(lab.axl))

    def test_ris(self, lab: RunningLab, note: Note) -> None:
        found = self.made(lab, "ris").selectCmDeviceExt([SECURE, OFF], None)
        assert {phone["Name"] for phone in found} == {SECURE, OFF}
        note("ris.selectCmDeviceExt([2 names], None)", "2 of 2")

    def test_control_center(self, lab: RunningLab, note: Note) -> None:
        ccs = self.made(lab, "ccs")
        (found,) = ccs.soapGetServiceStatus(["Cisco Tftp"])
        assert found["ServiceStatus"] in {"Started", "Starting", "Stopping", "Stopped"}
        done = ccs.soapDoControlServices("pub", "Restart", ["Cisco Tftp"])
        assert [each["ServiceName"] for each in done["ServiceInfoList"]["item"]] == ["Cisco Tftp"]
        assert ccs.soapGetStaticServiceList()
        assert ccs.getProductInformationList()["Products"]["item"]
        known = ccs.getStaticServiceListExtended()
        assert {each["Restrict"] for each in known} <= {"none", "PrimaryNode", "DoNotStop"}
        done = ccs.soapDoControlServicesEx("CallManager", "None", "Restart", ["Cisco Tftp"])
        assert [each["ServiceName"] for each in done["ServiceInfoList"]["item"]] == ["Cisco Tftp"]
        ccs.getFileDirectoryList("/var/log/active/tomcat/logs/ccmservice")
        note("ccs.soapGetServiceStatus([name])", "parsed")
        note("ccs.getFileDirectoryList(path)", "parsed")
        note("ccs.soapDoControlServices(node, Restart, [name])", "taken")
        note("ccs.soapGetStaticServiceList()", "parsed")
        note("ccs.getProductInformationList()", "parsed")
        note("ccs.getStaticServiceListExtended()", "parsed, with Restrict")
        note("ccs.soapDoControlServicesEx(…, Restart, [name])", "taken")

    def test_perfmon(self, lab: RunningLab, note: Note) -> None:
        pfm = self.made(lab, "pfm")
        once = {
            each["Name"]["_value_1"]: each["Value"]
            for each in pfm.perfmonCollectCounterData("pub", "Cisco CallManager")
        }
        assert COUNTER in once
        handle = pfm.perfmonOpenSession()
        assert pfm.perfmonAddCounter(handle, [COUNTER]) is None
        (seen,) = pfm.perfmonCollectSessionData(handle)
        assert seen["Name"]["_value_1"] == COUNTER
        assert pfm.perfmonListCounter("pub")
        assert pfm.perfmonQueryCounterDescription(COUNTER)
        assert pfm.perfmonRemoveCounter(handle, [COUNTER]) is None
        assert pfm.perfmonCloseSession(handle) is None
        note("pfm.perfmonCollectCounterData(host, object)", "parsed")
        note("pfm: a session, from open to close", "parsed")
        note("pfm.perfmonListCounter, …QueryCounterDescription", "parsed")


@pytest.mark.parametrize("lab", ["11.5", "12.5", "14.0"], indirect=True)
class TestCucmapiAxl:
    CLIENT = "cucmapi"

    def test_axl(self, lab: RunningLab, note: Note) -> None:
        axl = cucmapi.axl(lab.user, lab.password, lab.address(), newest(lab.axl))
        assert axl.getCCMVersion()["componentVersion"]["version"] == full(lab)
        note("axl.getCCMVersion()", "the release")


@pytest.fixture
def toolkit_folder(lab: RunningLab, tmp_path: Path) -> Path:
    """Where tinyCUCM wants an administrator to put Cisco's toolkit: AXL's, and two from a node."""
    version = newest(lab.axl)
    brought = Path(str(ciscoaxl.__file__)).parent / "schema" / version
    shutil.copytree(brought, tmp_path / "schema" / version)
    for name in ("ControlCenterServices", "RISService70"):
        text = wsdl_text(name, f"https://{lab.address()}:8443/realtimeservice2/services/{name}")
        (tmp_path / f"wsdl{name}.xml").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("lab", ["11.5", "12.5", "14.0"], indirect=True)
class TestTinyCucm:
    CLIENT = "tinyCUCM"

    @pytest.fixture
    def ucm(self, lab: RunningLab, toolkit_folder: Path) -> Any:
        return tiny.CucmClient(
            pub_fqdn=lab.address(),
            pub_version=newest(lab.axl),
            user_login=lab.user,
            user_password=lab.password,
            toolkit_path=str(toolkit_folder),
        )

    def test_ris(self, ucm: Any, note: Note) -> None:
        found = {
            each["name"]: each["ris"]["Status"]
            for each in ucm.risGetPhones([{"name": SECURE}, {"name": OFF}])
        }
        assert found == {SECURE: "Registered", OFF: "UnRegistered"}
        assert ucm.risGetPhone(SECURE)["NodeName"] == "sub"
        note("risGetPhones([2 names])", "Registered, UnRegistered")
        note("risGetPhone(name)", "with its node")

    def test_control_center(self, ucm: Any, lab: RunningLab, note: Note) -> None:
        (one,) = ucm.ccsGetServiceStatus("Cisco Tftp")
        assert one["ServiceStatus"] == "Started"
        (done,) = ucm.ccsDoControlServices("Restart", ["Cisco Tftp"])
        assert done["ServiceName"] == "Cisco Tftp"
        assert ucm.ccsGetServiceStatus("", node_fqdn=lab.address("sub"))
        assert ucm.ccsGetStaticServiceList()
        note("ccsGetServiceStatus(name)", "Started")
        note("ccsDoControlServices(Restart, [name])", "taken")
        note("ccsGetStaticServiceList()", "parsed")

    def test_sql(self, ucm: Any, note: Note) -> None:
        assert ucm.sqlExecuteQuery(MODE) == ({"paramvalue": "1"},)
        note("sqlExecuteQuery(…)", "ClusterSecurityMode 1")


@pytest.mark.parametrize("lab", ["11.5", "12.5"], indirect=True)
class TestUcToolkit:
    CLIENT = "ciscouctoolkit"

    @pytest.fixture
    def ucm(self, lab: RunningLab) -> Any:
        return toolkit.CUCMAxlToolkit(lab.user, lab.password, lab.address(), version=lab.axl)

    def test_axl(self, ucm: Any, note: Note) -> None:
        assert ucm.run_sql_query(MODE)["rows"] == [{"paramvalue": "1"}]
        assert {"pub", "sub"} <= {node["name"] for node in ucm.listAllProcessNodes()}
        assert ucm.listAllCallManagerGroups()
        assert ucm.listAllDevicePools()
        assert ucm.doDeviceReset(deviceName=PHONE)["return"] == "true"
        note("run_sql_query(…)", "ClusterSecurityMode 1")
        note("listAllProcessNodes()", "2 CUCM nodes")
        note("listAllCallManagerGroups(), listAllDevicePools()", "parsed")
        note("doDeviceReset(deviceName=…)", "true, though it sends a Python True")
