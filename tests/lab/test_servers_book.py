"""What the lab's command line prints beyond lists and services, read back by the library."""

from __future__ import annotations

import pytest

from cucm_certflow.facts import BackupActivity, NtpStatus, ServiceStatus
from cucm_certflow.names import CertUnit, ListKind, Service
from cucm_certflow.transports.vos import health, parsers, results, stores
from cucm_certflow.transports.vos.results import Outcome
from tests.lab.test_servers_cli import OFF, PROMPT, Session, told

SICK = """
[health]
replication = { sub = 4 }
ntp_unsynchronised = ["sub"]
unauthenticated = ["sub"]
disk = { sub = { logging = 92 } }
cores = { sub = ["core.1.6.ccm.1645336926", "core.jvm.core"] }
last_backup_days = -1
backup_running = true
"""
RELEASES = ('"8.6.2"', '"9.1"', '"10.0"', '"10.5"', '"11.5"', '"12.5"', '"14.0"', '"15.0"')
OLD_CA = '\n[[trust]]\nstore = "tomcat-trust"\nname = "old-ca.pem"\n'


async def printed(at: Session, command: str) -> str:
    """What *command* prints between its echo and the next prompt."""
    await at.say(f"{OFF}\n")
    text = await at.say(f"{command}\n")
    return text.removeprefix(f"{command}\n").removesuffix(PROMPT)


async def answered(at: Session, command: str, *answers: str) -> str:
    """All that *command* prints, of which each ``(yes|no)`` question is given one of *answers*."""
    ends = ["? ", *["? "] * (len(answers) - 1), PROMPT]
    text = await at.say(f"{command}\n", ends[0])
    for answer, end in zip(answers, ends[1:], strict=True):
        text += await at.say(f"{answer}\n", end)
    return text


# ── how nodes are ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("release", RELEASES)
def test_replication_is_printed_in_the_layout_of_the_release(release: str) -> None:
    async def story(at: Session) -> None:
        text = await printed(at, "utils dbreplication runtimestate")
        assert health.replication(text) == at.cluster.health.replication() == {"pub": 2, "sub": 4}
        assert ("LOOP?" in text) is (release in RELEASES[:2])
        assert ("DbMon?" in text) is (release in RELEASES[3:])

    told(story, more=SICK, release=release)


def test_a_presence_node_that_is_alone_has_no_replication() -> None:
    async def story(at: Session) -> None:
        text = await printed(at, "utils dbreplication runtimestate")
        assert health.replication(text) == {}

    told(story, "imp")


@pytest.mark.parametrize("more", ["", SICK])
def test_time_disk_and_cores_are_those_of_the_scenario(more: str) -> None:
    async def story(at: Session) -> None:
        truth = at.cluster.health
        assert health.ntp_status(await printed(at, "utils ntp status")) == truth.time_of("sub")
        assert truth.time_of("sub") == (
            NtpStatus(synchronised=False) if more else NtpStatus(synchronised=True, stratum=3)
        )
        status = await printed(at, "show status")
        assert health.disk_use(status) == truth.disk_of("sub")
        assert health.disk_use(status)["logging"] == (92 if more else 55)
        assert health.time_zone(status).key == "Etc/UTC"
        cores = health.core_files(await printed(at, "utils core active list"))
        assert cores == truth.cores_of("sub")
        assert bool(cores) is bool(more)

    told(story, "sub", more=more)


@pytest.mark.parametrize("release", ['"9.1"', '"15.0"'])
def test_backups_are_listed_as_they_were_made(release: str) -> None:
    async def story(at: Session) -> None:
        history = "utils disaster_recovery history backup"
        assert health.backup_history(await printed(at, history)) == at.cluster.health.backups()
        at.cluster.book.back_up()
        failed = at.cluster.health.back_up(at.clock.now(), works=False)
        found = health.backup_history(await printed(at, history))
        assert found == at.cluster.health.backups()
        assert [each.succeeded for each in found] == [True, True, False]
        assert found[-1] == failed
        for operation in ("backup", "restore"):
            text = await printed(at, f"utils disaster_recovery status {operation}")
            assert health.backup_activity(text, operation) is BackupActivity.IDLE

    told(story, "sub", release=release)


def test_a_running_backup_is_seen_and_no_history_is_none() -> None:
    async def story(at: Session) -> None:
        text = await printed(at, "utils disaster_recovery status backup")
        assert health.backup_activity(text, "backup") is BackupActivity.RUNNING
        text = await printed(at, "utils disaster_recovery history backup")
        assert health.backup_history(text) == ()

    told(story, more=SICK)


