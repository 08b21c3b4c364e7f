"""The lab's web services without sockets: sessions, roles, limits, AXL, RISPort70, bad answers."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Coroutine

import defusedxml.ElementTree
import httpx
import pytest

from cucm_certflow.commands import ReplyKind, ResetPhones
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.memory import MemoryTransport
from cucm_certflow.lab.render import RenderedCertificate
from cucm_certflow.lab.scenario import Scenario
from cucm_certflow.lab.servers.bad_answers import HUGE_BYTES
from cucm_certflow.lab.servers.database import Database
from cucm_certflow.lab.servers.limits import RateLimit
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.sessions import COOKIE
from cucm_certflow.lab.servers.soap import NO_ANSWER
from cucm_certflow.lab.servers.vos_cli import Desk
from cucm_certflow.lab.servers.web import web_app
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from tests.lab.small import BEGIN, OFF, PHONE, SMALL, scenario

ENVELOPE = (
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>{}</s:Body>'
    "</s:Envelope>"
)
AST = "{http://schemas.cisco.com/ast/soap}"
RIS = "/realtimeservice2/services/RISService70"
MINUTE = 60.0


class Web:
    """The web applications of a small lab, and somebody who knows the application's password."""

    def __init__(self, *, text: str = "", more: str = "", **keys: str) -> None:
        self.clock = VirtualClock()
        told = Scenario.loads(text) if text else scenario(more=more, **keys)
        self.scenario = told
        self.cluster = LabCluster(told, self.clock)
        self.desk = Desk(
            cluster=self.cluster,
            clock=self.clock,
            papers=Papers(told, self.clock, threaded=False),
            database=Database(self.cluster),
        )
        account = told.accounts.application
        self.password = (account.user, account.password)
        self._apps = {node.name: web_app(self.desk, node.name) for node in told.nodes}

    async def send(
        self,
        path: str,
        body: str = "",
        *,
        node: str = "pub",
        method: str = "POST",
        auth: tuple[str, str] | None = None,
        cookie: str = "",
        action: str = "",
    ) -> httpx.Response:
        """One request, without a cookie jar; by password, if there is no cookie."""
        headers = {"SOAPAction": action} if action else {}
        if cookie:
            headers["Cookie"] = f"{COOKIE}={cookie}"
        transport = httpx.ASGITransport(self._apps[node])
        async with httpx.AsyncClient(transport=transport, base_url="https://pub:8443") as client:
            return await client.request(
                method,
                path,
                content=ENVELOPE.format(body) if body else None,
                headers=headers,
                auth=auth or (None if cookie else self.password),
            )

    async def axl(self, operation: str, within: str = "", **more: str) -> httpx.Response:
        version = more.pop("version", "11.5")
        attributes = more.pop("attributes", "")
        body = (
            f'<a:{operation} xmlns:a="http://www.cisco.com/AXL/API/{version}"{attributes}>{within}'
            f"</a:{operation}>"
        )
        return await self.send("/axl/", body, action=more.get("action", ""))

    async def ris(
        self, *items: str, operation: str = "selectCmDeviceExt", state: str = "", **criteria: str
    ) -> httpx.Response:
        return await self.send(RIS, ris_body(*items, operation=operation, state=state, **criteria))


def ris_body(*items: str, operation: str, state: str = "", **criteria: str) -> str:
    fields = {
        "MaxReturnedDevices": "1000",
        "DeviceClass": "Phone",
        "Model": "255",
        "Status": "Any",
        "NodeName": "",
        "SelectBy": "Name",
        "SelectItems": "".join(f"<r:item><r:Item>{each}</r:Item></r:item>" for each in items),
        "Protocol": "Any",
        "DownloadStatus": "Any",
    } | criteria
    within = "".join(f"<r:{name}>{value}</r:{name}>" for name, value in fields.items())
    escaped = state.replace("&", "&amp;").replace("<", "&lt;")
    return (
        f'<r:{operation} xmlns:r="http://schemas.cisco.com/ast/soap"><r:StateInfo>{escaped}'
        f"</r:StateInfo><r:CmSelectionCriteria>{within}</r:CmSelectionCriteria></r:{operation}>"
    )


def told(story: Callable[[], Coroutine[object, object, None]]) -> None:
    run_virtual(story)


def tree(answer: httpx.Response) -> ET.Element:
    assert answer.status_code in (200, 500), answer.text
    found: ET.Element = defusedxml.ElementTree.fromstring(answer.content)
    return found


