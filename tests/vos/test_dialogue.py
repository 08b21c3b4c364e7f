from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cucm_certflow.errors import UsageError
from cucm_certflow.transports.vos.dialogue import (
    Action,
    Asked,
    Broken,
    Dialogue,
    Expected,
    Finished,
    Send,
    State,
)
from tests.vos.talk import QUIET_S, Talk, raw_fixture

PROCEED = Expected(r"Proceed with regeneration \(yes\|no\) ?\?", "yes")
PAGER = b"\x1b[1mPress <enter> for 1 line, <space> for one page, or <q> to quit\x1b[0m"
VIEWER = (
    b"\x1b[1m\r\noptions: q=quit, n=next, p=prev, b=begin, e=end (lines 1 - 20 of 189216) : \x1b[0m"
)


# ── logging in ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["login-banner-cucm", "login-rawbytes-cucm-15"])
def test_banner_ends_at_a_prompt_however_it_is_cut(name: str) -> None:
    raw = raw_fixture(name).rstrip(b"\n")
    expected = Talk().hear(raw)
    assert expected.text.startswith("Command Line Interface is starting up")
    assert expected.dialogue.state is State.AT_PROMPT
    assert expected.sent == b""
    for cut in range(1, len(raw)):
        assert Talk().pieces([raw[:cut], raw[cut:]]).rest().actions == expected.actions
    assert Talk().pieces(raw[i : i + 1] for i in range(len(raw))).rest().actions == expected.actions


def test_slow_node_gets_newlines_after_the_welcome_line_and_not_before() -> None:
    talk = Talk().hear(b"Command Line Interface is starting up, please wait ...\r\n")
    assert talk.sent == b""
    talk.hear(b"\r\n   Welcome to the Platform Command Line Interface\r\n\r\n")
    assert talk.sent == b"\n\n\n"
    talk.hear(b"admin:\r\nadmin:\r\nadmin:")
    assert talk.dialogue.state is State.AT_PROMPT


def test_slow_node_with_a_question_on_the_line_gets_no_newline() -> None:
    talk = Talk().hear(b"   Welcome to the Platform Command Line Interface\r\nAccept (yes/no)? ")
    assert talk.sent == b""
    assert isinstance(talk.last, Asked)


def test_extra_prompts_of_a_nudge_are_not_the_end_of_the_next_command() -> None:
    talk = Talk().at_prompt().type("show version active")
    talk.hear(b"\r\nadmin:\r\nadmin:")
    assert talk.actions == [Send(b"show version active\n")]
    talk.hear(b"show version active\r\nActive Master Version: 15.0.1.12900-234\r\nadmin:")
    assert talk.text == "Active Master Version: 15.0.1.12900-234"


# ── prompts ───────────────────────────────────────────────────────────────────────────────


def test_prompt_text_inside_output_is_not_a_prompt() -> None:
    talk = Talk().at_prompt().type("help show")
    talk.pieces([b"help show\r\nExample:\r\nadmin:", b"show x\r\nadmin:\r\nend\r\n", b"admin:"])
    assert talk.rest().text == "Example:\nadmin:show x\nadmin:\nend"


def test_prompt_may_follow_an_erase_line() -> None:
    talk = Talk().at_prompt().type("show x").hear(b"show x\r\none\r\n\x1b[Kadmin:")
    assert talk.text == "one"


def test_prompt_is_believed_after_quiet_only() -> None:
    talk = Talk().at_prompt().type("show x").pieces([b"show x\r\none\r\nadmin:"])
    assert talk.dialogue.tick(talk.now + QUIET_S * 0.9) == []
    assert talk.dialogue.tick(talk.now + QUIET_S * 1.01) == [Finished("one")]


def test_success_word_after_the_prompt_belongs_to_the_command() -> None:
    command = "utils network name-service hosts cache invalidate"
    talk = Talk().at_prompt().type(command).pieces([command.encode() + b" \r\nadmin:"])
    talk.now += QUIET_S * 2
    talk.actions += talk.dialogue.tick(talk.now)
    talk.hear(b"\r\nSuccessful\r\nadmin:")
    assert talk.text == "Successful"


def test_silent_command_finishes_after_the_grace() -> None:
    talk = Talk().at_prompt().type("set x").hear(b"set x\r\nadmin:")
    assert talk.text == ""


def test_late_words_are_not_the_next_commands_output() -> None:
    talk = Talk().at_prompt().type("set x").hear(b"set x\r\nok\r\nadmin:")
    talk.pieces([b"\r\nSuccessful\r\nadmin:"]).type("show y")
    assert talk.hear(b"show y\r\ntwo\r\nadmin:").text == "two"
    talk.type("show z").hear(b"\r\nSuccessful\r\nadmin:show z\r\nthree\r\nadmin:")
    assert talk.text == "three"


def test_wrapped_echo_is_taken_off() -> None:
    command = "run sql select name,description,nodeid from processnode"
    echo = command[:30].encode() + b" \r" + command[30:].encode()
    assert Talk().at_prompt().type(command).hear(echo + b"\r\nname\r\nadmin:").text == "name"