def test_without_a_drf_master_nobody_knows_of_backups() -> None:
    async def story(at: Session) -> None:
        at.cluster.begin_stop("pub", Service.DRF_MASTER)
        await at.clock.sleep(600)
        for command in ("history backup", "status backup"):
            text = await printed(at, f"utils disaster_recovery {command}")
            assert text.startswith("Unable to connect to Master Agent host: PUB, Port: 4040.")

    told(story, "sub")


@pytest.mark.parametrize("release", RELEASES)
def test_the_cluster_is_listed_in_the_layout_of_the_release(release: str) -> None:
    async def story(at: Session) -> None:
        members = parsers.network_cluster(await printed(at, "show network cluster"))
        assert [(each.name, each.authenticated) for each in members] == [
            ("pub", True),
            ("sub", False),
            ("imp", True),
        ]
        has_products = release not in RELEASES[:2]
        assert [bool(each.product) for each in members] == [has_products] * 3
        assert [each.is_database_publisher for each in members] == [
            has_products,
            False,
            has_products,
        ]

    told(story, more=SICK, release=release)


# ── services ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("release", ['"11.5"', '"15.0"'])
def test_a_service_is_stopped_until_somebody_starts_it(release: str) -> None:
    name = Service.CERTIFICATE_CHANGE_NOTIFICATION.value

    async def state(at: Session) -> ServiceStatus:
        return parsers.service_list(await printed(at, "utils service list"))[name].status

    async def story(at: Session) -> None:
        text = await printed(at, f"utils service stop {name}")
        assert results.service_stop(text, name).outcome is Outcome.DONE
        assert await state(at) is ServiceStatus.STOPPED
        text = await printed(at, f"utils service stop {name}")
        assert results.service_stop(text, name).outcome is Outcome.DONE
        text = await printed(at, f"utils service start {name}")
        assert results.service_start(text, name).outcome is Outcome.DONE
        assert await state(at) is ServiceStatus.STARTED
        text = await printed(at, f"utils service start {name}")
        assert results.service_start(text, name).outcome is Outcome.UNKNOWN
        assert [entry.text for entry in at.cluster.log] == [
            f"utils service stop {name}",
            f"utils service start {name}",
        ]

    told(story, "imp", release=release)


def test_what_is_not_there_is_neither_stopped_nor_started() -> None:
    async def story(at: Session) -> None:
        for verb in ("stop", "start", "restart"):
            for name in ("Cisco Teapot", "Cisco DRF Master", "Cisco AMC Service", "cisco tftp"):
                text = await printed(at, f"utils service {verb} {name}")
                assert "Executed command unsuccessfully" in text
        assert at.cluster.log == ()

    told(story, "sub")


# ── certificates and trust ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("node", ["pub", "sub", "imp"])
@pytest.mark.parametrize("release", ['"9.1"', '"11.5"', '"15.0"'])
def test_every_certificate_that_is_listed_can_be_shown(node: str, release: str) -> None:
    async def story(at: Session) -> None:
        owned = parsers.own_certificates(await printed(at, "show cert list own"))
        assert sorted(each.unit for each in owned) == sorted(at.cluster.book.units(node))
        for unit in (each.unit for each in owned if each.unit != "authz"):
            text = await printed(at, f"show cert own {unit}")
            rendered = await at.papers.certificate(at.cluster.certificate(node, CertUnit(unit)))
            assert parsers.own_certificate_pem(text) == rendered.pem
        trusted = stores.trusted_certificates(await printed(at, "show cert list trust"))
        entries = at.cluster.book.entries(node)
        assert [tuple(each) for each in trusted] == [(each.store, each.name) for each in entries]
        for (store, file), entry in zip(trusted, entries, strict=True):
            text = await printed(at, f"show cert trust {store}/{file}")
            assert stores.trusted_certificate_pem(text) == (await at.papers.trusted(entry)).pem

    told(story, node, more=OLD_CA, release=release)


def test_every_unit_is_regenerated_by_its_own_name() -> None:
    async def story(at: Session) -> None:
        await at.say(f"{OFF}\n")
        for unit in (CertUnit.TOMCAT, CertUnit.IPSEC, CertUnit.CUP, CertUnit.CUP_XMPP_S2S):
            text = await answered(at, f"set cert regen {unit}", "yes")
            assert results.regeneration(text, unit) is Outcome.DONE
            assert at.cluster.certificate("imp", unit).generation == 2
        assert "is not in the list of" in await printed(at, "set cert regen TVS")
        assert "is not in the list of" in await printed(at, "set cert regen authz")

    told(story, "imp")