def devices(answer: httpx.Response) -> list[tuple[str, str, str]]:
    """Node, name and status of every record."""
    return [
        (
            node.findtext(f"{AST}Name", ""),
            device.findtext(f"{AST}Name", ""),
            device.findtext(f"{AST}Status", ""),
        )
        for node in tree(answer).iterfind(f".//{AST}CmNodes/{AST}item")
        for device in node.iterfind(f"{AST}CmDevices/{AST}item")
    ]


def state_of(answer: httpx.Response) -> str:
    return tree(answer).findtext(f".//{AST}selectCmDeviceReturn/{AST}StateInfo", "")


def cookie_of(answer: httpx.Response) -> str:
    value = answer.cookies.get(COOKIE)
    assert value is not None
    return value


# ── sessions ──────────────────────────────────────────────────────────────────────────────


def test_a_login_sets_several_cookies_and_the_session_one_lets_in_without_a_password() -> None:
    async def story() -> None:
        web = Web()
        first = await web.axl("getCCMVersion")
        cookies = first.headers.get_list("set-cookie")
        assert len(cookies) == 2
        (session,) = (each for each in cookies if each.startswith(f"{COOKIE}="))
        for part in ("path=/", "Secure", "HttpOnly", "Expires=Tue, 19 Jan 2038 03:14:07 GMT"):
            assert part in session
        assert "domain" not in session.lower()
        names = ris_body(PHONE, operation="selectCmDeviceExt")
        again = await web.send(RIS, names, cookie=cookie_of(first))
        assert again.status_code == 200
        assert "set-cookie" not in again.headers

    told(story)


def test_a_cookie_is_of_one_node_and_of_no_other() -> None:
    async def story() -> None:
        web = Web()
        cookie = cookie_of(await web.axl("getCCMVersion"))
        answer = await web.send("/axl/", node="sub", method="GET", cookie=cookie)
        assert answer.status_code == 401

    told(story)


def test_a_session_ends_with_404_after_half_an_hour_of_silence() -> None:
    async def story() -> None:
        web = Web()
        cookie = cookie_of(await web.axl("getCCMVersion"))
        for _ in range(3):
            await web.clock.sleep(29 * MINUTE)
            assert (await web.send("/axl/", method="GET", cookie=cookie)).status_code == 200
        await web.clock.sleep(31 * MINUTE)
        assert (await web.send("/axl/", method="GET", cookie=cookie)).status_code == 404
        renewed = await web.send("/axl/", method="GET", cookie=cookie, auth=web.password)
        assert renewed.status_code == 200
        assert cookie_of(renewed) != cookie

    told(story)


def test_tomcat_forgets_every_session_when_it_restarts() -> None:
    async def story() -> None:
        web = Web()
        cookie = cookie_of(await web.axl("getCCMVersion"))
        web.cluster.begin_restart("pub", Service.TOMCAT)
        await web.clock.sleep(5 * MINUTE)
        assert web.cluster.is_web_up("pub")
        assert (await web.send("/axl/", method="GET", cookie=cookie)).status_code == 401
        assert (await web.send("/axl/", method="GET")).status_code == 200

    told(story)


def test_a_wrong_password_is_401_even_beside_a_good_cookie() -> None:
    async def story() -> None:
        web = Web()
        cookie = cookie_of(await web.axl("getCCMVersion"))
        answer = await web.send("/axl/", method="GET", cookie=cookie, auth=("axladmin", "wrong"))
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert answer.text.startswith("<html>")

    told(story)


# ── roles ─────────────────────────────────────────────────────────────────────────────────

RESET = f"<deviceName>{PHONE}</deviceName><isHardReset>false</isHardReset>"


def accounts(*roles: str) -> str:
    names = ", ".join(f'"{each}"' for each in roles)
    return (
        '\n[accounts.application]\nuser = "axladmin"\npassword = "lab-application"\n'
        f"roles = [{names}]\n"
    )


