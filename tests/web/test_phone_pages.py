"""What phones show of themselves: pages of every known form, and of none.

The form of the lines is that of public clients: see `transports/phone_pages.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import httpx
import pytest

from cucm_certflow.errors import NodeFault, NodeUnreachable, UnknownLayout
from cucm_certflow.facts import PhoneLists
from cucm_certflow.transports.phone_pages import PAGES, lists_from_pages
from cucm_certflow.transports.phone_web import PhoneWeb
from tests.web.helpers import Wire, access_over, answering, fixture, ris_client

pytestmark = pytest.mark.anyio

SHA1 = "1ba1c907e99e4d3c539dc81424af6c9f7dce4d6d"
SPACED = "1B A1 C9 07 E9 9E 4D 3C 53 9D C8 14 24 AF 6C 9F 7D CE 4D 6D "
OTHER = SPACED.replace("1B", "FF")
ALARM = (
    '<Alarm Name="DeviceTLInfo"><ParameterList>'
    '<String name="CTL_Signature">Not Installed</String>'
    '<String name="CTL_TFTP_Server">N/A</String>'
    f'<String name="ITL_Signature">{SPACED}</String>'
    '<String name="ITL_TFTP_Server">pub.lab.example</String>'
)


def page(*lines: str) -> bytes:
    status = "".join(f"<status>{escape(line)}</status>" for line in lines)
    return f'<?xml version="1.0" encoding="UTF-8"?><DeviceLog>{status}</DeviceLog>'.encode()


@pytest.mark.parametrize(
    ("line", "message", "stamp"),
    [
        ("[8:52:30am 10/01/19] ITL installed", "ITL installed", "8:52:30am 10/01/19"),
        (
            "[5:48:09 AM 10/11/19]  Trust List Updated",
            "Trust List Updated",
            "5:48:09 AM 10/11/19",
        ),
        (
            "11:39:03am 10/09/18 CTL and ITL installed",
            "CTL and ITL installed",
            "11:39:03am 10/09/18",
        ),
        ("1:33:26a Trust List Update Failed", "Trust List Update Failed", "1:33:26a"),
        (
            "[8:52:30am 10/01/19] Trust List update failed, verification failure",
            "Trust List update failed, verification failure",
            "8:52:30am 10/01/19",
        ),
        ("No Trust List Installed", "No Trust List Installed", ""),
    ],
)
def test_a_line_about_trust_lists_is_read_with_its_stamp_as_it_is_shown(
    line: str, message: str, stamp: str
) -> None:
    assert lists_from_pages([page(line)]) == PhoneLists(message=message, stamp=stamp)


def test_the_last_line_counts_and_names_of_files_do_not() -> None:
    shown = lists_from_pages(
        [
            page(
                "[8:00:00am 10/01/19] Trust List Update Failed",
                "[9:00:00am 10/01/19] Trust List Updated",
                "[9:00:01am 10/01/19] SEP001122334455.cnf.xml.sgn(HTTP)",
                "[9:00:02am 10/01/19] File not found: ITLSEP001122334455.tlv",
            )
        ]
    )
    assert (shown.message, shown.stamp) == ("Trust List Updated", "9:00:00am 10/01/19")


@pytest.mark.parametrize(
    "line",
    [
        f"[8:54:12am 08/20/19] DeviceTLInfo CTL_Signature=Not Installed ITL_Signature={SPACED}",
        f"[8:54:12am 08/20/19] {ALARM}",
        f"DeviceTLInfo ITL_Signature: {SPACED.lower()}, CTL_Signature: N/A",
        f"ITL_Signature={SHA1} CTL_Signature=Not Installed",
    ],
)
def test_signatures_are_found_whatever_stands_around_them(line: str) -> None:
    shown = lists_from_pages([page(), page(line)])
    assert (shown.itl, shown.ctl) == (SHA1, "none")


@pytest.mark.parametrize("digits", [SPACED[:-3], SPACED + "AA ", "", "zz " * 20])
def test_what_has_not_20_bytes_is_no_signature(digits: str) -> None:
    assert lists_from_pages([page(f"ITL_Signature={digits}")]).itl == ""


def test_what_two_pages_say_otherwise_is_left_out() -> None:
    first = page(f"ITL_Signature={SPACED}", "Trust List Updated")
    second = page(f"ITL_Signature={OTHER}", "Trust List Update Failed")
    assert lists_from_pages([first, second]) == PhoneLists()
    assert lists_from_pages([first, first]) == lists_from_pages([first])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html><body>Access denied</body></html>",
        b"<DeviceInformation/>",
        b"\xff\xfe\x00rubbish",
        b'<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "b">]><DeviceLog>&a;</DeviceLog>',
    ],
)
def test_a_page_of_another_kind_is_passed_over_and_alone_is_unreadable(data: bytes) -> None:
    with pytest.raises(UnknownLayout):
        lists_from_pages([data])
    assert lists_from_pages([data, page("ITL installed")]).message == "ITL installed"


# ── over HTTP ─────────────────────────────────────────────────────────────────────────────

ADDRESSES = {"SEP1": "10.9.0.1", "SEP2": "not an address", "SEP3": "127.0.0.1"}


class Phone:
    """A phone's web server: pages by path, or a status for all of them."""

    def __init__(
        self, pages: Mapping[str, bytes], *, status: int = 404, down: bool = False
    ) -> None:
        self.asked: list[str] = []
        self._pages, self._status, self._down = pages, status, down

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        if self._down:
            message = "refused"
            raise httpx.ConnectError(message)
        data = self._pages.get(request.url.raw_path.decode())
        return httpx.Response(self._status) if data is None else httpx.Response(200, content=data)


