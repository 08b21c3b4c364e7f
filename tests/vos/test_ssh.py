from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
from pathlib import Path

import asyncssh
import pytest

from cucm_certflow.commands import Regenerate, ReplyKind, ResetLocalkey, RestartService, UpdateCtl
from cucm_certflow.errors import (
    AuthenticationFailed,
    IdentityNotTrusted,
    InventoryError,
    NodeError,
    NodeFault,
    NodeUnreachable,
    UnknownLayout,
    UsageError,
)
from cucm_certflow.facts import (
    Certificate,
    CertificateOf,
    Known,
    Reach,
    Reached,
    Registrations,
    ServiceOn,
    ServiceState,
    ServiceStatus,
    Unknown,
)
from cucm_certflow.names import CertUnit, Interface, ListKind, Service
from cucm_certflow.transports.base import Transport
from cucm_certflow.transports.breaker import Breaker
from cucm_certflow.transports.vos.security import ERRORS, translate
from tests.vos.node import KEY, PASSWORD, Handler, HangUp, Node, Shell, running
from tests.vos.talk import printed

pytestmark = pytest.mark.asyncio

VERSION = "Active Master Version: 15.0.1.12900-234\nNo Installed Software Options Found.\n"
SERVICES = "Cisco Tftp[STARTED]\nCisco Tomcat[STARTED]\nPrimary Node =true\n"
TOMCAT = Regenerate("pub", CertUnit.TOMCAT)
RESTART = RestartService("pub", Service.TFTP)


# ── reading ───────────────────────────────────────────────────────────────────────────────


async def test_reads_over_one_session_with_a_wide_terminal() -> None:
    node = Node(
        {
            "show version active": VERSION,
            "show network cluster": printed("show-network-cluster-cucm-15-single") + "\n",
            "show cert list own": printed("show-cert-list-own-cucm-15") + "\n",
            "show cert own tomcat": printed("show-cert-own-rsa-full") + "\n",
            "show ctl": printed("show-ctl-not-found") + "\n",
            "run sql select name from processnode": printed("sql-processnode-name") + "\n",
        }
    )
    async with running(node):
        vos = node.transport()
        seam: Transport = vos
        assert seam.supports(TOMCAT)
        assert await vos.version() == "15.0.1.12900-234"
        assert [member.is_publisher for member in await vos.network_cluster()] == [True]
        assert "ITLRecovery" in await vos.own_certificates()
        assert await vos.trust_file(ListKind.CTL) is None
        assert len(await vos.sql("select name from processnode")) == 5
        fact = await vos.observe(CertificateOf("pub", CertUnit.TOMCAT))
        assert isinstance(fact, Known)
        assert isinstance(fact.value, Certificate)
        assert fact.value.serial.upper().replace(":", "") == "523C32C09694B0A60168D6EE36A3B96E"
        await vos.aclose()
        await vos.aclose()
    assert node.sessions == 1
    assert node.commands[0] == "set cli pagination off"
    assert node.terminal[:2] == ("vt100", 200)


async def test_keyboard_interactive_alone_is_enough_whatever_it_asks() -> None:
    node = Node({"show version active": VERSION}, keyboard_only=True)
    async with running(node):
        vos = node.transport()
        assert await vos.version() == "15.0.1.12900-234"
        await vos.aclose()
    assert node.logins == 1


async def test_ten_questions_about_services_cost_one_listing() -> None:
    node = Node({"utils service list": SERVICES})
    async with running(node):
        vos = node.transport()
        queries = [ServiceOn("pub", Service.TFTP), ServiceOn("pub", Service.TOMCAT)] * 5
        facts = await asyncio.gather(*map(vos.observe, queries))
        absent = await vos.observe(ServiceOn("pub", Service.CAPF))
        await vos.aclose()
    assert {fact.value for fact in facts if isinstance(fact, Known)} == {
        ServiceState(ServiceStatus.STARTED)
    }
    assert isinstance(absent, Unknown)
    assert node.commands.count("utils service list") == 1