@pytest.mark.parametrize(
    ("roles", "reading", "writing", "ris"),
    [
        (("Standard AXL API Access",), 200, 200, 403),
        (("Standard AXL Read Only API Access",), 200, 403, 403),
        (("Standard CCM Server Monitoring",), 403, 403, 200),
        (("Standard CCM Admin Users",), 403, 403, 403),
        ((), 403, 403, 403),
    ],
)
def test_a_missing_role_is_403_on_that_interface_only(
    roles: tuple[str, ...], reading: int, writing: int, ris: int
) -> None:
    async def story() -> None:
        web = Web(more=accounts(*roles))
        assert (await web.axl("getCCMVersion")).status_code == reading
        assert (await web.axl("doDeviceReset", RESET)).status_code == writing
        assert (await web.ris(PHONE)).status_code == ris
        assert len(web.cluster.log) == (writing == 200)

    told(story)


def test_there_can_be_several_application_accounts() -> None:
    async def story() -> None:
        more = (
            '\n[[accounts.others]]\nuser = "watcher"\npassword = "w"\n'
            'roles = ["Standard CCM Server Monitoring"]\n'
        )
        web = Web(more=more)
        names = ris_body(PHONE, operation="selectCmDeviceExt")
        assert (await web.send(RIS, names, auth=("watcher", "w"))).status_code == 200
        assert (await web.send("/axl/", method="GET", auth=("watcher", "w"))).status_code == 403
        assert (await web.axl("getCCMVersion")).status_code == 200

    told(story)


# ── limits ────────────────────────────────────────────────────────────────────────────────


def test_a_rate_limit_counts_any_minute() -> None:
    limit = RateLimit(2)
    at = BEGIN
    assert limit.take(at)
    assert limit.take(at.replace(second=40))
    assert not limit.take(at.replace(second=59))
    assert limit.take(at.replace(minute=1))
    assert not limit.take(at.replace(minute=1, second=30))


def test_ris_answers_so_many_questions_a_minute_over_all_nodes() -> None:
    async def story() -> None:
        web = Web(more="\n[limits]\nris_per_minute = 3\n[timing]\nlook_s = 0\n")
        names = ris_body(PHONE, operation="selectCmDeviceExt")
        for node in ("pub", "sub", "pub"):
            assert (await web.send(RIS, names, node=node)).status_code == 200
        answer = await web.send(RIS, names, node="sub")
        assert answer.status_code == 500
        assert "Server.RateControl</faultcode>" in answer.text
        assert "realtime information is 3 requests per minute." in answer.text
        assert ">SUB</ns2:hostname>" in answer.text
        await web.clock.sleep(MINUTE)
        assert (await web.send(RIS, names)).status_code == 200

    told(story)


def test_certificates_are_those_of_the_node_that_is_asked() -> None:
    async def story() -> None:
        web = Web(more="\n[health]\ndatabase_lag_s = { pub = 3600 }\n")
        sql = "<sql>select certificate from certificate where servername = 'sub'</sql>"

        async def stored() -> set[str]:
            return {row.text or "" for row in tree(await web.axl("executeSQLQuery", sql)).iter()}

        old = (await held(web, CertUnit.TVS)).pem
        assert old in await stored()
        web.cluster.begin_regenerate("sub", CertUnit.TVS)
        await web.clock.sleep(600)
        new = (await held(web, CertUnit.TVS)).pem
        assert new not in await stored()
        await web.clock.sleep(2 * 3600)
        assert new in await stored()

    told(story)


async def held(web: Web, unit: CertUnit) -> RenderedCertificate:
    return await web.desk.papers.certificate(web.cluster.certificate("sub", unit))


@pytest.mark.parametrize("operation", ["executeSQLQuery", "listPhone"])
def test_axl_refuses_an_answer_that_is_too_large_and_says_how_many_rows_would_do(
    operation: str,
) -> None:
    async def story() -> None:
        web = Web(more="\n[limits]\naxl_answer_mb = 0.0005\n")
        within = {
            "executeSQLQuery": "<sql>select first {} * from device</sql>",
            "listPhone": "<searchCriteria><name>%</name></searchCriteria><returnedTags><name/>"
            "<model/><product/></returnedTags><first>{}</first>",
        }[operation]
        refused = tree(await web.axl(operation, within.format(6)))
        assert refused.findtext(".//axlError/axlcode") == "-1"
        words = refused.findtext(".//axlError/axlmessage", "")
        assert words.startswith("Query request too large. Total rows matched: 6 rows. ")
        assert words == refused.findtext(".//faultstring")
        rows = int(words.removesuffix(" rows").rpartition(" ")[2])
        assert 1 <= rows < 6
        assert (await web.axl(operation, within.format(rows))).status_code == 200

    told(story)


