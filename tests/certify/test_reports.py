"""The reports: for a terminal, for continuous integration, for people."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO

import pytest
from rich.console import Console

from fixgw.certify.grammar import Script
from fixgw.certify.html import html
from fixgw.certify.junit import junit
from fixgw.certify.player import Player
from fixgw.certify.report import Terminal
from fixgw.certify.results import Outcome, Result
from tests.certify.build import Ends, no_control, profile, script
from tests.certify.test_player import LOGON, ORDER, ROLES

AT = datetime(2026, 11, 21, 12, tzinfo=UTC)
EMPTY = ("area", "base", "br", "col", "hr", "img", "input", "link", "meta", "wbr")


@pytest.fixture(scope="module")
def results() -> list[Result]:
    """One that passed, with a password in it; one that failed; one that does not apply."""
    secret = "TRADER > 35=A|98=0|108=30|553=t1|554={password TRADER}"
    end = ("CLIENT < 35=D", "CLIENT > 35=8|39=8|11={order}|58=<b>no\x1b[31m & no</b>\udcff")
    scripts = [
        script("connect TRADER", secret, number=901),
        script(*LOGON, *ORDER, *end, "TRADER < 35=8|39=0", number=902),
        script("logon NOBODY", number=903),
    ]
    played = [play(one) for one in scripts]
    assert [one.outcome for one in played] == list(Outcome)
    return played


def play(one: Script) -> Result:
    ends = Ends()
    player = Player(profile(roles=ROLES), ends.connect, no_control, acceptors=frozenset({"CLIENT"}))
    result = player.play(one)
    player.close()
    ends.close()
    return result


def printed(results: list[Result], *, is_step_by_step: bool = False) -> str:
    out = StringIO()
    terminal = Terminal(Console(file=out, width=300), is_step_by_step=is_step_by_step)
    for result in results:
        for played in result.played:
            terminal.ended(played)
        terminal.scenario(result)
    terminal.summary(results, 12.3)
    return out.getvalue()


def test_the_terminal_has_a_line_for_each_and_says_what_failed(results: list[Result]) -> None:
    """The rule, the file and the line, the messages of the step, what is different; and a sum."""
    text = printed(results)
    lines = text.splitlines()
    assert lines[0].startswith("901 passed ")
    assert "    a rule" in lines
    assert "    desk/902-of-a-test.fix:10 TRADER < 35=8|39=0" in lines
    assert any("ExecutionReport(8)" in line and 'Text="<b>no' in line for line in lines)
    assert any(line.startswith("    OrdStatus(39) is 8, not 0, in 8=FIX.4.4|") for line in lines)
    assert "    the profile has no roles.NOBODY" in lines
    assert lines[-2:] == ["3 scenarios in 12 s: 1 passed, 1 failed, 1 not applicable", "failed: 902"]
    assert "connected" not in text


def test_step_by_step_every_message_is_shown(results: list[Result]) -> None:
    """Also of what passed."""
    assert "NewOrderSingle(D)" in printed(results, is_step_by_step=True)


def test_junit(results: list[Result]) -> None:
    """A test case for each scenario, with the rule; the failure holds the conversation."""
    root = ET.fromstring(junit(results, "a <venue>", 12.3))
    suite = root[0]
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "skipped")} == {
        "name": "a <venue>",
        "tests": "3",
        "failures": "1",
        "skipped": "1",
    }
    passed, failed, skipped = suite
    assert passed.get("name") == "901 a title"
    assert passed.find("properties/property[@name='rule']") is not None
    failure = failed.find("failure")
    assert failure is not None
    assert (failure.get("message") or "").startswith("line 10: OrdStatus(39) is 8, not 0")
    assert "ExecutionReport(8)" in (failure.text or "")
    reason = skipped.find("skipped")
    assert reason is not None
    assert reason.get("message") == "the profile has no roles.NOBODY"


class Tags(HTMLParser):
    """Checks that tags are closed in order, and notes those with an address."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in EMPTY:
            self.open.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html(results: list[Result]) -> None:
    """One file that needs no other, well formed; what failed stands open; names of fields and values."""
    text = html(results, "a <venue>", AT, 12.3)
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert all(address.startswith("#s9") for address in tags.addresses)
    assert "2026-11-21 12:00:00 UTC, 12 s: 3 scenarios, 1 passed, 1 failed, 1 not applicable" in text
    assert '<details class="failed" id="s902" open>' in text
    assert "OrdStatus(39) is 8, not 0" in text
    assert "REJECTED" in text


def test_no_report_trusts_what_a_venue_says(results: list[Result]) -> None:
    """Its text is neither markup nor a command to the terminal."""
    for text in (printed(results), junit(results, "v", 1), html(results, "v", AT, 1)):
        assert "\x1b" not in text
        text.encode()  # bytes that are no UTF-8 do not get this far
    assert "<b>no\\" not in html(results, "v", AT, 1)


def test_no_report_shows_a_password(results: list[Result]) -> None:
    """Not even where the conversation has it."""
    assert any("secret-t1" in heard.raw for played in results[0].played for heard in played.heard)
    shown = (printed(results, is_step_by_step=True), junit(results, "v", 1), html(results, "v", AT, 1))
    assert not [text for text in shown if "secret-t1" in text]