async def test_what_cannot_be_read_is_unknown_with_its_reason() -> None:
    node = Node(
        {
            "show cert own tomcat": "What a lovely day\n",
            "utils service list": "Executed command unsuccessfully\n",
            "show version active": "Version: eleven\n",
        }
    )
    async with running(node):
        vos = node.transport()
        fact = await vos.observe(CertificateOf("pub", CertUnit.TOMCAT))
        assert isinstance(fact, Unknown)
        assert "What a lovely day" in fact.reason
        fact = await vos.observe(ServiceOn("pub", Service.TFTP))
        assert isinstance(fact, Unknown)
        assert "Executed command unsuccessfully" in fact.reason
        assert isinstance(await vos.observe(Registrations()), Unknown)
        assert isinstance(await vos.observe(CertificateOf("sub", CertUnit.TVS)), Unknown)
        with pytest.raises(UnknownLayout):
            await vos.version()
        with pytest.raises(NodeFault):
            await vos.services()
        with pytest.raises(UsageError):
            await vos.certificate("tomcat ?")
        with pytest.raises(UsageError):
            await vos.sql("delete from device")
        await vos.aclose()


async def test_read_after_a_session_that_died_in_its_sleep_opens_another() -> None:
    async def once(shell: Shell) -> None:
        if shell.node.sessions == 1:
            raise HangUp
        shell.say(VERSION)

    node = Node({"show version active": once, "utils service list": SERVICES})
    async with running(node):
        vos = node.transport()
        await vos.services()
        assert await vos.version() == "15.0.1.12900-234"
        await vos.aclose()
    assert node.sessions == 2


async def test_read_without_an_answer_ends_in_time_and_leaves_no_session() -> None:
    async def silent(shell: Shell) -> None:
        await shell.process.stdin.read(1)
        raise HangUp

    node = Node({"show version active": silent, "utils service list": SERVICES})
    async with running(node):
        vos = node.transport(read_timeout_s=0.5)
        with pytest.raises(NodeUnreachable, match="no prompt came back in time"):
            await vos.version()
        assert len(await vos.services()) == 2
        await vos.aclose()
    assert node.sessions == 2


async def test_cancelled_read_leaves_nothing_behind() -> None:
    async def silent(shell: Shell) -> None:
        await shell.process.stdin.read(1)
        raise HangUp

    node = Node({"show version active": silent, "utils service list": SERVICES})
    async with running(node):
        vos = node.transport()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.6):
                await vos.version()
        assert len(await vos.services()) == 2
        await vos.aclose()


async def test_node_that_is_not_there_is_unreachable() -> None:
    node = Node()
    async with running(node):
        vos = node.transport()
    fact = await vos.observe(ServiceOn("pub", Service.TFTP))
    assert isinstance(fact, Unknown)
    reply = await vos.perform(TOMCAT)
    assert reply.kind is ReplyKind.REFUSED
    assert reply.text.startswith("not sent")
    await vos.aclose()
    with pytest.raises(NodeUnreachable, match="closed"):
        await vos.version()


# ── changing ──────────────────────────────────────────────────────────────────────────────


def regenerates(unit: str, *questions: str) -> Handler:
    async def regenerate(shell: Shell) -> None:
        for question in ("Proceed with regeneration (yes|no)? ", *questions):
            if await shell.ask(f"WARNING: this\n{question}") != "yes":
                raise HangUp
        shell.say(f"Successfully Regenerated Certificate for {unit}.\n\nYou must restart\n")

    return regenerate


