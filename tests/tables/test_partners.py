"""The tasks for other systems: every one can be read, named, answered and told apart."""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import pytest

from cucm_certflow.checks.asked import ASKED_AFTER, ASKED_BEFORE
from cucm_certflow.checks.preflight import PREFLIGHT
from cucm_certflow.findings import Said
from cucm_certflow.names import CertUnit, Release, SecurityMode
from cucm_certflow.procedures.partners import PARTNER_TASKS, PartnerTask, tasks_for
from cucm_certflow.procedures.releases import EXISTS

PARTNERS: Final = (
    "UCCX",
    "identity provider",
    "Extension Mobility Cross",
    "Expressway",
    "RADIUS",
    "ASA",
    "CUBE",
    "IOS media",
    "secure SRST",
    "Unity Connection",
    "Emergency Responder",
    "Meeting Server",
    "JTAPI",
    "off-cluster TFTP",
    "IPsec",
    "intercluster peers",
)
RELEASES: Final = ("8.6", "9.1", "10.5", "11.5", "12.0", "12.5", "14", "15")


def ids(*units: CertUnit, release: str = "12.5") -> set[str]:
    return {t.id for t in tasks_for(units, Release.parse(release), SecurityMode.MIXED)}


@pytest.mark.parametrize("task", PARTNER_TASKS, ids=lambda task: task.id)
def test_task_is_a_question_with_steps_and_a_source(task: PartnerTask) -> None:
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", task.id)
    assert task.question.endswith("?")
    assert task.instructions
    assert all(step.endswith(".") for step in task.instructions)
    assert task.partner
    assert task.units
    assert task.source.document
    assert task.source.section
    assert Said(item=task.id, by="a person", why="there is none").item == task.id


def test_no_two_items_have_the_same_name() -> None:
    named = [task.id for task in PARTNER_TASKS]
    named += [check.id for check in {*PREFLIGHT, *ASKED_BEFORE, *ASKED_AFTER}]
    assert [name for name, times in Counter(named).items() if times > 1] == []


@pytest.mark.parametrize("word", PARTNERS)
def test_every_partner_that_a_change_may_break_is_asked_about(word: str) -> None:
    assert any(word in task.partner for task in PARTNER_TASKS)


@pytest.mark.parametrize("unit", CertUnit)
@pytest.mark.parametrize("release", RELEASES)
def test_every_unit_is_somebody_elses_matter_in_every_release(unit: CertUnit, release: str) -> None:
    if Release.parse(release) in EXISTS[unit].releases:
        assert ids(unit, release=release)


def test_tvs_is_nobodys_matter_but_other_clusters() -> None:
    assert ids(CertUnit.TVS) == {"tftp-clusters"}


def test_tasks_of_a_unit_are_these() -> None:
    assert ids(CertUnit.TOMCAT) == {
        "sso-metadata",
        "uccx-trust",
        "emcc-exchange",
        "expressway-trust",
        "unity-trust",
        "cer-trust",
        "web-applications",
        "presence-peers",
    }
    assert ids(CertUnit.CAPF) == {
        "dot1x-trust",
        "lsc-reissue",
        "vpn-trust",
        "srst-trust",
        "cer-trust",
        "cti-trust",
        "tftp-clusters",
    }
    assert ids(CertUnit.ITLRECOVERY) == {
        "sso-metadata",
        "emcc-exchange",
        "tftp-clusters",
    }
    assert ids(CertUnit.CUP_XMPP_S2S) == {"xmpp-federation"}


def test_ec_certificate_brings_the_tasks_of_its_rsa_twin() -> None:
    for unit in CertUnit:
        if unit.value.endswith("-ECDSA"):
            twin = CertUnit(unit.value.removesuffix("-ECDSA"))
            assert ids(unit) == ids(twin)


@pytest.mark.parametrize("release", RELEASES)
def test_ipsec_peers_are_asked_about_once_and_restarted_from_14(release: str) -> None:
    """Cisco administration guide 15, Manage IPSec; security guide 14SU2."""
    young = Release.parse(release).short >= (14, 0)
    assert ids(CertUnit.IPSEC, release=release) == {"ipsec-restart" if young else "ipsec-peers"}


def test_both_modes_are_asked_the_same() -> None:
    release = Release.parse("14")
    assert tasks_for(CertUnit, release, SecurityMode.MIXED) == tasks_for(
        CertUnit, release, SecurityMode.NON_SECURE
    )


def test_what_no_text_says_is_marked_so() -> None:
    unread = {task.id for task in PARTNER_TASKS if "unverified" in str(task.source)}
    assert unread == {"srst-trust", "unity-trust", "cer-trust", "cms-trust"}
