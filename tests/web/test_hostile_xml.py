"""What no declaration, no encoding and no size gets past the reader of SOAP messages."""

from __future__ import annotations

import encodings.aliases
import itertools
import xml.etree.ElementTree as ET
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cucm_certflow.errors import UnknownLayout
from cucm_certflow.transports import soap as soap_module
from cucm_certflow.transports.soap import ENVELOPE, parse_body, text_of

DTD = '<!DOCTYPE x [<!ENTITY a "aha">]>'
ENCODINGS = sorted({*encodings.aliases.aliases.values(), "utf-16", "utf-32", "utf-7", "no-such"})


def message(inner: str, *, declared: str = "", dtd: str = "") -> str:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else ""
    body = f"<soap:Body><answer><a>{inner}</a></answer></soap:Body>"
    return f'{head}{dtd}<soap:Envelope xmlns:soap="{ENVELOPE}">{body}</soap:Envelope>'


class FastReader:
    """Keeps what the parser without safeguards is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.given: list[bytes] = []
        self._read = soap_module._quickly
        monkeypatch.setattr(soap_module, "_quickly", self)

    def __call__(self, data: bytes) -> ET.Element:
        self.given.append(data)
        return self._read(data)


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> FastReader:
    return FastReader(monkeypatch)


def encoded(text: str) -> Iterator[tuple[str, bytes]]:
    """*text* in every encoding of this Python that can hold it; with marks and without."""
    for name in ENCODINGS:
        try:
            yield name, text.encode(name)
        except (LookupError, UnicodeError, TypeError, AssertionError):
            continue
    for mark in (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff", b"+/v8-"):
        yield mark.hex(), mark + text.encode()


# ── the way for what is plain ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["", "mark"])
@pytest.mark.parametrize("declared", ["", "utf-8", "UTF-8", "us-ascii"])
def test_plain_messages_are_read_fast(fast: FastReader, declared: str, mark: bytes) -> None:
    answer = parse_body(mark + message("word", declared=declared).encode(), "pub")
    assert text_of(answer, "a") == "word"
    assert len(fast.given) == 1


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (message("w\u00f6rd", declared="iso-8859-1").encode("latin-1"), "w\u00f6rd"),
        (message("word", declared="utf-16").encode("utf-16"), "word"),
        (message("word").encode("utf-16"), "word"),
        (message("<![CDATA[<!DOCTYPE x>]]>").encode(), "<!DOCTYPE x>"),
        (message("<!-- <!DOCTYPE x> -->word").encode(), "word"),
        (b"<!-- first -->" + message("word").encode(), "word"),
    ],
    ids=["latin-1", "utf-16", "utf-16 undeclared", "cdata", "comment", "comment first"],
)
def test_others_are_read_carefully_and_read_all_the_same(
    fast: FastReader, data: bytes, word: str
) -> None:
    assert text_of(parse_body(data, "pub"), "a") == word
    assert fast.given == []


@pytest.mark.parametrize("declared", ENCODINGS)
def test_an_encoding_that_the_parser_does_not_know_itself_is_not_looked_for(
    fast: FastReader, declared: str
) -> None:
    if declared.encode() in soap_module._ENCODINGS:
        return
    text = message("word", declared=declared)
    spaced = text.replace('encoding="', "encoding =\t'").replace('"?>', "'?>")
    late = text.replace("<?xml", "<?xml" + " " * 1000)
    for data in (text.encode(), spaced.encode(), late.encode(), text.encode("utf-16")):
        with pytest.raises(UnknownLayout, match="encoding that we do not read"):
            parse_body(data, "pub")
    assert fast.given == []


# ── declarations, in every encoding ───────────────────────────────────────────────────────


@pytest.mark.parametrize("declares", [True, False], ids=["declared", "undeclared"])
def test_no_encoding_carries_a_declaration_past_the_reader(
    fast: FastReader, declares: bool
) -> None:
    tried = 0
    for name in ENCODINGS:
        text = message("&a;", declared=name if declares else "", dtd=DTD)
        for _, data in encoded(text):
            tried += 1
            with pytest.raises(UnknownLayout):
                parse_body(data, "pub")
        if not declares:
            break
    assert tried > 50
    assert fast.given == []


def test_an_ascii_head_with_a_body_in_another_encoding_defines_nothing(fast: FastReader) -> None:
    """Only the head is ASCII: what follows it is what the declared encoding makes of it."""
    rest = message("&a;", dtd=DTD)
    for declared, (_, data) in itertools.product(ENCODINGS, list(encoded(rest))):
        head = f'<?xml version="1.0" encoding="{declared}"?>'.encode()
        with pytest.raises(UnknownLayout):
            parse_body(head + data, "pub")
    assert all(b"<!" not in data for data in fast.given)


@pytest.mark.parametrize("declared", ["utf-7", "utf-8", "us-ascii", "unicode_escape", "hz"])
@pytest.mark.parametrize(
    "written",
    [
        "+ADwAIQ-DOCTYPE x+AD4-",
        r"\x3c\x21DOCTYPE x>",
        "&#60;!DOCTYPE x>",
        "~{<!~}",
        "%3C%21DOCTYPE",
    ],
)
def test_an_escaped_declaration_is_text_or_an_error(declared: str, written: str) -> None:
    for text in (
        message(written, declared=declared),
        message("&a;", declared=declared, dtd=written),
    ):
        try:
            answer = parse_body(text.encode(), "pub")
        except UnknownLayout:
            continue
        assert [each.tag for each in answer] == ["a"]
        assert "aha" not in (answer[0].text or "")


@pytest.mark.parametrize("entity", ["&a;", "&#0;", "&lol;", "%a;&a;"])
def test_an_entity_that_nobody_defined_is_no_text(entity: str) -> None:
    with pytest.raises(UnknownLayout):
        parse_body(message(entity).encode(), "pub")


def test_whatever_the_fast_reader_gets_has_neither_declaration_nor_another_encoding() -> None:
    # The premise of the shortcut, for the pattern alone: a match declares nothing else.
    for data in (
        b'<?xml version="1.0" encoding="utf-16"?><a/>',
        b'<?xml version="1.0" standalone="yes" encoding="cp037"?><a/>',
        b"<?xml version='1.0' encoding='x' encoding='utf-8'?><a/>",
        b'<?xml version="1.0" encoding="utf-8" encoding="x"?><a/>',
        b'<?xml version="1.1"?><a/>',
        b"<?xml-stylesheet href='x'?><a/>",
        b"<?php ?><a/>",
        b"<\x00a\x00/\x00>\x00",
        b"\xff\xfe<\x00a\x00",
        b"\x4c\xa7\x94\x93",
        b" " * 300 + b"<a/>",
    ):
        match = soap_module._PLAIN.match(data, 0, soap_module._PROLOG)
        assert match is None, data


# ── anything at all ───────────────────────────────────────────────────────────────────────

PIECES = [
    b"<!DOCTYPE x [", b"]>", b'<!ENTITY a "b">', b"&a;", b"<a>", b"</a>", b"<![CDATA[", b"]]>",
    b"<!--", b"-->", b'<?xml version="1.0"', b' encoding="utf-16"', b"?>", b"\x00", b"\xff\xfe",
    b"\xef\xbb\xbf", b" ", b"\n", b"<", b">", b"=", b'"', b"a", b"\xc3\xbc", b"\xed\xa0\x80",
    f'<s:Envelope xmlns:s="{ENVELOPE}"><s:Body>'.encode(), b"</s:Body></s:Envelope>", b"<s:Fault>",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=24).map(b"".join))
def test_anything_is_a_message_or_an_unknown_layout(data: bytes) -> None:
    try:
        answer = parse_body(data, "pub")
    except UnknownLayout:
        return
    assert isinstance(answer, ET.Element)
    assert b"Envelope" in data or b"E\x00n\x00v" in data


# ── sizes ─────────────────────────────────────────────────────────────────────────────────


def test_too_many_attributes_are_refused_before_they_are_read(fast: FastReader) -> None:
    attributes = " ".join(f'b{number:x}=""' for number in range(soap_module._MAX_ATTRIBUTES))
    with pytest.raises(UnknownLayout, match="attributes"):
        parse_body(message(f'<c {attributes} z=""/>').encode(), "pub")
    assert fast.given == []


@pytest.mark.parametrize("careful", [True, False], ids=["careful", "fast"])
@pytest.mark.parametrize(("levels", "allowed"), [(60, True), (61, False), (5000, False)])
def test_both_readers_have_one_bound_of_depth(careful: bool, levels: int, allowed: bool) -> None:
    # Envelope, Body, answer and a are the first four of 64.
    text = message("<b>" * levels + "</b>" * levels)
    data = (b"<!---->" if careful else b"") + text.encode()
    if allowed:
        assert parse_body(data, "pub").tag == "answer"
        return
    with pytest.raises(UnknownLayout, match="levels"):
        parse_body(data, "pub")