@pytest.mark.parametrize("command", ["show cert own ?", "show\tcert", "a\nb", "a\x03", "", "ä"])
def test_command_that_acts_at_once_is_never_typed(command: str) -> None:
    talk = Talk().at_prompt()
    with pytest.raises(UsageError, match="cannot be typed"):
        talk.type(command)
    assert talk.dialogue.state is State.AT_PROMPT


def test_command_needs_a_prompt() -> None:
    with pytest.raises(UsageError, match="not at its prompt"):
        Talk().type("show x")


# ── pagers ────────────────────────────────────────────────────────────────────────────────


def test_pager_is_answered_with_space_and_leaves_no_trace() -> None:
    raw = raw_fixture("paging-rawbytes")
    first, second, third = raw.split(PAGER)
    talk = Talk().at_prompt().type("show tech dbstateinfo")
    talk.hear(b"show tech dbstateinfo\r\n" + first + PAGER)
    assert talk.sent.endswith(b"\n ")
    assert talk.dialogue.state is State.PAGER_1
    talk.hear(second + PAGER)
    assert talk.sent.endswith(b"\n  ")
    assert talk.hear(third).text == (
        "Database State Info\n\nOutput is in /cm/trace/dbl/showtechdbstateinfo211506.txt\n\n"
        ' Please use "file view activelog /cm/trace/dbl/showtechdbstateinfo211506.txt" to see the '
        "\n"
        "    contents of File"
    )


def test_text_after_a_pager_goes_on_on_its_line() -> None:
    talk = (
        Talk()
        .at_prompt()
        .type("show hardware")
        .hear(b"show hardware\r\nProcessors : 2\r\n" + PAGER)
    )
    talk.hear(b"\r\x1b[KType : Intel\r\n" + PAGER).hear(b"\r\x1b[Kadmin:")
    assert talk.text == "Processors : 2\nType : Intel"


def test_captured_pages_read_as_one() -> None:
    raw = raw_fixture("paging-show-hardware").replace(b"\n", b"\r\n").rstrip()
    talk = Talk().at_prompt().type("show hardware").hear(raw)
    assert "Press <enter>" not in talk.text
    assert "\nType              : Intel(R) Xeon(R) CPU" in talk.text


def test_file_viewer_is_left_and_the_text_is_marked_as_cut() -> None:
    talk = Talk().at_prompt().type("file view x").hear(b"file view x\r\nline\r\n" + VIEWER)
    assert talk.sent.endswith(b"q")
    talk.hear(b"\r\x1b[K\r\nadmin:")
    assert isinstance(talk.last, Finished)
    assert talk.last.cut


# ── questions ─────────────────────────────────────────────────────────────────────────────

REGEN = b"set cert regen tomcat\r\nWARNING: This operation will overwrite\r\n"
ASKS = b"Proceed with regeneration (yes|no)? "


def test_expected_question_is_answered_slowly_character_by_character() -> None:
    talk = Talk().at_prompt().type("set cert regen tomcat", [PROCEED]).pieces([REGEN + ASKS])
    times: list[tuple[Action, float]] = []
    while (wake := talk.dialogue.wake_at_s) is not None:
        times += [(action, wake) for action in talk.dialogue.tick(wake)]
    assert [action for action, _ in times] == [Send(b"y"), Send(b"e"), Send(b"s"), Send(b"\n")]
    instants = [at for _, at in times]
    assert instants[0] >= talk.now + QUIET_S
    assert all(b - a >= QUIET_S / 2 - 1e-9 for a, b in pairwise(instants))


def test_nothing_is_answered_while_the_question_is_still_being_printed() -> None:
    talk = Talk().at_prompt().type("set cert regen tomcat", [PROCEED]).pieces([REGEN + ASKS])
    talk.pieces([b"\r\nbut then it goes on"]).rest()
    assert talk.sent == b"set cert regen tomcat\n"


def test_answered_command_hands_on_the_whole_text() -> None:
    talk = Talk().at_prompt().type("set cert regen tomcat", [PROCEED]).hear(REGEN + ASKS)
    talk.hear(b"yes\r\nSuccessfully Regenerated Certificate for tomcat.\r\nadmin:")
    assert talk.text.endswith(
        "Proceed with regeneration (yes|no)? yes\nSuccessfully Regenerated Certificate for tomcat."
    )


def test_question_that_comes_again_is_not_answered_again() -> None:
    talk = Talk().at_prompt().type("set cert regen tomcat", [PROCEED]).hear(REGEN + ASKS)
    talk.hear(b"yes\r\n" + ASKS)
    assert talk.sent == b"set cert regen tomcat\nyes\n"
    assert isinstance(talk.last, Asked)
    assert talk.dialogue.state is State.DEAD