# ── AXL ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("release", "good", "bad", "says"),
    [
        ('"11.5"', ("9.0", "9.1", "10.5", "11.5"), ("8.5", "12.0", "1.0"), "9.x, 10.x and 11.5"),
        ('"12.5"', ("10.0", "11.5", "12.5"), ("9.1", "14.0"), "10.x, 11.x and 12.5"),
        ('"14.0"', ("11.0", "12.5", "14.0"), ("10.5", "15.0"), "11.x, 12.x and 14.0"),
        ('"15.0"', ("12.0", "14.0", "15.0"), ("11.5", "13.0"), "12.x, 14.0 and 15.0"),
    ],
)
def test_axl_takes_its_own_major_and_two_before(
    release: str, good: tuple[str, ...], bad: tuple[str, ...], says: str
) -> None:
    async def story() -> None:
        web = Web(release=release)
        for version in good:
            action = f'"CUCM:DB ver={version} getCCMVersion"'
            answer = await web.axl("getCCMVersion", version=version, action=action)
            assert answer.status_code == 200, version
            assert f"http://www.cisco.com/AXL/API/{version}" in answer.text
        for version in bad:
            action = f'"CUCM:DB ver={version} getCCMVersion"'
            answer = await web.axl("getCCMVersion", version=version, action=action)
            assert answer.status_code == 599, version
            assert f"Incorrect axl version. Supported axl versions are {says}<" in answer.text

    told(story)


def test_header_and_namespace_must_agree_and_without_a_header_1_0_means_the_oldest() -> None:
    async def story() -> None:
        web = Web()
        action = "CUCM:DB ver=10.5 getCCMVersion"
        assert (await web.axl("getCCMVersion", action=action)).status_code == 599
        oldest = await web.axl("getCCMVersion", version="1.0")
        assert oldest.status_code == 200
        assert "http://www.cisco.com/AXL/API/9.0" in oldest.text

    told(story)


ALL = "<searchCriteria><name>%</name></searchCriteria>"


def items(answer: httpx.Response) -> list[ET.Element]:
    found = tree(answer).find(".//return")
    assert found is not None
    return list(found)


def test_tags_come_in_the_order_of_the_schema_whatever_order_they_are_asked_in() -> None:
    async def story() -> None:
        web = Web()
        tags = "<securityProfileName/><name/><locationName/><devicePoolName/><protocol/><model/>"
        answer = await web.axl("listPhone", f"{ALL}<returnedTags>{tags}</returnedTags>")
        phones = items(answer)
        assert [each.tag for each in phones] == ["phone"] * 6
        for phone in phones:
            assert [each.tag for each in phone] == [
                "name",
                "model",
                "protocol",
                "devicePoolName",
                "locationName",
                "securityProfileName",
            ]
        first = phones[0]
        assert first.findtext("name") == PHONE
        assert first.findtext("model") == "Cisco 7841"
        uuid = first.get("uuid", "")
        assert uuid.startswith("{")
        assert uuid == uuid.upper()
        sql = f"<sql>select pkid from device where name = '{PHONE}'</sql>"
        (row,) = items(await web.axl("executeSQLQuery", sql))
        assert row.findtext("pkid") == uuid.strip("{}").lower()

    told(story)


@pytest.mark.parametrize(
    ("criteria", "page", "count"),
    [
        ("<name>SEP%</name>", "", 6),
        ("<name>%0001</name>", "", 1),
        ("<name>%</name><securityProfileName>%Encrypted%</securityProfileName>", "", 1),
        ("<name>nobody</name>", "", 0),
        ("<name>%</name>", "<skip>4</skip><first>10</first>", 2),
        ("<name>%</name>", "<skip>4</skip>", 6),
        ("<name>%</name>", "<first>5</first>", 5),
    ],
)
def test_phones_are_listed_by_pattern_and_page(criteria: str, page: str, count: int) -> None:
    async def story() -> None:
        web = Web()
        within = f"<searchCriteria>{criteria}</searchCriteria><returnedTags><name/></returnedTags>"
        answer = await web.axl("listPhone", within + page)
        assert len(items(answer)) == count
        assert ("<return/>" in answer.text) == (count == 0)

    told(story)


