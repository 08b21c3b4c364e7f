from __future__ import annotations

from collections import Counter
from pathlib import Path

import attrs
import pytest

from cucm_certflow.errors import ScenarioError
from cucm_certflow.facts import PhoneSecurity
from cucm_certflow.lab.document import WrongValue
from cucm_certflow.lab.physics.actions import initial
from cucm_certflow.lab.scenario import FaultKind, PhoneState, Role, Scenario
from cucm_certflow.names import CertUnit, Product, Release, SecurityMode, Service
from tests.lab.small import SMALL, scenario

MAIN_JOB = Path(__file__).parents[2] / "examples" / "scenarios" / "main-job.toml"


def complaint(text: str) -> str:
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads(text)
    return caught.value.report.saw


def test_a_scenario_says_what_it_says() -> None:
    small = scenario(
        more="""
        [[faults]]
        kind = "late"
        command = "set cert regen"
        node = "sub"
        nth = 2
        """
    )
    assert small.release == Release(11, 5, "11.5.1.12900-21")
    assert small.mode is SecurityMode.MIXED
    assert small.node("imp").product is Product.IM_PRESENCE
    assert small.node("imp").activated == ()
    assert Service.CTIMANAGER in small.node("sub").activated
    assert small.faults[0].kind is FaultKind.LATE
    phones = list(small.each_phone())
    assert phones[0].device.name == "SEP001122330001"
    assert phones[4].device.security is PhoneSecurity.ENCRYPTED
    assert phones[4].kind.secure
    assert phones[5].state is PhoneState.OFF


def test_the_main_job_is_as_it_was_ordered() -> None:
    job = Scenario.load(MAIN_JOB)
    phones = list(job.each_phone())
    assert len(phones) == len({phone.device.name for phone in phones}) == 300
    assert len({phone.device.model for phone in phones}) == 3
    encrypted = [p for p in phones if p.device.security is PhoneSecurity.ENCRYPTED]
    assert len(encrypted) == 40
    assert all(phone.device.security_by_default for phone in encrypted)
    without = [phone for phone in phones if not phone.device.security_by_default]
    assert len(without) == 6
    assert not any(phone.device.is_secure for phone in without)
    off = [phone for phone in phones if phone.state is PhoneState.OFF]
    assert len(off) == 5
    assert all(phone.device.security_by_default for phone in off)
    assert all(len(phone.kind.group) == 2 for phone in phones)
    assert Counter(phone.kind.tftp for phone in phones).keys() == {
        ("sub1", "sub2"),
        ("sub2", "sub1"),
    }


def test_a_publisher_without_tftp_and_callmanager_has_their_certificates() -> None:
    job = Scenario.load(MAIN_JOB)
    layout = job.layout()
    assert layout.has(CertUnit.CALLMANAGER, "pub")
    assert layout.has(CertUnit.TVS, "pub")
    assert not layout.runs(Service.CALLMANAGER, "pub")
    assert not layout.runs(Service.TFTP, "pub")
    assert initial(layout, tuple(phone.kind for phone in job.each_phone())).itl_of("sub1")


def test_phone_names_count_on_until_a_table_names_its_first() -> None:
    more = 'group = ["sub"]\ntftp = ["sub"]\nmodel = "Cisco 7841"\n'
    small = scenario(
        more=f'\n[[phones]]\nfirst = "ATA0000000000FF"\ncount = 2\n{more}\n[[phones]]\n{more}'
    )
    names = [phone.device.name for phone in small.each_phone()]
    assert names[5:] == [
        "SEP001122330006",
        "ATA0000000000FF",
        "ATA000000000100",
        "ATA000000000101",
    ]