@pytest.mark.parametrize(
    ("unit", "questions"),
    [
        ("tomcat", ()),
        (
            "tomcat and tomcat-client",
            ("Do you want to use the same certificate for tomcat-client (yes|no) ? ",),
        ),
    ],
)
async def test_regeneration_answers_what_it_knows_and_is_accepted(
    unit: str, questions: tuple[str, ...]
) -> None:
    node = Node({"set cert regen tomcat": regenerates(unit, *questions)})
    async with running(node):
        vos = node.transport()
        reply = await vos.perform(TOMCAT)
        await vos.aclose()
    assert reply.kind is ReplyKind.ACCEPTED, reply
    assert "WARNING: this" in reply.text
    assert node.answers == ["yes"] * (1 + len(questions))
    assert node.commands.count("set cert regen tomcat") == 1


async def test_unknown_question_is_never_answered_and_the_session_ends() -> None:
    async def strange(shell: Shell) -> None:
        await shell.ask("Shall I reboot the cluster (yes|no)? ")

    node = Node({"set cert regen tomcat": strange, "show version active": VERSION})
    async with running(node):
        vos = node.transport()
        reply = await vos.perform(TOMCAT)
        assert await vos.version()
        await vos.aclose()
    assert reply.kind is ReplyKind.LOST
    assert "Shall I reboot the cluster" in reply.text
    assert node.answers == []
    assert node.sessions == 2


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tomcat certificate is not in the list of certificates\n", ReplyKind.REFUSED),
        ("Executed command unsuccessfully\n", ReplyKind.REFUSED),
        ("Well, hm\n", ReplyKind.LOST),
        ("", ReplyKind.LOST),
    ],
)
async def test_replies_by_positive_match_only(text: str, kind: ReplyKind) -> None:
    node = Node({"set cert regen tomcat": text})
    async with running(node):
        vos = node.transport()
        assert (await vos.perform(TOMCAT)).kind is kind
        await vos.aclose()


async def test_session_that_breaks_in_a_command_is_lost_and_never_sent_again() -> None:
    async def broken(shell: Shell) -> None:
        raise HangUp

    node = Node({"set cert regen tomcat": broken, "show version active": VERSION})
    async with running(node):
        vos = node.transport()
        assert await vos.version()
        reply = await vos.perform(TOMCAT)
        assert reply.kind is ReplyKind.LOST
        assert await vos.version()
        await vos.aclose()
    assert node.commands.count("set cert regen tomcat") == 1
    assert node.sessions == 2


async def test_ctl_update_and_reset() -> None:
    async def update(shell: Shell) -> None:
        shell.say("This operation will update the CTLFile.\n")
        assert await shell.ask("Do you want to continue? (y/n):") == "y"
        shell.say("Updating CTL file\nCTL file Updated\n")

    node = Node(
        {
            "utils ctl update CTLFile": update,
            "utils itl reset localkey": printed("utils-itl-reset-localkey-14") + "\n",
        }
    )
    async with running(node):
        vos = node.transport()
        assert (await vos.perform(UpdateCtl("pub"))).kind is ReplyKind.ACCEPTED
        assert (await vos.perform(ResetLocalkey("pub", ListKind.ITL))).kind is ReplyKind.ACCEPTED
        await vos.aclose()


async def test_restart_that_was_watched_says_when_it_started() -> None:
    async def restart(shell: Shell) -> None:
        for state in ("STOPPING", "STARTING", "STARTED", "STARTED"):
            shell.say(f"Cisco Tftp[{state}]  \n")
            await asyncio.sleep(0.02)

    node = Node({"utils service restart Cisco Tftp": restart, "utils service list": SERVICES})
    async with running(node):
        vos = node.transport()
        before = await vos.observe(ServiceOn("pub", Service.TFTP))
        reply = await vos.perform(RESTART)
        after = await vos.observe(ServiceOn("pub", Service.TFTP))
        other = await vos.observe(ServiceOn("pub", Service.TOMCAT))
        await vos.aclose()
    assert reply.kind is ReplyKind.ACCEPTED
    assert isinstance(before, Known)
    assert before.value.started_at is None
    assert isinstance(after, Known)
    assert before.at < after.value.started_at < after.at
    assert isinstance(other, Known)
    assert other.value.started_at is None