def test_nodes_pools_groups_and_their_members_fit_together() -> None:
    async def story() -> None:
        web = Web()
        tags = "<name/><nodeUsage/><processNodeRole/>"
        nodes = items(await web.axl("listProcessNode", f"{ALL}<returnedTags>{tags}</returnedTags>"))
        table = {each.findtext("name"): [child.text for child in each][1:] for each in nodes}
        assert table["pub"] == ["Publisher", "CUCM Voice/Video"]
        assert table["imp"] == ["Subscriber", "CUCM IM and Presence"]
        assert "EnterpriseWideData" in table
        pools = items(
            await web.axl(
                "listDevicePool",
                f"{ALL}<returnedTags><name/><callManagerGroupName/></returnedTags>",
            )
        )
        groups = items(
            await web.axl("listCallManagerGroup", f"{ALL}<returnedTags><name/></returnedTags>")
        )
        names = {each.findtext("name") for each in groups}
        assert {each.findtext("callManagerGroupName") for each in pools} == names
        (group,) = items(await web.axl("getCallManagerGroup", "<name>CMG_1</name>"))
        assert [each.findtext("callManagerName") for each in group.iter("member")] == [
            "CM_pub",
            "CM_sub",
        ]
        assert [each.findtext("priority") for each in group.iter("member")] == ["0", "1"]
        by_uuid = f"<uuid>{group.get('uuid')}</uuid><returnedTags><name/></returnedTags>"
        (same,) = items(await web.axl("getCallManagerGroup", by_uuid))
        assert [each.tag for each in same] == ["name"]
        tags = "<name/><processNodeName/>"
        managers = await web.axl("listCallManager", f"{ALL}<returnedTags>{tags}</returnedTags>")
        assert {
            each.findtext("name"): each.findtext("processNodeName") for each in items(managers)
        } == {"CM_pub": "pub", "CM_sub": "sub"}
        absent = await web.axl("getCallManagerGroup", "<name>none</name>")
        assert tree(absent).findtext(".//axlcode") == "5007"

    told(story)


def test_the_version_of_a_node_that_there_is_not_is_a_fault() -> None:
    async def story() -> None:
        web = Web()
        known = await web.axl("getCCMVersion", "<processNodeName>sub</processNodeName>")
        assert tree(known).findtext(".//version") == "11.5.1.12900(21)"
        unknown = await web.axl("getCCMVersion", "<processNodeName>bus</processNodeName>")
        assert tree(unknown).findtext(".//axlcode") == "5007"

    told(story)


@pytest.mark.parametrize(
    ("within", "attributes", "strict", "lenient"),
    [
        ("<isHardReset>true</isHardReset>", "", 200, 200),
        ("<isHardReset>f</isHardReset>", ' isMGCP="0"', 200, 200),
        ("<isHardReset>True</isHardReset>", ' isMGCP="false"', 500, 200),
        ("<isHardReset>true</isHardReset>", ' isMGCP="False"', 500, 200),
        ("<isHardReset>yes</isHardReset>", "", 500, 500),
        ("<deviceResetType>Restart</deviceResetType>", "", 200, 200),
        ("<deviceResetType>Kick</deviceResetType>", "", 500, 500),
        ("", "", 500, 500),
    ],
)
def test_a_reset_is_taken_as_the_schema_has_it(
    within: str, attributes: str, strict: int, lenient: int
) -> None:
    async def story() -> None:
        for takes, status in (("true", lenient), ("false", strict)):
            web = Web(more=f"\n[variant]\naxl_takes_python_booleans = {takes}\n")
            whole = f"<deviceName>{PHONE}</deviceName>{within}"
            answer = await web.axl("doDeviceReset", whole, attributes=attributes)
            assert answer.status_code == status
            assert ("<return>true</return>" in answer.text) == (status == 200)
            assert len(web.cluster.log) == (status == 200)

    told(story)


def test_a_device_is_reset_by_uuid_as_well() -> None:
    async def story() -> None:
        web = Web()
        (phone,) = items(
            await web.axl(
                "listPhone",
                f"<searchCriteria><name>{PHONE}</name></searchCriteria><returnedTags/>",
            )
        )
        uuid = phone.get("uuid", "")
        answer = await web.axl("resetPhone", f"<uuid>{uuid}</uuid>")
        assert f"<return>{uuid}</return>" in answer.text
        assert web.cluster.log[-1].text == f"doDeviceReset {PHONE}"

    told(story)