@pytest.mark.parametrize(
    ("before", "after", "saw"),
    [
        ("count = 4", 'count = "4"', "phones[0].count: expected a whole number, saw a text, '4'"),
        ("count = 4", "count = true", "phones[0].count: expected a whole number, saw true or"),
        ("count = 4", "count = 0", "phones[0].count: expected 1 or more, saw 0"),
        ("count = 4", "cuont = 4", "phones[0].cuont: unknown key; did you mean 'count'?"),
        ('name = "sub"', "nmae = 3", "nodes[1].name: is missing"),
        ('address = "127.0.0.12"', 'address = "10.0.0.1"', "nodes[1].address: expected a loopback"),
        ('"127.0.0.12"', '"127.0.0.11"', "nodes[1].address: 127.0.0.11 is there twice"),
        ("publisher = true", "", "nodes[0].publisher: the first node, and only it, is publisher"),
        ('"cups"', '"cup"', "nodes[2].product: expected one of 'callmanager', 'cups'; saw a text"),
        ('["sub", "pub"]', '["sub", "imp"]', "phones[1].group[1]: Cisco CallManager is not activ"),
        ('["sub", "pub"]', '["sbu"]', "phones[1].group[0]: no node is called 'sbu'; did you mean"),
        ('["sub", "pub"]', '"sub"', "phones[1].group: expected an array, saw a text, 'sub'"),
        ('["sub", "pub"]', "[]", "phones[1].group: expected the name of one node or more"),
        ('"mixed"', '"mixd"', "mode: expected one of non-secure, mixed; saw 'mixd'; did you mean"),
        ('"mixed"', '"non-secure"', "phones[1].security: phones are secure in mixed mode only"),
        ('"11.5.1.12900-21"', "11.5", "release: expected a text such as '11.5'"),
        ("seed = 7", "seed = 7\nphone = 3", "phone: unknown key; did you mean 'phones'?"),
        ("seed = 7", "seed = 7\necdsa = 1", "ecdsa: expected true or false"),
        (
            '"11.5.1.12900-21"',
            '"10.5"\necdsa = true',
            "ecdsa: EC certificates came with 11.0, this cluster runs 10.5",
        ),
    ],
)
def test_a_mistake_is_named_by_its_path(before: str, after: str, saw: str) -> None:
    assert before in SMALL
    assert saw in complaint(SMALL.replace(before, after))


@pytest.mark.parametrize(
    ("more", "saw"),
    [
        ("[timing]\nlook_s = '1'", "timing.look_s: expected a number, saw a text"),
        ("[timing]\nlook_s = nan", "timing.look_s: expected a number"),
        ("[timing]\nlook_s = -1", "timing.look_s: expected seconds, 0 or more"),
        ("[timing]\nphone_boot_s = 60", "timing.phone_boot_s: expected an array, saw a whole"),
        ("[timing]\nphone_boot_s = [60]", "timing.phone_boot_s: expected an array of 2, saw 1"),
        ("[timing]\nphone_boot_s = [90, 60]", "timing.phone_boot_s: expected two durations"),
        ("[timing]\nrestart_s = { tomat = 1 }", "timing.restart_s.tomat: expected one of"),
        ("[timing]\nctl_lag_s = { sbu = 1 }", "timing.ctl_lag_s.sbu: no node is called 'sbu'"),
        ("[timing]\nctl_lag_s = [1]", "timing.ctl_lag_s: expected a table, saw an array"),
        ("[variant]\nctl_strict = 1", "variant.ctl_strict: expected true or false"),
        ("[faults]\nkind = 'late'", "faults: expected an array, saw a table"),
        ("[[faults]]\nkind = 'lat'\ncommand = 'x'", "faults[0].kind: expected one of 'lost reply'"),
        ("[[faults]]\nkind = 'late'\ncommand = 'x'\nnode = 'sbu'", "faults[0].node: no node is"),
        ("[accounts]\nplatform = { user = 'x' }", "accounts.platform.password: is missing"),
        (
            "[accounts.platform]\nuser = 'x'\npassword = 'y'\nprivilege = 4",
            "accounts.platform.privilege: expected 0 or 1, saw 4",
        ),
        (
            "[accounts.application]\nuser = 'x'\npassword = 'y'\nroles = ['AXL']",
            "accounts.application.roles[0]: expected one of 'Standard AXL API Access'",
        ),
        (
            "[[accounts.others]]\nuser = 'axladmin'\npassword = 'y'",
            "accounts.others[0].user: axladmin is there twice",
        ),
        ("[limits]\nris_per_minute = -1", "limits.ris_per_minute: expected 0 or more, saw -1"),
        ("[limits]\naxl_answer_mb = 0", "limits.axl_answer_mb: expected over 0, saw 0"),
        ("[limits]\nris = 3", "limits.ris: unknown key"),
        (
            "[[faults]]\nkind = 'html'\ncommand = 'set cert regen'",
            "faults[0].kind: 'html' strikes AXL, RISPort70, PerfMon, Control Center, platform "
            "REST, HTTP 6970 only; 'set cert regen' is platform CLI",
        ),
        (
            "[[faults]]\nkind = 'rate limited'\ncommand = 'executeSQLQuery'",
            "faults[0].kind: 'rate limited' strikes RISPort70, PerfMon only",
        ),
        (
            "[[faults]]\nkind = 'missing no change'\ncommand = 'perfmonCollectCounterData'",
            "faults[0].kind: 'missing no change' strikes RISPort70 only",
        ),
        (
            "[[faults]]\nkind = 'missing session'\ncommand = 'http 6970'",
            "faults[0].kind: 'missing session' strikes AXL, RISPort70, PerfMon, Control Center, "
            "platform REST only; 'http 6970' is HTTP 6970",
        ),
        (
            "[[faults]]\nkind = 'out of memory'\ncommand = 'http 6970 ITLFile.tlv'",
            "faults[0].kind: 'out of memory' strikes AXL only; 'http 6970 ITLFile.tlv' is HTTP",
        ),
        (
            "[[faults]]\nkind = 'unqualified children'\ncommand = 'doDeviceReset'",
            "faults[0].kind: 'unqualified children' strikes RISPort70, PerfMon, Control Center",
        ),
        (
            "[[faults]]\nkind = 'out of memory'\ncommand = 'soapGetServiceStatus'",
            "faults[0].kind: 'out of memory' strikes AXL only",
        ),
        ("[[faults]]\nkind = 'late'\ncommand = 'x'\ntimes = 0", "faults[0].times: expected 1 or"),
    ],
)
def test_a_mistake_in_a_later_table_is_named_by_its_path(more: str, saw: str) -> None:
    assert saw in complaint(f"{SMALL}\n{more}\n")


