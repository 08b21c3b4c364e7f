"""Every captured output of a command that we use is read, or refused for a reason."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cucm_certflow.errors import NodeFault, UnknownLayout
from cucm_certflow.facts import ServiceStatus
from cucm_certflow.names import CertUnit, ListKind
from cucm_certflow.transports.vos import health, parsers, results, stores
from cucm_certflow.transports.vos.parsers import ListRecord
from cucm_certflow.transports.vos.results import Outcome
from tests.vos.talk import FIXTURES, printed, raw_fixture


def ctl(text: str) -> object:
    return parsers.trust_file(text, ListKind.CTL)


READ: Final[dict[str, Callable[[str], object]]] = {
    "show-version-active-9.1": parsers.version_active,
    "show-network-cluster-10.5-with-processnode": parsers.network_cluster,
    "show-network-cluster-9.1-healthy": parsers.network_cluster,
    "show-network-cluster-9.1-not-authenticated": parsers.network_cluster,
    "show-network-cluster-cucm-15-single": parsers.network_cluster,
    "show-network-cluster-imp-4node": parsers.network_cluster,
    "service-list-vvb-12.5": parsers.service_list,
    "show-cert-list-own-cucm-15": parsers.own_certificates,
    "show-cert-own-rsa-full": parsers.own_certificate_pem,
    "show-ctl-not-found": ctl,
    "show-ctl-tokenless-full-10.5": ctl,
    "sql-applicationuser-trailing-spaces": parsers.sql_table,
    # One row has a digit too few in one column and too many in the next: no parser can tell.
    "sql-cdrtime-rows": parsers.sql_table,
    "sql-no-rows": parsers.sql_table,
    "sql-processconfig-rollback": parsers.sql_table,
    "sql-processnode-name": parsers.sql_table,
    "sql-processnode-name-nodeid": parsers.sql_table,
    "sql-syncstatus-completed": parsers.sql_table,
    "sql-typecertificateservice": parsers.sql_table,
    "sql-value-with-spaces": parsers.sql_table,
    "dbreplication-runtimestate-10.0": health.replication,
    "dbreplication-runtimestate-10.5.2": health.replication,
    "dbreplication-runtimestate-15.0.0": health.replication,
    "dbreplication-runtimestate-8.6.3": health.replication,
    "dbreplication-runtimestate-imp": health.replication,
    "drs-history-backup-15-row": health.backup_history,
    "drs-history-backup-9": health.backup_history,
    "ntp-status-synchronised-10.5": health.ntp_status,
    "ntp-status-unsynchronised": health.ntp_status,
    "show-status-10.0-second": health.disk_use,
    "show-status-12.5-disk-92pct": health.disk_use,
}

REFUSED: Final[dict[str, tuple[Callable[[str], object], str]]] = {
    "service-list-cucm-head": (parsers.service_list, "the manual breaks off in the middle"),
    "show-ctl-header-only": (ctl, "the author shortened it: no records, not verified"),
    "show-ctl-etoken-signed": (ctl, "the author left parts out: [...]"),
    "show-ctl-tokenless-shortened": (ctl, "the author left parts out: [...]"),
    "sql-processnode-description": (parsers.sql_table, "the page lost the padding of three rows"),
    "sql-defaults-update-and-select": (parsers.sql_table, "two commands in one capture"),
    "sql-update-rows-1": (parsers.sql_table, "an update, not a table"),
    "error-command-failed-cuc": (parsers.sql_table, "an error instead of a table"),
    "error-network-timeouts": (parsers.network_cluster, "errors instead of a table"),
    # Read piece by piece in test_health.py.
    "core-list-entries-12.5": (health.core_files, "two commands in one capture"),
}

DECIDED: Final[dict[str, tuple[Callable[[str], Outcome], Outcome]]] = {
    "set-cert-regen-tomcat-hcmf-11.5": (
        lambda text: results.regeneration(text, "tomcat"), Outcome.DONE,
    ),
    "set-cert-regen-tomcat-doc-noprompt": (
        lambda text: results.regeneration(text, "tomcat"), Outcome.DONE,
    ),
    "set-cert-regen-itlrecovery-15": (
        lambda text: results.regeneration(text, "ITLRecovery"), Outcome.DONE,
    ),
    "service-restart-finesse-tomcat": (
        lambda text: results.service_restart(text, "Cisco Finesse Tomcat").outcome, Outcome.DONE,
    ),
    "service-restart-imp-text-conference": (
        lambda text: results.service_restart(text, "Cisco XCP Text Conference Manager").outcome,
        Outcome.DONE,
    ),
    # Not a restart command: its own words are around the states.
    "service-tomcat-restarted-by-webapp-maxlimit": (
        lambda text: results.service_restart(text, "Cisco Tomcat").outcome, Outcome.UNKNOWN,
    ),
    "utils-ctl-update-no-echoed-answer": (results.ctl_update, Outcome.DONE),
    # Other operations of the same family: they say nothing about an update.
    "utils-ctl-set-cluster-mixed-mode-10.5": (results.ctl_update, Outcome.UNKNOWN),
    "utils-ctl-set-cluster-non-secure-10.5": (results.ctl_update, Outcome.UNKNOWN),
    "utils-itl-reset-localkey-14": (
        lambda text: results.reset_localkey(text, ListKind.ITL), Outcome.DONE,
    ),
    "error-executed-unsuccessfully-subscriber-only-on-first-node": (
        results.ctl_update, Outcome.REFUSED,
    ),
    "set-cli-pagination-off": (results.ctl_update, Outcome.UNKNOWN),
    "set-cert-delete-15": (results.trust_deletion, Outcome.UNKNOWN),  # the manual shows no output
    "show-cli-pagination": (results.ctl_update, Outcome.UNKNOWN),
}  # fmt: skip

DIALOGUES: Final = {  # what the dialogue engine alone is about; read in test_dialogue.py
    "continue-prompt-core-analyze",
    "fips-enable-prompt",
    "login-banner-cucm",
    "login-rawbytes-cucm-15",
    "paging-rawbytes",
    "paging-show-hardware",
    "prompt-before-success-word",
    "system-restart-prompt-12.5",
}

OUTSIDE: Final = {  # captured, and not sent by us
    "file-delete-then-core-list-empty": "four commands in one capture; a quoted-y question",
    "drs-messages-no-data": "messages of several commands, read one by one in test_health.py",
    "login-timed-cucm-11.5": "each chunk has the capturing tool's own time stamp",
    "question-mark-syntax-help": "what '?' does, which is never typed",
}


def test_every_transcript_has_its_place() -> None:
    placed = [*READ, *REFUSED, *DECIDED, *DIALOGUES, *OUTSIDE]
    assert len(set(placed)) == len(placed)
    assert {path.stem for path in FIXTURES.glob("*.txt")} == set(placed)


@pytest.mark.parametrize("name", READ)
def test_transcript_is_read(name: str) -> None:
    READ[name](printed(name))


@pytest.mark.parametrize("name", REFUSED)
def test_transcript_is_refused_as_unknown(name: str) -> None:
    parse, _ = REFUSED[name]
    with pytest.raises(UnknownLayout):
        parse(printed(name))


@pytest.mark.parametrize("name", DECIDED)
def test_result_is_decided(name: str) -> None:
    decide, expected = DECIDED[name]
    assert decide(printed(name)) is expected


# ── what is read ──────────────────────────────────────────────────────────────────────────


def test_version() -> None:
    assert parsers.version_active(printed("show-version-active-9.1")) == "9.1.2.10000-28"


def test_cluster_of_9_has_no_product() -> None:
    nodes = parsers.network_cluster(printed("show-network-cluster-9.1-not-authenticated"))
    assert [(n.name, n.is_publisher, n.authenticated, n.product) for n in nodes] == [
        ("cucm911ccnasub1", False, True, ""),
        ("cucm911ccnapub", True, False, ""),
        ("cucm911ccnasub2", False, True, ""),
    ]


def test_cluster_with_presence_nodes() -> None:
    nodes = parsers.network_cluster(printed("show-network-cluster-imp-4node"))
    assert [(n.name, n.is_publisher, n.is_database_publisher, n.product) for n in nodes] == [
        ("IMPPUB", False, True, "cups"),
        ("IMPSUB", False, False, "cups"),
        ("CUCMSUB", False, False, "callmanager"),
        ("CUCMPUB", True, True, "callmanager"),
    ]
    assert nodes[3].address == "10.3.74.11"
    assert nodes[3].fqdn == "CUCMPUB.edgrodrilab.com"


@pytest.mark.parametrize("width", range(60, 140))
def test_cluster_rows_may_wrap_at_any_blank(width: int) -> None:
    text = printed("show-network-cluster-10.5-with-processnode")
    at = text.rfind(" ", 0, width)
    wrapped = f"{text[:at]}\n{text[at + 1 :]}"
    assert parsers.network_cluster(wrapped) == parsers.network_cluster(text)


def test_services_of_both_blocks() -> None:
    listed = parsers.service_list(
        "Requesting service status, please wait...\nSystem SSH [STARTED]\n"
        "Password Reset [STOPPED] Service Activated\nService Manager is running\n"
        "Getting list of all services\n>> Return code = 0\nCisco Tftp[STARTED]\n"
        "Cisco DRF Master[STOPPED]  Commanded Out of Service\n"
        "Cisco DirSync[STOPPED]  Service Not Activated Cisco CTIManager[NOTRUNNING] "
        "Component is not running\nPrimary Node =false\n"
    )
    assert {name: (s.status, s.activated) for name, s in listed.items()} == {
        "System SSH": (ServiceStatus.STARTED, True),
        "Password Reset": (ServiceStatus.STOPPED, True),
        "Cisco Tftp": (ServiceStatus.STARTED, True),
        "Cisco DRF Master": (ServiceStatus.STOPPED, False),
        "Cisco DirSync": (ServiceStatus.STOPPED, False),
        "Cisco CTIManager": (ServiceStatus.NOTRUNNING, True),
    }


def test_services_several_on_a_line() -> None:
    listed = parsers.service_list(printed("service-list-vvb-12.5"))
    assert len(listed) == 37
    assert listed["Cisco Speechserver"].status is ServiceStatus.STARTED
    assert not listed["Cisco DirSync"].activated


@pytest.mark.parametrize(
    "line", ["Cisco Tftp[SULKING]", "Cisco Tftp[STARTED] but not really", ">> Return code = 1"]
)
def test_unknown_words_in_the_service_list_are_refused(line: str) -> None:
    with pytest.raises(UnknownLayout):
        parsers.service_list(f"Cisco Tomcat[STARTED]\n{line}\n")


def test_own_certificates_in_the_order_printed() -> None:
    own = parsers.own_certificates(printed("show-cert-list-own-cucm-15"))
    assert [o.unit for o in own] == [
        "tomcat", "tomcat-ECDSA", "ipsec", "ITLRecovery", "CallManager-ECDSA", "CallManager",
        "CAPF", "TVS",
    ]  # fmt: skip
    signed = "tomcat/tomcat.pem: Certificate Signed by CN=Example CA, O=Example"
    assert parsers.own_certificates(signed)[0].signed_by == "CN=Example CA, O=Example"


def test_certificate_whose_text_disagrees_with_its_pem_is_refused() -> None:
    text = printed("show-cert-own-rsa-full")
    assert parsers.own_certificate_pem(text).startswith("-----BEGIN CERTIFICATE-----\nMIIDpz")
    with pytest.raises(UnknownLayout, match="523C32C09694B0A60168D6EE36A3B96E"):
        parsers.own_certificate_pem(text.replace("A3B96E", "A3B96F"))
    with pytest.raises(UnknownLayout):
        parsers.own_certificate_pem(text.replace("Serial Number", "Number"))
    with pytest.raises(UnknownLayout):
        parsers.own_certificate_pem(text + text)


def test_ctl_with_its_signer_and_records() -> None:
    found = parsers.trust_file(printed("show-ctl-tokenless-full-10.5"), ListKind.CTL)
    assert found is not None
    assert found.length == 4947
    assert found.md5 == "1d97d9089dd558a062cccfcb1dc4c57f"
    assert found.sha1 == "3b452f9ec9d6543df80e50f8b850cddc92fcf847"
    assert found.signer_serial == "70:CA:F6:4E:09:07:51:B9:DF:22:F4:9F:75:4F:C5:BB"
    assert [(r.function, r.dns_name, r.is_signer) for r in found.records] == [
        ("System Administrator Security Token", "cucm-1051-a-pub", True),
        ("CCM+TFTP", "cucm-1051-a-pub", False),
        ("CAPF", "cucm-1051-a-pub", False),
        ("CCM+TFTP", "cucm-1051-a-sub1", False),
    ]
    assert found.records[3] == ListRecord(
        function="CCM+TFTP",
        serial="6B:EB:FD:CD:CD:8C:A2:77:CB:2F:D1:D1:83:A6:0E:72",
        dns_name="cucm-1051-a-sub1",
        subject="CN=cucm-1051-a-sub1;OU=TAC;O=Cisco;L=Krakow; ST=Malopolska;C=PL",
        certificate_sha1="217f23deafff0485767270bfb1ba44db5e90ed66",
    )


def test_list_that_the_node_did_not_verify_is_refused() -> None:
    text = printed("show-ctl-tokenless-full-10.5")
    with pytest.raises(UnknownLayout):
        parsers.trust_file(
            text.replace("The CTL file was verified successfully.", ""), ListKind.CTL
        )
    with pytest.raises(UnknownLayout):
        parsers.trust_file(text, ListKind.ITL)


def test_itl_is_read_in_the_layout_of_a_ctl() -> None:
    # No output of `show itl` was found in any source; this is our inference.
    text = printed("show-ctl-tokenless-full-10.5").replace("CTL", "ITL")
    assert parsers.trust_file(text, ListKind.ITL) is not None


def test_absent_list_is_none() -> None:
    assert parsers.trust_file(printed("show-ctl-not-found"), ListKind.CTL) is None


def test_sql_values() -> None:
    assert parsers.sql_table(printed("sql-no-rows")) == ()
    assert parsers.sql_table(printed("sql-processconfig-rollback")) == (
        {"paramname": "RollBackToPreGrayback", "paramvalue": "F"},
    )
    rows = parsers.sql_table(printed("sql-value-with-spaces"))
    assert rows[0]["syncstatus"] == (
        "Sync Completed, but currently failed to connect to the CUCM Database Monitor. "
        "Retrying... 2021-11-15 01:04:27"
    )
    text = (
        "name description nodeid \n==== =========== ====== \n"
        "pub              2      \nsub  NULL        3\n"
    )
    assert parsers.sql_table(text) == (
        {"name": "pub", "description": "", "nodeid": "2"},
        {"name": "sub", "description": None, "nodeid": "3"},
    )
    with pytest.raises(UnknownLayout):
        parsers.sql_table("a  b\n== =\nwide 1\n")


# ── what commands say ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("Successfully Regenerated Certificate for tomcat and tomcat-client.", Outcome.DONE),
        ("tomcat certificate is not in the list of certificates", Outcome.REFUSED),
        ("something\nExecuted command unsuccessfully", Outcome.REFUSED),
        ("Executed command unsuccessfully.", Outcome.REFUSED),
        ("No valid command entered", Outcome.REFUSED),
        ("Successfully Regenerated Certificate for CallManager.", Outcome.UNKNOWN),
        ("Successfully Regenerated Certificate for tomcat-ECDSA.", Outcome.UNKNOWN),
        ("Not Successfully Regenerated Certificate for tomcat.", Outcome.UNKNOWN),
        (
            "Successfully Regenerated Certificate for tomcat.\nExecuted command unsuccessfully",
            Outcome.UNKNOWN,
        ),
        ("", Outcome.UNKNOWN),
        ("Done.", Outcome.UNKNOWN),
    ],
)
def test_regeneration_by_positive_match_only(text: str, outcome: Outcome) -> None:
    assert results.regeneration(text, "tomcat") is outcome


def test_restart_is_watched_from_starting_to_started() -> None:
    name = "Cisco Tftp"
    assert results.service_restart(f"{name}[STARTING]\n{name}[STARTED]", name).watched
    for text in (
        f"{name}[STARTED]",
        f"{name}[STOPPING]\n{name}[STARTED]",
        f"{name}[STARTING]",
        f"{name}[STARTING]\n{name}[STARTED]\n{name}[STOPPED]",
        f"{name}[STARTING]\n{name}[STARTED]\nWho knows",
        "Cisco Tomcat[STARTING]\nCisco Tomcat[STARTED]",
        "",
    ):
        restart = results.service_restart(text, name)
        assert restart.outcome is Outcome.UNKNOWN
        assert not restart.watched


@pytest.mark.parametrize("unit", CertUnit)
def test_every_unit_may_be_regenerated_and_no_other_is_taken_for_it(unit: CertUnit) -> None:
    said = "WARNING: This\n\nSuccessfully Regenerated Certificate for {}.\n\nYou must restart"
    assert results.regeneration(said.format(unit), unit) is Outcome.DONE
    for other in {*CertUnit, "tomcat-client"} - {unit}:
        assert results.regeneration(said.format(other), unit) is Outcome.UNKNOWN


STOP: Final = "Cisco Certificate Change Notification"


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        (f"Service Manager is running\n{STOP}[STOPPING]  \n{STOP}[STOPPED]  \n", Outcome.DONE),
        (f"{STOP}[STOPPED]  Commanded Out of Service", Outcome.DONE),
        (f"{STOP}[STOPPING]", Outcome.UNKNOWN),
        (f"{STOP}[STOPPED]\n{STOP}[STARTING]", Outcome.UNKNOWN),
        (f"{STOP}[STOPPED]\nOr not", Outcome.UNKNOWN),
        (f"{STOP}[STOPPED]\nExecuted command unsuccessfully", Outcome.UNKNOWN),
        (f"{STOP}[STARTED]", Outcome.UNKNOWN),
        ("Cisco Tftp[STOPPED]", Outcome.UNKNOWN),
        ("Executed command unsuccessfully", Outcome.REFUSED),
        ("", Outcome.UNKNOWN),
    ],
)
def test_stopped_is_what_ends_in_stopped(text: str, outcome: Outcome) -> None:
    stopped = results.service_stop(text, STOP)
    assert stopped.outcome is outcome
    assert not stopped.watched


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ("", Outcome.UNKNOWN),
        ("Successfully deleted siptest.pem", Outcome.UNKNOWN),
        ("The certificate was deleted.", Outcome.UNKNOWN),
        ("Executed command unsuccessfully", Outcome.REFUSED),
        ("siptest.pem certificate is not in the list of certificates", Outcome.REFUSED),
        ("No valid command entered", Outcome.REFUSED),
    ],
)
def test_a_deletion_is_never_known_to_be_done_by_what_it_says(text: str, outcome: Outcome) -> None:
    assert results.trust_deletion(text) is outcome


def test_newer_wordings() -> None:
    phones = "You must reset all phones to ensure they received the updated CTL file."
    assert results.ctl_update(phones) is Outcome.DONE
    assert results.reset_localkey("ITL file Reset.\nPlease reset all the phones", ListKind.ITL) is (
        Outcome.DONE
    )
    assert results.reset_localkey("ITL file Reset.", ListKind.CTL) is Outcome.UNKNOWN


def test_reset_that_did_not_reach_every_tftp_server_is_not_done() -> None:
    text = printed("utils-itl-reset-localkey-14").replace("cluster : 1", "cluster : 2")
    assert results.reset_localkey(text, ListKind.ITL) is Outcome.UNKNOWN


# ── rubbish ───────────────────────────────────────────────────────────────────────────────

PARSERS: Final[list[Callable[[str], Any]]] = [
    parsers.version_active,
    parsers.network_cluster,
    parsers.service_list,
    parsers.own_certificates,
    parsers.own_certificate_pem,
    parsers.sql_table,
    ctl,
    health.replication,
    health.ntp_status,
    health.disk_use,
    health.time_zone,
    health.core_files,
    health.backup_history,
    lambda text: health.backup_activity(text, "backup"),
    stores.trusted_certificates,
    stores.trusted_certificate_pem,
    stores.database_certificates,
]
LINES: Final = sorted(
    {
        line
        for path in FIXTURES.glob("*.txt")
        for line in re.split(r"\r?\n", raw_fixture(path.stem).decode("utf-8", "replace"))
    }
)


@given(st.lists(st.one_of(st.sampled_from(LINES), st.text(max_size=30)), max_size=30))
def test_parsers_of_rubbish_raise_unknown_layout_or_nothing(lines: list[str]) -> None:
    text = "\n".join(lines)
    for parse in PARSERS:
        try:
            parse(text)
        except (UnknownLayout, NodeFault):
            continue
    results.regeneration(text, "tomcat")
    results.service_restart(text, "Cisco Tomcat")
    results.service_stop(text, "Cisco Tomcat")
    results.trust_deletion(text)
    results.ctl_update(text)
    results.reset_localkey(text, ListKind.ITL)


@pytest.mark.parametrize("name", READ)
@given(st.data())
def test_damaged_transcripts_raise_unknown_layout_or_nothing(
    name: str, data: st.DataObject
) -> None:
    text = printed(name)
    at = data.draw(st.integers(0, len(text)))
    width = data.draw(st.integers(0, 40))
    try:
        READ[name](text[:at] + data.draw(st.text(max_size=5)) + text[at + width :])
    except (UnknownLayout, NodeFault):
        return