def test_the_path_without_a_slash_redirects() -> None:
    async def story() -> None:
        web = Web(more='\n[[faults]]\nkind = "redirect elsewhere"\ncommand = "axl"\nnth = 2\n')
        moved = await web.send("/axl", "<x/>")
        assert (moved.status_code, moved.headers["Location"]) == (302, "/axl/")
        away = await web.send("/axl", "<x/>")
        assert (away.status_code, away.headers["Location"]) == (
            302,
            "https://127.0.0.13:8443/axl",
        )

    told(story)


# ── RISPort70 ─────────────────────────────────────────────────────────────────────────────


def test_a_phone_that_moved_is_on_two_nodes_and_ext_shows_the_newer_only() -> None:
    async def story() -> None:
        web = Web()
        web.cluster.begin_restart("pub", Service.CALLMANAGER)
        await web.clock.sleep(50)
        assert web.cluster.registration(PHONE).node == "sub"
        both = devices(await web.ris(PHONE, operation="selectCmDevice"))
        assert both == [("pub", PHONE, "UnRegistered"), ("sub", PHONE, "Registered")]
        assert devices(await web.ris(PHONE)) == [("sub", PHONE, "Registered")]
        await web.clock.sleep(10 * MINUTE)
        home = devices(await web.ris(PHONE, operation="selectCmDevice"))
        assert home == [("pub", PHONE, "Registered"), ("sub", PHONE, "UnRegistered")]

    told(story)


def test_ext_knows_no_wildcard() -> None:
    async def story() -> None:
        web = Web()
        assert devices(await web.ris("SEP*")) == []
        names = [name for _, name, _ in devices(await web.ris("SEP*", operation="selectCmDevice"))]
        assert len(names) == 6
        assert [n for _, n, _ in devices(await web.ris("*0006", operation="selectCmDevice"))] == [
            OFF
        ]
        assert devices(await web.ris("[A-Z]*", operation="selectCmDevice")) == []

    told(story)


@pytest.mark.parametrize(
    ("criteria", "count"),
    [
        ({"Status": "Registered"}, 5),
        ({"Status": "UnRegistered"}, 1),
        ({"NodeName": "pub"}, 4),
        ({"NodeName": "nowhere"}, 0),
        ({"DeviceClass": "Gateway"}, 0),
        ({"DeviceClass": "Any", "Protocol": "SIP"}, 6),
        ({"Protocol": "SCCP"}, 0),
        ({"Model": "40001"}, 1),
    ],
)
def test_criteria_narrow_the_answer(criteria: dict[str, str], count: int) -> None:
    async def story() -> None:
        web = Web()
        answer = await web.ris("*", operation="selectCmDevice", state="", **criteria)
        assert len(devices(answer)) == count
        total = tree(answer).findtext(f".//{AST}TotalDevicesFound")
        assert total == str(count)

    told(story)


DEVICES = """
[[devices]]
kind = "SIPTrunk"
first = "trunk-1"
node = "pub"
count = 3

[[devices]]
kind = "Gateway"
first = "AALN/S0@gw"
node = "sub"
registered = false
"""


def test_devices_of_other_classes_are_listed_by_class() -> None:
    async def story() -> None:
        web = Web(more=DEVICES)

        async def of(kind: str) -> list[tuple[str, str, str]]:
            answer = await web.ris("*", operation="selectCmDevice", DeviceClass=kind)
            classes = {e.text for e in tree(answer).iter(f"{AST}DeviceClass")}
            assert kind == "Any" or classes <= {kind}
            return devices(answer)

        trunks = [("pub", f"trunk-{n}", "Registered") for n in (1, 2, 3)]
        assert await of("SIPTrunk") == trunks
        assert await of("Gateway") == [("sub", "AALN/S0@gw", "UnRegistered")]
        assert await of("H323") == []
        assert len(await of("Phone")) == 6
        assert len(await of("Any")) == 10

    told(story)


def test_pages_follow_the_state_that_is_sent_back_verbatim() -> None:
    async def story() -> None:
        web = Web()
        names: list[str] = []
        state, pages = "", 0
        while True:
            answer = await web.ris(
                "*", operation="selectCmDevice", state=state, MaxReturnedDevices="4"
            )
            found = devices(answer)
            if not found:
                break
            names += [name for _, name, _ in found]
            state, pages = state_of(answer), pages + 1
            assert f'TotalItemsReturned="{sum(node == "pub" for node, _, _ in found)}"' in state
        assert pages == 2
        assert len(names) == len(set(names)) == 6
        forged = await web.ris("*", operation="selectCmDevice", state="<StateInfo/>")
        assert forged.status_code == 500

    told(story)


