"""The platform command line of the lab, without a socket, against the wording of captures."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import pytest
from cryptography import x509

from cucm_certflow.facts import ServiceState, ServiceStatus
from cucm_certflow.lab.cluster import LabCluster
from cucm_certflow.lab.servers.database import Database, SqlError
from cucm_certflow.lab.servers.papers import Papers
from cucm_certflow.lab.servers.terminal import Terminal
from cucm_certflow.lab.servers.vos_cli import GARBAGE, IDLE_S, Desk, VosCli
from cucm_certflow.lab.servers.vos_commands import COMMANDS
from cucm_certflow.names import CertUnit, Service
from cucm_certflow.testing.virtual import VirtualClock, run_virtual
from cucm_certflow.transports.queries import (
    GROUP_MEMBERS,
    PHONES,
    parameter_from_rows,
    parameter_query,
    phones_from_rows,
    phones_page,
)
from cucm_certflow.transports.vos import parsers
from tests.lab.small import cluster, scenario

PROMPT = "admin:"
PAGER = "Press <enter> for 1 line, <space> for one page, or <q> to quit"
OFF = "set cli pagination off"
MODE = parameter_query("ClusterSecurityMode")


class Session:
    """A person at the terminal of a node."""

    def __init__(self, node: str, *, more: str = "", **keys: str) -> None:
        self.clock = VirtualClock()
        told = scenario(more=more, **keys)
        self.cluster = LabCluster(told, self.clock)
        self.out: list[str] = []
        self.terminal = Terminal(self.out.append)
        self.papers = Papers(told, self.clock, threaded=False)
        desk = Desk(
            cluster=self.cluster,
            clock=self.clock,
            papers=self.papers,
            database=Database(self.cluster),
        )
        self.cli = VosCli(desk, node, self.terminal, COMMANDS)
        self.task = asyncio.get_running_loop().create_task(self.cli.run())
        self._database = desk.database

    async def until(self, end: str, limit_s: float = 1000.0) -> str:
        """All that is printed from now on, up to *end*; CRLF as LF."""
        waited = 0.0
        while not (text := "".join(self.out)).endswith(end):
            assert waited < limit_s, text
            assert not self.task.done(), text
            await self.clock.sleep(0.1)
            waited += 0.1
        self.out.clear()
        return text.replace("\r\n", "\n")

    async def say(self, keys: str, end: str = PROMPT) -> str:
        self.terminal.feed(keys)
        await self.clock.sleep(0.01)
        return await self.until(end)

    async def lost(self) -> str:
        """What is printed before the node drops the session."""
        await asyncio.wait_for(self.task, 5000)
        return "".join(self.out)

    async def close(self) -> None:
        self.terminal.hang_up()
        await self.task
        self._database.close()


def told(
    story: Callable[[Session], Awaitable[None]], node: str = "pub", *, more: str = "", **keys: str
) -> None:
    """Have *story* told at the prompt of *node*."""

    async def whole() -> None:
        session = Session(node, more=more, **keys)
        await session.until(f"\r{PROMPT}")
        await story(session)
        await session.close()

    run_virtual(whole)


def fault(kind: str, command: str) -> str:
    return f'\n[[faults]]\nkind = "{kind}"\ncommand = "{command}"\n'


def test_banner_and_doubled_prompt() -> None:
    async def whole() -> None:
        session = Session("pub")
        begin = session.clock.now()
        text = await session.until("admin:\n\radmin:".replace("\n", "\r\n"))
        assert text.startswith(
            "Command Line Interface is starting up, please wait ...\n\n   Welcome"
        )
        assert "VMware Installation:\n\t" in text
        took = (session.clock.now() - begin).total_seconds()
        assert took == pytest.approx(session.cli.scenario.timing.session_start_s, abs=0.2)
        await session.close()

    run_virtual(whole)


def test_read_commands_print_what_captures_print() -> None:
    async def story(at: Session) -> None:
        assert await at.say(f"{OFF}\r") == f"{OFF}\nAutomatic pagination is turned off\n{PROMPT}"
        assert "Automatic Pagination : Off.\n" in await at.say("show cli pagination\n")
        assert "Active Master Version: 11.5.1.12900-21\n" in await at.say("show version active\n")
        nodes = await at.say("show network cluster\n")
        assert "127.0.0.11 pub.lab.example pub Publisher callmanager DBPub authenticated\n" in nodes
        assert re.search(
            r"^127\.0\.0\.12 sub\.lab\.example sub Subscriber callmanager DBSub authenticated "
            r"using TCP since \w{3} \w{3} \d+ ",
            nodes,
            re.MULTILINE,
        )
        assert "imp Subscriber cups DBPub authenticated" in nodes
        services = await at.say("utils service list\n")
        assert "System SSH [STARTED]\n" in services
        assert "\nCisco Tomcat[STARTED]\n" in services
        assert "[STOPPED]  Service Not Activated" in services
        assert "Primary Node =true\nCommand successful\n" in services
        certificates = await at.say("show cert list own\n")
        assert "tomcat/tomcat.pem: Self-signed certificate generated by system\n" in certificates
        assert "No valid command entered\n" in await at.say("shwo version\n")

    told(story)


def test_a_certificate_is_printed_with_its_pem_on_the_line_of_the_bracket() -> None:
    async def story(at: Session) -> None:
        await at.say(f"{OFF}\n")
        for argument in ("CallManager", "CallManager/CallManager.pem"):
            text = await at.say(f"show cert own {argument}\n")
            assert "[\n  Version: V3\n  Serial Number: " in text
            assert "\n]-----BEGIN CERTIFICATE-----\n" in text
            pem = text[text.index("-----BEGIN") :].removesuffix(PROMPT)
            serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
            assert f"Serial Number: {serial:X}\n" in text
        assert "is not in the list of" in await at.say("show cert own cup\n")

    told(story)


def test_tomcat_ecdsa_is_listed_printed_and_regenerated_as_a_unit_of_its_own() -> None:
    async def story(at: Session) -> None:
        await at.say(f"{OFF}\n")
        text = await at.say("show cert list own\n")
        assert re.findall(r"^(\S+)/\1\.pem: Self-signed", text, re.MULTILINE) == [
            "tomcat",
            "tomcat-ECDSA",
            "ipsec",
            "cup",
            "cup-ECDSA",
            "cup-xmpp",
            "cup-xmpp-ECDSA",
            "cup-xmpp-s2s",
            "cup-xmpp-s2s-ECDSA",
        ]
        for argument in ("tomcat-ECDSA", "tomcat-ECDSA/tomcat-ECDSA.pem"):
            text = await at.say(f"show cert own {argument}\n")
            assert "  SignatureAlgorithm: SHA384withECDSA (1.2.840.10045.4.3.3)\n" in text
            assert "  Key: EC (1.2.840.10045.2.1)\n    Key value: 04" in text
            pem = parsers.own_certificate_pem(text.removesuffix(PROMPT))
            serial = x509.load_pem_x509_certificate(pem.encode()).serial_number
            assert f"Serial Number: {serial:X}\n" in text
        text = await at.say("set cert regen tomcat-ECDSA\n", "(yes|no)? ")
        assert "for  tomcat-ECDSA\n" in text
        text = await at.say("yes\n")
        assert "Successfully Regenerated Certificate for tomcat-ECDSA.\n" in text
        assert at.cluster.certificate("imp", CertUnit.TOMCAT_ECDSA).generation == 2
        assert at.cluster.certificate("imp", CertUnit.TOMCAT).generation == 1

    told(story, "imp", seed="7\necdsa = true")


def test_without_the_switch_tomcat_ecdsa_is_in_no_list() -> None:
    async def story(at: Session) -> None:
        assert "ECDSA" not in await at.say("show cert list own\n")
        for command in ("show cert own", "set cert regen"):
            assert "is not in the list of" in await at.say(f"{command} tomcat-ECDSA\n")

    told(story)


def test_a_service_that_somebody_stopped_is_commanded_out_of_service() -> None:
    async def story(at: Session) -> None:
        await at.say(f"{OFF}\n")
        at.cluster.begin_restart("pub", Service.TVS)
        at.cluster.begin_stop("pub", Service.TFTP)
        await at.clock.sleep(10.5)
        text = await at.say("utils service list\n")
        assert "\nCisco Tftp[STOPPED]  Commanded Out of Service\n" in text
        assert "\nCisco Trust Verification Service[STOPPED]  Component is not running\n" in text
        states = parsers.service_list(text.partition("\n")[2].removesuffix(PROMPT))
        assert states[Service.TFTP] == ServiceState(ServiceStatus.STOPPED, activated=False)
        assert states[Service.TVS] == ServiceState(ServiceStatus.STOPPED)
        at.cluster.begin_start("pub", Service.TFTP)
        await at.clock.sleep(60)
        assert "\nCisco Tftp[STARTED]\n" in await at.say("utils service list\n")

    told(story, more="\n[timing]\njitter = 0\nrestart_s = { tvs = 40, tftp = 20 }\n")


def test_regenerating_asks_and_then_reports() -> None:
    async def story(at: Session) -> None:
        before = at.cluster.certificate("pub", CertUnit.TOMCAT)
        text = await at.say("set cert regen tomcat\n", "(yes|no)? ")
        assert "WARNING: This operation will overwrite any CA signed certificate" in text
        assert "for  tomcat\n" in text
        text = await at.say("no\n")
        assert "Successfully" not in text
        assert at.cluster.certificate("pub", CertUnit.TOMCAT) == before
        await at.say("set cert regen tomcat\n", "(yes|no)? ")
        text = await at.say("yes\n")
        assert "Successfully Regenerated Certificate for tomcat.\n" in text
        assert "You must restart services related to tomcat for the regenerated" in text
        assert at.cluster.certificate("pub", CertUnit.TOMCAT).generation == before.generation + 1

    told(story)


def test_what_is_typed_ahead_of_a_question_is_lost() -> None:
    async def story(at: Session) -> None:
        text = await at.say("set cert regen tomcat\nyes\n", "(yes|no)? ")
        assert "yes\n" not in text
        await at.clock.sleep(60)
        assert not at.out
        assert at.cluster.certificate("pub", CertUnit.TOMCAT).generation == 1
        await at.say("no\n")

    told(story)


@pytest.mark.parametrize(
    ("release", "banner"),
    [
        ('"11.5"', " Don't press Ctrl-c while the service is getting RESTARTED."),
        ('"14.0"', "Do not press Ctrl+C while the service is restarting."),
    ],
)
def test_a_restart_streams_states(release: str, banner: str) -> None:
    async def story(at: Session) -> None:
        text = await at.say("utils service restart Cisco Trust Verification Service\n")
        assert banner in text
        name = "Cisco Trust Verification Service"
        states = re.findall(rf"^{name}\[(\w+)\]  $", text, re.MULTILINE)
        assert states[0] == "STOPPING"
        assert "STARTING" in states
        assert states[-2:] == ["STARTED", "STARTED"]

    told(story, release=release)


def test_unknown_and_dormant_services_are_refused() -> None:
    async def story(at: Session) -> None:
        for name in ("Cisco Tomato", "cisco tomcat", "Cisco CallManager"):
            text = await at.say(f"utils service restart {name}\n")
            assert "Executed command unsuccessfully\n" in text
            assert "STARTED]" not in text

    told(story, node="imp")


def test_ctl_update_and_its_lists() -> None:
    async def story(at: Session) -> None:
        await at.say(f"{OFF}\n")
        text = await at.say("utils ctl update CTLFile\n", "(y/n):")
        assert "This operation will update the CTLFile.\n" in text
        text = await at.say("y\n")
        assert text == (
            "\nUpdating CTL file\nCTL file Updated\nPlease Restart the TFTP and Cisco CallManager "
            f"services on all nodes in the cluster that run these services\n{PROMPT}"
        )
        text = await at.say("show ctl\n")
        assert re.search(r"^Length of CTL file: \d{4}", text, re.MULTILINE)
        assert "System Administrator Security Token" in text
        assert "This etoken was used to sign the CTL file.\n" in text
        assert text.endswith(f"The CTL file was verified successfully.\n{PROMPT}")
        assert "ITL Record #:1" in await at.say("show itl\n")

    told(story)


def test_a_subscriber_updates_no_ctl() -> None:
    async def story(at: Session) -> None:
        await at.say("utils ctl update CTLFile\n", "(y/n):")
        assert "Executed command unsuccessfully" in await at.say("y\n")
        assert not at.cluster.log

    told(story, node="sub")


def test_itl_localkey_up_to_14() -> None:
    async def story(at: Session) -> None:
        text = await at.say("utils itl reset localkey\n")
        assert "The reset ITL file was generated successfully\n" in text
        assert "Number of Active TFTP servers in the cluster : 2\n" in text
        assert "Successfully transferred reset ITL to node sub\n" in text

    told(story)


def test_sql_is_a_table_with_trailing_spaces() -> None:
    async def story(at: Session) -> None:
        assert await at.say(f"run sql {MODE}\n") == (
            f"run sql {MODE}\n"
            "paramname           paramvalue \n"
            "=================== ========== \n"
            "ClusterSecurityMode 1          \n"
            f"{PROMPT}"
        )
        text = await at.say("run sql delete from device\n")
        assert "Executed command unsuccessfully" in text

    told(story)


def test_the_pager_stops_until_it_is_switched_off() -> None:
    async def story(at: Session) -> None:
        end = f"\x1b[1m{PAGER}\x1b[0m"
        text = await at.say("show cert own tomcat\n", end)
        assert text.count("\n") == 25  # with the echo
        text = await at.say("\r", end)
        assert text.startswith("\r\x1b[K")
        assert text.count("\n") == 1
        assert await at.say("q") == f"\r\x1b[K{PROMPT}"
        await at.say(f"{OFF}\n")
        assert PAGER not in await at.say("show cert own tomcat\n")
        text = await at.say("file view activelog platform/log/cli.log\n", ") : \x1b[0m")
        assert "end of the file reached" in text
        assert "options: q=quit, n=next, p=prev, b=begin, e=end (lines 1 - 1 of 1)" in text
        await at.say("q")

    told(story)


def test_question_mark_and_control_characters_act_at_once() -> None:
    async def story(at: Session) -> None:
        text = await at.say("show cert?", f"{PROMPT}show cert")
        assert text.startswith("show certSyntax:\nshow cert list\n")
        assert "Control-C pressed\n" in await at.say("\x03")
        await at.say("set cert regen tomcat\n", "(yes|no)? ")
        assert "Control-C pressed\n" in await at.say("\x03")
        assert "Automatic Pagination : On.\n" in await at.say("show cli paginatiom\x7fn\n")

    told(story)


def test_sessions_end() -> None:
    async def whole() -> None:
        session = Session("pub")
        await session.until(f"\r{PROMPT}")
        session.terminal.feed("exit\n")
        await session.lost()
        session = Session("pub")
        await session.until(f"\r{PROMPT}")
        begin = session.clock.now()
        await session.lost()
        assert (session.clock.now() - begin).total_seconds() == pytest.approx(IDLE_S, abs=1)

    run_virtual(whole)


def test_faults_strike_what_was_typed() -> None:
    regen = "set cert regen tomcat"

    async def unknown(at: Session) -> None:
        await at.say(f"{regen}\n", "(yes|no)? ")
        assert GARBAGE in await at.say("yes\n")
        assert at.cluster.certificate("pub", CertUnit.TOMCAT).generation == 2

    async def refused(at: Session) -> None:
        await at.say(f"{regen}\n", "(yes|no)? ")
        assert "Executed command unsuccessfully" in await at.say("yes\n")
        assert at.cluster.certificate("pub", CertUnit.TOMCAT).generation == 1

    def lost(generation: int) -> Callable[[Session], Awaitable[None]]:
        async def story(at: Session) -> None:
            await at.say(f"{regen}\n", "(yes|no)? ")
            at.terminal.feed("yes\n")
            assert "Successfully" not in await at.lost()
            await at.clock.sleep(60)
            assert at.cluster.certificate("pub", CertUnit.TOMCAT).generation == generation
            await at.clock.sleep(120)
            late = 2 if at.cluster.log else 1
            assert at.cluster.certificate("pub", CertUnit.TOMCAT).generation == late

        return story

    async def look(at: Session) -> None:
        assert await at.say("utils service list\n") == f"utils service list\n{GARBAGE}\n{PROMPT}"

    told(unknown, more=fault("unknown layout", regen))
    told(refused, more=fault("refused", regen))
    told(lost(2), more=fault("lost reply", regen))
    told(lost(1), more=fault("lost command", regen))
    told(lost(1), more=fault("late", regen))
    told(look, more=fault("unknown layout", "utils service list"))


def test_the_database_answers_the_library_s_own_questions() -> None:
    made, _ = cluster()
    database = Database(made)

    def rows(query: str) -> list[dict[str, str]]:
        found = database.select(query)
        return [
            {name: value or "" for name, value in zip(found.names, row, strict=True)}
            for row in found.rows
        ]

    assert parameter_from_rows(rows(MODE)) == made.scenario.mode.value
    phones = phones_from_rows(rows(PHONES), rows(GROUP_MEMBERS))
    assert phones == tuple(phone.device for phone in made.phones)
    assert len(rows(phones_page(first=2))) == 2
    assert len(rows(phones_page(after=phones[2].name, first=100))) == len(phones) - 3
    for query in ("drop table device", "select nothing from device", "select x from y", "selec"):
        with pytest.raises(SqlError):
            database.select(query)
    database.close()
