"""Control Center as the lab serves it, judged by its description and by the command line."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from lxml import etree

from cucm_certflow.lab.servers.service_catalogue import listed, standing
from cucm_certflow.names import Service
from tests.lab.desk import AST, ENVELOPE, Office, faultstring, office, valid, values
from tests.lab.small import BEGIN
from tests.lab.test_servers_cli import OFF, Session, told
from tests.web.helpers import fixture

PATH = "/controlcenterservice2/services/ControlCenterServices"
OLD_PATH = "/controlcenterservice/services/ControlCenterServicesPort"
EX = f"{PATH}Ex"
CC, CC_EX = "ControlCenterServices", "ControlCenterServicesEx"
EXACT = "\n[timing]\njitter = 0\n"


def status(*names: str) -> str:
    within = "".join(f"<a:ServiceStatus>{name}</a:ServiceStatus>" for name in names)
    return f"<a:soapGetServiceStatus>{within}</a:soapGetServiceStatus>"


def question(operation: str, child: str, text: str = "") -> str:
    return f"<a:{operation}><a:{child}>{text}</a:{child}></a:{operation}>"


def control(what: str, *names: str, node: str = "<a:NodeName/>") -> str:
    items = "".join(f"<a:item>{name}</a:item>" for name in names)
    return (
        f"<a:soapDoControlServices><a:ControlServiceRequest>{node}<a:ControlType>{what}"
        f"</a:ControlType><a:ServiceList>{items}</a:ServiceList></a:ControlServiceRequest>"
        "</a:soapDoControlServices>"
    )


def shown(body: etree._Element) -> dict[str, tuple[str, int]]:
    """Status and reason of each service that an answer is about."""
    found = {}
    for item in body.iter(f"{{{AST}}}item"):
        name, state, reason = (
            item.findtext(f"{{{AST}}}{tag}") or ""
            for tag in ("ServiceName", "ServiceStatus", "ReasonCode")
        )
        found[name] = (state, int(reason))
    return found


async def standing_of(at: Office, *names: str, node: str = "pub") -> dict[str, tuple[str, int]]:
    return shown(valid(CC, await at.ask(PATH, status(*names), node=node)))


# ── looking ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("node", ["pub", "sub", "imp"])
@pytest.mark.parametrize("release", ['"11.5"', '"14.0"'])
def test_every_service_stands_as_the_command_line_has_it(node: str, release: str) -> None:
    async def story(at: Session) -> None:
        await at.say(f"{OFF}\n")
        printed = await at.say("utils service list\n")
        found = dict(re.findall(r"^(.+?) ?\[(STARTED|STOPPED)\]", printed, re.MULTILINE))
        assert found == {
            entry.name: standing(at.cluster, node, entry).status.value
            for entry in listed(at.cluster, node)
        }

    told(story, node, release=release)


@pytest.mark.asyncio
async def test_one_empty_name_asks_for_all_services() -> None:
    with office(release='"14.0"') as at:
        found = await standing_of(at, "")
        assert len(found) == len(listed(at.cluster, "pub"))
        assert found["Cisco CallManager"] == ("Started", -1)
        assert found["Cisco Certificate Authority Proxy Function"] == ("Stopped", -1068)
        assert found["Cisco HAProxy"] == ("Started", -1)
        assert (await standing_of(at, "", node="sub"))["Cisco DRF Master"] == ("Stopped", -1069)


@pytest.mark.asyncio
async def test_names_are_flat_and_nesting_is_a_fault() -> None:
    with office() as at:
        found = await standing_of(at, "Cisco Tftp", "Cisco Teapot")
        assert found == {"Cisco Tftp": ("Started", -1), "Cisco Teapot": ("Unknown", -1010)}
        nested = status("<a:item>Cisco Tftp</a:item>")
        assert "expected ServiceStatus" in faultstring(await at.ask(PATH, nested))
        assert "saw nothing" in faultstring(await at.ask(PATH, status()))


@pytest.mark.asyncio
async def test_start_and_up_time_tell_the_same() -> None:
    with office(more=EXACT) as at:
        at.cluster.begin_restart("sub", Service.TFTP)
        at.clock.turn(100)
        body = valid(CC, await at.ask(PATH, status("Cisco Tftp"), node="sub"))
        started_at = BEGIN + timedelta(seconds=30)
        assert values(body, "StartTime") == [started_at.replace(tzinfo=None).ctime()]
        assert values(body, "UpTime") == [str(int((at.clock.now() - started_at).total_seconds()))]
        off = valid(CC, await at.ask(PATH, status("Cisco DirSync")))
        assert (values(off, "StartTime"), values(off, "UpTime")) == ([""], ["-1"])


@pytest.mark.asyncio
async def test_lists_say_what_may_be_done_to_each_service() -> None:
    with office(release='"14.0"') as at:
        every = [entry.name for entry in listed(at.cluster, "pub")]
        static = question("soapGetStaticServiceList", "ServiceInformationResponse")
        assert values(valid(CC, await at.ask(PATH, static)), "ServiceName") == every
        products = question("getProductInformationList", "ServiceInfo")
        body = valid(CC, await at.ask(PATH, products, node="imp"))
        assert values(body, "ActiveServerVersion") == ["14.0.1.10000-22"]
        assert values(body, "PrimaryNode") == ["pub"]
        extended = question("getStaticServiceListExtended", "ServiceInformationResponse")
        body = valid(CC_EX, await at.ask(EX, extended, node="sub"))
        assert values(body, "PrimaryNode") == ["false"]
        names, restrict = values(body, "ServiceName"), values(body, "Restrict")
        may = dict(zip(names, restrict, strict=True))
        assert may["Cisco Tomcat"] == "DoNotStop"
        assert may["Cisco DRF Master"] == "PrimaryNode"
        assert may["Cisco Tftp"] == "none"
        folder = question("getFileDirectoryList", "DirectoryPath", "/var/log/active/platform/cert/")
        assert values(valid(CC_EX, await at.ask(EX, folder)), "File") == ["certm.log"]
        nowhere = question("getFileDirectoryList", "DirectoryPath", "/nowhere")
        assert values(valid(CC_EX, await at.ask(EX, nowhere)), "File") == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("path", "name"),
    [
        (PATH, "ccs-req-getProductInformationList-devnet"),
        (PATH, "ccs-req-soapGetServiceStatus-cucmapi"),
        (PATH, "ccs-req-soapGetStaticServiceList-tinycucm"),
        (PATH, "ccs-req-soapDoControlServices-devnet-nil-nodename"),
        (EX, "ccsex-req-soapDoControlServicesEx-zeep"),
    ],
)
async def test_genuine_requests_are_understood(path: str, name: str) -> None:
    with office() as at:
        answer = await at.send("POST", path, content=fixture(name))
        valid(CC if path == PATH else CC_EX, answer)


@pytest.mark.asyncio
async def test_the_old_path_is_that_of_old_releases() -> None:
    for release, there in (('"9.1"', 200), ('"11.5"', 404)):
        with office(release=release) as at:
            assert (await at.ask(OLD_PATH, status(""))).status_code == there


# ── changing ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.asyncio
async def test_a_restart_answers_at_once_and_goes_on_by_itself() -> None:
    with office(more=EXACT) as at:
        answer = await at.ask(PATH, control("Restart", "Cisco Tftp"))
        body = valid(CC, answer)
        assert shown(body) == {"Cisco Tftp": ("Started", -1)}
        assert values(body, "ReturnCode") == ["0"]
        told_at = at.clock.now()
        seen: set[tuple[str, int]] = set()
        while (found := await standing_of(at, "Cisco Tftp"))["Cisco Tftp"][
            0
        ] != "Started" or not seen:
            seen.add(found["Cisco Tftp"])
        assert seen >= {("Stopped", -1019), ("Starting", -1)}
        started_at = at.cluster.service_state("pub", Service.TFTP).started_at
        assert started_at == told_at + timedelta(seconds=30)
        assert [entry.text for entry in at.cluster.log] == ["utils service restart Cisco Tftp"]


@pytest.mark.asyncio
async def test_a_service_that_was_stopped_stays_so_until_it_is_started() -> None:
    with office(more=EXACT) as at:
        valid(CC, await at.ask(PATH, control("Stop", "Cisco Tftp", "Cisco CallManager")))
        at.clock.turn(3_600)
        assert (await standing_of(at, "Cisco Tftp"))["Cisco Tftp"] == ("Stopped", -1069)
        assert {each.node for each in at.cluster.registrations().values()} <= {"", "sub"}
        again = valid(CC, await at.ask(PATH, control("Stop", "Cisco Tftp")))
        assert shown(again)["Cisco Tftp"] == ("Stopped", -1040)
        assert values(again, "ReturnCode") == ["1"]
        valid(CC, await at.ask(PATH, control("Start", "Cisco Tftp", "Cisco CallManager")))
        twice = valid(CC, await at.ask(PATH, control("Start", "Cisco Tftp")))
        assert shown(twice)["Cisco Tftp"] == ("Starting", -1029)
        at.clock.turn(3_600)
        started = valid(CC, await at.ask(PATH, control("Start", "Cisco Tftp")))
        assert shown(started)["Cisco Tftp"] == ("Started", -1039)
        assert "pub" in {each.node for each in at.cluster.registrations().values()}


@pytest.mark.asyncio
async def test_what_cannot_be_driven_is_refused_with_its_code() -> None:
    with office(release='"14.0"') as at:
        refused = {
            "Cisco Tomcat": ("Started", -1011),
            "Cisco HAProxy": ("Started", -1011),
            "A Cisco DB": ("Started", -1011),
            "Cisco Teapot": ("Unknown", -1010),
            "Cisco DirSync": ("Stopped", -1068),
            "Cisco AMC Service": ("Started", -1033),
        }
        body = valid(CC, await at.ask(PATH, control("Restart", *refused)))
        assert shown(body) == refused
        assert at.cluster.log == ()
        assert at.cluster.is_web_up("pub")


@pytest.mark.asyncio
async def test_only_the_node_that_is_asked_can_be_commanded() -> None:
    with office(more=EXACT) as at:
        other = control("Restart", "Cisco Tftp", node="<a:NodeName>sub</a:NodeName>")
        assert "not this node" in faultstring(await at.ask(PATH, other))
        for own in ("pub", "PUB.lab.example", "127.0.0.11"):
            node = f"<a:NodeName>{own}</a:NodeName>"
            body = control("Restart", "Cisco Trust Verification Service", node=node)
            valid(CC, await at.ask(PATH, body))
            at.clock.turn(60)
        assert {entry.node for entry in at.cluster.log} == {"pub"}


@pytest.mark.asyncio
async def test_wrong_wrappers_orders_and_empty_lists_do_nothing() -> None:
    wrong_wrapper = control("Restart", "Cisco Tftp").replace(
        "ControlServiceRequest", "ControlService"
    )
    wrong_order = control("Restart", "Cisco Tftp", node="").replace(
        "</a:ServiceList>", "</a:ServiceList><a:NodeName/>"
    )
    unqualified = control("Restart", "Cisco Tftp").replace("a:item", "item")
    ex = (
        "<a:soapDoControlServicesEx><a:ControlServiceExRequest><a:ProductId/><a:DependencyType/>"
        "<a:ControlType>Restart</a:ControlType><a:ServiceList><a:item>Cisco Tftp</a:item>"
        "</a:ServiceList></a:ControlServiceExRequest></a:soapDoControlServicesEx>"
    )
    with office() as at:
        for path, body in (
            (PATH, wrong_wrapper),
            (PATH, wrong_order),
            (PATH, unqualified),
            (PATH, control("Restart")),
            (PATH, control("Reboot", "Cisco Tftp")),
            (EX, ex),
        ):
            assert "expected " in faultstring(await at.ask(path, body))
        assert "no operation" in faultstring(await at.ask(PATH, "<a:soapMakeTea/>"))
        bad = await at.send("POST", PATH, content=ENVELOPE.format(""))
        assert "no operation (none)" in faultstring(bad)
        assert at.cluster.log == ()


@pytest.mark.asyncio
async def test_the_lab_activates_nothing() -> None:
    items = "<a:ServiceList><a:item>Cisco DirSync</a:item></a:ServiceList>"
    plain = (
        "<a:soapDoServiceDeployment><a:DeploymentServiceRequest><a:NodeName/><a:DeployType>Deploy"
        f"</a:DeployType>{items}</a:DeploymentServiceRequest></a:soapDoServiceDeployment>"
    )
    extended = (
        "<a:soapDoServiceDeploymentNoDbUpdate><a:DeploymentServiceRequestEx><a:ProductId/>"
        f"<a:DeployType>Deploy</a:DeployType>{items}</a:DeploymentServiceRequestEx>"
        "</a:soapDoServiceDeploymentNoDbUpdate>"
    )
    with office() as at:
        for wsdl, path, body in ((CC, PATH, plain), (CC_EX, EX, extended)):
            answered = valid(wsdl, await at.ask(path, body))
            assert shown(answered) == {"Cisco DirSync": ("Stopped", -1033)}
        assert Service.CAPF not in at.cluster.activated("pub")


# ── who may, and what goes wrong ──────────────────────────────────────────────────────────


@pytest.mark.asyncio
async def test_a_monitor_may_look_and_not_command() -> None:
    monitor = (
        "\n[[accounts.others]]\nuser = 'watch'\npassword = 'w'\n"
        "roles = ['Standard CCM Server Monitoring']\n"
        "[[accounts.others]]\nuser = 'axl'\npassword = 'x'\nroles = ['Standard AXL API Access']\n"
    )
    with office(more=monitor) as at:
        watch, axl = at.cluster.scenario.accounts.others
        assert (await at.ask(PATH, status(""), account=watch)).status_code == 200
        assert (await at.ask(PATH, status(""), account=axl)).status_code == 403
        body = control("Restart", "Cisco Tftp")
        assert (await at.ask(PATH, body, account=watch)).status_code == 403
        assert (await at.send("POST", PATH, content="", password="no")).status_code == 401
        assert at.cluster.log == ()


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("kind", "status_code", "done_at_once", "done_later"),
    [
        ("refused", 500, False, False),
        ("lost command", 598, False, False),
        ("late", 598, False, True),
        ("lost reply", 598, True, True),
        ("unknown layout", 200, True, True),
    ],
)
async def test_faults_strike_one_restart(
    kind: str,
    status_code: int,
    done_at_once: bool,
    done_later: bool,
) -> None:
    command = "soapDoControlServices Restart Cisco Tftp"
    more = f'\n[[faults]]\nkind = "{kind}"\ncommand = "{command}"\nlate_s = 60\n'
    with office(more=more) as at:
        valid(CC, await at.ask(PATH, control("Restart", "Cisco CallManager")))
        before = len(at.cluster.log)
        answer = await at.ask(PATH, control("Restart", "Cisco Tftp"))
        assert answer.status_code == status_code
        assert (len(at.cluster.log) > before) is done_at_once
        at.clock.turn(61)
        assert (len(at.cluster.log) > before) is done_later


@pytest.mark.asyncio
async def test_while_tomcat_is_down_nothing_is_forgotten() -> None:
    with office(more=EXACT) as at:
        valid(CC, await at.ask(PATH, control("Stop", "Cisco Tftp"), node="sub"))
        at.cluster.begin_restart("sub", Service.TOMCAT)
        at.clock.turn(200)
        assert (await standing_of(at, "Cisco Tftp", node="sub"))["Cisco Tftp"] == ("Stopped", -1069)
        with pytest.raises(ValueError, match="is stopped"):
            at.cluster.begin_stop("sub", Service.TFTP)


# ── the services of the whole book ────────────────────────────────────────────────────────


@pytest.mark.asyncio
async def test_network_services_are_stopped_and_started_where_they_are() -> None:
    names = (Service.CERTIFICATE_CHANGE_NOTIFICATION, Service.INTERCLUSTER_SYNC_AGENT)
    with office(release='"14.0"') as at:
        for action, status_then in (("Stop", "Stopped"), ("Start", "Started")):
            valid(CC, await at.ask(PATH, control(action, *names), node="imp"))
            at.clock.turn(3_600)
            found = await standing_of(at, *names, node="imp")
            assert {state for state, _ in found.values()} == {status_then}
            reasons = {reason for _, reason in found.values()}
            assert reasons == ({-1069} if action == "Stop" else {-1})
        elsewhere = valid(CC, await at.ask(PATH, control("Stop", Service.DRF_MASTER), node="sub"))
        assert shown(elsewhere)["Cisco DRF Master"] == ("Stopped", -1033)
        assert Service.XCP_ROUTER not in await standing_of(at, "", node="pub")
        assert Service.TVS not in await standing_of(at, "", node="imp")


@pytest.mark.parametrize(
    ("node", "service", "group", "deployable"),
    [
        ("pub", Service.DRF_LOCAL, "Backup and Restore Services", "false"),
        ("pub", Service.CAPF, "Security Services", "true"),
        ("pub", Service.EXTENSION_MOBILITY, "CM Services", "true"),
        ("pub", Service.CERTIFICATE_EXPIRY_MONITOR, "Platform Services", "false"),
        ("imp", Service.SIP_PROXY, "IM and Presence Services", "true"),
        ("imp", Service.XCP_ROUTER, "IM and Presence Services", "false"),
    ],
)
@pytest.mark.asyncio
async def test_each_service_stands_under_its_heading(
    node: str, service: Service, group: str, deployable: str
) -> None:
    with office(release='"14.0"') as at:
        static = question("soapGetStaticServiceList", "ServiceInformationResponse")
        body = valid(CC, await at.ask(PATH, static, node=node))
        rows = zip(
            values(body, "ServiceName"),
            values(body, "GroupName"),
            values(body, "Deployable"),
            strict=True,
        )
        assert (service.value, group, deployable) in rows