def test_a_page_holds_a_thousand_whatever_is_asked_for() -> None:
    async def story() -> None:
        text = SMALL.replace("count = 4", "count = 1500")
        web = Web(text=text)
        names = [phone.device.name for phone in web.cluster.phones[:1500]]
        answer = await web.ris(*names, MaxReturnedDevices="2000")
        assert len(devices(answer)) == 1000
        assert tree(answer).findtext(f".//{AST}TotalDevicesFound") == "1500"
        rest = await web.ris(*names, MaxReturnedDevices="2000", state=state_of(answer))
        assert len(devices(rest)) == 500
        assert not set(devices(answer)) & set(devices(rest))

    told(story)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<r:StateInfo></r:StateInfo>", ""),
        ("<r:Model>255</r:Model>", ""),
        ("<r:NodeName></r:NodeName>", "<NodeName/>"),
        ("<r:Status>Any</r:Status>", "<r:Status>Away</r:Status>"),
        (">1000<", ">many<"),
        (
            "<r:Protocol>Any</r:Protocol><r:DownloadStatus>Any</r:DownloadStatus>",
            "<r:DownloadStatus>Any</r:DownloadStatus><r:Protocol>Any</r:Protocol>",
        ),
    ],
)
def test_a_request_that_is_not_as_described_is_a_fault(before: str, after: str) -> None:
    async def story() -> None:
        web = Web()
        body = ris_body(PHONE, operation="selectCmDevice")
        assert (await web.send(RIS, body)).status_code == 200
        assert before in body
        answer = await web.send(RIS, body.replace(before, after))
        assert answer.status_code == 500
        assert "<faultcode>soapenv:Client</faultcode>" in answer.text

    told(story)


def test_services_describe_themselves() -> None:
    async def story() -> None:
        web = Web()
        for path, port in ((RIS, "RisPort70"), ("/axl/", "http://www.cisco.com/AXL/API/11.5")):
            answer = await web.send(f"{path}?wsdl", method="GET")
            assert answer.status_code == 200
            assert port in answer.text
            assert f"https://pub:8443{path}" in answer.text
        assert (await web.send(f"{RIS}?wsdl", method="GET", node="imp")).status_code == 404

    told(story)


# ── bad answers ───────────────────────────────────────────────────────────────────────────


def fault(kind: str, command: str, **more: object) -> str:
    lines = "".join(f"{key} = {value}\n" for key, value in more.items())
    return f'\n[[faults]]\nkind = "{kind}"\ncommand = "{command}"\n{lines}'


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("missing session", 404),
        ("throttled", 503),
        ("out of memory", 500),
        ("redirect elsewhere", 302),
        ("refused", 500),
        ("lost command", NO_ANSWER),
    ],
)
def test_what_is_answered_with_a_no_is_not_done(kind: str, status: int) -> None:
    async def story() -> None:
        web = Web(more=fault(kind, "doDeviceReset"))
        assert (await web.axl("doDeviceReset", RESET)).status_code == status
        assert web.cluster.log == ()
        assert (await web.axl("doDeviceReset", RESET)).status_code == 200
        assert len(web.cluster.log) == 1

    told(story)


@pytest.mark.parametrize(
    ("kind", "status"),
    [("html", 200), ("truncated", 200), ("unknown layout", 200), ("lost reply", NO_ANSWER)],
)
def test_what_is_done_may_be_answered_with_rubbish(kind: str, status: int) -> None:
    async def story() -> None:
        web = Web(more=fault(kind, f"doDeviceReset {PHONE}"))
        answer = await web.axl("doDeviceReset", RESET)
        assert answer.status_code == status
        assert len(web.cluster.log) == 1
        if kind == "truncated":
            with pytest.raises(ET.ParseError):
                defusedxml.ElementTree.fromstring(answer.content)
        else:
            assert "Envelope" not in answer.text

    told(story)


def test_a_late_reset_comes_later() -> None:
    async def story() -> None:
        web = Web(more=fault("late", "doDeviceReset", late_s=60))
        assert (await web.axl("doDeviceReset", RESET)).status_code == NO_ANSWER
        assert web.cluster.log == ()
        await web.clock.sleep(61)
        assert len(web.cluster.log) == 1

    told(story)