def test_every_mistake_is_named_at_once() -> None:
    saw = complaint(SMALL.replace("count = 4", 'count = "4"').replace("seed = 7", "sed = 7"))
    assert "sed: unknown key; did you mean 'seed'?" in saw
    assert "phones[0].count" in saw


def test_a_syntax_error_is_named_by_its_line() -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.loads('release = "11.5"\nmode = = "mixed"\n')
    assert caught.value.report.headline == "the scenario is not TOML: line 2"


def test_a_file_that_is_not_there_is_a_scenario_error(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="cannot be read"):
        Scenario.load(tmp_path / "none.toml")


def test_a_scenario_in_python_is_checked_as_well() -> None:
    with pytest.raises(WrongValue, match="secure in mixed mode only"):
        attrs.evolve(scenario(), mode=SecurityMode.NON_SECURE)


def test_a_password_is_not_in_the_repr() -> None:
    told = repr(scenario())
    assert "lab-platform" not in told
    assert "lab-application" not in told


def test_accounts_may_do_everything_unless_a_scenario_says_otherwise() -> None:
    accounts = scenario().accounts
    assert accounts.platform.privilege == 1
    assert accounts.application.roles == tuple(Role)
    more = """
    [accounts.application]
    user = "reader"
    password = "r"
    roles = ["Standard AXL Read Only API Access"]

    [[accounts.others]]
    user = "watcher"
    password = "w"
    """
    accounts = scenario(more=more).accounts
    assert accounts.application.roles == (Role.AXL_READ_ONLY,)
    assert [account.user for account in accounts.applications] == ["reader", "watcher"]


def test_limits_are_those_of_a_cluster_that_nobody_changed() -> None:
    limits = scenario().limits
    assert (limits.ris_per_minute, limits.perfmon_per_minute) == (15, 50)
    assert limits.axl_answer_mb == 8


@pytest.mark.parametrize(("release", "by_itself", "for_ctl"), [("11.5", 0, 1), ("14", 1, 0)])
def test_uncertain_behaviour_goes_by_the_release_unless_it_is_given(
    release: str, by_itself: int, for_ctl: int
) -> None:
    variant = scenario(release=f'"{release}"').layout().variant
    assert variant.tvs_restarts_itself == bool(by_itself)
    assert variant.tvs_vouches_for_ctl == bool(for_ctl)
    assert not variant.vouches_for_itlrecovery
    given = "\n[variant]\ntvs_restarts_itself = true\ntvs_vouches_for_ctl = true\n"
    variant = scenario(release=f'"{release}"', more=given).layout().variant
    assert variant.tvs_restarts_itself
    assert variant.tvs_vouches_for_ctl
