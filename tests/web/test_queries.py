"""Rows of the database as phones."""

from __future__ import annotations

import pytest

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.facts import Phone, PhoneSecurity
from cucm_certflow.transports.queries import (
    GROUP_MEMBERS,
    PHONES,
    WITHOUT_SECURITY_BY_DEFAULT,
    has_no_security_by_default,
    parameter_from_rows,
    parameter_query,
    phones_from_rows,
    phones_page,
    without_security_by_default,
)

MEMBERS = [
    {"cmgroup": "Default", "nodename": "pub", "priority": "10"},
    {"cmgroup": "Default", "nodename": "sub1.example.com", "priority": "2"},
    {"cmgroup": "Branch", "nodename": "sub1.example.com", "priority": "0"},
]


def phone(name: str, **more: str) -> dict[str, str]:
    row = {
        "name": name,
        "model": "Cisco 8841",
        "securitymode": "Non Secure",
        "cmgroup": "Default",
    }
    return row | more


def test_a_phone_without_protocol_pool_or_profile_is_read_all_the_same() -> None:
    said = phone("SEP1", protocol="SIP", pool=" Berlin ", profile="Cisco 8841 - Secure")
    null = phone("SEP2", protocol="", pool="", profile="")
    first, second, third = phones_from_rows([said, null, phone("SEP3")], MEMBERS)
    assert (first.protocol, first.pool, first.profile) == ("SIP", "Berlin", "Cisco 8841 - Secure")
    for bare in (second, third):
        assert (bare.protocol, bare.pool, bare.profile) == ("", "", "")


def test_phones_come_with_their_group_in_order_of_priority() -> None:
    rows = [
        phone("SEP2", securitymode="Encrypted", cmgroup="Branch"),
        phone("SEP1"),
        phone("CSFUSER", model="Cisco Unified Client Services Framework", securitymode=""),
    ]
    found = phones_from_rows(rows, MEMBERS, node_name=lambda name: name.partition(".")[0])
    assert found == (
        Phone(
            name="CSFUSER",
            model="Cisco Unified Client Services Framework",
            group=("sub1", "pub"),
            security_by_default=False,
        ),
        Phone(name="SEP1", model="Cisco 8841", group=("sub1", "pub")),
        Phone(name="SEP2", model="Cisco 8841", group=("sub1",), security=PhoneSecurity.ENCRYPTED),
    )


@pytest.mark.parametrize("word", ["Non Secure", "Non-Secure", "non secure", "NonSecure"])
def test_spellings_of_non_secure(word: str) -> None:
    (found,) = phones_from_rows([phone("SEP1", securitymode=word)], MEMBERS)
    assert found.security is PhoneSecurity.NON_SECURE


@pytest.mark.parametrize(
    "row",
    [
        phone("SEP1", securitymode="Quantum"),
        phone("SEP1", cmgroup="Elsewhere"),
        phone("SEP1", cmgroup=""),
        phone(""),
        {"name": "SEP1"},
    ],
    ids=["mode", "group", "no-group", "no-name", "no-columns"],
)
def test_what_a_row_does_not_say_is_not_guessed(row: dict[str, str]) -> None:
    with pytest.raises(UnknownLayout):
        phones_from_rows([row], MEMBERS)


def test_priority_is_a_number() -> None:
    with pytest.raises(UnknownLayout, match="priority"):
        phones_from_rows([], [{"cmgroup": "a", "nodename": "b", "priority": "first"}])


@pytest.mark.parametrize("model", ["Cisco 7960", "Cisco 7960G", "cisco  7940"])
def test_old_models_have_no_security_by_default(model: str) -> None:
    assert has_no_security_by_default(model, WITHOUT_SECURITY_BY_DEFAULT)


@pytest.mark.parametrize("model", ["Cisco 7961", "Cisco 7940X", "Cisco 8841", "Cisco 7965"])
def test_other_models_have_it(model: str) -> None:
    assert not has_no_security_by_default(model, WITHOUT_SECURITY_BY_DEFAULT)


def test_models_can_be_given() -> None:
    (found,) = phones_from_rows([phone("SEP1")], MEMBERS, {"cisco 8841"})
    assert not found.security_by_default


def test_models_can_be_those_that_the_cluster_lists() -> None:
    rows = [phone("SEP1"), phone("SEP2", model="Cisco 7960")]
    assert without_security_by_default(rows, [{"model": "Cisco 8841"}]) == {"Cisco 7960"}
    with pytest.raises(UnknownLayout, match="no row"):
        without_security_by_default(rows, [])


def test_a_parameter_is_one_row_with_a_value() -> None:
    row = {"paramname": "ClusterSecurityMode", "paramvalue": "1"}
    assert parameter_from_rows([row]) == "1"
    for rows in ([], [row, row], [{"paramname": "x"}]):
        with pytest.raises(UnknownLayout):
            parameter_from_rows(rows)


@pytest.mark.parametrize("name", ["", "x'; drop table", "two words", "1st"])
def test_what_is_no_parameters_name_is_never_put_into_a_query(name: str) -> None:
    with pytest.raises(ValueError, match="name of a parameter"):
        parameter_query(name)


def test_pages_go_on_after_a_name() -> None:
    assert phones_page(first=10).startswith("select first 10 d.name")
    assert "and d.name > 'SEP''1' order by d.name" in phones_page("SEP'1")
    assert phones_page().removeprefix("select first 2000 ") == PHONES.removeprefix("select ")
    assert "order by cmg.name, cmgm.priority" in GROUP_MEMBERS
    with pytest.raises(ValueError, match="1 or more"):
        phones_page(first=0)