def test_ten_megabytes_of_nothing_are_that() -> None:
    async def story() -> None:
        web = Web(more=fault("huge", "selectCmDeviceExt"))
        answer = await web.ris(PHONE)
        assert answer.status_code == 200
        assert len(answer.content) == HUGE_BYTES
        assert not answer.content.strip()

    told(story)


def test_a_node_name_may_be_nil_and_no_change_missing() -> None:
    async def story() -> None:
        more = fault("nil node name", "selectCmDevice")
        web = Web(more=more + fault("missing no change", "selectCmDeviceExt"))
        nil = tree(await web.ris("*", operation="selectCmDevice"))
        names = list(nil.iterfind(f".//{AST}CmNodes/{AST}item/{AST}Name"))
        assert len(names) == 2
        for name in names:
            assert name.text is None
            assert name.get("{http://www.w3.org/2001/XMLSchema-instance}nil") == "true"
        assert nil.find(f".//{AST}CmDevices/{AST}item/{AST}Name") is not None
        missing = await web.ris(PHONE)
        assert "NoChange" not in missing.text
        assert devices(missing) == [("pub", PHONE, "Registered")]

    told(story)


def test_children_may_lose_their_namespace() -> None:
    async def story() -> None:
        web = Web(more=fault("unqualified children", "selectCmDeviceExt"))
        found = tree(await web.ris(PHONE)).find(f".//{AST}selectCmDeviceReturn")
        assert found is not None
        assert [each.tag for each in found] == ["SelectCmDeviceResult", "StateInfo"]
        assert found.findtext("SelectCmDeviceResult/CmNodes/item/CmDevices/item/Name") == PHONE

    told(story)


def test_booleans_may_be_spelt_wrong() -> None:
    async def story() -> None:
        more = fault("wrong boolean", "selectCmDeviceExt") + fault("wrong boolean", "doDeviceReset")
        web = Web(more=more)
        answer = await web.ris(PHONE)
        assert "<ns1:NoChange>False</ns1:NoChange>" in answer.text
        assert "<ns1:IsCtiControllable>True</ns1:IsCtiControllable>" in answer.text
        assert "<return>True</return>" in (await web.axl("doDeviceReset", RESET)).text

    told(story)


def test_a_fault_can_strike_several_times_in_a_row() -> None:
    async def story() -> None:
        web = Web(more=fault("throttled", "doDeviceReset", nth=2, times=2))
        statuses = [(await web.axl("doDeviceReset", RESET)).status_code for _ in range(4)]
        assert statuses == [200, 503, 503, 200]

    told(story)


def test_a_rate_fault_can_come_without_a_limit_being_reached() -> None:
    async def story() -> None:
        web = Web(more=fault("rate limited", "selectCmDeviceExt"))
        assert "Server.RateControl</faultcode>" in (await web.ris(PHONE)).text
        assert (await web.ris(PHONE)).status_code == 200

    told(story)


@pytest.mark.parametrize(
    ("kind", "reply", "done"),
    [
        ("throttled", ReplyKind.REFUSED, 0),
        ("out of memory", ReplyKind.REFUSED, 0),
        ("html", ReplyKind.LOST, 2),
        ("truncated", ReplyKind.LOST, 2),
    ],
)
def test_in_memory_a_bad_answer_is_a_no_or_a_lost_reply(
    kind: str, reply: ReplyKind, done: int
) -> None:
    async def story() -> None:
        clock = VirtualClock()
        cluster = LabCluster(scenario(more=fault(kind, "doDeviceReset")), clock)
        transport = MemoryTransport(cluster, clock)
        names = (PHONE, "SEP001122330002")
        assert (await transport.perform(ResetPhones("pub", names))).kind is reply
        assert len(cluster.log) == done

    told(story)


def test_the_words_about_memory_are_those_of_the_guide() -> None:
    async def story() -> None:
        web = Web(more=fault("out of memory", "executeSQLQuery"))
        answer = tree(await web.axl("executeSQLQuery", "<sql>select name from device</sql>"))
        assert answer.findtext(".//axlError/axlcode") == "-1"
        assert answer.findtext(".//axlError/request") == "executeSQLQuery"
        assert answer.findtext(".//axlError/axlmessage") == (
            "Maximum AXL Memory Allocation Consumed. Please retry once requests in progress have "
            "completed"
        )

    told(story)