def web(phone: Phone) -> PhoneWeb:
    return PhoneWeb(access_over(Wire(phone, versions=False)), ADDRESSES)


async def test_a_phone_is_asked_at_the_address_that_risport_gave() -> None:
    phone = Phone({PAGES[1]: page("ITL installed"), PAGES[2]: page(f"ITL_Signature={SPACED}")})
    there = web(phone)
    assert await there.read("SEP1") == PhoneLists(itl=SHA1, message="ITL installed")
    assert phone.asked == [f"http://10.9.0.1{path}" for path in PAGES]
    await there.aclose()


@pytest.mark.parametrize("name", ["SEP2", "SEP3", "SEP4"])
async def test_a_phone_without_a_usable_address_is_not_asked(name: str) -> None:
    phone = Phone({})
    there = web(phone)
    with pytest.raises(NodeUnreachable):
        await there.read(name)
    assert phone.asked == []
    await there.aclose()


async def test_a_phone_that_does_not_answer_is_left_alone_for_a_while() -> None:
    phone = Phone({}, down=True)
    there = web(phone)
    for _ in range(3):
        with pytest.raises(NodeUnreachable):
            await there.read("SEP1")
    assert len(phone.asked) == 1
    await there.aclose()


@pytest.mark.parametrize("status", [401, 403, 302, 500, 404])
async def test_a_phone_that_does_not_let_its_log_be_read_is_a_fault(status: int) -> None:
    there = web(Phone({}, status=status))
    with pytest.raises(NodeFault, match="does not show its log"):
        await there.read("SEP1")
    await there.aclose()


async def test_a_page_without_end_is_not_taken_in() -> None:
    there = web(Phone({PAGES[0]: b"<DeviceLog>" + b" " * (300 << 10)}))
    with pytest.raises(NodeFault, match="too much"):
        await there.read("SEP1")
    await there.aclose()


async def test_risport_says_where_each_registered_phone_is() -> None:
    client = ris_client(answering(200, fixture("ris-resp-calltelemetry-fixture-cucm15")))
    assert client.addresses == {}
    await client.registrations(("SEP001122334455", "SEP665544332211"))
    assert client.addresses == {
        "SEP001122334455": "10.0.1.100",
        "SEP665544332211": "10.0.1.101",
        "SEPAABBCCDDEEFF": "10.0.2.50",
    }
    await client.aclose()