@pytest.mark.parametrize(
    ("release", "is_asked"), [('"15.0.1.14900-22"', False), ('"15.0.1.15900-1"', True)]
)
def test_tomcat_has_a_twin_for_clients_from_15su5(release: str, is_asked: bool) -> None:
    async def story(at: Session) -> None:
        await at.say(f"{OFF}\n")
        text = await answered(at, "set cert regen tomcat", *["yes"] * (2 if is_asked else 1))
        assert ("Certificate for tomcat and tomcat-client.\n" in text) is is_asked
        assert results.regeneration(text, "tomcat") is Outcome.DONE

    told(story, release=release)


def test_a_trusted_certificate_is_deleted_by_its_file_from_one_store() -> None:
    async def story(at: Session) -> None:
        text = await printed(at, "set cert delete tomcat old-ca.pem")
        assert results.trust_deletion(text) is Outcome.UNKNOWN
        assert "old-ca.pem" not in await printed(at, "show cert list trust")
        text = await printed(at, "set cert delete tomcat old-ca.pem")
        assert results.trust_deletion(text) is Outcome.REFUSED
        text = await printed(at, "set cert delete ipsec-trust nobody.pem")
        assert results.trust_deletion(text) is Outcome.REFUSED
        assert [entry.text for entry in at.cluster.log] == ["set cert delete tomcat old-ca.pem"]

    told(story, more=OLD_CA)


def test_a_signer_is_named_in_both_lists() -> None:
    signed = '\n[[certificates]]\nunit = "tomcat"\nnode = "pub"\nca_signed = true\n'

    async def story(at: Session) -> None:
        own = parsers.own_certificates(await printed(at, "show cert list own"))
        by = {each.unit: each.signed_by for each in own}
        assert (by["tomcat"], by["ipsec"]) == ("Lab Root CA", "")
        trusts = await printed(at, "show cert list trust")
        assert "tomcat-trust/pub.lab.example.pem: Certificate Signed by Lab Root CA\n" in trusts

    told(story, more=signed)


# ── the database ──────────────────────────────────────────────────────────────────────────


def test_each_node_s_database_knows_a_new_certificate_after_its_own_lag() -> None:
    lagging = "\n[health]\ndatabase_lag_s = { pub = 0, sub = 300 }\n"
    question = f"run sql {stores.DATABASE_CERTIFICATES}"

    async def story(at: Session) -> None:
        async def known() -> frozenset[str]:
            return stores.database_certificates(await printed(at, question))

        before = await known()
        old, new = [], []
        for unit in (CertUnit.TOMCAT, CertUnit.TVS):
            old.append(await at.papers.certificate(at.cluster.certificate("pub", unit)))
            await at.clock.sleep(
                (at.cluster.begin_regenerate("pub", unit) - at.clock.now()).total_seconds()
            )
            new.append(await at.papers.certificate(at.cluster.certificate("pub", unit)))
        assert {each.fingerprint for each in old} <= before
        assert await known() == before
        await at.clock.sleep(600)
        assert {each.fingerprint for each in new} <= await known()

    told(story, "sub", more=lagging)


def test_parameters_are_those_of_the_scenario() -> None:
    named = '\n[parameters]\nPhoneInteraction = "1"\n'

    async def story(at: Session) -> None:
        text = await printed(at, "run sql select paramname, paramvalue from processconfig")
        found = {row["paramname"]: row["paramvalue"] for row in parsers.sql_table(text)}
        assert found == {
            "ClusterSecurityMode": "1",
            "RollBackToPreGrayback": "F",
            "PhoneInteraction": "1",
        }

    told(story, more=named)


# ── the CTL ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("release", ['"9.1"', '"10.5"'])
def test_no_command_renews_a_ctl_that_tokens_sign(release: str) -> None:
    async def story(at: Session) -> None:
        signed = await printed(at, "show ctl")
        assert "CN=SAST-ADN" in signed
        text = await printed(at, "utils ctl update CTLFile")
        assert results.ctl_update(text) is Outcome.REFUSED
        assert "continue" not in text
        served = at.cluster.served("pub", ListKind.CTL)
        assert served is not None
        assert served.signer.is_token
        assert at.cluster.log == ()

    told(story, release=release, seed="7\ntoken_ctl = true")