async def test_restart_that_comes_back_early_is_watched_in_the_list() -> None:
    node = Node(
        {
            "utils service restart Cisco Tftp": "Cisco Tftp[STARTING]\n",
            "utils service list": SERVICES,
        }
    )
    async with running(node):
        vos = node.transport()
        reply = await vos.perform(RESTART)
        after = await vos.observe(ServiceOn("pub", Service.TFTP))
        await vos.aclose()
    assert reply.kind is ReplyKind.LOST
    assert isinstance(after, Known)
    assert after.value.started_at is not None


async def test_commands_of_other_nodes_are_not_sent() -> None:
    node = Node()
    async with running(node):
        vos = node.transport()
        assert not vos.supports(Regenerate("sub", CertUnit.TVS))
        assert (await vos.perform(Regenerate("sub", CertUnit.TVS))).kind is ReplyKind.REFUSED
        await vos.aclose()
    assert node.connections == 0


# ── who they are ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("keyboard_only", [False, True])
async def test_wrong_password_is_tried_once_and_on_no_other_node(keyboard_only: bool) -> None:
    node, second = Node(keyboard_only=keyboard_only), Node()
    breaker = Breaker()
    async with running(node), running(second):
        vos = node.transport(breaker, password="wrong")
        sub = second.transport(breaker, password="wrong", name="sub")
        with pytest.raises(AuthenticationFailed) as caught:
            await vos.observe(ServiceOn("pub", Service.TFTP))
        with pytest.raises(AuthenticationFailed):
            await vos.perform(TOMCAT)
        with pytest.raises(AuthenticationFailed):
            await sub.version()
        breaker.check("application", "admin")
    assert node.logins == 1
    assert second.connections == 0
    assert "wrong" not in str(caught.value)
    assert PASSWORD not in repr(vars(vos))


async def test_wrong_password_reaches_one_node_only_though_all_are_asked_at_once() -> None:
    nodes = [Node() for _ in range(4)]
    breaker = Breaker()
    async with running(nodes[0]), running(nodes[1]), running(nodes[2]), running(nodes[3]):
        ways = [node.transport(breaker, password="wrong") for node in nodes]
        answers = await asyncio.gather(*(vos.version() for vos in ways), return_exceptions=True)
    assert all(isinstance(answer, AuthenticationFailed) for answer in answers)
    assert sum(node.logins for node in nodes) == 1


async def test_unknown_host_key_is_not_trusted_and_gets_no_password(tmp_path: Path) -> None:
    other = asyncssh.generate_private_key("ssh-rsa", key_size=2048)
    known_hosts = tmp_path / "known_hosts"
    node = Node({"show version active": VERSION})
    async with running(node):
        for wrong in (other.export_public_key().decode(), None):
            vos = node.transport(host_key=wrong)
            with pytest.raises(IdentityNotTrusted):
                await vos.observe(ServiceOn("pub", Service.TFTP))
            with pytest.raises(IdentityNotTrusted):
                await vos.perform(TOMCAT)
        key = KEY.export_public_key().decode()
        known_hosts.write_text(f"[127.0.0.1]:{node.port} {key}")
        vos = node.transport(host_key=None, known_hosts=str(known_hosts))
        logins_before = node.logins
        assert await vos.version()
        await vos.aclose()
    assert logins_before == 0


async def test_an_unknown_host_key_is_shown_as_the_line_to_write_down() -> None:
    node = Node({"show version active": VERSION})
    key = KEY.export_public_key().decode().strip()
    other = asyncssh.generate_private_key("ssh-rsa", key_size=2048).export_public_key().decode()
    async with running(node):
        for known, line in ((None, f"[127.0.0.1]:{node.port} {key}"), (other, f'"{key}"')):
            vos = node.transport(host_key=known)
            with pytest.raises(IdentityNotTrusted) as caught:
                await vos.version()
            assert caught.value.report.next.endswith(line)
            assert KEY.get_fingerprint() in caught.value.report.saw
    assert node.logins == 0


