"""The grammar: what a script says, and how mistakes in it are told."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixgw.certify.grammar import AnyOrder, Ask, Connecting, Control, Expect, Item, Pause, Quiet, Send, Use
from fixgw.certify.parser import ScriptError, parse
from tests.certify.build import HEADER, script


def test_every_kind_of_step() -> None:
    """Each line is a step, with its number and its text; comments and empty lines are none."""
    found = script(
        "# a comment",
        "logon TRADER 141=N|108=10",
        "",
        "TRADER > 35=D|11={new order}|{instrument B}|54=1",
        "any order",
        "  TRADER < 35=8|37=(id)",
        "  OPERATOR < 35=8|37=*",
        "end",
        "TRADER quiet",
        "TRADER closed",
        'control refuse order_id={id} reason="no, thank you"',
        "pause 0.5",
        "ask Enter an order",
        "cut TRADER",
        header="needs: mass-cancel, extended\nshort: yes\n",
    )
    assert (found.number, found.name, found.title, found.rule) == (901, "of-a-test", "a title", "a rule")
    assert found.needs == ("mass-cancel", "extended")
    assert found.is_short
    assert [type(step) for step in found.steps] == [
        Connecting, Send, AnyOrder, Quiet, Quiet, Control, Pause, Ask, Connecting,
    ]  # fmt: skip
    logon, sent, block, _, closed, control, pause, ask, cut = found.steps
    assert logon == Connecting(
        6, "logon TRADER 141=N|108=10", "logon", "TRADER", (Item(141, "N"), Item(108, "10"))
    )
    assert isinstance(sent, Send)
    assert sent.items == (Item(35, "D"), Item(11, "{new order}"), Item(0, "{instrument B}"), Item(54, "1"))
    assert isinstance(block, AnyOrder)
    assert [(line.line, line.role) for line in block.expected] == [(10, "TRADER"), (11, "OPERATOR")]
    assert isinstance(closed, Quiet)
    assert closed.verb == "closed"
    assert isinstance(control, Control)
    assert control.arguments == (("order_id", "{id}"), ("reason", "no, thank you"))
    assert isinstance(pause, Pause)
    assert pause.seconds == 0.5
    assert ask == Ask(17, "Enter an order")
    assert isinstance(cut, Connecting)


def test_what_a_script_uses_of_the_profile() -> None:
    """Roles, instruments, accounts and controls, so that a profile which lacks one is told before."""
    found = script(
        "logon TRADER",
        "TRADER > 35=q|11={new m}|530=4|461={cfi C}|1={account OWN}|{party COLLEAGUE}|60={now}",
        "TRADER < 35=r|55={symbol}",
        "control hold",
    )
    assert found.uses == {
        Use("roles", "TRADER"),
        Use("roles", "COLLEAGUE", "party"),
        Use("instruments", "C", "cfi"),
        Use("instruments", "A", "symbol"),
        Use("accounts", "OWN", "account"),
        Use("controls", "hold"),
    }


def test_a_separator_is_one_before_a_tag_only() -> None:
    """A regular expression may hold the separator: it separates only where a field begins after it."""
    (step,) = script("TRADER < 35=8|58=/too late|already/|39=2").steps
    assert isinstance(step, Expect)
    assert step.items == (Item(35, "8"), Item(58, "/too late|already/"), Item(39, "2"))


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("TRADER > 11=a", "a message begins with 35="),
        ("TRADER ? 35=D", "after TRADER comes `>`"),
        ("trader > 35=D", "'trader' is neither a role"),
        ("logon", "'' is neither a role"),
        ("cut TRADER 35=D", "`cut` takes a role and no fields"),
        ("pause a while", "`pause` takes a number of seconds"),
        ("control refuse 1", "is name=value, not '1'"),
        ('control refuse "', "No closing quotation"),
        ("TRADER > 35=D|price", "'35=D|price' is no field"),
        ("TRADER > 35=D|{symbol A}", "'{symbol A}' is no field"),
        ("TRADER > 35=D|11={order}", "{order} is not known here: name it with {new order}"),
        ("TRADER > 35=D|11={new symbol}", "symbol is a word of the grammar"),
        ("TRADER > 35=D|11={Order}", "{Order} is no placeholder"),
        ("TRADER > 35=D|11={now B}", "now takes no name"),
        ("TRADER > 35=D|1={account}", "needs a name of the profile's accounts"),
        ("TRADER < 35=8|37=(now)", "(now) is a word of the grammar"),
        ("TRADER < 35=8|37={new order}", "would be an id that nobody has sent"),
        ("TRADER < 35=8|58=/(/", "is no regular expression"),
        ("TRADER < 35=8|37=(id:[)", "is no regular expression"),
        ("any order\nTRADER > 35=D\nend", "only expected messages"),
        ("any order\nany order", "a block within a block"),
        ("any order\nend", "`end` without"),
        ("end", "`end` without"),
        ("TRADER quiet\ntitle: another", "`title:` stands once"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(line: str, problem: str) -> None:
    """Each mistake names the file and the line, and says what should be there."""
    with pytest.raises(ScriptError) as raised:
        script(line)
    assert re.match(r"desk/901-of-a-test\.fix:[3-5]: ", str(raised.value))
    assert problem in str(raised.value)


def test_a_block_without_an_end_is_told_where_it_begins() -> None:
    """The line is that of `any order`, not the last one of the file."""
    with pytest.raises(ScriptError, match=r"fix:3: `any order` has no `end`"):
        script("any order", "TRADER < 35=8", "TRADER < 35=9")


@pytest.mark.parametrize(
    ("text", "path", "problem"),
    [
        (HEADER + "TRADER quiet", "a.fix", "is called NNN-short-name.fix"),
        ("rule: x\nTRADER quiet", "101-a.fix", "there is no `title:` line"),
        ("title: x\nTRADER quiet", "101-a.fix", "there is no `rule:` line"),
        ("title:\nTRADER quiet", "101-a.fix", "`title:` says nothing"),
        (HEADER + "short: no\nTRADER quiet", "101-a.fix", "`short:` is yes"),
        (HEADER, "101-a.fix", "there is no step"),
    ],
)
def test_a_script_has_a_name_a_title_a_rule_and_steps(text: str, path: str, problem: str) -> None:
    """What is missing is named."""
    with pytest.raises(ScriptError, match=re.escape(problem)):
        parse(text, path)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=60))
def test_any_line_is_a_step_or_a_mistake(line: str) -> None:
    """Whatever a line holds, the only error is the one that names it."""
    try:
        script(line)
    except ScriptError as error:
        assert str(error).startswith("desk/901")  # noqa: PT017