@pytest.mark.parametrize(
    "question",
    [
        "Proceed with regeneration (yes|no)? ",
        "Do you want to use the same certificate for tomcat-client (yes|no) ? ",
        "Do you wish to proceed (yes|no)? ",
        "Do you want to continue? (y/n):",
        "Continue (y/n)?",
        "Continue(y/n):",
        "Enter (yes/no)? ",
        "Do you want to continue (yes/no) ? ",
        'Enter "y" followed by return to continue: ',
        "Start installation (yes/no):",
        "Enter the Common Name of Default CA Certificate : ",
        "   Please enter the new password: ",
        "Proceed?",
    ],
)
def test_unknown_question_of_any_style_is_reported_and_never_answered(question: str) -> None:
    talk = Talk().at_prompt().type("set x").hear(b"set x\r\ntext\r\n" + question.encode())
    assert talk.sent == b"set x\n"
    assert talk.last == Asked(question.strip(), f"set x\ntext\n{question}")
    assert talk.hear(b"admin:").sent == b"set x\n"


@pytest.mark.parametrize(
    ("question", "expected", "typed"),
    [
        ("continue? (y/n):", Expected(r"continue\? \(y/n\):", "y"), b"y\n"),
        ("Continue (y/n)?", Expected(r"Continue \(y/n\)\?", "y", enter=False), b"y"),
        (
            'Delete x? Enter "y" followed by return to continue: ',
            Expected(r".*to continue:", "y"),
            b"y\n",
        ),
    ],
)  # fmt: skip
def test_expected_question_of_any_style_is_answered(
    question: str, expected: Expected, typed: bytes
) -> None:
    talk = Talk().at_prompt().type("set x", [expected]).hear(b"set x\r\n" + question.encode())
    assert talk.sent == b"set x\n" + typed
    assert talk.hear(b"\r\ndone\r\nadmin:").text.endswith("done")


@pytest.mark.parametrize(
    "name", ["continue-prompt-core-analyze", "fips-enable-prompt", "system-restart-prompt-12.5"]
)
def test_captured_questions_are_seen_as_such(name: str) -> None:
    command, _, body = raw_fixture(name).removeprefix(b"admin:").partition(b"\n")
    talk = Talk().at_prompt().type(command.decode().strip())
    talk.hear(command + b"\r\n" + body.rstrip().replace(b"\n", b"\r\n"))
    assert isinstance(talk.last, Asked)


# ── ends ──────────────────────────────────────────────────────────────────────────────────


def test_too_much_output_breaks_the_conversation() -> None:
    talk = Talk(Dialogue(quiet_s=QUIET_S, limit_bytes=1000)).at_prompt().type("show x")
    talk.hear(b"x" * 1001)
    assert isinstance(talk.last, Broken)
    assert talk.hear(b"\r\nadmin:").actions[-1] is talk.last


def test_a_closed_connection_breaks_it_once() -> None:
    talk = Talk().at_prompt().type("show x").pieces([b"show x\r\nhalf"])
    assert talk.dialogue.closed() == [Broken("the session ended", "show x\nhalf")]
    assert talk.dialogue.closed() == []


def test_full_answer_is_the_same_in_all_pieces() -> None:
    raw = b"show x\r\n" + raw_fixture("show-cert-own-rsa-full").replace(b"\n", b"\r\n")[:1500]
    raw += b"\r\nadmin:\r\n\radmin:"
    whole = Talk().at_prompt().type("show x").hear(raw).actions
    assert isinstance(whole[-1], Finished)
    for cut in range(1, len(raw)):
        assert (
            Talk().at_prompt().type("show x").pieces([raw[:cut], raw[cut:]]).rest().actions == whole
        )


PARTS = st.sampled_from(
    [
        b"admin:", b"\r\n", b"\r", b"\x1b[K", b"\x1b[1m", b"(yes|no)? ", ASKS, PAGER, VIEWER,
        b"show x", b"Welcome", b"\xff\xfe", b"[STARTED]", b"\x1b", b"text ", b"?", b":",
    ]
)  # fmt: skip


@given(
    st.lists(st.tuples(st.one_of(PARTS, st.binary(max_size=8)), st.booleans()), max_size=25),
    st.booleans(),
)
def test_whatever_comes_it_never_sends_after_doubt(
    pieces: list[tuple[bytes, bool]], begin: bool
) -> None:
    talk = Talk()
    if begin:
        talk.at_prompt().type("show x", [PROCEED])
    for piece, quiet in pieces:
        talk.pieces([piece])
        if quiet:
            talk.rest()
    talk.rest()
    ends = [i for i, action in enumerate(talk.actions) if isinstance(action, Asked | Broken)]
    assert len(ends) <= 1
    if ends:
        assert ends[0] == len(talk.actions) - 1
        assert talk.dialogue.state is State.DEAD
    allowed = set(b"show x\nyesq ")
    assert set(talk.sent) <= allowed


@given(st.lists(st.one_of(PARTS, st.binary(max_size=5)), max_size=20), st.data())
def test_cuts_change_nothing(parts: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(parts)
    at = data.draw(st.integers(0, len(raw)))
    whole = Talk().at_prompt().type("show x", [PROCEED]).pieces([raw]).rest()
    cut = Talk().at_prompt().type("show x", [PROCEED]).pieces([raw[:at], raw[at:]]).rest()
    assert cut.actions == whole.actions