@pytest.mark.parametrize(
    ("said", "level"),
    [("Automatic pagination is turned off\n", 1), ("Executed command unsuccessfully\n", None)],
)
async def test_what_the_account_may_do_is_seen_by_a_command_of_level_1(
    said: str, level: int | None
) -> None:
    node = Node({"show version active": VERSION, "set cli pagination off": said})
    async with running(node):
        vos = node.transport()
        fact = await vos.observe(Reach("pub", Interface.SSH))
        await vos.aclose()
    assert isinstance(fact, Known)
    assert fact.value == Reached(privilege=level)
    assert node.commands == ["set cli pagination off", "show version active"]


async def test_unreadable_host_keys_are_the_inventorys_fault(tmp_path: Path) -> None:
    with pytest.raises(InventoryError):
        Node().transport(host_key="ssh-rsa rubbish")
    with pytest.raises(InventoryError):
        Node().transport(host_key=None, known_hosts=str(tmp_path / "missing"))


# cryptography announces the end of finite-field Diffie-Hellman; these releases speak nothing else.
@pytest.mark.filterwarnings("ignore:Diffie-Hellman over finite fields")
async def test_legacy_cryptography_is_a_profile_of_its_own() -> None:
    node = Node({"show version active": VERSION})
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=_LegacyServer,
        server_host_keys=[KEY],
        process_factory=node.serve,
        kex_algs=["diffie-hellman-group14-sha1"],
        mac_algs=["hmac-sha1"],
        encryption_algs=["aes128-ctr"],
        line_editor=False,
        config=None,
    )
    node.port = server.get_port()
    with pytest.raises(NodeUnreachable):
        await node.transport().version()
    vos = node.transport(legacy_crypto=True)
    assert await vos.version()
    await vos.aclose()
    server.close()
    await server.wait_closed()


class _LegacyServer(asyncssh.SSHServer):
    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD


# ── errors ────────────────────────────────────────────────────────────────────────────────


async def test_every_error_of_asyncssh_has_its_row() -> None:
    catch_all = {asyncssh.Error}
    rows = [foreign for foreign, _, _ in ERRORS]
    families = [
        member
        for _, member in inspect.getmembers(asyncssh, inspect.isclass)
        if issubclass(member, asyncssh.Error) and member not in catch_all
    ]
    assert len(families) > 20
    for member in families:
        near = [row for row in rows if issubclass(member, row)]
        assert near, f"{member.__name__} has no row"
        # The family's root is a row for what the node says; a new kind needs a decision.
        if near[0] is asyncssh.DisconnectError:
            assert member is asyncssh.DisconnectError, f"{member.__name__} has no row of its own"


async def test_error_that_asyncssh_does_not_have_yet_is_still_one_of_ours() -> None:
    class Fresh(asyncssh.Error):
        pass

    assert isinstance(translate(Fresh(99, "new"), "pub", "nothing was sent"), NodeUnreachable)


async def test_the_first_row_that_fits_is_the_nearest() -> None:
    for number, (foreign, ours, _) in enumerate(ERRORS):
        assert issubclass(ours, NodeError)
        for earlier, _, _ in ERRORS[:number]:
            assert not issubclass(foreign, earlier), f"{foreign} is behind {earlier}"


async def test_nothing_of_the_users_own_configuration_is_read(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User somebody\n  Port 1\n")
    node = Node({"show version active": VERSION})
    async with running(node):
        code = (
            "import asyncio\nfrom tests.vos.node import Node\n"
            f"node = Node(port={node.port})\n"
            "from cucm_certflow.errors import IdentityNotTrusted\n"
            "try:\n    asyncio.run(node.transport().version())\n"
            "except IdentityNotTrusted:\n    print('reached')\n"
        )
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", code],
            env={**os.environ, "HOME": str(tmp_path), "PYTHONPATH": "."},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout.strip() == "reached", done.stderr
